use axum::http::Method;
use serde_json::{Value, json};

use crate::http::world::{Answer, World};
use crate::record::{Filter, RecordKind};
use crate::token::Scope;

const PATH: &str = "/v1/exclusions";

/// It is 10:00.
fn planned() -> Value {
    json!({
        "slos": ["orders/*"], "reason": "database upgrade",
        "from": "2026-11-21T12:00:00Z", "until": "2026-11-21T12:40:00Z",
    })
}

fn past() -> Value {
    let mut body = planned();
    body["from"] = json!("2026-11-21T09:58:59Z");
    body["until"] = json!("2026-11-21T10:30:00Z");
    body
}

fn of(slos: &[&str], mut body: Value) -> Value {
    body["slos"] = json!(slos);
    body
}

async fn person(world: &World, name: &str) -> String {
    world.token(name, &[Scope::Exclude]).await
}

async fn create(world: &World, token: &str, body: &Value) -> Answer {
    world.send(Method::POST, PATH, token, body).await
}

async fn created(world: &World, token: &str, body: &Value) -> Value {
    let answer = create(world, token, body).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()
}

async fn approve(world: &World, token: &str, id: &Value) -> Answer {
    let path = format!("{PATH}/{}/approve", id.as_str().unwrap());
    world.send(Method::POST, &path, token, &json!({})).await
}

async fn remove(world: &World, token: &str, id: &Value) -> Answer {
    let path = format!("{PATH}/{}", id.as_str().unwrap());
    world.send(Method::DELETE, &path, token, &json!({})).await
}

async fn first(world: &World) -> Value {
    world.json(PATH).await["items"][0].clone()
}

fn detail(problem: &Value) -> &str {
    problem["detail"].as_str().unwrap()
}

#[tokio::test]
async fn what_is_planned_is_active_at_once_and_ends_with_its_time() {
    let world = World::new().await;
    let ana = person(&world, "ana").await;
    let made = created(&world, &ana, &planned()).await;
    for (key, value) in [
        ("state", json!("active")),
        ("source", json!("api")),
        ("author", json!("token:ana")),
        ("from", json!("2026-11-21T12:00:00Z")),
        ("weekly", Value::Null),
        ("approvalsNeeded", json!(0)),
        ("at", json!("2026-11-21T10:00:00Z")),
        ("warnings", json!([])),
    ] {
        assert_eq!(made[key], value, "{key}: {made}");
    }
    approve(&world, &person(&world, "ben").await, &made["id"]).await.problem(409);
    world.wait(9_599);
    assert_eq!(first(&world).await["state"], "active");
    world.wait(9_600);
    assert_eq!(first(&world).await["state"], "ended");
}

#[tokio::test]
async fn one_that_reaches_into_the_past_waits_until_another_person_approved_it() {
    let world = World::new().await;
    let (ana, ben) = (person(&world, "ana").await, person(&world, "ben").await);
    let made = created(&world, &ana, &past()).await;
    assert_eq!((&made["state"], &made["approvalsMissing"]), (&json!("waiting"), &json!(1)));
    let id = &made["id"];
    let problem = approve(&world, &ana, id).await.problem(403);
    assert!(detail(&problem).contains("the author"), "{problem}");
    let world = world.restarted().await;
    assert_eq!(first(&world).await["state"], "waiting");
    let approved = approve(&world, &ben, id).await;
    assert_eq!((approved.status, &approved.json()["state"]), (200, &json!("active")));
    let problem = approve(&world, &ben, id).await.problem(409);
    assert!(detail(&problem).contains("approved it already"), "{problem}");
    let world = world.restarted().await;
    let shown = first(&world).await;
    assert_eq!((&shown["state"], &shown["approvals"]), (&json!("active"), &json!(["token:ben"])));
}

#[tokio::test]
async fn a_minute_ago_is_not_the_past_and_what_comes_every_week_never_is() {
    let world = World::new().await;
    let ana = person(&world, "ana").await;
    let mut body = past();
    body["from"] = json!("2026-11-21T09:59:00Z");
    assert_eq!(created(&world, &ana, &body).await["state"], "active");
    let weekly = json!({
        "slos": ["catalog/*"], "reason": "backups", "expires": "2026-11-22T01:00:00Z",
        "weekly": {"from": "Sun 02:00", "until": "Sun 03:00", "zone": "Europe/Paris"},
    });
    let made = created(&world, &ana, &weekly).await;
    assert_eq!((&made["state"], &made["weekly"]), (&json!("active"), &weekly["weekly"]));
    assert_eq!((&made["from"], &made["expires"]), (&Value::Null, &weekly["expires"]));
    world.wait(16 * 3_600 - 1);
    assert_eq!(world.json(&format!("{PATH}?service=catalog")).await["items"][0]["state"], "active");
    world.wait(16 * 3_600);
    assert_eq!(world.json(&format!("{PATH}?service=catalog")).await["items"][0]["state"], "ended");
}

