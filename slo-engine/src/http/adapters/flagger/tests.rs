use axum::http::Method;
use serde_json::{Value, json};

use crate::http::world::{Answer, World};
use crate::token::Scope;

const PATH: &str = "/v1/adapters/flagger";

/// What Flagger 1.36 sends before a rollout.
fn hook(name: &str, metadata: &Value) -> Value {
    json!({"name": name, "namespace": "shop", "phase": "Progressing", "checksum": "85d557f47b",
        "metadata": metadata})
}

async fn post(world: &World, token: &str, body: &Value) -> Answer {
    world.send(Method::POST, PATH, token, body).await
}

#[tokio::test]
async fn a_canary_goes_on_by_200_and_is_refused_by_403_with_the_reason_in_one_line_of_text() {
    let world = World::new().await;
    let token = world.token("flagger", &[Scope::Decide]).await;
    for (name, metadata, status, says) in [
        ("catalog", json!({}), 200, "ALLOW catalog in production"),
        ("payment", json!(null), 200, "WARN payment in production"),
        ("notifier", json!({}), 403, "UNKNOWN notifier in production: no-data: "),
        (
            "orders",
            json!({"environment": "production"}),
            403,
            "DENY orders in production: exhausted",
        ),
        ("x", json!({"service": "catalog", "version": "1.4.2"}), 200, "ALLOW catalog 1.4.2 in"),
        ("nobody", json!({}), 403, "DENY nobody"),
        ("catalog", json!({"kind": "big"}), 400, "UNKNOWN: kind: there is no such kind"),
        ("catalog", json!({"kind": "hotfix"}), 400, "UNKNOWN: reason: "),
        (
            "catalog",
            json!({"hook": "before"}),
            400,
            "UNKNOWN: metadata.hook: no webhook is of this",
        ),
        ("orders", json!({}), 400, "UNKNOWN: environment: orders is in production, staging"),
        ("Orders", json!({}), 400, "UNKNOWN: service: "),
    ] {
        let answer = post(&world, &token, &hook(name, &metadata)).await;
        let said = answer.text();
        assert_eq!(answer.status, status, "{name} {metadata}: {said}");
        assert!(said.starts_with(says), "{name} {metadata}: {said}");
        assert_eq!(
            (answer.header("content-type"), said.lines().count()),
            ("text/plain; charset=utf-8", 1)
        );
        let id = answer.header("x-headroom-decision");
        assert_eq!(!id.is_empty(), status != 400, "{said}");
        assert!(said.contains(id));
    }
}

#[tokio::test]
async fn a_namespace_that_is_called_like_an_environment_is_one() {
    let world = World::new().await;
    let token = world.token("flagger", &[Scope::Decide]).await;
    let mut canary = hook("orders", &json!({}));
    canary["namespace"] = json!("staging");
    let answer = post(&world, &token, &canary).await;
    assert_eq!((answer.status, answer.text().contains("orders in staging")), (200, true));
}

#[tokio::test]
async fn nothing_that_flagger_would_try_again_or_take_for_a_success_is_answered() {
    let world = World::before_the_first_snapshot().await;
    let token = world.token("flagger", &[Scope::Decide]).await;
    let answer = post(&world, &token, &hook("catalog", &json!({}))).await;
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (403, "UNKNOWN: nothing has been evaluated yet\n")
    );
    let other = world.token("reader", &[Scope::Incident]).await;
    assert_eq!(post(&world, &other, &hook("catalog", &json!({}))).await.status, 403);
    assert_eq!(post(&world, &token, &json!({"namespace": "shop"})).await.status, 400);
    assert_eq!(post(&world, &token, &json!([])).await.status, 400);
    post(&world, "hr_none", &hook("catalog", &json!({}))).await.problem(401);
}

#[tokio::test]
async fn a_rollback_webhook_is_answered_200_only_to_force_a_rollback() {
    let world = World::with_minutes(&["exhausted", "availability"], |_, back| {
        Some(if back < 30 { 90 } else { 0 })
    })
    .await;
    let token = world.token("flagger", &[Scope::Decide]).await;
    let policy = "apiVersion: headroom/v1\nkind: Policy\npolicy: mine\nrules: [watch: {window: 1h, burn: BURN}]\n\
        onUnknown: deny\nnoSlo: deny\n";
    for (burn, status, says) in [("14", 200, "ROLL BACK orders: "), ("1000", 403, "no rollback: ")]
    {
        world.declares(&policy.replace("BURN", burn));
        let body = hook("orders", &json!({"hook": "rollback", "environment": "production"}));
        let answer = post(&world, &token, &body).await;
        assert!(answer.text().starts_with(says), "{}", answer.text());
        assert_eq!(answer.status, status);
    }
    let nobody = hook("nobody", &json!({"hook": "rollback"}));
    assert_eq!(post(&world, &token, &nobody).await.status, 403);
}

#[tokio::test]
async fn events_ask_nothing() {
    let world = World::new().await;
    let token = world.token("flagger", &[Scope::Decide]).await;
    let event = json!({"eventMessage": "new revision", "eventType": "Normal", "timestamp": "1763719200000"});
    for metadata in [event, json!({"hook": "event"}), json!({"hook": "post-rollout"})] {
        let answer = post(&world, &token, &hook("notifier", &metadata)).await;
        assert_eq!((answer.status, answer.header("x-headroom-decision")), (200, ""));
    }
    assert!(world.json("/v1/gate/decisions").await["items"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn a_canary_that_names_no_version_is_told_apart_by_its_checksum() {
    let world = World::new().await;
    let token = world.token("flagger", &[Scope::Decide]).await;
    let mut canary = hook("catalog", &json!({}));
    let first = post(&world, &token, &canary).await.header("x-headroom-decision").to_owned();
    assert_eq!(post(&world, &token, &canary).await.header("x-headroom-decision"), first);
    canary["checksum"] = json!("7c9");
    assert_ne!(post(&world, &token, &canary).await.header("x-headroom-decision"), first);
    let decision = world.json(&format!("/v1/gate/decisions/{first}")).await;
    assert_eq!(
        (&decision["identifier"], &decision["version"]),
        (&json!("85d557f47b"), &Value::Null)
    );
}
