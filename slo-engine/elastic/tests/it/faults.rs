//! What a node cannot answer whole is a fault with a sentence, never a zero.

use reqwest::Method;
use serde_json::{Value, json};
use slo_source_elastic::{Fault, Kind, Query};

use crate::support::fake::Fake;
use crate::support::node::Node;
use crate::support::{START, all, count, one, query, stamp};

fn document(index: &str) -> (String, Value, Value) {
    (index.to_owned(), Value::Null, json!({ "@timestamp": stamp(0, 0), "code": "x" }))
}

/// The fault of a query; one of another index beside it is counted all the same.
async fn fault(node: &Node, query: Query) -> Fault {
    let beside = format!("beside-{}", query.index.trim_end_matches('*'));
    node.write(&[document(&beside)]).await;
    let counted = count(&node.url, &[query.clone(), all(&beside)], 3).await;
    assert_eq!(counted.queries[1].as_ref().unwrap().minutes, [(START, 1)]);
    let fault = counted.queries[0].clone().unwrap_err();
    assert!(fault.to_string().contains(&query.index), "{fault}");
    fault
}

pub(crate) async fn an_index_that_does_not_exist_is_no_zero(node: &Node) {
    for name in ["nowhere", "nowhere-at-all-*"] {
        let fault = fault(node, all(name)).await;
        assert_eq!(fault.kind, Kind::NoIndex, "{fault}");
    }
    let unnamed = one(&node.url, all(""), 3).await.unwrap_err();
    assert_eq!(unnamed.kind, Kind::NoIndex, "no name must not mean all indices");
}

pub(crate) async fn a_closed_index_is_no_zero(node: &Node) {
    node.write(&[document("closed")]).await;
    node.send(Method::POST, "/closed/_close", &Value::Null).await;
    let fault = fault(node, all("closed")).await;
    assert_eq!(fault.kind, Kind::Closed, "{fault}");
    assert!(fault.to_string().contains("open it"), "{fault}");
}

pub(crate) async fn a_lost_shard_is_no_zero(node: &Node) {
    let body = json!({
        "settings": {
            "number_of_shards": 2, "number_of_replicas": 0,
            "index.routing.allocation.total_shards_per_node": 1
        },
        "mappings": { "properties": { "@timestamp": { "type": "date" } } }
    });
    node.index("half?wait_for_active_shards=0", &body).await;
    let empty = fault(node, all("half")).await;
    assert_eq!(empty.kind, Kind::Partial, "{empty}");
    // Some of them belong into the shard that is there.
    let line = format!("{{\"index\":{{\"_index\":\"half\"}}}}\n{}\n", document("half").2);
    node.send_text(Method::POST, "/_bulk?timeout=10ms&refresh=true", line.repeat(20)).await;
    let fault = one(&node.url, all("half"), 3).await.unwrap_err();
    assert_eq!(fault.kind, Kind::Partial, "{fault}");
    assert!(fault.reason.contains("1 of 2 shards"), "{fault}");
}

pub(crate) async fn a_query_that_cannot_be_parsed_fails_alone(node: &Node) {
    node.write(&[document("typo")]).await;
    let good = |n: i64| query("typo", json!({ "range": { "n": { "lt": n } } }));
    let mut queries: Vec<_> = (0..100).map(good).collect();
    queries[17] = query("typo", json!({ "trem": { "code": "x" } }));
    queries[64] = query("typo", json!({ "range": { "@timestamp": { "gte": "yesterday" } } }));
    queries[99] = all("typo");
    let counted = count(&node.url, &queries, 3).await;
    for (number, found) in counted.queries.iter().enumerate() {
        assert_eq!(found.is_err(), [17, 64].contains(&number), "{number}: {found:?}");
    }
    assert_eq!(counted.queries[99].as_ref().unwrap().minutes, [(START, 1)]);
    let said = counted.queries[17].as_ref().unwrap_err().to_string();
    assert!(said.contains("refused") && said.contains("trem"), "{said}");
    let said = counted.queries[64].as_ref().unwrap_err().to_string();
    assert!(said.contains("yesterday"), "{said}");
    assert!(counted.requests <= 20, "{} requests", counted.requests);
}

pub(crate) async fn a_mapping_conflict_fails_only_the_queries_that_meet_it(node: &Node) {
    let mapped = |kind: &str| {
        json!({ "mappings": { "properties": {
            "@timestamp": { "type": "date" }, "code": { "type": kind }
        }}})
    };
    node.index("mixed-1", &mapped("keyword")).await;
    node.index("mixed-2", &mapped("integer")).await;
    let number = json!({ "@timestamp": stamp(0, 0), "code": 7 });
    node.write(&[document("mixed-1"), ("mixed-2".to_owned(), Value::Null, number)]).await;
    let code = query("mixed-*", json!({ "term": { "code": "x" } }));
    let counted = count(&node.url, &[all("mixed-*"), code], 3).await;
    assert_eq!(counted.queries[0].as_ref().unwrap().minutes, [(START, 2)]);
    let fault = counted.queries[1].as_ref().unwrap_err();
    assert_eq!(fault.kind, Kind::Refused, "{fault}");
    assert!(fault.reason.contains("1 of 2 shards") && fault.reason.contains("mixed-2"), "{fault}");
}

pub(crate) async fn a_time_field_that_is_no_date_is_named(node: &Node) {
    node.write(&[("timeless".to_owned(), Value::Null, json!({ "code": "x" }))]).await;
    let found = fault(node, all("timeless")).await;
    assert_eq!(found.kind, Kind::NoTime, "{found}");
    assert!(found.to_string().contains("`@timestamp` is not mapped"), "{found}");
    for kind in ["text", "keyword"] {
        let index = format!("time-as-{kind}");
        let mapping = json!({ "mappings": { "properties": { "@timestamp": { "type": kind } } } });
        node.index(&index, &mapping).await;
        let filters = (0..50).map(|n| query(&index, json!({ "term": { "code": n } })));
        let counted = count(&node.url, &filters.collect::<Vec<_>>(), 3).await;
        assert!(counted.queries.iter().all(Result::is_err));
        assert_eq!(counted.requests, 2, "the index is at fault, and its filters are left alone");
        let said = counted.queries[7].as_ref().unwrap_err().to_string();
        assert!(said.contains("@timestamp"), "{said}");
    }
}

/// OpenSearch looks at a clock that moves five times a second, so a search may be done before it is late; then it is whole.
pub(crate) async fn a_search_that_ran_out_of_time_is_no_zero(node: &Node) {
    node.write(&[document("slow")]).await;
    let hurried = Fake::before(&node.url, |request| {
        let (limit, hurried) = (r#""timeout":"16000ms""#, r#""timeout":"1nanos" "#);
        assert!(!request.contains("msearch") || request.contains(limit), "{request}");
        request.replace(limit, hurried)
    });
    for attempt in 0..1_000 {
        // Always another query, because an answer that is whole is kept by the node.
        let pattern = format!("x.*|y{attempt}.*");
        let regexp = query("slow", json!({ "regexp": { "code.keyword": pattern } }));
        match one(&hurried.url, regexp, 3).await {
            Ok(counts) => assert_eq!(counts.minutes, [(START, 1)], "whole, or not at all"),
            Err(fault) => {
                assert_eq!(fault.kind, Kind::TimedOut, "{fault}");
                return assert!(
                    fault.to_string().contains("raise the source's timeout"),
                    "{fault}"
                );
            }
        }
    }
    panic!("no search of a thousand was late");
}
