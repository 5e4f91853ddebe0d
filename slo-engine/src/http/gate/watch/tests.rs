use axum::http::Method;
use serde_json::{Value, json};

use crate::http::world::World;
use crate::token::Scope;

const PATH: &str = "/v1/gate/orders/watch?environment=production";

/// The SLOs of `orders` that gate; `bad` of the 100 events of each minute, by minutes before 10:00.
async fn world(bad: impl Fn(&str, i64) -> Option<i64>) -> World {
    World::with_minutes(&["exhausted", "availability"], bad).await
}

async fn deploy(world: &World, version: &str, at: &str) {
    let token = world.token(&format!("ci-{version}"), &[Scope::Deploy]).await;
    let at = format!("2026-11-21T{at}Z");
    let body =
        json!({"service": "orders", "environment": "production", "version": version, "at": at});
    let answer = world.send(Method::POST, "/v1/deployments", &token, &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
}

async fn watched(world: &World) -> Value {
    world.json(PATH).await
}

fn rule<'a>(answer: &'a Value, slo: &str) -> &'a Value {
    answer["rules"].as_array().unwrap().iter().find(|rule| rule["slo"] == slo).unwrap()
}

/// What the watch rule of the only policy says: other windows and limits than the shipped one.
fn rules(rules: &str) -> String {
    format!(
        "apiVersion: headroom/v1\nkind: Policy\npolicy: mine\nrules: [{rules}]\n\
         onUnknown: deny\nnoSlo: deny\n"
    )
}

#[tokio::test]
async fn a_burn_over_the_limit_since_the_deployment_says_roll_back_and_the_worst_slo_decides() {
    let world =
        world(|slo, back| Some(if slo == "availability" && back < 20 { 2 } else { 0 })).await;
    deploy(&world, "7", "09:40:00").await;
    let answer = watched(&world).await;
    assert_eq!(answer["verdict"], "rollback", "{answer}");
    assert_eq!(
        (&answer["since"], &answer["version"]),
        (&json!("2026-11-21T09:40:00Z"), &json!("7"))
    );
    let over = rule(&answer, "availability");
    assert_eq!((&over["verdict"], &over["threshold"]), (&json!("deny"), &json!(10.0)));
    assert!((over["observed"].as_f64().unwrap() - 20.0).abs() < 1e-9, "{over}");
    let well = rule(&answer, "exhausted");
    assert_eq!((&well["verdict"], &well["observed"]), (&json!("allow"), &json!(0.0)));
    assert_eq!(answer["reasons"], json!([over["reason"]]));
    let reason = over["reason"].as_str().unwrap();
    assert!(reason.contains("in 19m since") && reason.contains("38 bad events"), "{reason}");
}

#[tokio::test]
async fn only_minutes_since_the_deployment_count_and_no_more_than_the_window() {
    // 9:20 to 9:39 burn 50 times too fast, the rest not at all.
    let world = world(|_, back| Some(if (21..=40).contains(&back) { 5 } else { 0 })).await;
    assert_eq!(watched(&world).await["verdict"], "rollback", "of the window before any deployment");
    assert_eq!(watched(&world).await["since"], Value::Null);
    for (version, at, verdict, observed) in [
        // A window of 30 min begins at 9:30, whenever the version was deployed.
        ("1", "09:00:00", "rollback", 50.0 / 3.0),
        // The minute of the deployment is of neither version.
        ("2", "09:34:30", "ok", 10.0),
        ("3", "09:35:59", "ok", 50.0 * 4.0 / 24.0),
        ("4", "09:39:00", "ok", 0.0),
    ] {
        deploy(&world, version, at).await;
        let answer = watched(&world).await;
        let seen = rule(&answer, "availability")["observed"].as_f64().unwrap();
        assert!((seen - observed).abs() < 1e-9, "{version}: {seen}");
        assert_eq!(answer["verdict"], verdict, "{version}");
        assert_eq!(answer["version"], version);
    }
}

