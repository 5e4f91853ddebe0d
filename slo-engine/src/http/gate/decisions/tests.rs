use std::time::{Duration, Instant};

use axum::http::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::http::world::{Answer, World};
use crate::record::audit::audit;
use crate::token::Scope;

const PATH: &str = "/v1/gate/decisions";

async fn decide(world: &World, token: &str, body: Value) -> Answer {
    world.send(Method::POST, PATH, token, &body).await
}

async fn decide_as(world: &World, token: &str, key: &str, body: &Value) -> Answer {
    world.send_with(Method::POST, PATH, token, body, &[("idempotency-key", key)]).await
}

async fn ci(world: &World) -> String {
    world.token("ci", &[Scope::Decide]).await
}

#[tokio::test]
async fn a_decision_is_recorded_with_who_asked_and_can_be_read_again() {
    let world = World::new().await;
    let token = ci(&world).await;
    let body = json!({"service": "catalog", "version": "1.4.2", "commit": "9f"});
    let headers = [("x-headroom-actor", "ana")];
    let answer = world.send_with(Method::POST, PATH, &token, &body, &headers).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let decision = answer.json();
    let id = decision["id"].as_str().unwrap();
    assert_eq!(answer.header("location"), format!("{PATH}/{id}"));
    assert_eq!(decision["permalink"], format!("https://headroom.example/gate/decisions/{id}"));
    assert_eq!((&decision["principal"], &decision["actor"]), (&json!("token:ci"), &json!("ana")));
    assert_eq!((&decision["verdict"], &decision["recorded"]["seq"]), (&json!("allow"), &json!(1)));
    assert_eq!(decision["environment"], "production", "the only one");
    let mut again = world.json(&format!("{PATH}/{id}")).await;
    again["snapshotAgeSeconds"] = decision["snapshotAgeSeconds"].clone();
    assert_eq!(again, decision);
}

#[tokio::test]
async fn the_hash_is_that_of_the_record_after_the_one_before() {
    let world = World::new().await;
    let token = ci(&world).await;
    let mut before = [0_u8; 32];
    for (seq, service) in [(1, "catalog"), (2, "payment")] {
        let decision = decide(&world, &token, json!({"service": service})).await.json();
        let records = world.records().by_id(decision["id"].as_str().unwrap()).await.unwrap();
        let mut hash = Sha256::new();
        hash.update(before);
        hash.update(&records[0].entry.json);
        before = hash.finalize().into();
        let hex: String = before.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(decision["recorded"], json!({"seq": seq, "hash": format!("sha256:{hex}")}));
    }
}

#[tokio::test]
async fn the_same_question_gets_the_same_decision_while_it_holds() {
    let world = World::new().await;
    let (token, other) = (ci(&world).await, world.token("other", &[Scope::Decide]).await);
    for (service, verdict, seconds) in [("catalog", "allow", 600), ("orders", "deny", 30)] {
        let body = json!({"service": service, "environment": "production", "version": "2"});
        world.wait(0);
        let first = decide(&world, &token, body.clone()).await.json();
        assert_eq!(first["verdict"], verdict);
        world.wait(20);
        let again = decide(&world, &other, body.clone()).await;
        assert_eq!((again.status, &again.json()["id"]), (200, &first["id"]), "{service}");
        let other = json!({"service": service, "environment": "production", "version": "3"});
        assert_eq!(decide(&world, &token, other).await.status, 201);
        // After 4 minutes the numbers are stale, which is another state.
        world.wait(seconds);
        let late = decide(&world, &token, body).await;
        assert_eq!(late.status, 201, "{service}");
        assert_ne!(late.json()["id"], first["id"]);
    }
}

#[tokio::test]
async fn a_key_is_for_one_question_of_one_caller() {
    let world = World::new().await;
    let (token, other) = (ci(&world).await, world.token("other", &[Scope::Decide]).await);
    let (one, two) = (json!({"service": "catalog"}), json!({"service": "payment"}));
    let first = decide_as(&world, &token, "run-1", &one).await;
    assert_eq!(first.status, 201);
    let again = decide_as(&world, &token, "run-1", &one).await;
    assert_eq!((again.status, &again.json()["id"]), (200, &first.json()["id"]));
    let problem = decide_as(&world, &token, "run-1", &two).await.problem(422);
    assert!(problem["detail"].as_str().unwrap().contains("another question"), "{problem}");
    assert_eq!(decide_as(&world, &other, "run-1", &two).await.status, 201);
    assert_eq!(decide_as(&world, &token, "run-2", &one).await.status, 201, "a new key asks anew");
}

