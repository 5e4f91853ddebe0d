//! A real node of one kind at a time, shared by the tests of that kind.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex};

use reqwest::Method;
use serde_json::Value;

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Elasticsearch,
    Opensearch,
}

/// A running node; stopped when it is dropped, or when this process ends.
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) url: String,
    folder: PathBuf,
}

fn script(arguments: &[&str]) -> String {
    // Other crates' tests use this file too.
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let mut scripts = above.map(|folder| folder.join("tests/tools/search-node.sh"));
    let script = scripts.find(|script| script.exists()).unwrap();
    let output = Command::new("bash").arg(&script).args(arguments).output();
    let output = output.unwrap_or_else(|e| panic!("bash: {e}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} {arguments:?} failed: {said}", script.display());
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

impl Node {
    /// Starts a node of its own. Its folder is not below the checkout, which the node's user may be unable to read.
    fn start(kind: Kind) -> Self {
        let name = match kind {
            Kind::Elasticsearch => "elasticsearch",
            Kind::Opensearch => "opensearch",
        };
        let pid = std::process::id().to_string();
        let folder = std::env::temp_dir().join(format!("headroom-{name}-{pid}"));
        let url = script(&["start", name, folder.to_str().unwrap(), "--for", &pid]);
        Self { kind, url, folder }
    }

    /// Sends a request that has to succeed.
    pub(crate) async fn send(&self, method: Method, path: &str, body: &Value) -> Value {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        self.send_text(method, path, text).await
    }

    /// The same with text.
    pub(crate) async fn send_text(&self, method: Method, path: &str, body: String) -> Value {
        let _ = rustls::crypto::ring::default_provider().install_default();
        // A client of its own: connections end with the runtime of the test that made them.
        let client = reqwest::Client::builder().build().unwrap();
        let request = client.request(method, format!("{}{path}", self.url));
        let request = request.header("content-type", "application/json").body(body);
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Makes an index.
    pub(crate) async fn index(&self, name: &str, body: &Value) {
        self.send(Method::PUT, &format!("/{name}"), body).await;
    }

    /// Writes documents (index, id, document) and makes them visible; a null id is chosen by the node.
    pub(crate) async fn write(&self, documents: &[(String, Value, Value)]) {
        for part in documents.chunks(500) {
            let mut lines = String::new();
            for (index, id, document) in part {
                let mut head = serde_json::json!({ "index": { "_index": index } });
                if !id.is_null() {
                    head["index"]["_id"] = id.clone();
                }
                lines += &format!("{head}\n{document}\n");
            }
            let answer = self.send_text(Method::POST, "/_bulk?refresh=true", lines).await;
            assert_eq!(answer["errors"], Value::Bool(false), "{answer}");
        }
    }

    /// Sets or, with null, resets a setting of the cluster.
    pub(crate) async fn set(&self, name: &str, value: Value) {
        let body = serde_json::json!({ "transient": { name: value } });
        self.send(Method::PUT, "/_cluster/settings", &body).await;
    }

    /// The node keeps its port and says nothing more.
    pub(crate) fn pause(&self) {
        script(&["pause", self.folder.to_str().unwrap()]);
    }

    /// It goes on.
    pub(crate) fn resume(&self) {
        script(&["resume", self.folder.to_str().unwrap()]);
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        script(&["stop", self.folder.to_str().unwrap()]);
    }
}

/// Who uses the node that runs now.
struct Gate {
    node: Option<Arc<Node>>,
    leases: usize,
    is_alone: bool,
}

static GATE: Mutex<Gate> = Mutex::new(Gate { node: None, leases: 0, is_alone: false });
static FREED: Condvar = Condvar::new();

/// The right to use the node until it is dropped.
pub(crate) struct Lease(Arc<Node>);

impl std::ops::Deref for Lease {
    type Target = Node;
    fn deref(&self) -> &Node {
        &self.0
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut gate = GATE.lock().unwrap();
        gate.leases -= 1;
        gate.is_alone = false;
        FREED.notify_all();
    }
}

/// A node of the kind, together with other tests.
pub(crate) fn shared(kind: Kind) -> Lease {
    lease(kind, false)
}

/// A node of the kind that nobody else uses meanwhile.
pub(crate) fn alone(kind: Kind) -> Lease {
    lease(kind, true)
}

/// Two nodes never run at once: the first lease of the other kind waits for the last one of this kind.
fn lease(kind: Kind, alone: bool) -> Lease {
    let runs = |gate: &Gate| gate.node.as_ref().is_some_and(|node| node.kind == kind);
    let must_wait = |gate: &mut Gate| gate.leases > 0 && (gate.is_alone || alone || !runs(gate));
    let poisoned = "a node did not start or stop: the first failure says why";
    let gate = GATE.lock().expect(poisoned);
    let mut gate = FREED.wait_while(gate, must_wait).expect(poisoned);
    if !runs(&gate) {
        gate.node = None;
        gate.node = Some(Arc::new(Node::start(kind)));
    }
    gate.leases += 1;
    gate.is_alone = alone;
    Lease(gate.node.clone().unwrap())
}
