//! Counts against what was really written.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::{Value, json};
use slo_core::time::Minute;
use slo_source_elastic::{Config, Counts, Elastic, Query};

use crate::support::node::Node;
use crate::support::{START, all, at, client, config, count, one, query, stamp};

/// A small generator of numbers that look random, the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// What the indices hold in the end: documents by index and id.
type Truth = BTreeMap<(String, u64), Value>;

/// The mapping of documents of a shop.
fn mapping() -> Value {
    json!({ "mappings": { "properties": {
        "@timestamp": { "type": "date" },
        "status": { "type": "integer" },
        "route": { "type": "keyword" },
        "ms": { "type": "double" }
    }}})
}

/// Writes documents of an hour in no order, an index for each half of it: some overwrite an earlier one of the same
/// index, some have an id that the other index has too.
async fn generate(node: &Node, name: &str) -> Truth {
    let (mut dice, mut truth, mut documents) = (Dice(7), Truth::new(), Vec::new());
    for half in 0..2 {
        node.index(&format!("{name}-{half}"), &mapping()).await;
    }
    for _ in 0..4_000 {
        let millis = dice.below(60 * 60_000);
        let index = format!("{name}-{}", millis / (30 * 60_000));
        let id = dice.below(3_000);
        let status = if dice.below(20) == 0 { 503 } else { 200 };
        let route = ["/cart", "/pay", "/search"][dice.below(3) as usize];
        let document = json!({
            "@timestamp": stamp(0, millis as i64), "status": status, "route": route,
            "ms": dice.below(1_000) as f64 / 2.0
        });
        documents.push((index.clone(), json!(id.to_string()), document.clone()));
        truth.insert((index, id), document);
    }
    node.write(&documents).await;
    truth
}

/// When it happened, Unix milliseconds.
fn time(document: &Value) -> i64 {
    let text = document["@timestamp"].as_str().unwrap();
    chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis()
}

/// Counts by minute as the documents themselves say.
fn expected(truth: &Truth, index: &str, of: impl Fn(&Value) -> bool) -> Vec<(Minute, u64)> {
    let mut minutes = BTreeMap::new();
    let found = truth.iter().filter(|((name, _), d)| name.starts_with(index) && of(d));
    for (_, document) in found {
        *minutes.entry(Minute::of_millis(time(document))).or_insert(0) += 1;
    }
    minutes.into_iter().collect()
}

pub(crate) async fn counts_equal_the_truth_of_generated_documents(node: &Node) {
    let truth = generate(node, "truth").await;
    let newest = truth.values().map(time).max();
    let whole = query("truth-*", json!({ "match_all": {} }));
    let bad = query("truth-*", json!({ "range": { "status": { "gte": 500 } } }));
    let slow = query(
        "truth-*",
        json!({ "bool": {
            "filter": [{ "term": { "route": "/pay" } }, { "range": { "ms": { "gt": 250 } } }]
        }}),
    );
    let second = query("truth-1", json!({ "match_all": {} }));
    let counted = count(&node.url, &[whole, bad, slow, second], 60).await;
    assert_eq!((counted.requests, counted.searches), (1, 2));
    let found: Vec<Counts> = counted.queries.into_iter().map(Result::unwrap).collect();
    assert!(found.iter().all(|counts| counts.newest == newest));
    assert_eq!(found[0].minutes, expected(&truth, "truth", |_| true));
    assert_eq!(found[1].minutes, expected(&truth, "truth", |d| d["status"] == 503));
    let slow = |d: &Value| d["route"] == "/pay" && d["ms"].as_f64().unwrap() > 250.0;
    assert_eq!(found[2].minutes, expected(&truth, "truth", slow));
    assert_eq!(found[3].minutes, expected(&truth, "truth-1", |_| true));
    let written: u64 = found[0].minutes.iter().map(|(_, n)| n).sum();
    let ids: BTreeSet<u64> = truth.keys().map(|(_, id)| *id).collect();
    assert!(written < 4_000 && written > ids.len() as u64, "some overwrote, some are in both");
}

pub(crate) async fn a_late_document_is_in_its_minute_when_it_is_read_again(node: &Node) {
    let document = |minute| json!({ "@timestamp": stamp(minute, 500) });
    let name = || "late".to_owned();
    node.write(&[(name(), Value::Null, document(1)), (name(), Value::Null, document(2))]).await;
    let first = one(&node.url, all("late"), 3).await.unwrap();
    assert_eq!(first.minutes, [(START + 1, 1), (START + 2, 1)]);
    node.write(&[(name(), Value::Null, document(1))]).await;
    let second = one(&node.url, all("late"), 3).await.unwrap();
    assert_eq!(second.minutes, [(START + 1, 2), (START + 2, 1)]);
}

pub(crate) async fn other_time_fields_and_nanoseconds_are_counted_by_minute(node: &Node) {
    let mapping = json!({ "mappings": { "properties": { "event": { "properties": {
        "created": { "type": "date_nanos" }
    }}}}});
    node.index("nanos", &mapping).await;
    let times = ["00:00:59.999999999", "00:01:00.000000000", "00:01:59.999999999"];
    let documents = times.map(|time| {
        let created = format!("2026-01-01T{time}Z");
        ("nanos".to_owned(), Value::Null, json!({ "event": { "created": created } }))
    });
    node.write(&documents).await;
    let config = Config { time_field: "event.created".to_owned(), ..config(&node.url) };
    let elastic = Elastic::new(&config).unwrap();
    let counted = elastic.count(&[all("nanos")], START, START + 3).await.unwrap();
    let counts = counted.queries[0].as_ref().unwrap();
    assert_eq!(counts.minutes, [(START, 1), (START + 1, 2)]);
    assert_eq!(Minute::of_millis(counts.newest.unwrap()), START + 1);
}

