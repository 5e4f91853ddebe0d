use proptest::prelude::*;
use serde_json::json;
use slo_core::bucket::Bucket;
use slo_core::ledger::Hour;
use slo_core::subset::Subset;

use super::*;
use crate::http::world::World;
use crate::store::{Commit, PartOf};
use crate::token::Scope;

fn deployment(id: &str, minute: i64) -> Deployment {
    serde_json::from_value(
        json!({"id": id, "service": "a", "environment": "p", "version": format!("v{id}"),
        "digest": null, "commit": null, "at": Minute(minute).start(), "principal": "x"}),
    )
    .unwrap()
}

fn incident(id: &str, opened: i64, closed: i64) -> Incident {
    serde_json::from_value(json!({"id": id, "key": id, "service": "a", "environment": null,
        "severity": "major", "title": format!("t{id}"), "openedAt": Minute(opened).start(),
        "confirmedAt": Minute(opened).start(), "closedAt": Minute(closed).start()}))
    .unwrap()
}

fn owners(runs: &[Run]) -> Vec<(&str, i64, i64)> {
    let id = |whose: &Whose| whose.as_ref().map_or("", |(id, _)| id).to_owned();
    runs.iter()
        .map(|run| (&*Box::leak(id(&run.whose).into_boxed_str()), run.from.0, run.to.0))
        .collect()
}

#[test]
fn what_ran_owns_the_time_until_the_next_deployment() {
    let all = [deployment("a", 5), deployment("b", 20), deployment("c", 40)];
    let runs = by_deployment(&all, (Minute(10), Minute(30)), |minute| minute);
    assert_eq!(owners(&runs), [("a", 10, 20), ("b", 20, 30)]);
    let runs = by_deployment(&all, (Minute(0), Minute(10)), |minute| minute);
    assert_eq!(owners(&runs), [("", 0, 5), ("a", 5, 10)]);
}

#[test]
fn an_overlap_belongs_to_the_incident_that_opened_first() {
    let (a, b) = (incident("a", 5, 20), incident("b", 10, 30));
    let runs = by_incident(&[&a, &b], Span::minutes(240), (Minute(0), Minute(40)), |minute| minute);
    assert_eq!(owners(&runs), [("", 0, 5), ("a", 5, 21), ("b", 21, 31), ("", 31, 40)]);
}

proptest! {
    #[test]
    fn runs_cover_the_whole_stretch_once_and_end_where_slices_do(
        mut at in prop::collection::vec((0..100_i64, 1..50_i64), 0..8), from in 0..50_i64, length in 1..60_i64, size in 1..9_i64,
    ) {
        at.sort_unstable();
        let edge = |minute: Minute| Minute((minute.0 + size - 1).div_euclid(size) * size);
        let (from, to) = (edge(Minute(from)), edge(Minute(from + length)));
        let deployments: Vec<_> = at.iter().map(|(at, _)| deployment("d", *at)).collect();
        let incidents: Vec<_> = at.iter().map(|(at, long)| incident("i", *at, at + long)).collect();
        let incidents: Vec<&Incident> = incidents.iter().collect();
        for runs in [
            by_deployment(&deployments, (from, to), edge),
            by_incident(&incidents, Span::minutes(240), (from, to), edge),
        ] {
            let mut next = from;
            for run in &runs {
                prop_assert_eq!(run.from, next);
                prop_assert_eq!(run.from.0 % size, 0);
                next = run.to;
            }
            prop_assert_eq!(next, to);
        }
    }
}

/// One of 100 events in each minute of the last hour is bad, 50 in minute 9:30.
async fn world() -> World {
    let bad = |back| match back {
        30 => 50,
        ..=60 => 1,
        _ => 0,
    };
    World::with_minutes(&["availability", "slices"], |_, back| Some(bad(back))).await
}

const PATH: &str = "/v1/slos/orders/availability/attribution?environment=production\
    &from=2026-11-21T09:00:00Z&to=2026-11-21T10:00:00Z";

