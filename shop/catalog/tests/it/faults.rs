//! Faults through the API: validated, reproducible, counted, over in time.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use chrono::DateTime;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use shop_catalog::clock::Clock;
use shop_catalog::faults::{FaultKind, FaultSpec};
use shop_catalog::log::Log;
use shop_catalog::metrics::Metrics;
use shop_catalog::repository::MemoryRepository;
use shop_catalog::{App, router};
use tokio::time::{Instant, sleep};
use tower::ServiceExt;

use crate::support::Shop;

fn errors(share: f64, seed: u64) -> Value {
    json!({"kind": "errors", "share": share, "seconds": 60, "seed": seed})
}

#[tokio::test]
async fn metrics_and_truth_count_exactly_the_requests_that_the_seed_hits() {
    let shop = Shop::open().await;
    let started = shop.post("/faults", errors(0.3, 42)).await;
    assert_eq!(
        (started.status.as_u16(), &started.headers["location"]),
        (201, &"/faults/1".parse().unwrap())
    );
    let mut failed = Vec::new();
    for ordinal in 0..200 {
        if shop.get("/products/1").await.status == 500 {
            failed.push(ordinal);
        }
    }
    let kind = FaultKind::Errors;
    let spec = FaultSpec { kind, share: 0.3, latency_ms: None, route: None, seconds: 60, seed: 42 };
    let expected: Vec<u64> = (0..200).filter(|ordinal| spec.hits(*ordinal)).collect();
    assert_eq!(failed, expected);

    let hit = failed.len() as u64;
    let counts = shop.counts().await;
    assert_eq!(counts["GET /products/{id} 500"], hit);
    assert_eq!(counts["GET /products/{id} 200"], 200 - hit);
    let truth = shop.send("DELETE", "/faults/1", None).await.json();
    assert_eq!((&truth["requestsSeen"], &truth["requestsHit"]), (&json!(200), &json!(hit)));
    assert_eq!(truth["endedBy"], "deletion");
    assert_eq!(shop.get("/faults").await.json(), json!({"active": [], "past": [truth]}));
    assert_eq!(shop.get("/products/1").await.status, 200);
    shop.close().await;
}

#[tokio::test]
async fn an_injected_error_is_a_problem_and_the_service_does_nothing() {
    let shop = Shop::open().await;
    let mut fault = errors(1.0, 1);
    fault["route"] = json!("/products/{id}");
    shop.post("/faults", fault).await;
    let reply = shop.send("DELETE", "/products/1", None).await;
    reply.problem(500, "/products/1");
    assert_eq!(reply.json()["type"], "/docs#injected-fault");
    assert_eq!(shop.get("/products").await.json()["total"], 60);
    assert_eq!(shop.get("/healthz").await.status, 200);
    shop.close().await;
}

#[tokio::test]
async fn invalid_faults_are_422_and_name_the_field() {
    let shop = Shop::open().await;
    let cases: [(Value, &[&str]); 13] = [
        (json!({}), &["kind", "share", "seconds"]),
        (json!({"kind": "fire", "share": 1, "seconds": 1}), &["kind"]),
        (json!({"kind": "errors", "share": 1.01, "seconds": 1}), &["share"]),
        (json!({"kind": "errors", "share": -0.1, "seconds": 1}), &["share"]),
        (json!({"kind": "errors", "share": "all", "seconds": 1}), &["share"]),
        (json!({"kind": "errors", "share": 1, "seconds": 0}), &["seconds"]),
        (json!({"kind": "errors", "share": 1, "seconds": 3601}), &["seconds"]),
        (json!({"kind": "errors", "share": 1, "seconds": 1, "latencyMs": 5}), &["latencyMs"]),
        (json!({"kind": "latency", "share": 1, "seconds": 1}), &["latencyMs"]),
        (json!({"kind": "both", "share": 1, "seconds": 1, "latencyMs": 30_001}), &["latencyMs"]),
        (json!({"kind": "both", "share": 1, "seconds": 1, "latencyMs": 0}), &["latencyMs"]),
        (json!({"kind": "errors", "share": 1, "seconds": 1, "route": "/product"}), &["route"]),
        (json!({"kind": "errors", "share": 1, "seconds": 1, "percent": 5}), &["percent"]),
    ];
    for (form, fields) in cases {
        let reply = shop.post("/faults", form.clone()).await;
        assert_eq!(reply.problem(422, "/faults"), fields, "{form}");
    }
    assert_eq!(shop.get("/faults").await.json(), json!({"active": [], "past": []}));
    shop.close().await;
}

#[tokio::test]
async fn the_17th_active_fault_is_409() {
    let shop = Shop::open().await;
    for _ in 0..16 {
        assert_eq!(shop.post("/faults", errors(0.0, 1)).await.status, 201);
    }
    shop.post("/faults", errors(0.0, 1)).await.problem(409, "/faults");
    shop.close().await;
}

/// The service without sockets, so that tokio's clock can be paused.
fn paused() -> Router {
    let clock = Clock::following(DateTime::UNIX_EPOCH);
    let metrics = Metrics::new(clock.now());
    let (log, _writer) = Log::start(Box::new(std::io::sink()), metrics.log_lines_dropped());
    router(App::new(Arc::new(MemoryRepository::new(10)), metrics, log, clock))
}

async fn ask(router: &Router, request: Request<Body>) -> (u16, Value) {
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

fn post_fault(body: &Value) -> Request<Body> {
    let request = Request::post("/faults").header("content-type", "application/json");
    request.body(Body::from(body.to_string())).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_fault_of_60_seconds_is_over_after_60_seconds_by_itself() {
    let router = paused();
    assert_eq!(ask(&router, post_fault(&errors(1.0, 1))).await.0, 201);
    sleep(Duration::from_millis(59_990)).await;
    assert_eq!(ask(&router, get("/products")).await.0, 500);
    sleep(Duration::from_millis(20)).await;
    assert_eq!(ask(&router, get("/products")).await.0, 200);
    let (_, list) = ask(&router, get("/faults")).await;
    let truth = &list["past"][0];
    assert_eq!((&truth["endedBy"], &truth["requestsHit"]), (&json!("time"), &json!(1)));
    assert_eq!(truth["endsAt"], "1970-01-01T00:01:00Z");
}

#[tokio::test(start_paused = true)]
async fn a_latency_fault_of_300_ms_delays_by_300_ms_and_the_histogram_sees_it() {
    let router = paused();
    let fault = json!({"kind": "latency", "share": 1, "latencyMs": 300, "seconds": 60});
    ask(&router, post_fault(&fault)).await;
    let before = Instant::now();
    assert_eq!(ask(&router, get("/products")).await.0, 200);
    let took = before.elapsed();
    assert!((300..310).contains(&took.as_millis()), "{took:?}");
    let response = router.oneshot(get("/metrics")).await.unwrap();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let bucket = |le: &str| {
        let start = format!("http_server_request_duration_seconds_bucket{{le=\"{le}\"");
        text.lines().find(|line| line.starts_with(&start)).unwrap().ends_with(" 1")
    };
    assert_eq!((bucket("0.25"), bucket("0.5")), (false, true));
}

#[tokio::test(start_paused = true)]
async fn a_fault_of_both_kinds_waits_and_then_fails() {
    let router = paused();
    let fault = json!({"kind": "both", "share": 1, "latencyMs": 40, "seconds": 60});
    ask(&router, post_fault(&fault)).await;
    let before = Instant::now();
    assert_eq!(ask(&router, get("/search?q=x")).await.0, 500);
    assert!(before.elapsed() >= Duration::from_millis(40));
}