#[tokio::test]
async fn at_the_limit_or_with_few_bad_events_nothing_is_rolled_back() {
    for (bad, text, verdict) in [
        (1, "watch: {window: 30m, burn: 10}", "ok"),
        (1, "watch: {window: 30m, burn: 9.99}", "rollback"),
        (1, "watch: {window: 30m, burn: 9, minBad: 19}", "rollback"),
        (1, "watch: {window: 30m, burn: 9, minBad: 20}", "ok"),
        (0, "watch: {window: 30m, burn: 0.1, minBad: 0}", "ok"),
    ] {
        let world = world(|_, back| Some(if back < 20 { bad } else { 0 })).await;
        world.declares(&rules(text));
        deploy(&world, "7", "09:40:00").await;
        let answer = watched(&world).await;
        assert_eq!(answer["verdict"], verdict, "{text}: {answer}");
        assert_eq!(answer["reasons"].as_array().unwrap().is_empty(), verdict == "ok");
    }
}

#[tokio::test]
async fn every_watch_rule_is_asked() {
    let world = world(|_, back| Some(if back <= 5 { 5 } else { 0 })).await;
    world.declares(&rules("watch: {window: 60m, burn: 10}, watch: {window: 5m, burn: 10}"));
    let answer = watched(&world).await;
    assert_eq!(answer["verdict"], "rollback", "{answer}");
    assert_eq!(answer["rules"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn without_a_watch_rule_or_a_policy_it_is_unknown() {
    let world = world(|_, _| Some(50)).await;
    world.declares(&rules(""));
    let answer = watched(&world).await;
    assert_eq!((&answer["verdict"], &answer["rules"]), (&json!("unknown"), &json!([])));
    assert!(
        answer["reasons"][0].as_str().unwrap().contains("mine has no `watch` rule"),
        "{answer}"
    );
    world.declares(&rules("").replace("rules", "applies: {services: [users]}\nrules"));
    let answer = watched(&world).await;
    assert!(answer["reasons"][0].as_str().unwrap().contains("no policy applies"), "{answer}");
    assert_eq!(answer["verdict"], "unknown");
    world.detail("/v1/gate/nobody/watch", 404).await;
}

#[tokio::test]
async fn numbers_that_are_stale_or_absent_say_nothing() {
    let world = world(|_, _| Some(50)).await;
    deploy(&world, "7", "09:40:00").await;
    world.wait(270);
    assert_eq!(watched(&world).await["verdict"], "rollback");
    world.wait(271);
    let answer = watched(&world).await;
    assert_eq!(answer["verdict"], "unknown");
    assert!(answer["reasons"][0].as_str().unwrap().contains("no fresh data"), "{answer}");
    let answer = world.json("/v1/gate/notifier/watch").await;
    assert_eq!(answer["verdict"], "unknown", "{answer}");
}

#[tokio::test]
async fn before_half_of_the_time_was_measured_it_is_unknown() {
    for (at, unmeasured, said) in [
        ("09:59:30", 0..0, "nothing was measured since the deployment yet"),
        ("09:40:00", 1..20, "nothing was measured since the deployment yet"),
        ("09:40:00", 1..11, "only 9 of 19 minutes since the deployment were measured"),
        ("09:40:00", 1..10, ""),
    ] {
        let bad = |_: &str, back| (!unmeasured.contains(&back)).then_some(50);
        let world = world(bad).await;
        deploy(&world, "7", at).await;
        let answer = watched(&world).await;
        let expected = if said.is_empty() { "rollback" } else { "unknown" };
        assert_eq!(answer["verdict"], expected, "{at} {unmeasured:?}: {answer}");
        let reason = answer["reasons"][0].as_str().unwrap();
        assert!(reason.contains(said), "{reason}");
    }
}

#[tokio::test]
async fn one_slo_over_the_limit_is_enough_where_another_is_unknown() {
    let world = world(|slo, _| (slo == "availability").then_some(50)).await;
    deploy(&world, "7", "09:40:00").await;
    let answer = watched(&world).await;
    assert_eq!(rule(&answer, "exhausted")["verdict"], "unknown");
    assert_eq!(answer["verdict"], "rollback");
    let reasons = answer["reasons"].as_array().unwrap();
    assert!(reasons[0].as_str().unwrap().starts_with("availability: in 19m"), "{reasons:?}");
    assert!(reasons[1].as_str().unwrap().starts_with("exhausted: nothing"), "{reasons:?}");
}

#[tokio::test]
async fn minutes_without_an_event_burn_nothing() {
    let world = World::with_minutes(&["exhausted", "availability"], |_, _| Some(0)).await;
    deploy(&world, "7", "09:40:00").await;
    let answer = watched(&world).await;
    assert_eq!((&answer["verdict"], &answer["reasons"]), (&json!("ok"), &json!([])));
}