#[tokio::test]
async fn callers_that_ask_the_same_at_once_get_one_decision() {
    let world = World::new().await;
    let token = ci(&world).await;
    let ask = || decide(&world, &token, json!({"service": "catalog", "version": "9"}));
    let answers = futures::future::join_all((0..20).map(|_| ask())).await;
    let ids: std::collections::BTreeSet<String> =
        answers.iter().map(|answer| answer.json()["id"].to_string()).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
}

#[tokio::test]
async fn who_may_not_decide_is_told_what_is_missing() {
    let world = World::new().await;
    let body = json!({"service": "catalog", "kind": "hotfix", "reason": "the cart is broken"});
    let without = world.ask(Method::POST, PATH).await;
    assert_eq!(without.header("www-authenticate"), "Bearer realm=\"headroom\"");
    let said = without.problem(401)["detail"].as_str().unwrap().to_owned();
    assert!(said.contains("slo-engine token create"), "{said}");
    for wrong in ["hr_aaaaaaaaaa_00", "x"] {
        assert_eq!(decide(&world, wrong, body.clone()).await.status, 401);
    }
    let deployer = world.token("deployer", &[Scope::Deploy]).await;
    let problem = decide(&world, &deployer, body.clone()).await.problem(403);
    assert!(problem["detail"].as_str().unwrap().contains("scope `decide`"), "{problem}");
    let token = ci(&world).await;
    let problem = decide(&world, &token, body.clone()).await.problem(403);
    assert!(problem["detail"].as_str().unwrap().contains("scope `kind:hotfix`"), "{problem}");
    let may = world.token("hotfixer", &[Scope::Decide, Scope::KindHotfix]).await;
    assert_eq!(decide(&world, &may, body).await.status, 201);
}

#[tokio::test]
async fn a_wrong_body_is_refused_with_every_field_that_is_wrong() {
    let world = World::new().await;
    let token = world.token("ci", &[Scope::Decide, Scope::KindHotfix]).await;
    for (body, field) in [
        (json!({"service": "Catalog"}), "service"),
        (json!({"service": ""}), "service"),
        (json!({}), "service"),
        (json!({"service": "orders"}), "environment"),
        (json!({"service": "catalog", "verison": "1"}), "verison"),
        (json!({"service": "catalog", "kind": "big"}), "body"),
        (json!({"service": "catalog", "kind": "hotfix"}), "reason"),
        (json!({"service": "catalog", "version": "x".repeat(201)}), "version"),
        (json!({"service": "catalog", "version": "a\u{1b}[31m"}), "version"),
        (json!({"service": "catalog", "version": "1\n2"}), "version"),
        (json!({"service": "catalog", "version": "1\u{202e}2"}), "version"),
        (json!([1]), "body"),
        (json!(["catalog", null, "1", null, null, null, "release", null]), "body"),
    ] {
        let problem = decide(&world, &token, body.clone()).await.problem(400);
        assert_eq!(problem["errors"][0]["field"], field, "{body}: {problem}");
    }
    let problem =
        decide(&world, &token, json!({"service": "A", "version": " "})).await.problem(400);
    assert_eq!(problem["errors"].as_array().unwrap().len(), 2, "{problem}");
    let long = "k".repeat(201);
    decide_as(&world, &token, &long, &json!({"service": "catalog"})).await.problem(400);
}

#[tokio::test]
async fn with_the_database_blocked_the_verdict_comes_in_time_and_on_unrecorded_decides() {
    let world = World::new().await;
    let token = world.token("ci", &[Scope::Decide, Scope::Deploy]).await;
    for version in ["1", "2"] {
        let body = json!({"service": "catalog", "version": version});
        assert_eq!(world.send(Method::POST, "/v1/deployments", &token, &body).await.status, 201);
        world.wait(1);
    }
    let blocked = world.block().await;
    let began = Instant::now();
    let answer = decide(&world, &token, json!({"service": "catalog", "version": "3"})).await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    let decision = answer.json();
    assert_eq!((&decision["verdict"], &decision["computed"]), (&json!("deny"), &json!("allow")));
    assert_eq!((&decision["allow"], &decision["recorded"]), (&json!(false), &Value::Null));
    assert!(decision["because"][0].as_str().unwrap().starts_with("onUnrecorded: "), "{decision}");
    let back = json!({"service": "catalog", "version": "1", "kind": "rollback"});
    let decision = decide(&world, &token, back).await.json();
    assert_eq!((&decision["allow"], &decision["recorded"]), (&json!(true), &Value::Null));
    assert_eq!(decision["claim"]["standing"], "proven");
    drop(blocked);
    let decision = decide(&world, &token, json!({"service": "catalog", "version": "3"})).await;
    assert_eq!(decision.json()["allow"], true, "{}", decision.text());
}

