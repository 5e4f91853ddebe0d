//! Signed verdicts of a running server: proven by the keys that it serves, and a new key while it runs.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use budget_gate::signed::Claims;
use budget_gate::signed::verify::{Expected, Keys, Refusal, verify};
use chrono::TimeDelta;
use serde_json::{Value, json};
use slo_engine::clock::{Clock, SystemClock};
use slo_engine::record::signing::SigningKey;

use crate::serve::{Running, traffic};
use crate::support::lab::{REQUESTS, service, slo};

fn engine(running: &Running, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slo-engine"));
    command.args(arguments).current_dir(running.folder.path()).output().unwrap()
}

/// What the gate answers about a version of the service.
async fn decided(running: &Running, token: &str, version: &str) -> Value {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let body = json!({"service": "shop", "version": version});
    let request = client.post(format!("{}/v1/gate/decisions", running.url)).bearer_auth(token);
    request.json(&body).send().await.unwrap().json().await.unwrap()
}

/// The keys that are served, as a file would hold them.
async fn keys(running: &Running) -> (usize, Keys) {
    let (status, jwks) = running.get("/.well-known/jwks.json").await;
    assert_eq!(status, 200);
    (jwks["keys"].as_array().unwrap().len(), Keys::read(jwks.to_string().as_bytes()).unwrap())
}

fn proven(running: &Running, decision: &Value, keys: &Keys) -> Result<Claims, Refusal> {
    let expected = Expected {
        issuer: Some(&running.url),
        service: "shop",
        environment: decision["environment"].as_str().unwrap(),
        version: decision["version"].as_str(),
        digest: None,
        max_age: Some(TimeDelta::minutes(1)),
    };
    verify(decision["token"].as_str().unwrap(), keys, &expected, SystemClock.now())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_changed_while_the_server_runs_and_verdicts_of_both_are_proven() {
    let mut running =
        Running::new(&traffic().url, &service(&slo("requests", REQUESTS)), true).await;
    running.until("it is ready", |said| said["ready"]["status"] == "ready").await;
    let made = engine(&running, &["token", "create", "--name", "ci", "--scope", "decide"]);
    let token = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    let first = decided(&running, &token, "1").await;
    let (count, old) = keys(&running).await;
    assert_eq!(count, 1);
    let claims = proven(&running, &first, &old).unwrap();
    assert_eq!((&json!(claims.verdict), &json!(claims.jti)), (&first["verdict"], &first["id"]));

    // A moment ahead: it is served before it signs.
    let from = SystemClock.now() + TimeDelta::seconds(4);
    let name = from.format("verdicts-%Y%m%dT%H%M%SZ.pem").to_string();
    SigningKey::make(&running.folder.path().join("data").join(name)).unwrap();
    let begun = Instant::now();
    while keys(&running).await.0 == 1 {
        assert!(begun.elapsed() < Duration::from_secs(30), "the new key is not served");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (_, both) = keys(&running).await;
    while SystemClock.now() < from {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let second = decided(&running, &token, "2").await;
    assert!(matches!(proven(&running, &second, &old), Err(Refusal::UnknownKey(_))));
    for decision in [&first, &second] {
        assert_eq!(json!(proven(&running, decision, &both).unwrap().jti), decision["id"]);
    }

    running.restart("http://127.0.0.1:1").await;
    assert_eq!(keys(&running).await, (2, both), "a start makes no key where one signs");
    let audit = engine(&running, &["audit", "verify"]);
    assert!(audit.status.success(), "{audit:?}");
}
