use std::time::Duration;

use axum::http::Method;
use budget_gate::Decision;
use budget_gate::incident::Incident;
use budget_gate::policy::rule::Severity;
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::http::Adapters;
use crate::http::world::{World, answer, now, snapshot};
use crate::oidc::Oidc;
use crate::token::Scope;

#[tokio::test]
async fn the_verdict_follows_the_budgets_and_the_status_is_200_whatever_it_is() {
    let world = World::new().await;
    for (asked, verdict, allow) in [
        ("catalog", "allow", true),
        ("payment", "warn", true),
        ("orders?environment=production", "deny", false),
        ("orders?environment=staging", "allow", true),
        ("notifier", "unknown", false),
    ] {
        let decision = world.json(&format!("/v1/gate/{asked}")).await;
        assert_eq!(
            (&decision["verdict"], &decision["allow"]),
            (&json!(verdict), &json!(allow)),
            "{asked}: {decision}"
        );
        for absent in ["id", "recorded", "permalink", "token", "principal", "override"] {
            assert_eq!(decision[absent], Value::Null, "{asked}: {absent}");
        }
        assert!(serde_json::from_value::<Decision>(decision).is_ok());
    }
}

#[tokio::test]
async fn a_peek_answers_the_question_that_was_asked() {
    let world = World::new().await;
    world.wait(4);
    let decision =
        world.json("/v1/gate/catalog?version=1.4.2&kind=hotfix&environment=production").await;
    assert_eq!(decision["at"], "2026-11-21T10:00:04Z");
    assert_eq!(decision["snapshotAgeSeconds"], 4);
    assert_eq!((&decision["version"], &decision["kind"]), (&json!("1.4.2"), &json!("hotfix")));
    assert_eq!(decision["environment"], "production");
    assert_eq!(world.json("/v1/gate/catalog").await["environment"], "production");
}

#[tokio::test]
async fn a_service_or_environment_that_is_not_declared_gets_what_no_slo_says() {
    let world = World::new().await;
    for asked in ["ordres", "catalog?environment=prod"] {
        let decision = world.json(&format!("/v1/gate/{asked}")).await;
        assert_eq!(decision["verdict"], "deny", "{asked}");
        assert_eq!(decision["rules"][0]["rule"], "noSlo", "{asked}");
    }
}

#[tokio::test]
async fn numbers_that_nothing_renews_do_not_allow() {
    let world = World::new().await;
    world.wait(271);
    let decision = world.json("/v1/gate/catalog").await;
    assert_eq!(decision["verdict"], "unknown");
    assert_eq!(decision["allow"], false);
}

#[tokio::test]
async fn a_question_that_is_not_clear_is_refused_with_what_would_be() {
    let world = World::new().await;
    let detail = world.detail("/v1/gate/orders", 400).await;
    assert!(detail.contains("orders is in production, staging"), "{detail}");
    let detail = world.detail("/v1/gate/catalog?kind=big", 400).await;
    for kind in ["release", "rollback", "hotfix", "security", "config"] {
        assert!(detail.contains(&format!("`{kind}`")), "{detail}");
    }
    for wrong in ["Bad!x", "a%2Fb", "%22%3Cscript%3E", "%ff"] {
        world.detail(&format!("/v1/gate/{wrong}"), 400).await;
    }
    let environments = ["environment=", "environment=A%20B", "environment=%22%3Cscript%3E"];
    for wrong in environments.into_iter().chain(["kind=", "version=1&version=2", "%6bind=nope"]) {
        world.detail(&format!("/v1/gate/catalog?{wrong}"), 400).await;
    }
    world.detail("/v1/gate/%ff", 400).await;
}

#[tokio::test]
async fn before_the_first_evaluation_there_is_no_verdict() {
    let world = World::before_the_first_snapshot().await;
    let answer = world.get("/v1/gate/catalog").await;
    assert_eq!(answer.header("retry-after"), "15");
    answer.problem(503);
}

#[tokio::test]
async fn without_a_policy_that_applies_everything_is_denied() {
    let world = World::new().await;
    let mut bare = snapshot();
    let declared = crate::declared::Declared { policies: Vec::new(), ..(*bare.declared).clone() };
    bare.declared = std::sync::Arc::new(declared);
    world.shared.latest.publish(bare);
    let decision = world.json("/v1/gate/catalog").await;
    assert_eq!((&decision["verdict"], &decision["policy"]), (&json!("deny"), &Value::Null));
}

