use axum::http::Method;
use serde_json::json;

use crate::http::world::{World, snapshot};
use crate::token::Scope;

#[tokio::test]
async fn the_process_is_alive_before_anything_was_evaluated_and_not_ready() {
    let world = World::before_the_first_snapshot().await;
    assert_eq!(world.json("/healthz").await["status"], "alive");
    let answer = world.get("/readyz").await;
    assert_eq!(answer.header("retry-after"), "15");
    assert_eq!(answer.problem(503)["detail"], "nothing has been evaluated yet");
}

#[tokio::test]
async fn it_is_ready_until_the_newest_evaluation_is_ten_ticks_old() {
    let world = World::new().await;
    let ready = world.json("/readyz").await;
    assert_eq!(ready["status"], "ready");
    assert_eq!(
        (&ready["evaluatedAt"], &ready["ageSeconds"]),
        (&json!("2026-11-21T10:00:00Z"), &json!(0.0))
    );
    assert_eq!((&ready["store"], &ready["sources"]), (&json!(null), &json!({})));
    world.wait(150);
    assert_eq!(world.json("/readyz").await["ageSeconds"], 150.0);
    world.wait(151);
    let detail = world.detail("/readyz", 503).await;
    assert!(detail.contains("2m31s old, more than 2m30s"), "{detail}");
}

#[tokio::test]
async fn a_database_that_cannot_be_written_is_said_and_answers_go_on() {
    let world = World::new().await;
    let mut failing = snapshot();
    failing.store_error = Some("disk full".to_owned());
    failing.reload_error = Some("slos/a.yaml:3:1: unknown key".to_owned());
    failing.source_errors.insert("prometheus".to_owned(), "connection refused".to_owned());
    world.shared.latest.publish(failing);
    let ready = world.json("/readyz").await;
    assert_eq!((&ready["status"], &ready["store"]), (&json!("ready"), &json!("disk full")));
    assert_eq!(ready["files"], "slos/a.yaml:3:1: unknown key");
    assert_eq!(ready["sources"], json!({"prometheus": "connection refused"}));
    assert_eq!(world.get("/v1/slos").await.status, 200);
    world.wait(3_600);
    let problem = world.get("/readyz").await.problem(503);
    let errors = json!([
        {"field": "store", "detail": "disk full"},
        {"field": "files", "detail": "slos/a.yaml:3:1: unknown key"},
        {"field": "sources.prometheus", "detail": "connection refused"},
    ]);
    assert_eq!(problem["errors"], errors);
}

#[tokio::test]
async fn a_record_that_cannot_be_written_is_said_without_its_cause_and_peeks_go_on() {
    let world = World::new().await;
    let token = world.token("ci", &[Scope::Decide]).await;
    let body = json!({"service": "catalog", "version": "3"});
    let ask = || world.send(Method::POST, "/v1/gate/decisions", &token, &body);
    assert_eq!(world.json("/readyz").await["record"], json!(null));
    let path = world.shared.store.path().to_owned();
    let away = path.with_extension("away");
    std::fs::rename(&path, &away).unwrap();
    assert_eq!(ask().await.json()["recorded"], json!(null));
    let said = "nothing can be recorded since 2026-11-21T10:00:00Z; the log says why";
    let ready = world.json("/readyz").await;
    assert_eq!((&ready["status"], &ready["record"]), (&json!("ready"), &json!(said)));
    assert!(world.get("/metrics").await.text().contains("\nheadroom_record_error 1\n"));
    assert_eq!(world.json("/v1/gate/catalog").await["allow"], true);
    world.wait(3_600);
    let problem = world.get("/readyz").await.problem(503);
    assert_eq!(problem["errors"], json!([{"field": "record", "detail": said}]));
    std::fs::rename(&away, &path).unwrap();
    assert!(ask().await.json()["recorded"].is_object());
    assert!(world.get("/metrics").await.text().contains("\nheadroom_record_error 0\n"));
}

#[tokio::test]
async fn keys_that_nobody_knows_are_refused_everywhere() {
    let world = World::new().await;
    for path in [
        "/healthz",
        "/readyz",
        "/.well-known/jwks.json",
        "/metrics",
        "/openapi.json",
        "/docs",
        "/v1/services",
        "/v1/services/orders",
        "/v1/slos",
        "/v1/slos/catalog/availability",
        "/v1/slos/catalog/availability/history",
        "/v1/gate/catalog",
    ] {
        let problem = world.get(&format!("{path}?colour=red")).await.problem(400);
        assert_eq!(problem["errors"][0]["field"], "colour", "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains("there is no such key"), "{problem}");
    }
}
