use axum::http::Method;
use serde_json::{Value, json};

use crate::http::world::World;
use crate::token::Scope;

const PATH: &str = "/v1/incidents";

fn critical() -> Value {
    json!({"key": "db-1", "service": "catalog", "severity": "critical", "title": "the database is gone"})
}

#[tokio::test]
async fn an_open_incident_denies_until_it_is_closed() {
    let world = World::new().await;
    let token = world.token("alerts", &[Scope::Incident]).await;
    assert_eq!(world.json("/v1/gate/catalog").await["verdict"], "allow");
    let opened = world.send(Method::POST, PATH, &token, &critical()).await;
    assert_eq!((opened.status, &opened.json()["open"]), (201, &json!(true)));
    let denied = world.json("/v1/gate/catalog").await;
    assert_eq!(denied["verdict"], "deny");
    assert_eq!(denied["rules"][0]["rule"], "incidents");
    assert!(denied["unblocks"]["acts"].to_string().contains("close the incident db-1"), "{denied}");
    let world = world.restarted().await;
    assert_eq!(world.json("/v1/gate/catalog").await["verdict"], "deny");
    let id = opened.json()["id"].as_str().unwrap().to_owned();
    let closed = world.send(Method::POST, &format!("{PATH}/{id}/close"), &token, &json!({})).await;
    assert_eq!((closed.status, &closed.json()["open"]), (200, &json!(false)));
    assert_eq!(world.json("/v1/gate/catalog").await["verdict"], "allow");
}

#[tokio::test]
async fn the_same_key_confirms_and_one_that_nothing_confirms_closes_after_4_hours() {
    let world = World::new().await;
    let token = world.token("alerts", &[Scope::Incident]).await;
    let first = world.send(Method::POST, PATH, &token, &critical()).await.json();
    world.wait(3 * 3_600);
    let again = world.send(Method::POST, PATH, &token, &critical()).await;
    assert_eq!((again.status, &again.json()["id"]), (200, &first["id"]));
    let is_open = async |seconds| {
        world.wait(seconds);
        world.json(PATH).await["items"][0]["open"].clone()
    };
    assert_eq!(is_open(7 * 3_600 - 1).await, true);
    assert_eq!(is_open(7 * 3_600).await, false);
    let new = world.send(Method::POST, PATH, &token, &critical()).await;
    assert_eq!(new.status, 201);
    assert_ne!(new.json()["id"], first["id"]);
}

#[tokio::test]
async fn incidents_are_refused_without_scope_or_with_a_wrong_severity() {
    let world = World::new().await;
    let token = world.token("ci", &[Scope::Decide]).await;
    world.send(Method::POST, PATH, &token, &critical()).await.problem(403);
    let token = world.token("alerts", &[Scope::Incident]).await;
    let mut body = critical();
    body["severity"] = json!("huge");
    world.send(Method::POST, PATH, &token, &body).await.problem(400);
    world.send(Method::POST, &format!("{PATH}/x/close"), &token, &json!({})).await.problem(404);
}