pub(crate) async fn a_time_that_is_a_number_is_milliseconds(node: &Node) {
    let asked =
        |index: &str| (Config { time_field: "ts".to_owned(), ..config(&node.url) }, all(index));
    for kind in ["long", "double"] {
        let index = format!("number-{kind}");
        let mapping = json!({ "mappings": { "properties": { "ts": { "type": kind } } } });
        node.index(&index, &mapping).await;
        let times = [at(0, 59_999), at(1, 0), at(1, 500)];
        node.write(&times.map(|ts| (index.clone(), Value::Null, json!({ "ts": ts })))).await;
        let (config, all) = asked(&index);
        let elastic = Elastic::new(&config).unwrap();
        let queries = [all];
        let counted = elastic.count(&queries, START, START + 3).await.unwrap();
        let counts = counted.queries[0].as_ref().unwrap();
        assert_eq!(counts.minutes, [(START, 1), (START + 1, 2)], "{kind}");
        assert_eq!(counts.newest, Some(at(1, 500)), "{kind}");
        assert_eq!(elastic.oldest(&queries).await.unwrap(), [Ok(Some(at(0, 59_999)))], "{kind}");
        let later = elastic.count(&queries, START + 10, START + 12).await.unwrap();
        assert_eq!(later.queries[0], Ok(Counts::default()), "{kind}: nothing happened");
    }
    node.write(&[("seconds".to_owned(), Value::Null, json!({ "ts": at(0, 0) / 1_000 }))]).await;
    let (config, all) = asked("seconds");
    let counted = Elastic::new(&config).unwrap().count(&[all], START, START + 3).await.unwrap();
    let said = counted.queries[0].as_ref().unwrap_err().to_string();
    assert!(
        said.contains("`ts` is the number 1767225600, which is no time in milliseconds"),
        "{said}"
    );
}

pub(crate) async fn shards_of_other_times_are_skipped_and_that_is_normal(node: &Node) {
    let days = ["skip-1", "skip-2", "skip-3"];
    for (number, day) in (0..).zip(days) {
        let document = json!({ "@timestamp": stamp(number * 1_440, 0) });
        node.write(&[(day.to_owned(), Value::Null, document)]).await;
    }
    let searched = async || {
        let stats = node.send(Method::GET, "/skip-*/_stats/search", &Value::Null).await;
        days.map(|day| stats["indices"][day]["total"]["search"]["query_total"].as_u64().unwrap())
    };
    let (before, second) = (searched().await, START + 1_440);
    let counted = client(&node.url).count(&[all("skip-*")], second, second + 3).await.unwrap();
    assert_eq!(counted.queries[0].as_ref().unwrap().minutes, [(second, 1)]);
    assert_eq!(searched().await, [before[0], before[1] + 1, before[2]]);
}

pub(crate) async fn a_heartbeat_tells_an_idle_service_from_a_dead_shipper(node: &Node) {
    let write = |minute, kind| {
        ("beat".to_owned(), Value::Null, json!({ "@timestamp": stamp(minute, 250), "kind": kind }))
    };
    node.write(&[write(0, "request"), write(1, "ping"), write(2, "noise")]).await;
    let kind = |kind: &str| json!({ "term": { "kind.keyword": kind } });
    let requests = query("beat", kind("request"));
    let pinged = Query { heartbeat: Some(kind("ping")), ..requests.clone() };
    let dead = Query { heartbeat: Some(kind("lost")), ..requests.clone() };
    let counted = count(&node.url, &[requests, pinged, dead], 5).await;
    let newest: Vec<_> = counted.queries.iter().map(|q| q.as_ref().unwrap().newest).collect();
    assert_eq!(newest, [Some(at(2, 250)), Some(at(1, 250)), None]);
    let counted = client(&node.url).count(&[all("beat")], START + 3, START + 5).await.unwrap();
    assert_eq!(counted.queries[0], Ok(Counts::default()), "later minutes hold nothing at all");
}

pub(crate) async fn a_document_from_a_clock_ahead_is_no_heartbeat(node: &Node) {
    let write =
        |minute| ("ahead".to_owned(), Value::Null, json!({ "@timestamp": stamp(minute, 0) }));
    node.write(&[write(0), write(60 * 24)]).await;
    let counts = one(&node.url, all("ahead"), 5).await.unwrap();
    assert_eq!((counts.minutes, counts.newest), (vec![(START, 1)], Some(at(0, 0))));
}

pub(crate) async fn the_oldest_heartbeat_says_how_far_back_there_is_anything(node: &Node) {
    let write = |minute, kind: &str| {
        ("old".to_owned(), Value::Null, json!({ "@timestamp": stamp(minute, 7), "kind": kind }))
    };
    node.write(&[write(-9_000, "noise"), write(-5_000, "ping"), write(1, "ping")]).await;
    let ping = |kind: &str| Query {
        heartbeat: Some(json!({ "term": { "kind.keyword": kind } })),
        ..all("old")
    };
    let queries = [all("old"), ping("ping"), ping("none"), all("old-and-missing")];
    let oldest = client(&node.url).oldest(&queries).await.unwrap();
    let known: Vec<_> = oldest.iter().filter_map(|o| o.as_ref().ok().copied()).collect();
    assert_eq!(known, [Some(at(-9_000, 7)), Some(at(-5_000, 7)), None]);
    assert!(oldest[3].is_err(), "{:?}", oldest[3]);
}