#[tokio::test]
async fn a_caller_whose_decision_cannot_be_written_learns_that_and_nothing_of_the_database() {
    let world = World::new().await;
    let token = ci(&world).await;
    let path = world.shared.store.path().to_owned();
    let away = path.with_extension("away");
    std::fs::rename(&path, &away).unwrap();
    let answer = decide(&world, &token, json!({"service": "catalog", "version": "3"})).await;
    let (text, decision) = (answer.text(), answer.json());
    assert_eq!((answer.status, &decision["verdict"]), (201, &json!("deny")));
    let because = decision["because"][0].as_str().unwrap();
    let said = "onUnrecorded: it cannot be recorded (the database could not be written; whoever runs \
        the engine finds why in its log), and for that the policy says deny";
    assert_eq!(because, said);
    for inside in [path.to_str().unwrap(), "sqlite", "there is no"] {
        assert!(!text.contains(inside), "{inside}: {text}");
    }
    std::fs::rename(&away, &path).unwrap();
    let again = decide(&world, &token, json!({"service": "catalog", "version": "3"})).await;
    assert_eq!(again.json()["allow"], true, "{}", again.text());
}

#[tokio::test]
async fn all_who_ask_the_same_while_the_database_is_blocked_get_the_verdict_in_time() {
    let world = World::new().await;
    let token = ci(&world).await;
    let blocked = world.block().await;
    let began = Instant::now();
    let ask = || decide(&world, &token, json!({"service": "catalog", "version": "3"}));
    let answers = futures::future::join_all((0..5).map(|_| ask())).await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    for answer in answers {
        let decision = answer.json();
        assert_eq!((&decision["allow"], &decision["recorded"]), (&json!(false), &Value::Null));
    }
    drop(blocked);
}

#[tokio::test]
async fn claims_at_once_do_not_pass_the_quota_with_or_without_an_environment() {
    let world = World::new().await;
    let token = ci(&world).await;
    for environment in [json!("production"), Value::Null] {
        // No deployment is known there: a rollback is not proven, and the policy takes two a week.
        let claim = |version: usize| {
            let body = json!({"service": "ghost", "environment": environment, "kind": "rollback",
                "version": version.to_string()});
            decide(&world, &token, body)
        };
        let answers = futures::future::join_all((0..20).map(claim)).await;
        let allowed = answers.iter().filter(|answer| answer.json()["allow"] == true).count();
        assert_eq!(allowed, 2, "{environment}");
        assert_eq!(claim(20).await.json()["claim"]["standing"], "refused");
    }
}

#[tokio::test]
async fn the_same_question_with_another_reason_is_the_same_question() {
    let world = World::new().await;
    let token = ci(&world).await;
    let ask = |reason: &str| json!({"service": "catalog", "version": "5", "reason": reason});
    let first = decide(&world, &token, ask("the first try")).await;
    let again = decide(&world, &token, ask("the second try")).await;
    assert_eq!((first.status, again.status), (201, 200), "{}", again.text());
    assert_eq!(first.json()["id"], again.json()["id"]);
    assert_eq!(decide_as(&world, &token, "run-1", &ask("one")).await.status, 201);
    decide_as(&world, &token, "run-1", &ask("two")).await.problem(422);
}

