use axum::http::Method;
use budget_gate::incident::Incident;
use serde_json::{Value, json};

use crate::http::world::World;
use crate::token::Scope;

const PATH: &str = "/v1/adapters/alertmanager";

fn alert(fingerprint: &str, status: &str, labels: &Value) -> Value {
    let mut labels = labels.clone();
    labels["alertname"] = json!("Slow");
    json!({"status": status, "labels": labels, "fingerprint": fingerprint,
        "annotations": {"summary": "answers take long"}, "startsAt": "2026-11-21T09:50:00Z",
        "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "http://prometheus/graph"})
}

fn catalog(fingerprint: &str, status: &str) -> Value {
    alert(fingerprint, status, &json!({"service": "catalog", "severity": "critical"}))
}

/// What Alertmanager 0.25 to 0.32 sends.
fn group(status: &str, truncated: u64, alerts: &[Value]) -> Value {
    json!({"version": "4", "groupKey": "{}:{service=\"catalog\"}", "truncatedAlerts": truncated,
        "status": status, "receiver": "headroom", "groupLabels": {"service": "catalog"},
        "commonLabels": {}, "commonAnnotations": {}, "externalURL": "http://alertmanager",
        "notification_reason": "firing", "alerts": alerts})
}

async fn send(world: &World, token: &str, body: &Value) -> Value {
    let answer = world.send(Method::POST, PATH, token, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn taken(opened: u64, confirmed: u64, closed: u64) -> Value {
    json!({"opened": opened, "confirmed": confirmed, "closed": closed, "ignored": []})
}

async fn open(world: &World) -> Vec<String> {
    let all = world.json("/v1/incidents?open=true").await;
    let key = |one: &Value| one["key"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
    let mut keys: Vec<String> = all["items"].as_array().unwrap().iter().map(key).collect();
    keys.sort();
    keys
}

#[tokio::test]
async fn an_alert_denies_while_it_fires_and_its_resolve_opens_the_gate() {
    let world = World::new().await;
    let token = world.token("alertmanager", &[Scope::Incident]).await;
    let firing = group("firing", 0, &[catalog("a1", "firing")]);
    assert_eq!(send(&world, &token, &firing).await, taken(1, 0, 0));
    let denied = world.json("/v1/gate/catalog").await;
    assert_eq!(
        (&denied["verdict"], &denied["rules"][0]["rule"]),
        (&json!("deny"), &json!("incidents"))
    );
    let incident = &world.json("/v1/incidents").await["items"][0];
    assert_eq!(
        (&incident["title"], &incident["openedAt"]),
        (&json!("answers take long"), &json!("2026-11-21T09:50:00Z"))
    );
    assert_eq!(
        (&incident["severity"], &incident["environment"]),
        (&json!("critical"), &Value::Null)
    );
    let resolved = group("resolved", 0, &[catalog("a1", "resolved")]);
    assert_eq!(send(&world, &token, &resolved).await, taken(0, 0, 1));
    assert_eq!(world.json("/v1/gate/catalog").await["verdict"], "allow");
    assert_eq!(send(&world, &token, &resolved).await, taken(0, 0, 0));
}

#[tokio::test]
async fn a_repeated_notification_keeps_an_incident_from_closing_by_itself() {
    let world = World::new().await;
    let token = world.token("alertmanager", &[Scope::Incident]).await;
    let firing = group("firing", 0, &[catalog("a1", "firing"), catalog("a1", "firing")]);
    assert_eq!(send(&world, &token, &firing).await, taken(1, 0, 0));
    world.wait(3 * 3_600);
    assert_eq!(send(&world, &token, &firing).await, taken(0, 1, 0));
    world.wait(7 * 3_600 - 1);
    assert_eq!(open(&world).await, ["a1"]);
    world.wait(7 * 3_600);
    assert_eq!(open(&world).await, Vec::<String>::new());
    assert_eq!(send(&world, &token, &firing).await, taken(1, 0, 0));
}

#[tokio::test]
async fn a_token_for_one_service_closes_no_incident_of_another() {
    let world = World::new().await;
    let token = world.token("alertmanager", &[Scope::Incident]).await;
    send(&world, &token, &group("firing", 0, &[catalog("a1", "firing")])).await;
    let other = world.token_for("other", &[Scope::Incident], &["payment"], &[]).await;
    for said in [group("resolved", 0, &[]), group("resolved", 0, &[catalog("a1", "resolved")])] {
        assert_eq!(send(&world, &other, &said).await, taken(0, 0, 0));
    }
    assert_eq!(open(&world).await, ["a1"]);
}

#[tokio::test]
async fn a_list_of_the_whole_group_closes_what_it_no_longer_has() {
    let world = World::new().await;
    let token = world.token("alertmanager", &[Scope::Incident]).await;
    let two = [catalog("a1", "firing"), catalog("a2", "firing")];
    send(&world, &token, &group("firing", 0, &two)).await;
    // Of another group with the same alert nothing is said.
    let mut other = group("firing", 0, &two[..1]);
    other["groupKey"] = json!("{}/{team=\"b\"}:{}");
    send(&world, &token, &other).await;
    let one = group("firing", 0, &two[1..]);
    assert_eq!(send(&world, &token, &one).await, taken(0, 1, 1));
    assert_eq!(open(&world).await, ["a1", "a2"]);
}

#[tokio::test]
async fn what_a_cut_list_leaves_out_stays_open_as_long_as_the_group_fires() {
    let world = World::new().await;
    let token = world.token("alertmanager", &[Scope::Incident]).await;
    let two = [catalog("a1", "firing"), catalog("a2", "firing")];
    send(&world, &token, &group("firing", 0, &two)).await;
    world.wait(3 * 3_600);
    assert_eq!(send(&world, &token, &group("firing", 1, &two[..1])).await, taken(0, 2, 0));
    world.wait(6 * 3_600);
    assert_eq!(open(&world).await, ["a1", "a2"]);
    let resolved = group("resolved", 1, &[catalog("a1", "resolved")]);
    assert_eq!(send(&world, &token, &resolved).await, taken(0, 0, 2));
}

#[tokio::test]
async fn alerts_without_a_service_or_worth_are_no_incidents_and_said_to_be_none() {
    let world = World::new().await;
    let token = world.token_for("am", &[Scope::Incident], &["catalog"], &[]).await;
    let alerts = [
        alert("b1", "firing", &json!({})),
        alert("b2", "firing", &json!({"service": "catalog", "severity": "info"})),
        alert("b3", "firing", &json!({"service": "No Name"})),
        alert("b4", "firing", &json!({"service": "orders"})),
    ];
    let said = send(&world, &token, &group("firing", 0, &alerts)).await;
    let why: Vec<&str> = said["ignored"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["why"].as_str().unwrap())
        .collect();
    let says = ["no label service", "ignored", "not a name", "lacks the scope"];
    assert!(why.iter().zip(says).all(|(why, says)| why.contains(says)), "{why:?}");
    assert_eq!((why.len(), &said["opened"]), (4, &json!(0)));
}

#[tokio::test]
async fn an_unknown_severity_is_major_and_what_names_no_environment_is_about_all() {
    let world = World::new().await;
    let token = world.token("am", &[Scope::Incident]).await;
    for (labels, severity, environment) in [
        (json!({"severity": "odd", "env": "production"}), "major", json!("production")),
        (json!({"severity": "warning", "env": "Prod!"}), "minor", Value::Null),
        (json!({"environment": "staging", "env": "production"}), "major", json!("staging")),
    ] {
        let mut labels = labels;
        labels["service"] = json!("catalog");
        send(&world, &token, &group("firing", 0, &[alert("c1", "firing", &labels)])).await;
        let all = world.json("/v1/incidents?open=true").await;
        let one = &all["items"][0];
        assert_eq!((&one["severity"], &one["environment"]), (&json!(severity), &environment));
        assert_eq!(
            all["items"].as_array().unwrap().len(),
            1,
            "an alert that moved is one incident"
        );
    }
}

#[tokio::test]
async fn a_database_that_cannot_be_written_makes_alertmanager_try_again() {
    let world = World::new().await;
    let token = world.token("alertmanager", &[Scope::Incident]).await;
    let firing = group("firing", 0, &[catalog("a1", "firing")]);
    let blocked = world.block().await;
    let began = std::time::Instant::now();
    world.send(Method::POST, PATH, &token, &firing).await.problem(503);
    assert!(began.elapsed().as_secs_f64() < 3.0);
    drop(blocked);
    let said = send(&world, &token, &firing).await;
    assert_eq!(said["ignored"], json!([]));
    assert_eq!(open(&world).await, ["a1"]);
}

#[tokio::test]
async fn another_version_or_a_token_without_the_scope_is_refused() {
    let world = World::new().await;
    let token = world.token("alertmanager", &[Scope::Incident]).await;
    let mut other = group("firing", 0, &[]);
    other["version"] = json!("5");
    world.send(Method::POST, PATH, &token, &other).await.problem(400);
    let token = world.token("ci", &[Scope::Decide]).await;
    world.send(Method::POST, PATH, &token, &group("firing", 0, &[])).await.problem(403);
}

/// An answer that was lost, although what it said was written, makes Alertmanager tell again.
#[tokio::test]
async fn of_two_incidents_of_one_alert_one_goes_on_and_a_resolve_leaves_none() {
    let world = World::new().await;
    let token = world.token("alertmanager", &[Scope::Incident]).await;
    let firing = group("firing", 0, &[catalog("a1", "firing")]);
    assert_eq!(send(&world, &token, &firing).await, taken(1, 0, 0));
    let (gate, now) = (&world.shared.gate, world.shared.clock.now());
    let one = gate.state().all_incidents().next().unwrap().clone();
    let (reporting, id) = (gate.reporting(&one.key).await, "another".to_owned());
    gate.report(reporting, vec![Incident { id, ..one }], now).await.unwrap();
    assert_eq!(open(&world).await, ["a1", "a1"]);
    assert_eq!(send(&world, &token, &firing).await, taken(0, 1, 1));
    assert_eq!(open(&world).await, ["a1"]);
    let resolved = group("resolved", 0, &[catalog("a1", "resolved")]);
    assert_eq!(send(&world, &token, &resolved).await, taken(0, 0, 1));
    assert_eq!(open(&world).await, Vec::<String>::new());
}
