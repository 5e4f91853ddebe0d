use axum::http::Method;
use budget_gate::signed::verify::{Expected, Keys, Refusal, verify};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::http::Adapters;
use crate::http::world::{World, now};
use crate::oidc::Oidc;
use crate::token::Scope;

const PATH: &str = "/.well-known/jwks.json";
const DECISIONS: &str = "/v1/gate/decisions";

fn digest() -> String {
    format!("sha256:{}", "0a".repeat(32))
}

/// What the answer to a deploy to production is signed as.
async fn decided(world: &World, service: &str) -> (u16, Value) {
    let token = world.token("ci", &[Scope::Decide]).await;
    decided_by(world, &token, service).await
}

async fn decided_by(world: &World, token: &str, service: &str) -> (u16, Value) {
    let body = json!({"service": service, "environment": "production", "version": "1.4.2", "digest": digest()});
    let answer = world.send(Method::POST, DECISIONS, token, &body).await;
    (answer.status, answer.json())
}

fn expected<'a>(service: &'a str, digest: &'a str) -> Expected<'a> {
    Expected {
        issuer: Some("https://headroom.example"),
        service,
        environment: "production",
        version: Some("1.4.2"),
        digest: Some(digest),
        max_age: None,
    }
}

async fn keys(world: &World) -> Keys {
    Keys::read(&world.get(PATH).await.body).unwrap()
}

fn at(seconds: i64) -> DateTime<Utc> {
    now() + TimeDelta::seconds(seconds)
}

#[tokio::test]
async fn whoever_has_the_served_keys_can_prove_what_the_gate_said_of_which_deploy() {
    let world = World::new().await;
    let (keys, token) = (keys(&world).await, world.token("ci", &[Scope::Decide]).await);
    for (service, verdict) in
        [("catalog", "allow"), ("payment", "warn"), ("orders", "deny"), ("notifier", "unknown")]
    {
        let (status, decision) = decided_by(&world, &token, service).await;
        assert_eq!((status, &decision["verdict"]), (201, &json!(verdict)), "{service}");
        let signed = decision["token"].as_str().unwrap();
        let claims = verify(signed, &keys, &expected(service, &digest()), at(0)).unwrap();
        assert_eq!((claims.verdict.as_str(), claims.allow), (verdict, decision["allow"] == true));
        assert_eq!((&json!(claims.jti), claims.exp), (&decision["id"], at(900)));
        let recorded = json!({"seq": claims.seq, "hash": claims.hash});
        assert_eq!(recorded, decision["recorded"]);
        let other = format!("sha256:{}", "0b".repeat(32));
        let refused = verify(signed, &keys, &expected(service, &other), at(0)).unwrap_err();
        assert!(matches!(refused, Refusal::Other { what: "digest", .. }), "{refused}");
    }
}

#[tokio::test]
async fn the_token_is_no_part_of_the_record() {
    let world = World::new().await;
    let (_, decision) = decided(&world, "catalog").await;
    let records = world.records().by_id(decision["id"].as_str().unwrap()).await.unwrap();
    let record: Value = serde_json::from_slice(&records[0].entry.json).unwrap();
    assert!(decision["token"].is_string() && record.get("token").is_none(), "{record}");
    assert_eq!(world.json(DECISIONS).await["items"][0]["token"], Value::Null, "lists have none");
}

#[tokio::test]
async fn a_repeated_decision_is_signed_anew_because_the_gate_has_looked_again() {
    let world = World::new().await;
    let token = world.token("ci", &[Scope::Decide]).await;
    let (_, first) = decided_by(&world, &token, "catalog").await;
    world.wait(200);
    let (status, again) = decided_by(&world, &token, "catalog").await;
    assert_eq!((status, &again["id"]), (200, &first["id"]));
    let keys = keys(&world).await;
    let digest = digest();
    let claims = |decision: &Value| {
        verify(decision["token"].as_str().unwrap(), &keys, &expected("catalog", &digest), at(0))
    };
    let early = claims(&again).unwrap_err();
    assert_eq!(early, Refusal::NotYet(at(200)), "it begins when the gate looked");
    assert_eq!(claims(&first).unwrap().exp, at(900));
}

#[tokio::test]
async fn a_decision_that_is_read_again_is_signed_as_of_when_it_was_made_until_that_expires() {
    let world = World::new().await;
    let (_, decision) = decided(&world, "catalog").await;
    let path = format!("{DECISIONS}/{}", decision["id"].as_str().unwrap());
    world.wait(899);
    assert_eq!(world.json(&path).await["token"], decision["token"]);
    world.wait(900);
    assert_eq!(world.json(&path).await["token"], Value::Null);
}

#[tokio::test]
async fn peeks_and_what_is_not_recorded_are_not_signed() {
    let world = World::new().await;
    assert_eq!(world.json("/v1/gate/catalog").await["token"], Value::Null);
    let token = world.token("ci", &[Scope::Decide]).await;
    let held = world.block().await;
    let (_, decision) = decided_by(&world, &token, "catalog").await;
    assert_eq!((&decision["recorded"], &decision["token"]), (&Value::Null, &Value::Null));
    drop(held);
}

#[tokio::test]
async fn the_keys_are_open_to_all_can_be_kept_for_minutes_and_hold_no_secret() {
    let world = World::closed(Adapters::default(), Oidc::default()).await;
    assert_eq!(world.get("/v1/gate/catalog").await.status, 401);
    let answer = world.get(PATH).await;
    let jwk = &answer.json()["keys"][0];
    assert_eq!((answer.status, answer.header("cache-control")), (200, "public, max-age=300"));
    assert_eq!(answer.header("content-type"), "application/json");
    for (member, said) in [("kty", "OKP"), ("crv", "Ed25519"), ("use", "sig"), ("alg", "EdDSA")] {
        assert_eq!(jwk[member], said, "{member}");
    }
    assert_eq!(jwk.as_object().unwrap().len(), 6, "no d: {jwk}");
}
