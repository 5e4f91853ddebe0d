use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac::HMAC_SHA256;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::{Value, json};

use super::GitHub;
use super::access::rsa;
use crate::http::Adapters;
use crate::http::adapters::signed::{APP_KEY as KEY, settled, tag};
use crate::http::adapters::twin::{Call, Twin};
use crate::http::adapters::waiting::OnDeny;
use crate::http::world::{Answer, World, answer, client};
use crate::source::config::Secret;

const PATH: &str = "/v1/adapters/github";
const SECRET: &str = "a secret of the webhook";

/// GitHub as its documentation says it is, with one waiting run where a test wants one.
fn github(call: &Call) -> Option<(u16, Value)> {
    let path = call.path.as_str();
    match call.method.as_str() {
        "POST" if path == "/app/installations/42/access_tokens" => {
            is_the_app(call);
            Some((201, json!({"token": "ghs_1", "expires_at": "2026-11-21T11:00:00Z"})))
        }
        "GET" if path.ends_with("/installation") => {
            is_the_app(call);
            Some((200, json!({"id": 42})))
        }
        "GET" if path.contains("/actions/runs?status=waiting") => {
            let run = json!({"id": 9, "run_attempt": 1, "head_sha": "0123abc", "head_branch": "main",
                "actor": {"login": "ana"}});
            Some((200, json!({"total_count": 1, "workflow_runs": [run]})))
        }
        "GET" if path.ends_with("/pending_deployments") => {
            Some((200, json!([{"environment": {"id": 1, "name": "Production"}}])))
        }
        _ => {
            assert_eq!(call.headers["authorization"].to_str().unwrap(), "Bearer ghs_1");
            None
        }
    }
}

/// Whether a call shows a text that the App's key signed, for ten minutes at most.
fn is_the_app(call: &Call) {
    let jwt = call.headers["authorization"].to_str().unwrap().strip_prefix("Bearer ").unwrap();
    let (text, signature) = jwt.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let key = rsa(KEY.as_bytes()).unwrap();
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public().as_ref().to_vec());
    key.verify(text.as_bytes(), &signature).unwrap();
    let claims = URL_SAFE_NO_PAD.decode(text.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["iss"], 7);
    assert!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap() <= 600);
}

async fn world(on_deny: OnDeny, repositories: &[&str]) -> (World, Twin) {
    let twin = Twin::saying(github).await;
    let secret = |text: &str| Some(Secret::Text(text.to_owned()));
    let config = GitHub {
        url: twin.url.clone(),
        app_id: Some(7),
        private_key: secret(KEY),
        webhook_secret: secret(SECRET),
        on_deny,
        repositories: repositories.iter().map(|name| (*name).to_owned()).collect(),
        ..GitHub::default()
    };
    let world = World::with_adapters(Adapters { github: config, ..Adapters::default() }).await;
    (world, twin)
}

/// What GitHub sends, complete: `make ci-pieces` checks it against the schema that GitHub publishes.
pub(in crate::http::adapters) fn rule(
    url: &str,
    repository: &str,
    environment: &str,
    run: u64,
) -> Value {
    let mut rule: Value = serde_json::from_str(include_str!("requested.json")).unwrap();
    let path = format!("repos/{repository}/actions/runs/{run}/deployment_protection_rule");
    rule["deployment_callback_url"] = json!(format!("{url}/{path}"));
    rule["environment"] = json!(environment);
    rule["repository"]["full_name"] = json!(repository);
    rule
}

async fn send(world: &World, body: &Value, delivery: &str) -> Answer {
    signed(world, body, delivery, "deployment_protection_rule", SECRET).await
}

async fn signed(world: &World, body: &Value, delivery: &str, event: &str, secret: &str) -> Answer {
    let body = body.to_string();
    let tag = tag(HMAC_SHA256, secret, body.as_bytes());
    let request = client().post(format!("{}{PATH}", world.address())).body(body);
    let request = request.header("x-github-event", event).header("x-github-delivery", delivery);
    answer(request.header("x-hub-signature-256", format!("sha256={tag}"))).await
}

const REVIEWS: &str = "/deployment_protection_rule";

#[tokio::test]
async fn a_deployment_that_may_go_is_approved_as_the_installation() {
    let (world, twin) = world(OnDeny::Wait, &[]).await;
    assert_eq!(
        send(&world, &rule(&twin.url, "acme/catalog", "Production", 9), "d1").await.status,
        200
    );
    let told = &twin.until_told(REVIEWS, 1).await[0];
    assert_eq!(told.path, "/repos/acme/catalog/actions/runs/9/deployment_protection_rule");
    assert_eq!(
        (&told.body["environment_name"], &told.body["state"]),
        (&json!("Production"), &json!("approved"))
    );
    let comment = told.body["comment"].as_str().unwrap();
    assert!(comment.starts_with("ALLOW catalog v1.4.2 in production"), "{comment}");
    let one = &world.json("/v1/gate/decisions").await["items"][0];
    assert_eq!((&one["commit"], &one["version"]), (&json!("0123abc"), &json!("v1.4.2")));
    assert_eq!((&one["actor"], &one["principal"]), (&json!("ana"), &json!("adapter:github")));
}