fn policy(name: &str, applies: &str, overriding: &str) -> String {
    format!(
        "apiVersion: headroom/v1\nkind: Policy\npolicy: {name}\napplies: {applies}\nrules: []\n\
         onUnknown: deny\nnoSlo: deny\noverride: {overriding}\n---\n"
    )
}

#[tokio::test]
async fn the_strictest_policy_of_the_services_that_are_named_says_how_many_must_approve() {
    let world = World::new().await;
    let ana = person(&world, "ana").await;
    world.declares(&format!(
        "{}{}",
        policy("lax", "{}", "{allowed: true, approvals: 0}"),
        policy(
            "strict",
            "{tiers: [1], environments: [production]}",
            "{allowed: true, approvals: 2}"
        )
    ));
    for (slos, needed) in [
        (&["catalog/*"][..], 0),
        (&["orders/availability@staging"], 0),
        (&["catalog/*", "orders/none"], 2),
        (&["*/availability"], 2),
        (&["nobody/*"], 2),
        (&["pay*/*@staging"], 2),
    ] {
        let made = created(&world, &ana, &of(slos, past())).await;
        assert_eq!(made["approvalsNeeded"], needed, "{slos:?}: {made}");
        assert_eq!(made["state"], if needed == 0 { "active" } else { "waiting" });
    }
}

#[tokio::test]
async fn where_a_policy_takes_no_overrides_the_past_stays_as_it_was() {
    let world = World::new().await;
    let ana = person(&world, "ana").await;
    let never = policy("never", "{services: [orders]}", "{allowed: false}");
    world.declares(&format!("{never}{}", policy("rest", "{tiers: [1, 2]}", "{allowed: true}")));
    for (slos, said) in [
        (["orders/*"], "the policy never takes none"),
        (["*/*"], "the policy never takes none"),
        (["notifier/*"], "no policy decides on notifier in production"),
        (["nobody/*"], "the policy never takes none"),
    ] {
        let problem = create(&world, &ana, &of(&slos, past())).await.problem(409);
        assert!(detail(&problem).contains(said), "{problem}");
        assert_eq!(create(&world, &ana, &of(&slos, planned())).await.status, 201, "{slos:?}");
    }
    assert_eq!(create(&world, &ana, &of(&["catalog/*"], past())).await.status, 201);
}

