use serde_json::{Value, json};

use super::Terraform;
use crate::http::Adapters;
use crate::http::adapters::signed::{settled, tag};
use crate::http::adapters::twin::Twin;
use crate::http::world::{Answer, World, answer, client};
use crate::source::config::Secret;
use ring::hmac::HMAC_SHA512;

const PATH: &str = "/v1/adapters/terraform";
const KEY: &str = "a key of the run task";

async fn world() -> (World, Twin) {
    let twin = Twin::saying(|_| None).await;
    let config = Terraform {
        url: twin.url.clone(),
        hmac_key: Some(Secret::Text(KEY.to_owned())),
        ..Terraform::default()
    };
    let world = World::with_adapters(Adapters { terraform: config, ..Adapters::default() }).await;
    (world, twin)
}

/// What HCP Terraform sends.
pub(in crate::http::adapters) fn task(url: &str, id: &str, workspace: &str) -> Value {
    json!({"payload_version": 1, "stage": "pre_apply", "access_token": "secret-of-the-task",
        "capabilities": {"outcomes": true}, "is_speculative": false, "organization_name": "acme",
        "run_id": "run-7", "run_created_by": "ana", "run_created_at": "2026-11-21T09:59:00Z",
        "task_result_id": id, "task_result_enforcement_level": "mandatory",
        "task_result_callback_url": format!("{url}/api/v2/task-results/{id}/callback"),
        "workspace_id": "ws-1", "workspace_name": workspace,
        "vcs_commit_url": "https://github.com/acme/infra/commit/0123abc"})
}

async fn send(world: &World, body: &Value, key: &str) -> Answer {
    let body = body.to_string();
    let tag = tag(HMAC_SHA512, key, body.as_bytes());
    let request = client().post(format!("{}{PATH}", world.address())).body(body);
    answer(request.header("content-type", "application/json").header("x-tfc-task-signature", tag))
        .await
}

#[tokio::test]
async fn a_run_is_answered_at_once_and_its_verdict_is_told_with_its_own_token() {
    let (world, twin) = world().await;
    for (id, workspace, status, says) in [
        ("task-1", "catalog", "passed", "ALLOW catalog in production"),
        ("task-2", "orders-production", "failed", "DENY orders in production"),
        ("task-3", "orders", "failed", "UNKNOWN: environment: orders is in production, staging"),
        ("task-4", "nobody", "failed", "DENY nobody"),
    ] {
        let taken = send(&world, &task(&twin.url, id, workspace), KEY).await;
        assert_eq!((taken.status, taken.body.len()), (200, 0));
        let told = &twin.until_told(&format!("{id}/callback"), 1).await[0];
        assert_eq!(
            (told.method.as_str(), told.headers["authorization"].to_str().unwrap()),
            ("PATCH", "Bearer secret-of-the-task")
        );
        let attributes = &told.body["data"]["attributes"];
        assert_eq!(
            (&told.body["data"]["type"], &attributes["status"]),
            (&json!("task-results"), &json!(status))
        );
        assert!(attributes["message"].as_str().unwrap().starts_with(says), "{attributes}");
    }
    let recorded = world.json("/v1/gate/decisions?service=catalog").await;
    let one = &recorded["items"][0];
    assert_eq!((&one["principal"], &one["actor"]), (&json!("adapter:terraform"), &json!("ana")));
    assert_eq!((&one["commit"], &one["identifier"]), (&json!("0123abc"), &json!("run-7")));
}

#[tokio::test]
async fn a_call_that_fails_is_made_again_and_says_the_same_after_a_restart() {
    let (world, twin) = world().await;
    twin.next(503, Value::Null);
    send(&world, &task(&twin.url, "task-1", "catalog"), KEY).await;
    let first = twin.until_told("callback", 1).await[0].body.clone();
    settled(&world).await;
    let world = world.restarted().await;
    assert_eq!(twin.told("callback").len(), 1, "not before its time");
    world.wait(2);
    assert_eq!(twin.until_told("callback", 2).await[1].body, first);
    world.wait(600);
    send(&world, &task(&twin.url, "task-1", "catalog"), KEY).await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(twin.told("callback").len(), 2, "the same request says nothing new");
}

#[tokio::test]
async fn a_speculative_run_leaves_no_record_and_a_trial_asks_nothing() {
    let (world, twin) = world().await;
    let mut plan = task(&twin.url, "task-1", "catalog");
    plan["is_speculative"] = json!(true);
    send(&world, &plan, KEY).await;
    twin.until_told("callback", 1).await;
    let mut trial = task(&twin.url, "task-2", "catalog");
    trial["task_result_enforcement_level"] = json!("test");
    assert_eq!(send(&world, &trial, KEY).await.status, 200);
    assert_eq!(world.json("/v1/gate/decisions").await["items"], json!([]));
}

#[tokio::test]
async fn what_is_not_signed_or_leads_elsewhere_is_refused() {
    let (world, twin) = world().await;
    let good = task(&twin.url, "task-1", "catalog");
    send(&world, &good, "another key").await.problem(401);
    let unsigned = client().post(format!("{}{PATH}", world.address())).json(&good);
    answer(unsigned).await.problem(401);
    for (field, value) in [
        ("task_result_callback_url", json!("https://evil.example/api/v2/task-results/x/callback")),
        ("payload_version", json!(2)),
        ("workspace_name", json!(7)),
    ] {
        let mut wrong = good.clone();
        wrong[field] = value;
        send(&world, &wrong, KEY).await.problem(400);
    }
    let plain = World::new().await;
    send(&plain, &good, KEY).await.problem(404);
    assert_eq!(twin.told("").len(), 0);
}
