//! A real Alertmanager tells a running server: alerts open, confirm and close incidents, and the gate
//! goes by them; a resolve that was lost is made up for by the next list of the group.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use slo_engine::clock::{Clock, SystemClock};
use slo_engine::store::Store;
use slo_engine::token::{Asked, Scope, create};

use crate::serve::Running;
use crate::support::fake::Fake;
use crate::support::lab::{REQUESTS, service, slo};

struct Alertmanager {
    child: Child,
    url: String,
    client: reqwest::Client,
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Alertmanager {
    /// It tells the server at once, and again each second.
    async fn telling(server: &str, token: &str, folder: &Path) -> Self {
        let config = format!(
            "route: {{receiver: headroom, group_by: [service], group_wait: 100ms, group_interval: 1s, \
             repeat_interval: 1s}}\nreceivers:\n  - name: headroom\n    webhook_configs:\n      - url: \
             {server}/v1/adapters/alertmanager\n        send_resolved: true\n        http_config: \
             {{authorization: {{credentials: {token}}}}}\n"
        );
        std::fs::write(folder.join("alertmanager.yml"), config).unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let child = Command::new("prometheus-alertmanager")
            .args(["--config.file=alertmanager.yml", "--storage.path=alerts"])
            .args([&format!("--web.listen-address={free}"), "--cluster.listen-address="])
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.join("alertmanager.log")).unwrap())
            .spawn()
            .expect("prometheus-alertmanager is installed by `make test`");
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let one = Self { child, url: format!("http://{free}"), client };
        let begun = Instant::now();
        while one.client.get(format!("{}/-/ready", one.url)).send().await.is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "Alertmanager does not start");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        one
    }

    /// An alert of the service that fires until an instant.
    async fn post(&self, name: &str, severity: &str, ends: TimeDelta) {
        let at = |at: DateTime<Utc>| at.to_rfc3339();
        let alert = json!([{
            "labels": {"alertname": name, "service": "shop", "severity": severity},
            "annotations": {"summary": format!("{name} is slow")},
            "startsAt": at(SystemClock.now() - TimeDelta::minutes(5)), "endsAt": at(SystemClock.now() + ends),
        }]);
        let url = format!("{}/api/v2/alerts", self.url);
        assert!(self.client.post(url).json(&alert).send().await.unwrap().status().is_success());
    }
}

async fn token(running: &Running) -> String {
    let path = running.folder.path().join("data/headroom.db");
    let store = Store::open(&format!("sqlite://{}", path.display())).await.unwrap();
    let asked = Asked {
        name: "alertmanager".to_owned(),
        scopes: vec![Scope::Incident],
        services: Vec::new(),
        environments: Vec::new(),
        lasts: None,
    };
    let token = create(&store, &asked, SystemClock.now()).await.unwrap().token.reveal();
    store.close().await;
    token
}

/// Waits until the open incidents are these.
async fn until_open(running: &Running, expected: &[&str]) -> Value {
    let begun = Instant::now();
    loop {
        let (_, all) = running.get("/v1/incidents?open=true").await;
        let titles = all["items"].as_array().into_iter().flatten();
        let mut titles: Vec<&str> = titles.filter_map(|one| one["title"].as_str()).collect();
        titles.sort_unstable();
        if titles == expected {
            return all;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "not {expected:?} within 30 s: {all:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_of_a_real_alertmanager_open_confirm_and_close_incidents() {
    let source = Fake::holding(Vec::new());
    let mut running = Running::new(&source.url, &service(&slo("requests", REQUESTS)), false).await;
    let token = token(&running).await;
    let alerts = tempfile::tempdir().unwrap();
    let manager = Alertmanager::telling(&running.url, &token, alerts.path()).await;
    manager.post("a", "critical", TimeDelta::hours(1)).await;
    manager.post("b", "warning", TimeDelta::hours(1)).await;
    let opened = until_open(&running, &["a is slow", "b is slow"]).await;
    let (_, verdict) = running.get("/v1/gate/shop").await;
    assert!(verdict["rules"].to_string().contains("incidents"), "{verdict:#}");
    let confirmed = |all: &Value| all["items"][0]["confirmedAt"].as_str().unwrap().to_owned();
    let (first, begun) = (confirmed(&opened), Instant::now());
    while confirmed(&until_open(&running, &["a is slow", "b is slow"]).await) == first {
        assert!(begun.elapsed() < Duration::from_secs(30), "nothing confirms them");
    }
    manager.post("b", "warning", TimeDelta::seconds(-1)).await;
    until_open(&running, &["a is slow"]).await;
    // While the server is down the resolve of one and the beginning of another get lost or wait.
    running.signal("-STOP");
    manager.post("a", "critical", TimeDelta::seconds(-1)).await;
    manager.post("c", "critical", TimeDelta::hours(1)).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    running.restart(&source.url).await;
    // It listens elsewhere now.
    drop(manager);
    until_open(&running, &["a is slow"]).await;
    let manager = Alertmanager::telling(&running.url, &token, alerts.path()).await;
    manager.post("c", "critical", TimeDelta::hours(1)).await;
    until_open(&running, &["c is slow"]).await;
}
