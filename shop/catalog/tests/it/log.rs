//! The log: one JSON object a line whatever the request holds, and the fault's truth at its end.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::support::Shop;

fn lines<'a>(log: &'a [Value], dataset: &str) -> Vec<&'a Value> {
    log.iter().filter(|line| line["event.dataset"] == dataset).collect()
}

#[tokio::test]
async fn newlines_and_quotes_in_a_path_stay_inside_one_json_line() {
    let shop = Shop::open().await;
    shop.get("/a%0Ab%22c").await;
    let request = "GET /quote\"back\\slash?q=x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    shop.raw(request).await;
    let log = shop.close().await;
    let paths: Vec<&Value> = lines(&log, "catalog.access").iter().map(|l| &l["url.path"]).collect();
    assert_eq!(paths, [&json!("/a%0Ab%22c"), &json!("/quote\"back\\slash")]);
}

#[tokio::test]
async fn a_line_has_the_ecs_fields_with_their_types() {
    let shop = Shop::open().await;
    let request = Request::get(format!("http://{}/products/1?x=1", shop.address))
        .header("x-request-id", "order-7")
        .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    let reply = shop.request(request.body(Body::empty()).unwrap()).await;
    assert_eq!(reply.headers["x-request-id"], "order-7");
    let log = shop.close().await;
    let line = lines(&log, "catalog.access")[0];
    for (key, value) in [
        ("log.level", json!("info")),
        ("message", json!("GET /products/1 200")),
        ("service.name", json!("catalog")),
        ("http.request.method", json!("GET")),
        ("http.response.status_code", json!(200)),
        ("url.path", json!("/products/1")),
        ("url.query", json!("x=1")),
        ("http.route", json!("/products/{id}")),
        ("event.outcome", json!("success")),
        ("http.request.id", json!("order-7")),
        ("trace.id", json!("4bf92f3577b34da6a3ce929d0e0e4736")),
    ] {
        assert_eq!(line[key], value, "{key} in {line}");
    }
    assert!(line["event.duration"].as_u64().unwrap() > 0);
    assert!(chrono::DateTime::parse_from_rfc3339(line["@timestamp"].as_str().unwrap()).is_ok());
}

#[tokio::test]
async fn the_access_lines_are_the_counted_requests_and_the_rest_is_operations() {
    let shop = Shop::open().await;
    for path in ["/products", "/nowhere", "/healthz", "/metrics", "/readyz", "/docs"] {
        shop.get(path).await;
    }
    let counted: u64 = shop.counts().await.values().sum();
    let log = shop.close().await;
    assert_eq!((counted, lines(&log, "catalog.access").len()), (3, 3));
    assert_eq!(lines(&log, "catalog.operations").len(), 4);
    let ids: BTreeSet<&str> =
        log.iter().filter_map(|line| line["http.request.id"].as_str()).collect();
    assert_eq!(ids.len(), 7);
}

#[tokio::test]
async fn a_fault_writes_its_truth_when_it_ends_even_by_the_end_of_the_process() {
    let shop = Shop::open().await;
    shop.post("/faults", json!({"kind": "errors", "share": 1, "seconds": 600})).await;
    shop.get("/products").await;
    let log = shop.close().await;
    let faults = lines(&log, "catalog.fault");
    assert_eq!(faults[0]["event.action"], "fault-started");
    let (end, fault) = (faults[1], &faults[1]["fault"]);
    assert_eq!(end["event.action"], "fault-ended");
    assert_eq!(fault["endedBy"], "shutdown");
    assert_eq!((&fault["requestsSeen"], &fault["requestsHit"]), (&json!(1), &json!(1)));
    let failed = lines(&log, "catalog.access")[0];
    assert_eq!(
        (&failed["log.level"], &failed["event.outcome"]),
        (&json!("error"), &json!("failure"))
    );
}
