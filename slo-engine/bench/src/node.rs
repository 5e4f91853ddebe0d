//! A search node with an index pattern of its own, written to as shippers write.

use std::rc::Rc;

use anyhow::Context;
use headroom_bench::engine::Engine;
use headroom_bench::server::Server;

use crate::http::Http;

/// All indices that are written.
pub(crate) const INDICES: &str = "logs-*";

/// Fields are typed as shippers of structured logs type them; what is written is seen when that is asked for.
const INDEX: &str = r#"{
    "settings": {"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "-1", "translog.durability": "async"},
    "mappings": {"dynamic": false, "properties": {
        "@timestamp": {"type": "date"},
        "service": {"properties": {"name": {"type": "keyword"}}},
        "event": {"properties": {"dataset": {"type": "keyword"}, "duration": {"type": "long"}}},
        "http": {"properties": {"response": {"properties": {"status_code": {"type": "long"}}}}}
    }}
}"#;

/// A running node; it is stopped when this value goes.
#[derive(Debug)]
pub(crate) struct Node {
    server: Server,
    http: Rc<Http>,
}

impl Node {
    pub(crate) const fn new(server: Server, http: Rc<Http>) -> Self {
        Self { server, http }
    }

    pub(crate) fn url(&self) -> &str {
        self.server.url()
    }

    /// An engine that reads it, as the source `logs`.
    pub(crate) fn read_by(&self, engine: &Engine) -> Engine {
        let engine = engine.reading(self.url()).with("HEADROOM__SOURCES__0__NAME", "logs");
        engine.with("HEADROOM__SOURCES__0__KIND", "elasticsearch")
    }

    /// CPU seconds that it has used.
    pub(crate) fn cpu_seconds(&self) -> anyhow::Result<f64> {
        self.server.cpu_seconds()
    }

    /// Makes the index of a number.
    pub(crate) fn index(&self, number: usize) -> anyhow::Result<()> {
        let url = format!("{}/{}", self.url(), name(number));
        self.http.put(&url, INDEX).context("make an index").map(drop)
    }

    /// Writes lines as the bulk interface takes them.
    pub(crate) fn write(&self, lines: String) -> anyhow::Result<()> {
        let url = format!("{}/_bulk?filter_path=errors,items.*.error", self.url());
        let reply = self.http.post(&url, lines)?;
        let reply: serde_json::Value = serde_json::from_str(&reply).context("read the reply")?;
        anyhow::ensure!(reply["errors"] == false, "the node refused documents: {reply}");
        Ok(())
    }

    /// From now on all that was written is found.
    pub(crate) fn refresh(&self) -> anyhow::Result<()> {
        let url = format!("{}/{INDICES}/_refresh", self.url());
        self.http.post(&url, String::new()).context("refresh the indices").map(drop)
    }
}

/// The name of the index of a number.
pub(crate) fn name(number: usize) -> String {
    format!("logs-{number:06}")
}
