//! How much one request asks for.

use serde_json::{Value, json};
use slo_source_elastic::{Error, Query};

use crate::support::fake::Fake;
use crate::support::node::Node;
use crate::support::{START, all, client, count, query, stamp};

fn document(index: &str, minute: i64, ms: i64) -> (String, Value, Value) {
    (index.to_owned(), Value::Null, json!({ "@timestamp": stamp(minute, 0), "ms": ms }))
}

pub(crate) async fn two_hundred_slos_on_three_patterns_are_one_request_of_three_searches(
    node: &Node,
) {
    let indices = ["fleet-a", "fleet-b", "fleet-c"];
    let mut documents = Vec::new();
    for index in indices {
        documents.extend((0..300).map(|ms| document(index, ms % 3, ms)));
    }
    node.write(&documents).await;
    let below = |ms: i64| json!({ "range": { "ms": { "lt": ms } } });
    let slos = (0..200_i64).flat_map(|slo| {
        let index = format!("{}*", indices[slo as usize % 3]);
        [query(&index, below(slo)), query(&index, below(slo + 100))]
    });
    let queries: Vec<Query> = slos.collect();
    let counted = count(&node.url, &queries, 3).await;
    assert_eq!((counted.requests, counted.searches), (1, 3));
    for (number, found) in counted.queries.iter().enumerate() {
        let (slo, side) = (number as u64 / 2, number as u64 % 2);
        let found: u64 = found.as_ref().unwrap().minutes.iter().map(|(_, n)| n).sum();
        assert_eq!(found, slo + side * 100);
    }
}

pub(crate) async fn thirty_days_are_cut_into_requests_of_ten_thousand_buckets(node: &Node) {
    let days = 30 * 1_440;
    let documents: Vec<_> = (0..days / 60).map(|n| document("month", n * 60 + 7, n)).collect();
    node.write(&documents).await;
    let even = query("month", json!({ "range": { "ms": { "lt": 100 } } }));
    let counted = count(&node.url, &[all("month"), even], days).await;
    // Two filters: 4,999 minutes and two totals are 10,000 buckets.
    assert_eq!((counted.requests, counted.searches), (9, 9));
    let minutes = |query: usize| counted.queries[query].as_ref().unwrap().minutes.clone();
    let expected = |n: i64| (0..n).map(|n| (START + n * 60 + 7, 1)).collect::<Vec<_>>();
    assert_eq!(minutes(0), expected(days / 60));
    assert_eq!(minutes(1), expected(100));
}

/// A filter of about so many bytes that finds everything.
fn long(bytes: usize, number: i64) -> Value {
    json!({ "bool": { "filter": [
        { "range": { "ms": { "gte": number } } },
        { "bool": { "must_not": [{ "terms": { "name": vec!["x".repeat(1_000); bytes / 1_000] } }] } }
    ]}})
}

/// The node takes a megabyte and no more.
pub(crate) async fn more_than_a_megabyte_of_filters_is_split(node: &Node) {
    node.write(&[document("long", 0, 50)]).await;
    let queries: Vec<_> = (0..10).map(|n| query("long", long(100_000, n))).collect();
    let counted = count(&node.url, &queries, 1).await;
    let first = counted.queries[0].clone();
    assert_eq!((counted.requests, counted.searches), (2, 2), "{first:?}");
    for found in counted.queries {
        assert_eq!(found.unwrap().minutes, [(START, 1)]);
    }
    let huge = count(&node.url, &[query("long", long(800_000, 0)), all("long")], 1).await;
    let fault = huge.queries[0].as_ref().unwrap_err().to_string();
    assert!(fault.contains("too large") && fault.contains("shorten its filter"), "{fault}");
    assert_eq!(huge.queries[1].as_ref().unwrap().minutes, [(START, 1)]);
}

pub(crate) async fn a_body_above_the_servers_limit_is_413_with_the_remedy(node: &Node) {
    let swollen = Fake::before(&node.url, |request| {
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let length = format!("content-length: {}", body.len());
        assert!(head.contains(&length), "{head}");
        let head = head.replace(&length, &format!("content-length: {}", body.len() + 2_000_000));
        format!("{head}\r\n\r\n{body}{}", "\n".repeat(2_000_000))
    });
    let error = client(&swollen.url).count(&[all("any")], START, START + 1).await.unwrap_err();
    assert!(matches!(error, Error::Status { status: 413, .. }), "{error}");
    let said = error.to_string();
    assert!(said.contains("an empty answer; raise `http.max_content_length`"), "{said}");
}
