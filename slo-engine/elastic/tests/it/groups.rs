//! Counts by the values of fields.

use serde_json::{Value, json};
use slo_source_elastic::{Counts, Groups, Kind, Query};

use crate::support::node::Node;
use crate::support::{START, all, count, query, stamp};

fn grouped(query: Query, by: &[&str], max: usize, known: &[&[&str]]) -> Query {
    let owned = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let known = known.iter().map(|key| owned(key)).collect();
    Query { groups: Some(Groups { by: owned(by), max, known }), ..query }
}

/// The sums of groups by their keys, and of the whole.
fn sums(counts: &Counts) -> (Vec<(String, u64)>, u64) {
    let sum = |minutes: &[(_, u64)]| minutes.iter().map(|(_, n)| n).sum();
    let groups = counts.groups.iter().map(|group| (group.key.join("/"), sum(&group.minutes)));
    (groups.collect(), sum(&counts.minutes))
}

pub(crate) async fn known_groups_stay_new_ones_come_up_to_the_limit_and_the_rest_is_the_difference(
    node: &Node,
) {
    node.index("regions", &json!({ "settings": { "number_of_shards": 3 }, "mappings": { "properties": {
        "@timestamp": { "type": "date" }, "region": { "type": "keyword" }, "n": { "type": "long" }
    }}})).await;
    // Of region rN there are N documents, and one document has none.
    let regions = (1..=9).flat_map(|n| (0..n).map(move |i| (json!(format!("r{n}")), i)));
    let documents = regions.chain([(Value::Null, 0)]).map(|(region, n)| {
        let document = json!({ "@timestamp": stamp(n % 3, 0), "region": region, "n": n });
        ("regions".to_owned(), Value::Null, document)
    });
    node.write(&documents.collect::<Vec<_>>()).await;
    let by = &["region"];
    let queries = [
        grouped(all("regions"), by, 4, &[]),
        grouped(all("regions"), by, 4, &[&["r9"], &["gone"]]),
        grouped(all("regions"), by, 2, &[&["r8"], &["r7"]]),
        grouped(query("regions", json!({ "range": { "n": { "gte": 7 } } })), by, 4, &[]),
    ];
    let counted = count(&node.url, &queries, 3).await;
    // The counts; the three that have room for new groups; then those, the same ones once.
    assert_eq!((counted.requests, counted.searches), (2, 1 + 3 + 2));
    let found: Vec<_> = counted.queries.iter().map(|found| sums(found.as_ref().unwrap())).collect();
    let expected = |groups: &[(&str, u64)], whole| {
        (groups.iter().map(|(key, n)| ((*key).to_owned(), *n)).collect::<Vec<_>>(), whole)
    };
    assert_eq!(found[0], expected(&[("r1", 1), ("r2", 2), ("r3", 3), ("r4", 4)], 46));
    assert_eq!(found[1], expected(&[("r9", 9), ("gone", 0), ("r1", 1), ("r2", 2)], 46));
    assert_eq!(found[2], expected(&[("r8", 8), ("r7", 7)], 46));
    assert_eq!(found[3], expected(&[("r8", 1), ("r9", 2)], 3));
    let minutes = &counted.queries[2].as_ref().unwrap().groups[1].minutes;
    assert_eq!(*minutes, [(START, 3), (START + 1, 2), (START + 2, 2)]);
}

pub(crate) async fn two_fields_of_other_types_make_a_group(node: &Node) {
    let document = |route: Value, code: i64, ok: bool| {
        let document = json!({ "@timestamp": stamp(0, 0), "route": route, "code": code, "ok": ok });
        ("pairs".to_owned(), Value::Null, document)
    };
    node.index(
        "pairs",
        &json!({ "mappings": { "properties": {
            "@timestamp": { "type": "date" }, "route": { "type": "keyword" },
            "code": { "type": "integer" }, "ok": { "type": "boolean" }
        }}}),
    )
    .await;
    let documents = [
        document(json!("/a b\"c"), 200, true),
        document(json!("/a b\"c"), 200, true),
        document(json!("/a b\"c"), 500, false),
        document(json!(["/x", "/y"]), 200, true),
    ];
    node.write(&documents).await;
    let by = ["route", "code", "ok"];
    let counted = count(&node.url, &[grouped(all("pairs"), &by, 9, &[])], 1).await;
    let (groups, whole) = sums(counted.queries[0].as_ref().unwrap());
    let keys = ["/a b\"c/200/true", "/a b\"c/500/false", "/x/200/true", "/y/200/true"];
    let expected: Vec<_> = keys.into_iter().map(str::to_owned).zip([2, 1, 1, 1]).collect();
    assert_eq!((groups, whole), (expected, 4), "a document of two values is in two groups");
}

pub(crate) async fn a_field_that_cannot_be_grouped_by_fails_its_query_alone(node: &Node) {
    let document = json!({ "@timestamp": stamp(0, 0), "words": "some words" });
    node.write(&[("words".to_owned(), Value::Null, document)]).await;
    let queries = [
        all("words"),
        grouped(all("words"), &["words"], 5, &[]),
        grouped(all("words"), &["words.keyword"], 5, &[&["some", "words"]]),
    ];
    let counted = count(&node.url, &queries, 1).await;
    assert_eq!(counted.queries[0].as_ref().unwrap().minutes, [(START, 1)]);
    let fault = counted.queries[1].as_ref().unwrap_err();
    assert_eq!(fault.kind, Kind::Refused, "{fault}");
    assert!(fault.reason.contains("Text fields are not optimised"), "{fault}");
    let fault = counted.queries[2].as_ref().unwrap_err().to_string();
    assert!(fault.contains("a known group has 2 values of 1 fields"), "{fault}");
}