#[tokio::test]
async fn a_refused_deployment_waits_with_one_report_and_goes_when_the_gate_opens() {
    let (world, twin) = world(OnDeny::Wait, &[]).await;
    send(&world, &rule(&twin.url, "acme/orders", "production", 9), "d1").await;
    let report = &twin.until_told(REVIEWS, 1).await[0].body;
    assert_eq!(
        (&report["state"], report["comment"].as_str().unwrap().starts_with("DENY orders")),
        (&Value::Null, true)
    );
    let recorded = async |world: &World| {
        world.json("/v1/gate/decisions").await["items"].as_array().unwrap().len()
    };
    settled(&world).await;
    let world = world.restarted().await;
    for minute in 1..=3 {
        world.wait(minute * 61);
        tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
    }
    assert_eq!(
        (twin.told(REVIEWS).len(), recorded(&world).await),
        (1, 1),
        "nothing new is told or recorded"
    );
    world.declares("apiVersion: headroom/v1\nkind: Policy\npolicy: open\nrules: [incidents: {deny: [critical]}]\nonUnknown: allow\nnoSlo: deny\n");
    world.wait(250);
    let told = twin.until_told(REVIEWS, 2).await;
    assert_eq!(told[1].body["state"], "approved", "{}", told[1].body);
}

#[tokio::test]
async fn a_refusal_rejects_where_that_is_wanted() {
    let (world, twin) = world(OnDeny::Reject, &[]).await;
    send(&world, &rule(&twin.url, "acme/notifier", "production", 9), "d1").await;
    let told = &twin.until_told(REVIEWS, 1).await[0].body;
    assert_eq!(told["state"], "rejected");
    assert!(told["comment"].as_str().unwrap().starts_with("UNKNOWN notifier"), "{told}");
}

#[tokio::test]
async fn a_repeated_message_changes_nothing_and_a_failed_call_is_made_again() {
    let (world, twin) = world(OnDeny::Wait, &[]).await;
    twin.next(201, json!({"token": "ghs_1", "expires_at": "2026-11-21T11:00:00Z"}));
    twin.next(502, Value::Null);
    for delivery in ["d1", "d1", "d2"] {
        assert_eq!(
            send(&world, &rule(&twin.url, "acme/catalog", "production", 9), delivery).await.status,
            200
        );
    }
    twin.until_told(REVIEWS, 1).await;
    settled(&world).await;
    world.wait(2);
    let told = twin.until_told(REVIEWS, 2).await;
    assert_eq!(told[0].body, told[1].body);
    send(&world, &rule(&twin.url, "acme/catalog", "production", 9), "d1").await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert_eq!((twin.told(REVIEWS).len(), twin.told("access_tokens").len()), (2, 1));
}

#[tokio::test]
async fn a_deployment_whose_message_was_lost_is_found() {
    let (_world, twin) = world(OnDeny::Wait, &["acme/catalog", "not a name"]).await;
    let told = &twin.until_told(REVIEWS, 1).await[0].body;
    assert_eq!(
        (&told["environment_name"], &told["state"]),
        (&json!("Production"), &json!("approved"))
    );
}

#[tokio::test]
async fn what_is_not_signed_or_leads_elsewhere_is_refused_and_other_events_ask_nothing() {
    let (world, twin) = world(OnDeny::Wait, &[]).await;
    let good = rule(&twin.url, "acme/catalog", "production", 9);
    let event = "deployment_protection_rule";
    signed(&world, &good, "d", event, "another secret").await.problem(401);
    for (field, value) in [
        (
            "deployment_callback_url",
            json!(
                "https://evil.example/repos/acme/catalog/actions/runs/9/deployment_protection_rule"
            ),
        ),
        (
            "deployment_callback_url",
            json!(format!(
                "{}/repos/acme/other/actions/runs/9/deployment_protection_rule",
                twin.url
            )),
        ),
        ("repository", json!({"full_name": "acme/../x"})),
        ("environment", Value::Null),
        ("repository", json!("acme/catalog")),
    ] {
        let mut wrong = good.clone();
        wrong[field] = value;
        send(&world, &wrong, "d").await.problem(400);
    }
    assert_eq!(signed(&world, &json!({"zen": "x"}), "d", "ping", SECRET).await.status, 200);
    assert_eq!(twin.told("").len(), 0);
}

#[tokio::test]
async fn an_approval_that_could_not_be_told_is_judged_anew() {
    let (world, twin) = world(OnDeny::Wait, &[]).await;
    twin.next(201, json!({"token": "ghs_1", "expires_at": "2026-11-21T12:00:00Z"}));
    twin.next(403, Value::Null);
    send(&world, &rule(&twin.url, "acme/catalog", "production", 9), "d1").await;
    assert_eq!(twin.until_told(REVIEWS, 1).await[0].body["state"], "approved");
    settled(&world).await;
    // Meanwhile nothing renews the numbers, and what is not known is no reason to allow.
    world.wait(660);
    let told = twin.until_told(REVIEWS, 2).await;
    assert_eq!(told[1].body["state"], Value::Null, "{}", told[1].body);
    assert!(told[1].body["comment"].as_str().unwrap().starts_with("UNKNOWN"), "{}", told[1].body);
}
