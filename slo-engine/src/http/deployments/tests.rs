use axum::http::Method;
use serde_json::json;

use crate::http::world::World;
use crate::token::Scope;

const PATH: &str = "/v1/deployments";

#[tokio::test]
async fn what_runs_is_recorded_once_and_proves_a_rollback() {
    let world = World::new().await;
    let token = world.token("ci", &[Scope::Deploy, Scope::Decide]).await;
    for (second, version, status) in [(0, "1", 201), (1, "2", 201), (2, "2", 200)] {
        world.wait(second);
        let body = json!({"service": "orders", "environment": "production", "version": version});
        let answer = world.send(Method::POST, PATH, &token, &body).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        assert_eq!(answer.json()["principal"], "token:ci");
    }
    let page = world.json(&format!("{PATH}?service=orders")).await;
    let versions: Vec<&str> =
        page["items"].as_array().unwrap().iter().map(|d| d["version"].as_str().unwrap()).collect();
    assert_eq!(versions, ["2", "1"]);
    let back = "/v1/gate/orders?environment=production&version=1&kind=rollback";
    let decision = world.json(back).await;
    assert_eq!((&decision["allow"], &decision["computed"]), (&json!(true), &json!("deny")));
    let denied = world.json("/v1/gate/orders?environment=production&version=3").await;
    assert!(denied["unblocks"]["acts"].to_string().contains("roll back to 1"), "{denied}");
}

#[tokio::test]
async fn a_deployment_in_the_future_without_a_version_or_of_nowhere_is_refused() {
    let world = World::new().await;
    let token = world.token("ci", &[Scope::Deploy]).await;
    for (body, field) in [
        (json!({"service": "orders", "version": "1"}), "environment"),
        (json!({"service": "ordres", "version": "1"}), "environment"),
        (json!({"service": "catalog", "version": "1", "at": "2026-11-21T10:02:00Z"}), "at"),
        (json!({"service": "catalog", "version": "1", "at": "1969-12-31T23:59:59Z"}), "at"),
        (json!({"service": "catalog"}), "version"),
    ] {
        let problem = world.send(Method::POST, PATH, &token, &body).await.problem(400);
        assert_eq!(problem["errors"][0]["field"], field, "{body}: {problem}");
    }
    let decider = world.token("decider", &[Scope::Decide]).await;
    let body = json!({"service": "catalog", "version": "1"});
    world.send(Method::POST, PATH, &decider, &body).await.problem(403);
    world.detail(&format!("{PATH}/nobody"), 404).await;
}

#[tokio::test]
async fn pages_give_each_deployment_once_the_newest_first_across_services() {
    let world = World::new().await;
    let token = world.token("ci", &[Scope::Deploy]).await;
    let mut told = Vec::new();
    for (at, service) in [(3, "catalog"), (1, "payment"), (2, "catalog"), (2, "payment")] {
        let at = format!("2026-11-21T09:00:0{at}Z");
        let body = json!({"service": service, "version": format!("{service}-{at}"), "at": at});
        let made = world.send(Method::POST, PATH, &token, &body).await.json();
        told.push((at, made["id"].as_str().unwrap().to_owned()));
    }
    told.sort();
    told.reverse();
    for limit in 1..=5 {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = world.json(&format!("{PATH}?limit={limit}{cursor}")).await;
            let ids = page["items"].as_array().unwrap().iter().map(|one| one["id"].clone());
            seen.extend(ids.map(|id| id.as_str().unwrap().to_owned()));
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        let expected: Vec<&str> = told.iter().map(|(_, id)| id.as_str()).collect();
        assert_eq!(seen, expected, "limit {limit}");
    }
    // A cursor of another list: `x`.
    world.detail(&format!("{PATH}?cursor=eA"), 400).await;
}
