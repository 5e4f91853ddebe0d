//! What all adapters have in common: who may ask by a path, and that all of them ask the one gate.

use axum::http::Method;
use serde_json::{Value, json};

use crate::http::world::World;
use crate::token::Scope;

fn flagger() -> Value {
    json!({"name": "catalog", "namespace": "shop", "metadata": {"version": "1.4.2"}})
}

fn admission() -> Value {
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "u",
        "kind": {"kind": "Deployment"}, "operation": "CREATE", "name": "catalog", "namespace": "shop",
        "object": {"spec": {"template": {"spec": {"containers": [{"name": "a", "image": "c:1.4.2"}]}}}}}})
}

#[tokio::test]
async fn the_same_question_gets_the_same_decision_by_whatever_wire_it_comes() {
    let world = World::new().await;
    let token = world.token("all", &[Scope::Decide]).await;
    let plain = json!({"service": "catalog", "version": "1.4.2"});
    let plain = world.send(Method::POST, "/v1/gate/decisions", &token, &plain).await.json();
    for (path, body) in [
        ("flagger", flagger()),
        ("argo-rollouts/catalog", json!({"version": "1.4.2"})),
        ("admission", admission()),
    ] {
        let answer = world.send(Method::POST, &format!("/v1/adapters/{path}"), &token, &body).await;
        assert_eq!(answer.header("x-headroom-decision"), plain["id"], "{path}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_secret_in_a_path_decides_and_does_nothing_else() {
    let world = World::new().await;
    let secret = world.token("canaries", &[Scope::Adapter]).await;
    for (path, body) in [
        (format!("flagger/t/{secret}"), flagger()),
        (format!("argo-rollouts/catalog/t/{secret}"), json!({"version": "1.4.2"})),
        (format!("admission/t/{secret}"), admission()),
    ] {
        let answer = world.send(Method::POST, &format!("/v1/adapters/{path}"), "", &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let get =
        world.get(&format!("/v1/adapters/argo-rollouts/catalog/t/{secret}?version=1.4.2")).await;
    assert_eq!(get.json()["verdict"], "allow");
    let all = world.json("/v1/gate/decisions").await;
    assert_eq!(all["items"][0]["principal"], "token:canaries");
    // As a token of a header it is none.
    let plain = json!({"service": "catalog"});
    world.send(Method::POST, "/v1/gate/decisions", &secret, &plain).await.problem(401);
    world.send(Method::POST, "/v1/adapters/flagger", &secret, &flagger()).await.problem(401);
}

#[tokio::test]
async fn a_wrong_secret_is_not_found_never_shown_and_limited_in_number() {
    let world = World::new().await;
    let header = world.token("ci", &[Scope::Admin]).await;
    let (mut statuses, wrong) = (Vec::new(), "hr_aaaaaaaaaa_0".to_owned());
    for secret in [&header, &wrong].into_iter().chain(std::iter::repeat_n(&wrong, 28)) {
        let path = format!("/v1/adapters/flagger/t/{secret}");
        let answer = world.send(Method::POST, &path, "", &flagger()).await;
        assert!(!answer.text().contains("hr_"), "{}", answer.text());
        statuses.push(answer.status);
    }
    assert_eq!((statuses[0], statuses[1]), (404, 404));
    assert_eq!(statuses.iter().filter(|status| **status == 404).count(), 20);
    // To Flagger too many are a refusal; who has a good one is not held up.
    assert!(statuses[20..].iter().all(|status| *status == 403), "{statuses:?}");
    let good = world.token("canaries", &[Scope::Adapter]).await;
    let path = format!("/v1/adapters/flagger/t/{good}");
    assert_eq!(world.send(Method::POST, &path, "", &flagger()).await.status, 200);
    world.wait(5);
    let unknown = world.get("/v1/adapters/flagger/t/hr_x/more").await.problem(404);
    assert_eq!(unknown["instance"], "/v1/adapters/flagger/t/***");
}

#[tokio::test]
async fn a_secret_holds_for_its_services_and_is_no_way_to_claim_what_it_may_not() {
    let world = World::new().await;
    let secret = world.token_for("canaries", &[Scope::Adapter], &["payment"], &[]).await;
    let path = format!("/v1/adapters/flagger/t/{secret}");
    let answer = world.send(Method::POST, &path, "", &flagger()).await;
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("lacks the scope `decide` for catalog"), "{}", answer.text());
    let mut hotfix = flagger();
    hotfix["name"] = json!("payment");
    hotfix["metadata"] = json!({"kind": "hotfix", "reason": "the leak"});
    let answer = world.send(Method::POST, &path, "", &hotfix).await;
    assert_eq!((answer.status, answer.text().contains("kind:hotfix")), (403, true));
}

#[tokio::test]
async fn every_adapter_answers_within_3_s_while_the_database_cannot_be_written() {
    let world = World::new().await;
    let token = world.token("all", &[Scope::Decide]).await;
    let blocked = world.block().await;
    for (path, body) in [
        ("flagger", flagger()),
        ("argo-rollouts/catalog", json!({"version": "1"})),
        ("admission", admission()),
    ] {
        let began = std::time::Instant::now();
        let answer = world.send(Method::POST, &format!("/v1/adapters/{path}"), &token, &body).await;
        assert!(began.elapsed().as_secs_f64() < 3.0, "{path}: {:?}", began.elapsed());
        assert!(answer.status < 500, "{path}: {}", answer.text());
    }
    drop(blocked);
}

#[tokio::test]
async fn a_branch_that_is_called_as_a_version_that_ran_is_no_rollback() {
    let world = World::new().await;
    let token = world.token("all", &[Scope::Decide, Scope::Deploy]).await;
    for (version, commit, at) in [("1.3.0", "aaa", "08:00"), ("1.4.2", "bbb", "09:00")] {
        let ran = json!({"service": "orders", "environment": "production", "version": version,
            "commit": commit, "at": format!("2026-11-21T{at}:00Z")});
        assert_eq!(world.send(Method::POST, "/v1/deployments", &token, &ran).await.status, 201);
    }
    for (commit, status, kind) in [("aaa", 200, "rollback"), ("ccc", 403, "release")] {
        let body = json!({"name": "orders", "namespace": "shop",
            "metadata": {"environment": "production", "version": "1.3.0", "commit": commit}});
        let answer = world.send(Method::POST, "/v1/adapters/flagger", &token, &body).await;
        assert_eq!(answer.status, status, "{commit}: {}", answer.text());
        let id = answer.header("x-headroom-decision");
        assert_eq!(world.json(&format!("/v1/gate/decisions/{id}")).await["kind"], kind);
    }
}
