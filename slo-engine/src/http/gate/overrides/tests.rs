use axum::http::Method;
use serde_json::{Value, json};

use crate::http::world::{Answer, World};
use crate::token::Scope;

const PATH: &str = "/v1/gate/overrides";

fn asked() -> Value {
    json!({
        "service": "orders", "environment": "production",
        "reason": "the queue has to move", "until": "2026-11-21T12:00:00Z",
    })
}

async fn create(world: &World, token: &str) -> Answer {
    world.send(Method::POST, PATH, token, &asked()).await
}

async fn approve(world: &World, token: &str, id: &str) -> Answer {
    world.send(Method::POST, &format!("{PATH}/{id}/approve"), token, &json!({})).await
}

async fn person(world: &World, name: &str) -> String {
    world.token(name, &[Scope::Override, Scope::Decide]).await
}

async fn verdict(world: &World) -> Value {
    world.json("/v1/gate/orders?environment=production").await
}

#[tokio::test]
async fn an_override_lets_a_denied_deploy_go_once_another_person_approved_it() {
    let world = World::new().await;
    let (ana, ben) = (person(&world, "ana").await, person(&world, "ben").await);
    let made = create(&world, &ana).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let made = made.json();
    assert_eq!((&made["state"], &made["approvalsMissing"]), (&json!("waiting"), &json!(1)));
    assert_eq!(made["author"], "token:ana");
    let id = made["id"].as_str().unwrap();
    let waiting = verdict(&world).await;
    assert_eq!(waiting["allow"], false);
    let acts = waiting["unblocks"]["acts"].to_string();
    assert!(acts.contains(&format!("approve the override {id} by token:ana")), "{acts}");
    let problem = approve(&world, &ana, id).await.problem(403);
    assert!(problem["detail"].as_str().unwrap().contains("the author"), "{problem}");
    let approved = approve(&world, &ben, id).await;
    assert_eq!((approved.status, &approved.json()["state"]), (200, &json!("active")));
    approve(&world, &ben, id).await.problem(409);
    let go = verdict(&world).await;
    assert_eq!((&go["verdict"], &go["computed"]), (&json!("warn"), &json!("deny")));
    assert_eq!(go["override"]["id"], id);
    assert_eq!(go["override"]["approvals"], json!(["token:ben"]));
}

#[tokio::test]
async fn a_revoked_override_no_longer_holds_and_a_restart_forgets_nothing() {
    let world = World::new().await;
    let (ana, ben) = (person(&world, "ana").await, person(&world, "ben").await);
    let id = create(&world, &ana).await.json()["id"].as_str().unwrap().to_owned();
    approve(&world, &ben, &id).await;
    let world = world.restarted().await;
    assert_eq!(verdict(&world).await["allow"], true);
    let revoked = world.send(Method::DELETE, &format!("{PATH}/{id}"), &ben, &json!({})).await;
    assert_eq!((revoked.status, &revoked.json()["state"]), (200, &json!("revoked")));
    assert_eq!(verdict(&world).await["allow"], false);
    let world = world.restarted().await;
    assert_eq!(verdict(&world).await["allow"], false);
    approve(&world, &ben, &id).await.problem(409);
}

#[tokio::test]
async fn the_policys_terms_hold_for_length_quota_and_reason() {
    let world = World::new().await;
    let ana = person(&world, "ana").await;
    for (key, value, status) in [
        ("until", json!("2026-11-21T14:00:01Z"), 422),
        ("until", json!("2026-11-21T10:00:00Z"), 422),
        ("until", json!("tomorrow"), 400),
        ("reason", json!(" "), 400),
        ("service", json!("Orders"), 400),
        ("who", json!("me"), 400),
    ] {
        let mut body = asked();
        body[key] = value;
        world.send(Method::POST, PATH, &ana, &body).await.problem(status);
    }
    assert_eq!(create(&world, &ana).await.status, 201);
    assert_eq!(create(&world, &ana).await.status, 201);
    let problem = create(&world, &ana).await.problem(409);
    assert!(problem["detail"].as_str().unwrap().contains("2 of 2"), "{problem}");
    let ci = world.token("ci", &[Scope::Decide]).await;
    create(&world, &ci).await.problem(403);
}

#[tokio::test]
async fn overrides_are_listed_newest_first_with_how_they_are() {
    let world = World::new().await;
    let ana = person(&world, "ana").await;
    let first = create(&world, &ana).await.json();
    world.wait(1);
    let second = create(&world, &ana).await.json();
    let page = world.json(PATH).await;
    assert_eq!((&page["items"][0]["id"], &page["items"][1]["id"]), (&second["id"], &first["id"]));
    assert_eq!(world.json(&format!("{PATH}?service=catalog")).await["items"], json!([]));
    world.wait(7_200);
    let page = world.json(PATH).await;
    assert_eq!(page["items"][0]["state"], "ended");
}

#[tokio::test]
async fn a_revocation_counts_once_it_is_recorded_also_when_its_caller_went_away() {
    let world = World::new().await;
    let (ana, ben) = (person(&world, "ana").await, person(&world, "ben").await);
    let made = create(&world, &ana).await.json();
    let id = made["id"].as_str().unwrap();
    approve(&world, &ben, id).await;
    assert_eq!(verdict(&world).await["allow"], true);
    let pool = world.shared.store.pool();
    for sql in [
        "CREATE TABLE some AS WITH RECURSIVE up (value) AS \
         (SELECT 1 UNION ALL SELECT value + 1 FROM up WHERE value < 200) SELECT value FROM up",
        "CREATE TRIGGER slow BEFORE INSERT ON records \
         BEGIN SELECT count(a.value + b.value + c.value) FROM some a, some b, some c; END",
    ] {
        sqlx::query(sql).execute(pool).await.unwrap();
    }
    let path = format!("{PATH}/{id}");
    let body = json!({});
    let revoked = world.send(Method::DELETE, &path, &ana, &body);
    let soon = std::time::Duration::from_millis(100);
    assert!(tokio::time::timeout(soon, revoked).await.is_err(), "it is still being written");
    for _ in 0..200 {
        if verdict(&world).await["allow"] == false {
            return;
        }
        tokio::time::sleep(soon).await;
    }
    panic!("the record knows a revocation that the gate does not: {}", verdict(&world).await);
}

#[tokio::test]
async fn an_override_until_a_year_that_no_clock_shows_is_refused() {
    let world = World::new().await;
    let ana = person(&world, "ana").await;
    let mut asked = asked();
    asked["until"] = json!("+262142-01-01T00:00:00Z");
    let problem = world.send(Method::POST, PATH, &ana, &asked).await.problem(400);
    assert_eq!(problem["errors"][0]["field"], "until");
}