#[tokio::test]
async fn a_token_excludes_only_what_its_patterns_match_whole() {
    let world = World::new().await;
    let exclude = [Scope::Exclude];
    let shop = world.token_for("shop", &exclude, &["orders*", "catalog"], &[]).await;
    let staging = world.token_for("staging", &exclude, &[], &["staging"]).await;
    let ci = world.token("ci", &[Scope::Override]).await;
    for (token, pattern, status) in [
        (&shop, "orders/*", 201),
        (&shop, "orders*/*", 201),
        (&shop, "orders-*/x", 201),
        (&shop, "catalog/*@production", 201),
        (&shop, "*/*", 403),
        (&shop, "order*/*", 403),
        (&shop, "catalog*/*", 403),
        (&shop, "payment/*", 403),
        (&staging, "*/*@staging", 201),
        (&staging, "*/*", 403),
        (&staging, "orders/*@production", 403),
        (&ci, "orders/*", 403),
    ] {
        let answer = create(&world, token, &of(&[pattern], planned())).await;
        assert_eq!(answer.status, status, "{pattern}: {}", answer.text());
    }
    create(&world, &shop, &of(&["orders/*", "payment/*"], planned())).await.problem(403);
    let made = created(&world, &person(&world, "ana").await, &of(&["*/*"], past())).await;
    approve(&world, &shop, &made["id"]).await.problem(403);
    remove(&world, &shop, &made["id"]).await.problem(403);
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_with_a_sentence() {
    let world = World::new().await;
    let ana = person(&world, "ana").await;
    let weekly = json!({"from": "Sun 02:00", "until": "Sun 03:00", "zone": "UTC"});
    for (changes, status, said) in [
        (json!({"author": "eve"}), 400, "it is whose token asks"),
        (json!({"reason": " "}), 400, "this text is empty"),
        (json!({"reason": "x".repeat(2_001)}), 400, "longer than 2000"),
        (json!({"slos": []}), 400, "about no SLO"),
        (json!({"slos": vec!["a/b"; 51]}), 400, "more than 50"),
        (json!({"slos": ["orders"]}), 400, "write service/slo"),
        (json!({"until": "2026-11-21T12:00:00Z"}), 400, "not after `from`"),
        (json!({"from": "2026-11-21T12:00"}), 400, "in which zone"),
        (json!({"who": "me"}), 400, "unknown field `who`"),
        (json!({"weekly": weekly}), 400, "remove `weekly`"),
        (json!({"expires": "2027-11-21T12:00Z"}), 400, "`until` is the end"),
        (json!({"from": "0000-01-01T00:00:00+23:59"}), 422, "800 days"),
        (json!({"from": "2024-09-12T09:59:59Z"}), 422, "800 days"),
        (json!({"until": "9999-12-31T23:59:59-23:59"}), 422, "ten years"),
        (
            json!({"from": null, "until": null, "weekly": weekly, "expires": "2026-11-21T10:00Z"}),
            422,
            "it is over",
        ),
        (
            json!({"from": null, "until": null, "weekly": weekly, "expires": "9999-12-31T23:59:59-23:59"}),
            422,
            "ten years",
        ),
    ] {
        let mut body = planned();
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let problem = create(&world, &ana, &body).await.problem(status);
        assert!(detail(&problem).contains(said), "{changes}: {problem}");
    }
    assert_eq!(world.json(PATH).await["items"], json!([]));
    let mut furthest = past();
    furthest["from"] = json!("2024-09-12T10:00:00Z");
    furthest["until"] = json!("2036-11-28T10:00:00Z");
    created(&world, &ana, &furthest).await;
    assert_eq!(first(&world.restarted().await).await["until"], furthest["until"]);
}

#[tokio::test]
async fn a_pattern_that_matches_no_declared_slo_is_accepted_with_a_warning() {
    let world = World::new().await;
    let ana = person(&world, "ana").await;
    let body = of(&["orders/*", "order/*", "catalog/latency", "*/slices@staging"], planned());
    let warnings = created(&world, &ana, &body).await["warnings"].clone();
    let idle = ["order/*", "catalog/latency", "*/slices@staging"];
    let expected =
        idle.map(|p| format!("`{p}` matches no declared SLO, so it excludes nothing now"));
    assert_eq!(warnings, json!(expected));
}

#[tokio::test]
async fn an_exclusion_is_removed_once_and_a_restart_forgets_nothing() {
    let world = World::new().await;
    let (ana, ben) = (person(&world, "ana").await, person(&world, "ben").await);
    let id = created(&world, &ana, &past()).await["id"].clone();
    let removed = remove(&world, &ben, &id).await;
    assert_eq!((removed.status, &removed.json()["state"]), (200, &json!("removed")));
    approve(&world, &ben, &id).await.problem(409);
    let world = world.restarted().await;
    assert_eq!(remove(&world, &ana, &id).await.json()["removedBy"], "token:ben");
    let records = world.records().by_id(id.as_str().unwrap()).await.unwrap();
    let kinds: Vec<Value> = records
        .iter()
        .map(|r| serde_json::from_slice::<Value>(&r.entry.json).unwrap()["record"].clone())
        .collect();
    assert_eq!(kinds, ["exclusion.created", "exclusion.removed"]);
    assert!(records.iter().all(|record| record.entry.kind == RecordKind::Exclusion));
    remove(&world, &ana, &json!("nobody")).await.problem(404);
}

#[tokio::test]
async fn what_cannot_be_recorded_did_not_happen() {
    let world = World::new().await;
    let ana = person(&world, "ana").await;
    let blocked = world.block().await;
    create(&world, &ana, &planned()).await.problem(503);
    drop(blocked);
    assert_eq!(world.json(PATH).await["items"], json!([]));
}

const FILES: &str = "apiVersion: headroom/v1\nkind: Exclusion\nslos: [orders/*]\n\
    from: 2026-11-20T02:00Z\nuntil: 2026-11-20T02:40Z\nreason: upgrade\nauthor: ana@example.com\n\
    ---\napiVersion: headroom/v1\nkind: Exclusion\nslos: [\"*/latency\"]\n\
    weekly: {from: \"Sun 02:00\", until: \"Sun 03:00\", zone: UTC}\nreason: backups\nauthor: ana\n";

async fn note_declared(world: &World) {
    let snapshot = world.shared.latest.get().unwrap();
    let now = crate::clock::Clock::now(&*world.clock);
    world.shared.gate.note_declared(&snapshot.declared.exclusions, now).await.unwrap();
}

async fn declared_events(world: &World) -> usize {
    let filter = Filter { kind: Some(RecordKind::Exclusion), ..Filter::default() };
    let records = world.records().list(&filter, None, 10).await.unwrap();
    let event = br#""record":"exclusions.declared""#;
    records.iter().filter(|r| r.entry.json.windows(event.len()).any(|w| w == event)).count()
}

#[tokio::test]
async fn exclusions_of_files_are_listed_with_their_place_and_removed_in_the_file() {
    let world = World::new().await;
    world.declares(FILES);
    let ana = person(&world, "ana").await;
    let items = world.json(PATH).await["items"].clone();
    assert_eq!(items.as_array().unwrap().len(), 2);
    let once = items.as_array().unwrap().iter().find(|one| one["weekly"].is_null()).unwrap();
    for (key, value) in [
        ("source", json!("file")),
        ("state", json!("ended")),
        ("author", json!("ana@example.com")),
        ("place", json!("more.yaml:3:7")),
        ("at", Value::Null),
    ] {
        assert_eq!(once[key], value, "{key}: {once}");
    }
    let id = &once["id"];
    assert!(id.as_str().unwrap().strip_prefix("file:").is_some_and(|hex| hex.len() == 12), "{id}");
    for answer in [remove(&world, &ana, id).await, approve(&world, &ana, id).await] {
        let problem = answer.problem(409);
        assert!(detail(&problem).contains("more.yaml:3:7"), "{problem}");
    }
    let stranger = world.token_for("stranger", &[Scope::Exclude], &["payment"], &[]).await;
    remove(&world, &stranger, id).await.problem(403);
    assert_eq!(
        world.json(&format!("{PATH}?service=payment")).await["items"][0]["reason"],
        "backups"
    );
}

#[tokio::test]
async fn what_files_declare_is_recorded_when_it_changes_and_only_then() {
    let world = World::new().await;
    note_declared(&world).await;
    assert_eq!(declared_events(&world).await, 0, "none were declared, none are");
    world.declares(FILES);
    note_declared(&world).await;
    note_declared(&world).await;
    assert_eq!(declared_events(&world).await, 1);
    assert_eq!(first(&world).await["at"], "2026-11-21T10:00:00Z");
    let world = world.restarted().await;
    world.declares(&format!("# moved\n{FILES}"));
    note_declared(&world).await;
    assert_eq!(declared_events(&world).await, 1, "another place is no other exclusion");
    world.wait(60);
    world.declares(&FILES.replace("backups", "nightly backups"));
    note_declared(&world).await;
    assert_eq!(declared_events(&world).await, 2);
    let items = world.json(PATH).await["items"].clone();
    assert_eq!(
        (&items[0]["reason"], &items[1]["reason"]),
        (&json!("nightly backups"), &json!("upgrade"))
    );
    assert_eq!(items[1]["at"], "2026-11-21T10:00:00Z");
}

#[tokio::test]
async fn exclusions_are_listed_newest_first_in_pages_by_service_and_environment() {
    let world = World::new().await;
    let ana = person(&world, "ana").await;
    for (second, pattern) in [(0, "orders/*"), (1, "orders/*@staging"), (2, "cat*/*")] {
        world.wait(second);
        created(&world, &ana, &of(&[pattern], planned())).await;
    }
    for (query, expected) in [
        ("", vec!["cat*/*", "orders/*@staging", "orders/*"]),
        ("?service=orders", vec!["orders/*@staging", "orders/*"]),
        ("?service=orders&environment=production", vec!["orders/*"]),
        ("?environment=staging", vec!["cat*/*", "orders/*@staging", "orders/*"]),
        ("?service=catalog", vec!["cat*/*"]),
    ] {
        let page = world.json(&format!("{PATH}{query}")).await;
        let items = page["items"].as_array().unwrap();
        let seen: Vec<&str> = items.iter().map(|one| one["slos"][0].as_str().unwrap()).collect();
        assert_eq!(seen, expected, "{query}");
    }
    let page = world.json(&format!("{PATH}?limit=2")).await;
    let next = page["next"].as_str().unwrap();
    let rest = world.json(&format!("{PATH}?limit=2&cursor={next}")).await;
    assert_eq!((&rest["items"][0]["slos"][0], &rest["next"]), (&json!("orders/*"), &Value::Null));
    world.detail(&format!("{PATH}?servcie=orders"), 400).await;
}
