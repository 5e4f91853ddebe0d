//! A filter in Elasticsearch's query DSL. Nothing in it is scored.

use serde_json::{Value, json};

use super::{Node, Order, Test};

pub(super) fn query(node: &Node) -> Value {
    match node {
        Node::And(all) => json!({"bool": {"filter": queries(all)}}),
        Node::Or(any) => json!({"bool": {"should": queries(any), "minimum_should_match": 1}}),
        Node::Not(node) => json!({"bool": {"must_not": [query(node)]}}),
        Node::Field(field, test) => leaf(field, test),
    }
}

fn queries(nodes: &[Node]) -> Vec<Value> {
    nodes.iter().map(query).collect()
}

/// A phrase is a term query on every type of field but text, where a term would find nothing that has
/// a space or a capital letter.
fn leaf(field: &str, test: &Test) -> Value {
    match test {
        Test::Exists => json!({"exists": {"field": field}}),
        Test::Is(value) => json!({"match_phrase": {field: value.text()}}),
        Test::Like(pieces) => json!({"wildcard": {field: {"value": pattern(pieces)}}}),
        Test::Compare(order, value) => json!({"range": {field: {bound(*order): value.text()}}}),
    }
}

const fn bound(order: Order) -> &'static str {
    match order {
        Order::Above => "gt",
        Order::AtLeast => "gte",
        Order::Below => "lt",
        Order::AtMost => "lte",
    }
}

/// There `?` is a wildcard too, so it is escaped; KQL has only `*`.
fn pattern(pieces: &[String]) -> String {
    let escape = |piece: &String| {
        let escaped = |c: char| matches!(c, '*' | '?' | '\\').then_some('\\');
        piece.chars().flat_map(|c| escaped(c).into_iter().chain([c])).collect::<String>()
    };
    pieces.iter().map(escape).collect::<Vec<_>>().join("*")
}