#[tokio::test]
async fn what_was_recorded_is_known_after_a_restart() {
    let world = World::new().await;
    let token = world.token("ci", &[Scope::Decide, Scope::Deploy]).await;
    let body = json!({"service": "catalog", "version": "1.4.2"});
    let first = decide_as(&world, &token, "run-1", &body).await.json();
    assert_eq!(world.send(Method::POST, "/v1/deployments", &token, &body).await.status, 201);
    let again = world.restarted().await;
    let repeated = decide_as(&again, &token, "run-1", &body).await;
    assert_eq!((repeated.status, &repeated.json()["id"]), (200, &first["id"]));
    let claim = json!({"service": "catalog", "version": "1.4.2", "kind": "rollback"});
    let claim = decide(&again, &token, claim).await.json();
    assert_eq!(claim["claim"]["reason"], "1.4.2 is what runs, so it is treated as a release");
}

#[tokio::test]
async fn decisions_are_listed_newest_first_by_service_environment_and_verdict() {
    let world = World::new().await;
    let token = ci(&world).await;
    for (second, asked) in [
        json!({"service": "catalog", "version": "1"}),
        json!({"service": "orders", "environment": "production"}),
        json!({"service": "orders", "environment": "staging"}),
        json!({"service": "catalog", "version": "2"}),
    ]
    .into_iter()
    .enumerate()
    {
        world.wait(second as i64);
        assert_eq!(decide(&world, &token, asked).await.status, 201);
    }
    let seqs = |page: &Value| -> Vec<i64> {
        let items = page["items"].as_array().unwrap();
        items.iter().map(|item| item["recorded"]["seq"].as_i64().unwrap()).collect()
    };
    for (filter, expected) in [
        ("", vec![4, 3, 2, 1]),
        ("?service=catalog", vec![4, 1]),
        ("?service=orders&environment=staging", vec![3]),
        ("?verdict=deny", vec![2]),
        ("?from=2026-11-21T10:00:02Z", vec![4, 3]),
        ("?to=2026-11-21T10:00:02Z", vec![2, 1]),
        ("?service=nothing", vec![]),
    ] {
        assert_eq!(seqs(&world.json(&format!("{PATH}{filter}")).await), expected, "{filter}");
    }
    let first = world.json(&format!("{PATH}?limit=3")).await;
    let next = first["next"].as_str().unwrap();
    let second = world.json(&format!("{PATH}?limit=3&cursor={next}")).await;
    assert_eq!((seqs(&first), seqs(&second)), (vec![4, 3, 2], vec![1]));
    assert_eq!(second["next"], Value::Null);
    world.detail(&format!("{PATH}?verdict=maybe"), 400).await;
    world.detail(&format!("{PATH}/01KNOBODY"), 404).await;
}

#[tokio::test]
async fn decisions_are_counted_by_verdict_and_repeats_are_not() {
    let world = World::new().await;
    let token = ci(&world).await;
    for _ in 0..2 {
        decide(&world, &token, json!({"service": "catalog"})).await;
    }
    let metrics = world.get("/metrics").await.text();
    let line = metrics.lines().find(|line| line.starts_with("headroom_gate_decisions_total{"));
    let line = line.unwrap_or_else(|| panic!("{metrics}"));
    assert!(line.contains(r#"verdict="allow""#) && line.ends_with(" 1"), "{line}");
    assert!(metrics.contains("headroom_gate_decision_seconds_count 2"), "{metrics}");
}

#[tokio::test]
async fn the_chain_of_all_that_the_routes_record_is_whole() {
    let world = World::new().await;
    let all = [Scope::Decide, Scope::Deploy, Scope::Override];
    let (token, other) = (world.token("ci", &all).await, world.token("other", &all).await);
    // Nobody declared it, and no environment is named.
    let unknown = decide(&world, &token, json!({"service": "ordres", "version": "1"})).await;
    assert_eq!((unknown.status, &unknown.json()["environment"]), (201, &Value::Null));
    decide(&world, &token, json!({"service": "catalog"})).await;
    let body = json!({"service": "catalog", "version": "1"});
    world.send(Method::POST, "/v1/deployments", &token, &body).await;
    let body = json!({"service": "catalog", "reason": "why", "until": "2026-11-21T11:00:00Z"});
    let made = world.send(Method::POST, "/v1/gate/overrides", &token, &body).await.json();
    let approve = format!("/v1/gate/overrides/{}/approve", made["id"].as_str().unwrap());
    assert_eq!(world.send(Method::POST, &approve, &other, &json!({})).await.status, 200);
    let audit = audit(&world.shared.store, &[], None, &|_| {}).await.unwrap();
    assert!(audit.is_whole(), "{audit:?}");
    assert_eq!(audit.end.seq, 5);
}
