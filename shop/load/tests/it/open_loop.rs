//! Answers hold nothing up: slow ones, missing ones, none at all.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::net::TcpListener;

use crate::support::{Shop, assert_adds_up, load, run};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_seed_sends_the_same_operations_however_slow_the_answers_are() {
    let flags = ["--rate", "400", "--seconds", "1", "--seed", "9", "--max-in-flight", "20"];
    let fast = run(&load(Shop::open().await.address, &flags)).await;
    let shop = Shop::open().await;
    let slow = json!({"kind": "latency", "share": 1, "latencyMs": 200, "seconds": 60});
    shop.fault(&slow).await;
    let slowed = run(&load(shop.address, &flags)).await;
    assert_eq!(fast.scheduled, slowed.scheduled);
    assert!(slowed.not_sent > 200 && slowed.most_in_flight == 20, "{slowed:?}");
    let due = |report: &shop_load::report::Report| -> Vec<u64> {
        report.routes.iter().map(|route| route.sent + route.not_sent).collect()
    };
    assert_eq!(due(&fast), due(&slowed));
    assert!(slowed.latency_ms.unwrap().p50 >= 200.0);
}

#[tokio::test]
async fn a_dead_port_is_counted_as_connect_errors_and_no_answers() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let report = run(&load(address, &["--rate", "100", "--seconds", "0.5"])).await;
    assert!(report.sent > 20, "{report:?}");
    assert_eq!((report.answered, report.latency_ms), (0, None));
    assert_eq!(report.transport_errors.connect, report.sent);
}

#[tokio::test]
async fn a_server_that_never_answers_costs_timeouts_and_what_is_left_is_in_flight() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let flags = ["--rate", "50", "--seconds", "0.5", "--spacing", "even", "--timeout", "0.3"];
    let flags = [flags.as_slice(), &["--drain", "0.1"]].concat();
    let before = Instant::now();
    let report = run(&load(address, &flags)).await;
    assert!(before.elapsed() < Duration::from_secs(2));
    assert_eq!((report.sent, report.answered), (25, 0));
    assert!(report.transport_errors.timeout > 5 && report.in_flight > 5, "{report:?}");
}

#[tokio::test]
async fn a_stop_ends_a_load_without_an_end() {
    let shop = Shop::open().await;
    let load = load(shop.address, &["--rate", "100"]);
    let stop = tokio::time::sleep(Duration::from_millis(300));
    let report = load.run(None, stop, |_| {}).await.unwrap();
    assert_adds_up(&report);
    assert!(report.finished && report.sent > 5 && report.in_flight == 0, "{report:?}");
}

#[tokio::test]
async fn what_is_no_http_is_counted_apart() {
    use tokio::io::AsyncWriteExt;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"no http\r\n\r\n").await;
        }
    });
    let report = run(&load(address, &["--rate", "50", "--seconds", "0.4"])).await;
    assert_eq!(report.answered, 0);
    let errors = report.transport_errors;
    assert_eq!(errors.connect + errors.other, report.sent, "{report:?}");
}
