//! The laws of cutting: everything is asked once, and nothing asks for too much.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn query(index: u8, filter: u32, heartbeat: Option<u32>) -> Query {
    let term = |n: u32| json!({ "term": { "n": n, "pad": "x".repeat(n as usize % 9_000) } });
    Query {
        index: format!("logs-{index}-*"),
        filter: term(filter),
        heartbeat: heartbeat.map(term),
        groups: None,
    }
}

#[test]
fn the_same_filters_and_heartbeats_are_sent_once_per_index() {
    let queries =
        [query(1, 1, None), query(1, 2, None), query(1, 1, Some(2)), query(2, 1, Some(1))];
    let plan = Plan::new(&queries);
    let clauses: Vec<_> = plan.indices.iter().map(|index| index.clauses.len()).collect();
    assert_eq!(clauses, [3, 1], "two filters and any document; one that is its own heartbeat");
}

#[test]
fn an_edge_is_the_newest_of_all_pieces() {
    let mut plan = Plan::new(&[query(1, 1, None)]);
    let time = Time::Minutes { from: Minute(0), to: Minute(9) };
    for edge in [Some(7), None, Some(5)] {
        plan.indices[0].take(&[0], vec![Bucket { minutes: vec![], edge }], time);
    }
    assert_eq!(plan.found(0).unwrap().filter.edge, Some(7));
}

#[test]
fn the_first_fault_of_a_query_stays_and_the_others_keep_their_counts() {
    let mut plan = Plan::new(&[query(1, 1, None), query(1, 2, None)]);
    let fault = |reason: &str| Fault::new("logs-1-*", Kind::Refused, reason);
    plan.indices[0].blame(&[0], &fault("first"));
    plan.indices[0].blame(&[0], &fault("second"));
    assert_eq!(plan.found(0).unwrap_err(), fault("first"));
    assert!(plan.found(1).is_ok());
    plan.indices[0].fault = Some(fault("whole"));
    assert_eq!(plan.found(1).unwrap_err(), fault("whole"));
}

proptest! {
    #[test]
    fn parts_tile_every_clause_and_minute_within_the_limits(
        indices in prop::collection::vec((0_u8..4, 0_u32..3_000, prop::option::of(0_u32..50)), 1..300),
        length in 1_i64..60_000,
    ) {
        let queries: Vec<_> = indices.iter().map(|(i, f, h)| query(*i, *f, *h)).collect();
        let plan = Plan::new(&queries);
        let (from, to) = (Minute(29_000_000), Minute(29_000_000) + length);
        let mut asked = std::collections::BTreeMap::new();
        for part in plan.parts(Time::Minutes { from, to }) {
            prop_assert!(part.buckets(&plan) <= BUCKETS && !part.clauses.is_empty());
            let Time::Minutes { from, to } = part.time else { unreachable!() };
            if asked.is_empty() {
                let lines = part.lines(&plan, "@timestamp", 16_000).len();
                prop_assert!(lines <= part.bytes(&plan) && part.bytes(&plan) <= BYTES);
            }
            for clause in &part.clauses {
                let next = asked.entry((part.index, *clause)).or_insert(from);
                prop_assert_eq!(*next, from);
                *next = to;
            }
        }
        let clauses = plan.indices.iter().map(|index| index.clauses.len()).sum::<usize>();
        prop_assert_eq!(asked.len(), clauses);
        prop_assert!(asked.values().all(|end| *end == to));
    }
}
