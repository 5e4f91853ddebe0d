//! The counters equal what was sent, and their labels stay within closed sets.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::{Shop, lamp};

#[tokio::test]
async fn every_api_request_is_counted_once_under_its_route_and_code() {
    let shop = Shop::open().await;
    for id in 1..=7 {
        shop.get(&format!("/products/{id}")).await;
    }
    shop.get("/products/999").await;
    shop.get("/products/abc").await;
    shop.post("/products", lamp("NEW")).await;
    shop.post("/products", lamp("NEW")).await;
    shop.get("/search?q=lamp").await;
    shop.send("PATCH", "/products/1", None).await;
    for path in ["/a", "/b", "/c"] {
        shop.get(path).await;
    }
    for path in ["/healthz", "/readyz", "/faults", "/metrics"] {
        shop.get(path).await;
    }
    let expected = [
        ("GET /products/{id} 200", 7),
        ("GET /products/{id} 400", 1),
        ("GET /products/{id} 404", 1),
        ("GET /search 200", 1),
        ("GET unmatched 404", 3),
        ("PATCH /products/{id} 405", 1),
        ("POST /products 201", 1),
        ("POST /products 409", 1),
    ];
    let expected: BTreeMap<String, u64> =
        expected.into_iter().map(|(series, count)| (series.to_owned(), count)).collect();
    assert_eq!(shop.counts().await, expected);
    shop.close().await;
}

#[tokio::test]
async fn the_histogram_counts_the_same_requests_and_nothing_stays_in_flight() {
    let shop = Shop::open().await;
    for _ in 0..5 {
        shop.get("/products").await;
    }
    let samples = shop.samples().await;
    let labels = r#"service="catalog",http_request_method="GET",http_route="/products",http_response_status_code="200""#;
    let of = |name: &str| samples[&format!("http_server_request_duration_seconds_{name}")];
    assert_eq!(of(&format!("count{{{labels}}}")) as u64, 5);
    assert_eq!(of(&format!("bucket{{le=\"+Inf\",{labels}}}")) as u64, 5);
    let active = r#"http_server_active_requests{service="catalog",http_request_method="GET"}"#;
    assert_eq!(samples[active] as i64, 0);
    assert!(samples["process_start_time_seconds"] > 1.7e9);
    shop.close().await;
}

#[tokio::test]
async fn the_content_type_is_openmetrics_1_0_0_and_the_text_ends_with_eof() {
    let shop = Shop::open().await;
    let reply = shop.get("/metrics").await;
    let content_type = reply.headers["content-type"].to_str().unwrap();
    assert!(content_type.starts_with("application/openmetrics-text; version=1.0.0"));
    assert!(reply.text.ends_with("# EOF\n"));
    shop.close().await;
}

#[tokio::test]
async fn an_invented_method_is_counted_as_other() {
    let shop = Shop::open().await;
    let answer = shop.raw("BREW /tea HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    assert_eq!(shop.counts().await["_OTHER unmatched 404"], 1);
    shop.close().await;
}

#[tokio::test]
async fn a_client_that_leaves_before_its_answer_is_counted_as_499() {
    let shop = Shop::open().await;
    let slow = json!({"kind": "latency", "share": 1, "latencyMs": 20_000, "seconds": 60});
    shop.post("/faults", slow).await;
    let mut stream = TcpStream::connect(shop.address).await.unwrap();
    stream.write_all(b"GET /products HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let active = r#"http_server_active_requests{service="catalog",http_request_method="GET"}"#;
    while shop.samples().await.get(active).is_none_or(|active| *active < 1.0) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(stream);
    while shop.counts().await.get("GET /products 499") != Some(&1) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(shop.samples().await[active] as i64, 0);
    shop.close().await;
}
