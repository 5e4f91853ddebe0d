use axum::http::Method;
use serde_json::{Value, json};

use crate::http::world::World;
use crate::token::Scope;

/// `availability` has 1 bad of 100 events in each minute before 9:00, 2 from then to 9:30, and 4 since;
/// of `slices` the ones from 9:00 to 9:04 and from 9:30 to 9:34 are bad.
async fn world() -> World {
    let slices = |back| if (56..=60).contains(&back) || (26..=30).contains(&back) { 50 } else { 0 };
    World::with_minutes(&["exhausted", "availability", "slices"], |slo, back| {
        Some(match (slo, back) {
            ("slices", _) => slices(back),
            ("exhausted", _) => 0,
            (_, ..=30) => 4,
            (_, ..=60) => 2,
            _ => 1,
        })
    })
    .await
}

async fn deploy(world: &World, service: &str, version: &str, at: &str) -> String {
    let token = world.token(&format!("ci-{service}-{version}"), &[Scope::Deploy]).await;
    let at = format!("2026-11-21T{at}Z");
    let body =
        json!({"service": service, "environment": "production", "version": version, "at": at});
    let answer = world.send(Method::POST, "/v1/deployments", &token, &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["id"].as_str().unwrap().to_owned()
}

async fn cost(world: &World, id: &str) -> Value {
    world.json(&format!("/v1/deployments/{id}")).await
}

fn slo<'a>(cost: &'a Value, name: &str) -> &'a Value {
    cost["slos"].as_array().unwrap().iter().find(|one| one["slo"] == name).unwrap()
}

fn assert_rate(rate: &Value, (from, to): (&str, &str), (bad, total): (f64, f64), burn: f64) {
    let instant = |time: &str| json!(format!("2026-11-21T{time}:00Z"));
    assert_eq!((&rate["from"], &rate["to"]), (&instant(from), &instant(to)), "{rate}");
    assert_eq!((&rate["bad"], &rate["total"]), (&json!(bad), &json!(total)), "{rate}");
    assert!((rate["burn"].as_f64().unwrap() - burn).abs() < 1e-9, "{rate}");
}

#[tokio::test]
async fn a_deployment_costs_what_was_spent_from_it_to_the_next_one() {
    let world = world().await;
    let first = deploy(&world, "orders", "1", "08:59:20").await;
    deploy(&world, "orders", "2", "09:30:10").await;
    let cost = cost(&world, &first).await;
    assert_eq!((&cost["version"], &cost["until"]), (&json!("1"), &json!("2026-11-21T09:30:10Z")));
    assert_eq!(cost["slos"].as_array().unwrap().len(), 3);
    let spent = slo(&cost, "availability");
    assert_rate(&spent["since"], ("09:00", "09:30"), (60.0, 3_000.0), 20.0);
    assert_rate(&spent["before"], ("08:29", "08:59"), (30.0, 3_000.0), 10.0);
    // A week of 100 events a minute allows 1,008 bad ones.
    assert_eq!(spent["window"], "30d");
    assert!((spent["spent"].as_f64().unwrap() - 60.0 / 1_008.0).abs() < 1e-9, "{spent}");
    assert_eq!(slo(&cost, "exhausted")["spent"], 0.0);
}

#[tokio::test]
async fn the_running_one_costs_what_was_spent_until_now() {
    let world = world().await;
    deploy(&world, "orders", "1", "09:00:00").await;
    let running = deploy(&world, "orders", "2", "09:49:59").await;
    let cost = cost(&world, &running).await;
    assert_eq!(cost["until"], Value::Null);
    let spent = slo(&cost, "availability");
    assert_rate(&spent["since"], ("09:50", "10:00"), (40.0, 1_000.0), 40.0);
    assert_rate(&spent["before"], ("09:39", "09:49"), (40.0, 1_000.0), 40.0);
}

#[tokio::test]
async fn of_slices_the_whole_ones_count() {
    let world = world().await;
    // The slices from 9:00 and from 9:30 on were under way when the versions began.
    let first = deploy(&world, "orders", "1", "09:02:00").await;
    deploy(&world, "orders", "2", "09:32:00").await;
    let cost = cost(&world, &first).await;
    let spent = slo(&cost, "slices");
    assert_rate(&spent["since"], ("09:03", "09:32"), (0.0, 5.0), 0.0);
    assert_rate(&spent["before"], ("08:33", "09:02"), (0.0, 5.0), 0.0);
    assert_eq!(spent["spent"], 0.0);
    let second = deploy(&world, "orders", "3", "09:29:00").await;
    assert_eq!(slo(&self::cost(&world, &second).await, "slices")["since"]["total"], 0.0);
}

#[tokio::test]
async fn a_deployment_of_this_minute_has_cost_nothing_that_is_known() {
    let world = world().await;
    let id = deploy(&world, "orders", "1", "10:00:00").await;
    let cost = cost(&world, &id).await;
    let spent = slo(&cost, "availability");
    assert_eq!((&spent["spent"], &spent["since"]["burn"]), (&Value::Null, &Value::Null));
    assert_eq!(spent["since"]["from"], spent["since"]["to"]);
}

#[tokio::test]
async fn what_is_not_declared_costs_nothing_that_is_known() {
    let world = world().await;
    let id = deploy(&world, "users", "1", "09:00:00").await;
    let cost = cost(&world, &id).await;
    assert_eq!((&cost["slos"], &cost["service"]), (&json!([]), &json!("users")));
    assert_eq!(cost["until"], Value::Null);
}

#[tokio::test]
async fn costs_that_cannot_be_read_are_said() {
    let world = world().await;
    let id = deploy(&world, "orders", "1", "09:00:00").await;
    world.shared.store.close().await;
    let detail = world.detail(&format!("/v1/deployments/{id}"), 503).await;
    assert!(detail.contains("cannot be read"), "{detail}");
}
