use ring::hmac::HMAC_SHA256;
use serde_json::{Value, json};

use super::GitLab;
use crate::http::Adapters;
use crate::http::adapters::signed::{settled, tag};
use crate::http::adapters::twin::{Call, Twin};
use crate::http::adapters::waiting::OnDeny;
use crate::http::world::{Answer, World, answer, client};
use crate::source::config::Secret;

const PATH: &str = "/v1/adapters/gitlab";
const SECRET: &str = "the shared secret";

/// GitLab as its documentation says it is, with a blocked deployment in every project.
fn gitlab(call: &Call) -> Option<(u16, Value)> {
    assert_eq!(call.headers["private-token"].to_str().unwrap(), "glpat-1");
    let path = call.path.as_str();
    match call.method.as_str() {
        "GET" if path.contains("/deployments?status=blocked") => {
            let one = json!({"id": 41, "iid": 2, "ref": "v1.4.2", "sha": "0123abc", "status": "blocked",
                "environment": {"id": 9, "name": "production"}, "user": {"username": "ana"}});
            Some((200, json!([one])))
        }
        "GET" => Some((200, json!({"id": 3, "path_with_namespace": "shop/catalog"}))),
        _ => Some((201, json!({}))),
    }
}

async fn world(on_deny: OnDeny, projects: &[&str]) -> (World, Twin) {
    let twin = Twin::saying(gitlab).await;
    let secret = |text: &str| Some(Secret::Text(text.to_owned()));
    let config = GitLab {
        url: twin.url.clone(),
        token: secret("glpat-1"),
        secret: secret(SECRET),
        on_deny,
        projects: projects.iter().map(|name| (*name).to_owned()).collect(),
        ..GitLab::default()
    };
    let world = World::with_adapters(Adapters { gitlab: config, ..Adapters::default() }).await;
    (world, twin)
}

pub(in crate::http::adapters) fn check(path: &str, branch: &str) -> Value {
    json!({"object_kind": "merge_request", "event_type": "merge_request",
        "user": {"id": 1, "username": "ana"}, "project": {"id": 3, "path_with_namespace": path},
        "object_attributes": {"id": 90, "iid": 5, "target_branch": branch, "source_branch": "fix",
            "state": "opened", "last_commit": {"id": "0123abc", "message": "x"}},
        "labels": [], "external_approval_rule": {"id": 8, "name": "headroom", "external_url": "x"}})
}

async fn send(world: &World, body: &Value, uuid: &str, secret: &str) -> Answer {
    let body = body.to_string();
    let tag = tag(HMAC_SHA256, secret, body.as_bytes());
    let request = client().post(format!("{}{PATH}", world.address())).body(body);
    answer(request.header("x-gitlab-event-uuid", uuid).header("x-gitlab-signature", tag)).await
}

const STATUS: &str = "/api/v4/projects/3/merge_requests/5/status_check_responses";

#[tokio::test]
async fn a_check_is_told_its_status_with_the_commit_that_it_is_about() {
    let (world, twin) = world(OnDeny::Wait, &[]).await;
    assert_eq!(send(&world, &check("shop/catalog", "main"), "u1", SECRET).await.status, 200);
    let told = &twin.until_told(STATUS, 1).await[0].body;
    assert_eq!(*told, json!({"sha": "0123abc", "external_status_check_id": 8, "status": "passed"}));
    let one = &world.json("/v1/gate/decisions").await["items"][0];
    assert_eq!((&one["service"], &one["commit"]), (&json!("catalog"), &json!("0123abc")));
    assert_eq!((&one["actor"], &one["principal"]), (&json!("ana"), &json!("adapter:gitlab")));
}

#[tokio::test]
async fn a_check_that_failed_passes_once_the_gate_opens() {
    let (world, twin) = world(OnDeny::Wait, &[]).await;
    send(&world, &check("shop/orders", "production"), "u1", SECRET).await;
    assert_eq!(twin.until_told(STATUS, 1).await[0].body["status"], "failed");
    settled(&world).await;
    let world = world.restarted().await;
    world.wait(61);
    tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
    assert_eq!(twin.told(STATUS).len(), 1, "the same is not told again");
    world.declares("apiVersion: headroom/v1\nkind: Policy\npolicy: open\nrules: [incidents: {deny: [critical]}]\nonUnknown: allow\nnoSlo: deny\n");
    world.wait(150);
    assert_eq!(twin.until_told(STATUS, 2).await[1].body["status"], "passed");
}

const APPROVAL: &str = "/api/v4/projects/3/deployments/41/approval";

#[tokio::test]
async fn a_blocked_deployment_is_found_and_approved_once() {
    let (world, twin) = world(OnDeny::Wait, &["shop/catalog", "no name"]).await;
    let told = &twin.until_told(APPROVAL, 1).await[0].body;
    assert_eq!(told["status"], "approved");
    assert!(told["comment"].as_str().unwrap().starts_with("ALLOW catalog v1.4.2"), "{told}");
    settled(&world).await;
    let _world = world.restarted().await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert_eq!(twin.told(APPROVAL).len(), 1);
}

#[tokio::test]
async fn a_blocked_deployment_that_may_not_go_waits_or_is_rejected() {
    let (world, twin) = world(OnDeny::Wait, &["shop/orders"]).await;
    let begun = std::time::Instant::now();
    while world.json("/v1/gate/decisions").await["items"] == json!([]) {
        assert!(begun.elapsed().as_secs() < 20);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(twin.told(APPROVAL).len(), 0);
    let (_world, twin) = self::world(OnDeny::Reject, &["shop/orders"]).await;
    assert_eq!(twin.until_told(APPROVAL, 1).await[0].body["status"], "rejected");
}

#[tokio::test]
async fn what_is_not_signed_is_refused_and_other_messages_ask_nothing() {
    let (world, twin) = world(OnDeny::Wait, &[]).await;
    let mut other = check("shop/catalog", "main");
    send(&world, &other, "u1", "another secret").await.problem(401);
    send(&world, &json!({"project": 1}), "u1", SECRET).await.problem(400);
    other.as_object_mut().unwrap().remove("external_approval_rule");
    assert_eq!(send(&world, &other, "u1", SECRET).await.status, 200);
    send(&World::new().await, &other, "u1", SECRET).await.problem(404);
    assert_eq!(twin.told("").len(), 0);
}
