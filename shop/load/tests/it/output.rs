//! The counts as JSON: while the load runs, at its end, and over HTTP.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use shop_load::report::Report;
use tokio::net::TcpListener;

use crate::support::{Shop, assert_adds_up, get, load, run};

#[tokio::test]
async fn the_status_endpoint_answers_the_running_counts_that_add_up() {
    let shop = Shop::open().await;
    let load = load(shop.address, &["--rate", "300", "--seconds", "1"]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/counts", listener.local_addr().unwrap());
    let running = tokio::spawn(async move {
        load.run(Some(listener), std::future::pending(), |_| {}).await.unwrap()
    });
    tokio::time::sleep(Duration::from_millis(400)).await;
    let live: Report = serde_json::from_str(&get(&url).await).unwrap();
    assert_adds_up(&live);
    let end = running.await.unwrap();
    assert!(!live.finished && end.finished);
    assert!(0 < live.sent && live.sent < end.sent, "{} then {}", live.sent, end.sent);
}

#[tokio::test]
async fn running_reports_come_at_their_interval_and_never_fall() {
    let shop = Shop::open().await;
    let flags = ["--rate", "200", "--seconds", "1", "--report-every", "0.2"];
    let told = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&told);
    let tell = move |report: &Report| keep.lock().unwrap().push(report.sent);
    load(shop.address, &flags).run(None, std::future::pending(), tell).await.unwrap();
    let told = told.lock().unwrap().clone();
    assert!((2..=5).contains(&told.len()) && told.is_sorted(), "{told:?}");
}

#[tokio::test]
async fn the_file_holds_the_report_with_the_documented_keys() {
    let shop = Shop::open().await;
    let report = run(&load(shop.address, &["--rate", "100", "--seconds", "0.3"])).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("counts.json");
    shop_load::output::file(&path, &report).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
    let json: Value = serde_json::from_str(&text).unwrap();
    for key in ["scheduled", "sent", "notSent", "answered", "inFlight", "bad", "codes", "seed"] {
        assert!(json.get(key).is_some(), "{key}");
    }
    for key in ["p50", "p90", "p99", "max"] {
        assert!(json["latencyMs"][key].is_f64(), "{key}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