/// Whether an answer to a service's peeks is kept that still holds.
fn is_kept(world: &World, service: &str) -> bool {
    let snapshot = world.shared.latest.get().unwrap();
    world.shared.gate.kept(&snapshot, (service, None), world.clock.now()).is_some()
}

/// The peek's body, which must be the verdict that is made without anything kept.
async fn peeked(world: &World, service: &str) -> Value {
    let snapshot = world.shared.latest.get().unwrap();
    let found = snapshot.named(service).next();
    let request = budget_gate::Request::of(service);
    let fresh = world.shared.gate.look(&snapshot, found, &request, world.clock.now());
    let body = world.get(&format!("/v1/gate/{service}")).await.body;
    assert_eq!(String::from_utf8(body).unwrap(), serde_json::to_string(&fresh).unwrap());
    serde_json::to_value(fresh).unwrap()
}

#[tokio::test]
async fn a_peek_that_is_asked_again_is_answered_by_what_was_decided_with_ages_of_then() {
    let world = World::new().await;
    for service in ["catalog", "payment", "notifier"] {
        let first = peeked(&world, service).await;
        assert!(is_kept(&world, service), "it lasts");
        world.wait(7);
        let later = peeked(&world, service).await;
        assert_eq!(
            (&first["snapshotAgeSeconds"], &later["snapshotAgeSeconds"]),
            (&json!(0), &json!(7))
        );
        world.wait(0);
        assert!(is_kept(&world, service), "what is decided later does not hold before");
    }
    world.wait(271);
    assert_eq!(peeked(&world, "catalog").await["verdict"], "unknown", "numbers turn stale");
}

#[tokio::test]
async fn what_was_answered_to_a_peek_does_not_outlive_a_change_or_a_snapshot() {
    let world = World::new().await;
    assert_eq!(peeked(&world, "catalog").await["verdict"], "allow");
    let incident = Incident {
        id: "i1".to_owned(),
        key: "db".to_owned(),
        service: "catalog".to_owned(),
        environment: None,
        severity: Severity::Critical,
        title: "down".to_owned(),
        opened_at: now(),
        confirmed_at: now(),
        closed_at: None,
    };
    let gate = &world.shared.gate;
    let reporting = gate.reporting("db").await;
    gate.report(reporting, vec![incident], now()).await.unwrap();
    assert_eq!(peeked(&world, "catalog").await["verdict"], "deny");
    world.declares(
        "apiVersion: headroom/v1\nkind: Policy\npolicy: p\napplies: {}\nmode: enforce\n\
                    rules: [{budget: {}}]\nonUnknown: deny\nnoSlo: deny\n",
    );
    assert_eq!(peeked(&world, "catalog").await["verdict"], "allow");
}

#[tokio::test]
async fn what_was_asked_of_a_snapshot_is_answered_for_the_next_before_that_is_shown() {
    let world = World::new().await;
    let asked = || {
        let mut asked = world.shared.latest.get().unwrap().peeks.asked();
        asked.sort();
        asked
    };
    world.get("/v1/gate/orders?environment=staging").await;
    peeked(&world, "catalog").await;
    world.shared.latest.publish(snapshot());
    assert!(asked().is_empty(), "nobody has asked the new one");
    assert!(is_kept(&world, "catalog") && !is_kept(&world, "orders"));
    let (catalog, orders) = (("catalog".into(), None), ("orders".into(), Some("staging".into())));
    assert_eq!(asked(), std::slice::from_ref(&catalog));
    world.get("/v1/gate/orders?environment=staging").await;
    assert_eq!(asked(), [catalog, orders]);
    assert_eq!(peeked(&world, "catalog").await["verdict"], "allow");
    for _ in 0..2 {
        world.shared.latest.publish(snapshot());
    }
    assert!(!is_kept(&world, "catalog"), "nobody asked the one before");
}

#[tokio::test]
async fn questions_with_a_version_or_a_kind_are_decided_each_time() {
    let world = World::new().await;
    for asked in ["version=1", "kind=hotfix", "commit=9f", "digest=sha256:ab"] {
        world.json(&format!("/v1/gate/catalog?{asked}")).await;
    }
    assert!(!is_kept(&world, "catalog"));
}

