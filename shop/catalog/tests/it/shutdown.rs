//! The stop: requests in flight are answered, and idle connections hold nothing up.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::Shop;

#[tokio::test]
async fn a_request_in_flight_is_answered_although_the_service_stops() {
    let shop = Shop::open().await;
    let slow = json!({"kind": "latency", "share": 1, "latencyMs": 300, "seconds": 60});
    shop.post("/faults", slow).await;
    let url = format!("http://{}/products/1", shop.address);
    let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new())
        .build_http::<axum::body::Body>();
    let pending = tokio::spawn(client.get(url.parse().unwrap()));
    while shop.get("/faults").await.json()["active"][0]["requestsSeen"] != 1 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let before = Instant::now();
    let log = shop.close().await;
    assert!(before.elapsed() < Duration::from_secs(2), "{:?}", before.elapsed());
    assert_eq!(pending.await.unwrap().unwrap().status(), 200);
    assert_eq!(log.last().unwrap()["event.action"], "stopped");
}