#[tokio::test]
async fn the_parts_add_up_to_the_whole() {
    let world = world().await;
    let token = world.token("ci", &[Scope::Deploy, Scope::Incident]).await;
    for (version, at) in [("1.0", "09:10"), ("1.1", "09:25"), ("1.2", "09:40")] {
        let body = json!({"service": "orders", "environment": "production", "version": version,
            "at": format!("2026-11-21T{at}:30Z")});
        let answer = world.send(axum::http::Method::POST, "/v1/deployments", &token, &body).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
    let all = world.json(PATH).await;
    assert_eq!(
        (&all["by"], &all["unit"], &all["window"]),
        (&json!("deployment"), &json!("events"), &json!("30d"))
    );
    let items = all["items"].as_array().unwrap();
    let named: Vec<_> = items.iter().map(|i| (i["name"].clone(), i["bad"].clone())).collect();
    assert_eq!(
        named,
        [
            (json!("1.1"), json!(64)),
            (json!("1.2"), json!(20)),
            (json!("1.0"), json!(15)),
            (json!(null), json!(10)),
        ]
    );
    let sum = |key: &str| items.iter().filter_map(|item| item[key].as_f64()).sum::<f64>();
    assert_eq!(
        (all["bad"].as_f64(), all["total"].as_f64()),
        (Some(sum("bad")), Some(sum("total")))
    );
    assert!((sum("share") - 1.0).abs() < 1e-9);
    let nobody = world.json(&format!("{PATH}&by=incident")).await;
    assert_eq!(nobody["items"].as_array().unwrap().len(), 1);
    assert_eq!((&nobody["items"][0]["id"], &nobody["bad"]), (&json!(null), &all["bad"]));
}

#[tokio::test]
async fn what_it_cannot_be_told_apart_by_is_named() {
    let world = world().await;
    let detail = world.detail(&format!("{PATH}&by=moon"), 400).await;
    assert!(detail.contains("moon") && detail.contains("incident"), "{detail}");
}

/// The SLOs have groups and a label; in the last hour of `availability` 70 events a minute were asked for by
/// one route, one of them failed, and one event a minute with a code failed.
async fn told_apart() -> World {
    let world = world().await;
    let mut snapshot = (*world.shared.latest.get().unwrap()).clone();
    let mut declared = (*snapshot.declared).clone();
    for service in &mut declared.services {
        for slo in &mut Arc::make_mut(service).slos {
            let slo = Arc::make_mut(slo);
            slo.group_by = vec!["route".to_owned()];
            slo.attribute_by = vec!["code".to_owned()];
        }
    }
    snapshot.declared = Arc::new(declared);
    let id = snapshot.ledgers.iter().find(|(id, _)| id.slo.as_str() == "availability").unwrap().1;
    let labels = [("route".to_owned(), "/cart".to_owned())].into();
    let parts = [Subset::Group(Some(labels)), Subset::Attribute("code".into(), Some("500".into()))];
    let parts = parts.map(|subset| (*id, PartOf::Subset(Arc::new(subset))));
    let made = world.shared.store.register_parts(&parts).await.unwrap();
    let mut commit = Commit::default();
    let last = Minute::of(crate::http::world::now()).hour() - 1;
    for (ledger, total) in made.iter().zip([70, 1]) {
        let mut hour = Hour::default();
        (0..60)
            .for_each(|at| hour.set(at, &Bucket { good: total - 1, total, ..Bucket::default() }));
        commit.hours.push((last, *ledger, hour.pack()));
    }
    world.shared.store.commit(&commit).await.unwrap();
    world.shared.latest.publish(snapshot);
    world
}

#[tokio::test]
async fn groups_and_values_add_up_with_what_was_not_told_apart() {
    let world = told_apart().await;
    let id = r#"{"route":"/cart"}"#;
    for (by, name, id) in [("group", "route=/cart", id), ("code", "code=500", "500")] {
        let all = world.json(&format!("{PATH}&by={by}")).await;
        let items = all["items"].as_array().unwrap();
        let named: Vec<_> = items.iter().map(|i| (&i["name"], &i["id"], &i["bad"])).collect();
        assert_eq!((&all["bad"], &all["by"]), (&json!(109), &json!(by)));
        assert_eq!(named[0], (&json!(name), &json!(id), &json!(60)), "{all}");
        assert_eq!(named[1], (&json!(null), &json!(null), &json!(49)), "not told apart");
    }
    let path = PATH.replace("availability", "slices");
    let slices = world.json(&format!("{path}&by=group")).await;
    assert_eq!((&slices["unit"], &slices["spent"]), (&json!("events"), &json!(null)));
}
