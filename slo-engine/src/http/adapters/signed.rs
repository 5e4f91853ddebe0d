//! The callers that sign what they send, for tests: a server that knows all of them, and one twin that
//! all of them are told by.

use axum::http::Method;
use ring::hmac::{self, Algorithm, HMAC_SHA256, HMAC_SHA512, Key};
use serde_json::{Value, json};

use super::mapping::Renamed;
use super::twin::{Call, Twin};
use super::waiting::OnDeny;
use super::{github, gitlab, terraform};
use crate::http::Adapters;
use crate::http::world::{Answer, World, answer};
use crate::source::config::Secret;

/// Their names.
pub(super) const SIGNED: [&str; 3] = ["github", "gitlab", "terraform"];

const SECRET: &str = "a secret of all of them";
/// The key of the GitHub App.
pub(super) const APP_KEY: &str = include_str!("github/test-key.pem");

/// A server that they may ask, and who is told what comes of it.
pub(super) async fn world(on_deny: OnDeny) -> (World, Twin) {
    let twin = twin().await;
    (World::with_adapters(adapters(&twin.url, on_deny)).await, twin)
}

/// Who is told by all of them.
pub(super) async fn twin() -> Twin {
    Twin::saying(says).await
}

/// All of them, at one address.
pub(super) fn adapters(url: &str, on_deny: OnDeny) -> Adapters {
    let url = url.to_owned();
    let secret = |text: &str| Some(Secret::Text(text.to_owned()));
    let of_nobody = |to: &str| {
        serde_json::from_value::<Renamed>(json!({"from": "nobody-production", "to": to})).unwrap()
    };
    Adapters {
        github: github::GitHub {
            url: url.clone(),
            app_id: Some(7),
            private_key: secret(APP_KEY),
            webhook_secret: secret(SECRET),
            on_deny,
            ..github::GitHub::default()
        },
        gitlab: gitlab::GitLab {
            url: url.clone(),
            token: secret("glpat-1"),
            secret: secret(SECRET),
            on_deny,
            ..gitlab::GitLab::default()
        },
        terraform: terraform::Terraform {
            url,
            hmac_key: secret(SECRET),
            services: vec![of_nobody("nobody")],
            environments: vec![of_nobody("production")],
        },
        ..Adapters::default()
    }
}

/// Any installation gets a token; what is told is taken.
fn says(call: &Call) -> Option<(u16, Value)> {
    match call.path.rsplit('/').next() {
        Some("access_tokens") => {
            Some((201, json!({"token": "ghs_1", "expires_at": "2026-11-22T10:00:00Z"})))
        }
        Some("installation") => Some((200, json!({"id": 42}))),
        _ => None,
    }
}

/// The signature of a body, hexadecimal.
pub(super) fn tag(algorithm: Algorithm, secret: &str, body: &[u8]) -> String {
    let tag = hmac::sign(&Key::new(algorithm, secret.as_bytes()), body);
    tag.as_ref().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// Sends whatever bytes with their signature, as the message of a number.
pub(super) async fn send(world: &World, adapter: &str, body: Vec<u8>, number: u64) -> Answer {
    let delivery = number.to_string();
    let request = world.request(Method::POST, &format!("/v1/adapters/{adapter}"));
    let request = match adapter {
        "github" => request
            .header("x-github-event", "deployment_protection_rule")
            .header("x-github-delivery", delivery)
            .header("x-hub-signature-256", format!("sha256={}", tag(HMAC_SHA256, SECRET, &body))),
        "gitlab" => request
            .header("x-gitlab-event-uuid", delivery)
            .header("x-gitlab-signature", tag(HMAC_SHA256, SECRET, &body)),
        _ => request.header("x-tfc-task-signature", tag(HMAC_SHA512, SECRET, &body)),
    };
    answer(request.header("content-type", "application/json").body(body)).await
}

/// What is asked of a deploy, as far as a caller has words for it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Words {
    pub(super) version: Option<&'static str>,
    pub(super) commit: Option<&'static str>,
    pub(super) identifier: Option<&'static str>,
}

/// The message of a number about a service in an environment.
pub(super) fn message(
    adapter: &str,
    url: &str,
    number: u64,
    (service, environment): (&str, &str),
    words: Words,
) -> Value {
    let commit = words.commit.unwrap_or_default();
    match adapter {
        "github" => {
            let repository = format!("acme/{service}");
            let mut rule = github::tests::rule(url, &repository, environment, number);
            rule["deployment"]["sha"] = json!(commit);
            rule["deployment"]["ref"] = json!(words.version.unwrap_or("main"));
            rule
        }
        "gitlab" => {
            let mut check = gitlab::tests::check(&format!("shop/{service}"), environment);
            check["object_attributes"]["iid"] = json!(number);
            check["object_attributes"]["last_commit"]["id"] = json!(commit);
            check
        }
        _ => {
            let workspace = format!("{service}-{environment}");
            let mut task = terraform::tests::task(url, &number.to_string(), &workspace);
            task["vcs_commit_url"] =
                json!(format!("https://github.com/acme/infra/commit/{commit}"));
            task["run_id"] = json!(words.identifier.unwrap_or_default());
            task
        }
    }
}

/// How the path ends at which the answer to the message of a number is told.
pub(super) fn told_at(adapter: &str, number: u64) -> String {
    match adapter {
        "github" => format!("/actions/runs/{number}/deployment_protection_rule"),
        "gitlab" => format!("/merge_requests/{number}/status_check_responses"),
        _ => format!("/{number}/callback"),
    }
}

/// What a call tells: whether the deploy goes, and in words, where there are any.
pub(super) fn says_so(call: &Call) -> (bool, &str) {
    let attributes = &call.body["data"]["attributes"];
    let said = [&call.body["state"], &call.body["status"], &attributes["status"]];
    let goes = said.iter().any(|word| *word == "approved" || *word == "passed");
    let words = call.body["comment"].as_str().or(attributes["message"].as_str());
    (goes, words.unwrap_or_default())
}

/// Waits until whatever was taken has been judged, and what came of it is written down: told, or put off.
pub(super) async fn settled(world: &World) {
    let begun = std::time::Instant::now();
    loop {
        let due = world.shared.store.due_callbacks(world.shared.clock.now()).await.unwrap();
        if due.is_empty() {
            return;
        }
        assert!(begun.elapsed().as_secs() < 60, "still due: {due:#?}");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}