#[tokio::test]
async fn while_the_ledgers_are_loaded_verdicts_are_given_and_the_rest_waits_for_all_of_them() {
    let world = World::starting().await;
    let token = world.token("ci", &[Scope::Decide]).await;
    // Of the ledgers that are there nothing is known.
    let peek = world.json("/v1/gate/catalog").await;
    assert_eq!((&peek["verdict"], &peek["allow"]), (&json!("unknown"), &json!(false)), "{peek}");
    let body = json!({"service": "catalog", "version": "3"});
    let decided = world.send(Method::POST, "/v1/gate/decisions", &token, &body).await;
    assert_eq!((decided.status, &decided.json()["verdict"]), (201, &json!("unknown")));
    assert!(decided.json()["recorded"].is_object());
    let review = "/v1/adapters/argo-rollouts/catalog";
    let asked = world.send(Method::POST, review, &token, &json!({"version": "4"})).await;
    assert_eq!((asked.status, &asked.json()["verdict"]), (200, &json!("unknown")));
    assert_eq!(world.json("/readyz").await["evaluatedAt"], "2026-11-21T10:00:00Z");
    world.wait(151);
    assert!(world.detail("/readyz", 503).await.contains("2m31s old"));
    world.wait(0);
    let loaded = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        world.shared.latest.publish(snapshot());
    };
    let (slos, ()) = tokio::join!(world.get("/v1/slos"), loaded);
    assert_eq!(slos.status, 200);
    assert_eq!(world.json("/v1/gate/catalog").await["verdict"], "allow");
}

#[tokio::test]
async fn what_waits_for_the_ledgers_is_told_in_time_to_come_again() {
    let world = World::starting().await;
    for path in ["/v1/slos", "/v1/gate/catalog/watch"] {
        let answer = world.get(path).await;
        assert_eq!(answer.header("retry-after"), "15");
        assert_eq!(answer.problem(503)["detail"], "nothing has been evaluated yet");
    }
    assert!(world.get("/metrics").await.text().contains("\nheadroom_snapshot_loaded 0\n"));
}

#[tokio::test]
async fn a_service_that_cannot_be_looked_up_alone_waits_for_the_whole() {
    let world = World::starting().await;
    world.shared.store.close().await;
    assert_eq!(world.get("/v1/gate/catalog").await.status, 503);
    let loaded = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        world.shared.latest.publish(snapshot());
    };
    let (peek, ()) = tokio::join!(world.get("/v1/gate/catalog"), loaded);
    assert_eq!((peek.status, &peek.json()["verdict"]), (200, &json!("allow")));
}

#[tokio::test]
async fn what_is_kept_is_answered_like_what_is_decided() {
    let world = World::new().await;
    let ask = |id: &'static str| {
        let request = world.request(Method::GET, "/v1/gate/catalog");
        answer(request.header("x-request-id", id))
    };
    let (first, second) = (ask("one").await, ask("two").await);
    assert_eq!((first.header("x-request-id"), second.header("x-request-id")), ("one", "two"));
    assert_eq!((first.status, &first.body), (second.status, &second.body));
    for name in ["content-type", "content-length", "cache-control", "x-content-type-options"] {
        assert!(!first.header(name).is_empty(), "{name}");
        assert_eq!(first.header(name), second.header(name), "{name}");
    }
    let metrics = String::from_utf8(world.get("/metrics").await.body).unwrap();
    for line in [
        r#"headroom_http_requests_total{method="GET",route="/v1/gate/{service}",status="200"} 2"#,
        r#"headroom_gate_peeks_total{verdict="allow"} 2"#,
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    for (asked, status) in [("catalog?environment=nowhere", 200), ("catalog?x=1", 400)] {
        assert_eq!(world.get(&format!("/v1/gate/{asked}")).await.status, status, "{asked}");
    }
    let head = world.ask(Method::HEAD, "/v1/gate/catalog").await;
    assert!(head.body.is_empty() && head.status == 200);
}

#[tokio::test]
async fn what_is_kept_is_given_to_those_alone_who_may_read() {
    let world = World::closed(Adapters::default(), Oidc::default()).await;
    let token = world.token("ci", &[Scope::Decide]).await;
    for _ in 0..2 {
        let request = world.request(Method::GET, "/v1/gate/catalog").bearer_auth(&token);
        assert_eq!(answer(request).await.status, 200);
        assert_eq!(world.get("/v1/gate/catalog").await.status, 401);
    }
}
