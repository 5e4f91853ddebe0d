use axum::http::Method;
use serde_json::json;

use crate::http::world::World;
use crate::token::Scope;

const PATH: &str = "/v1/adapters/argo-rollouts";

#[tokio::test]
async fn the_status_is_200_whatever_the_verdict_and_both_conditions_tell_unknown_from_both() {
    let world = World::new().await;
    let token = world.token("rollouts", &[Scope::Decide]).await;
    for (service, allow, verdict) in [
        ("catalog", true, "allow"),
        ("payment", true, "warn"),
        ("notifier", false, "unknown"),
        ("nobody", false, "deny"),
    ] {
        let body = json!({"version": "1.4.2", "environment": ""});
        let answer = world.send(Method::POST, &format!("{PATH}/{service}"), &token, &body).await;
        let result = answer.json();
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
        assert_eq!(
            (&result["allow"], &result["verdict"]),
            (&json!(allow), &json!(verdict)),
            "{result}"
        );
        assert_eq!(result["reasons"] == json!([]), verdict == "allow", "{result}");
        assert_eq!((&result["version"], &result["service"]), (&json!("1.4.2"), &json!(service)));
        let decision =
            world.json(&format!("/v1/gate/decisions/{}", result["id"].as_str().unwrap())).await;
        assert_eq!(decision["verdict"], verdict);
        assert!(
            answer.body.len() < 2_000,
            "each measurement keeps it: {} bytes",
            answer.body.len()
        );
    }
}

#[tokio::test]
async fn a_metric_without_a_body_asks_by_its_query() {
    let world = World::new().await;
    let token = world.token("rollouts", &[Scope::Decide]).await;
    let path = format!("{PATH}/orders?environment=production&version=2&commit=");
    let url = format!("{}{path}", world.address());
    let client = crate::http::world::client();
    let asked =
        async || crate::http::world::answer(client.get(&url).bearer_auth(&token)).await.json();
    let (first, again) = (asked().await, asked().await);
    assert_eq!((&first["verdict"], &first["version"]), (&json!("deny"), &json!("2")));
    assert!(first["unblocks"]["at"].is_string(), "{first}");
    assert_eq!(first["id"], again["id"]);
}

#[tokio::test]
async fn what_keeps_the_gate_from_a_verdict_is_a_verdict_of_unknown() {
    let world = World::new().await;
    let token = world.token("rollouts", &[Scope::Decide]).await;
    for (service, body, says) in [
        ("orders", json!({}), "orders is in production, staging"),
        ("catalog", json!({"kind": "big"}), "there is no such kind"),
        ("catalog", json!({"version": 1.1}), "expected a string"),
        ("catalog", json!([]), "it is a list"),
    ] {
        let answer = world.send(Method::POST, &format!("{PATH}/{service}"), &token, &body).await;
        let result = answer.json();
        assert_eq!((answer.status, &result["verdict"]), (200, &json!("unknown")), "{result}");
        assert_eq!((&result["allow"], &result["id"]), (&json!(false), &json!(null)));
        assert!(result["reasons"][0].as_str().unwrap().contains(says), "{result}");
    }
    let early = World::before_the_first_snapshot().await;
    let token = early.token("rollouts", &[Scope::Decide]).await;
    let answer = early.send(Method::POST, &format!("{PATH}/catalog"), &token, &json!({})).await;
    assert_eq!((answer.status, &answer.json()["verdict"]), (200, &json!("unknown")));
    world.send(Method::POST, &format!("{PATH}/catalog"), "hr_none", &json!({})).await.problem(401);
}

#[tokio::test]
async fn a_metric_may_ask_by_put_as_by_post() {
    let world = World::new().await;
    let token = world.token("rollouts", &[Scope::Decide]).await;
    let secret = world.token("analyses", &[Scope::Adapter]).await;
    let (path, body) = (format!("{PATH}/catalog"), json!({"version": "1.4.2"}));
    let posted = world.send(Method::POST, &path, &token, &body).await.json();
    let put = world.send(Method::PUT, &path, &token, &body).await;
    assert_eq!((put.status, &put.json()["id"]), (200, &posted["id"]), "{}", put.text());
    let by_secret = world.send(Method::PUT, &format!("{path}/t/{secret}"), "", &body).await;
    assert_eq!((by_secret.status, &by_secret.json()["id"]), (200, &posted["id"]));
}
