//! KQL from its text to what it finds.

use proptest::prelude::*;
use serde_json::json;

use super::*;

mod laws;
mod refused;

fn parsed(text: &str) -> Filter {
    Filter::parse(text).unwrap_or_else(|e| panic!("{text}: {e} ({:?})", e.span))
}

fn field(name: &str, test: Test) -> Node {
    Node::Field(name.to_owned(), test)
}

fn is(name: &str, value: &str) -> Node {
    field(name, Test::Is(Literal::new(value)))
}

fn like(name: &str, pieces: &[&str]) -> Node {
    field(name, Test::Like(pieces.iter().map(|p| (*p).to_owned()).collect()))
}

#[test]
fn values_are_words_phrases_wildcards_or_anything_at_all() {
    for (text, node) in [
        ("a : b", is("a", "b")),
        ("a:b", is("a", "b")),
        (" a\n:\tb ", is("a", "b")),
        ("a.b-c_d : 500", is("a.b-c_d", "500")),
        ("a : \"b c\"", is("a", "b c")),
        ("a : quick  brown", is("a", "quick  brown")),
        ("a : \"*\"", is("a", "*")),
        ("\"a b\" : c", is("a b", "c")),
        ("a : *", field("a", Test::Exists)),
        ("a : **", field("a", Test::Exists)),
        ("a : b*", like("a", &["b", ""])),
        ("a : *b", like("a", &["", "b"])),
        ("a : b**c d*", like("a", &["b", "c d", ""])),
        ("a : and*", like("a", &["and", ""])),
        ("a : organ", is("a", "organ")),
        ("a : é-\u{1f600}", is("a", "é-\u{1f600}")),
    ] {
        assert_eq!(*parsed(text).root(), node, "{text}");
    }
}

#[test]
fn a_backslash_takes_signs_and_keywords_as_they_are() {
    for (text, value) in [
        (r"a : b\:c", "b:c"),
        (r"a : \(\)\{\}\<\>\*\\", "(){}<>*\\"),
        (r"a : \and", "and"),
        (r"a : x \NOT y", "x NOT y"),
        (r"a : \nothing", "\nothing"),
        (r"a : \t\r\n\u0020\u00e9", "\t\r\n \u{e9}"),
        (r#"a : "b\"c\\d\te\u0041""#, "b\"c\\d\te\u{41}"),
        (r#"a : "C:\Windows""#, "C:\\Windows"),
        (r#"a : "a and (b)""#, "a and (b)"),
    ] {
        assert_eq!(*parsed(text).root(), is("a", value), "{text}");
    }
}

#[test]
fn comparisons_have_four_signs_and_need_no_space() {
    for (text, order) in [
        ("a>5", Order::Above),
        ("a >=5", Order::AtLeast),
        ("a < 5", Order::Below),
        ("a <= \"5\"", Order::AtMost),
    ] {
        let test = Test::Compare(order, Literal::new("5"));
        assert_eq!(*parsed(text).root(), field("a", test), "{text}");
    }
}

#[test]
fn not_binds_before_and_and_that_before_or() {
    let [a, b, c] = ["a", "b", "c"].map(|name| is(name, "1"));
    let not = |node| Node::Not(Box::new(node));
    let text = "NOT a:1 aNd b:1 Or c:1";
    let node = Node::Or(vec![Node::And(vec![not(a.clone()), b.clone()]), c.clone()]);
    assert_eq!(*parsed(text).root(), node);
    let text = "not (a:1 and (b:1 or c:1))";
    let node = not(Node::And(vec![a.clone(), Node::Or(vec![b.clone(), c.clone()])]));
    assert_eq!(*parsed(text).root(), node);
    assert_eq!(*parsed("a:1 and b:1 and c:1").root(), Node::And(vec![a.clone(), b, c]));
    assert_eq!(*parsed("((a:1))").root(), a);
    assert_eq!(*parsed("not not a:1").root(), not(not(a)));
}

#[test]
fn values_in_parentheses_are_conditions_on_the_same_field() {
    let not = Node::Not(Box::new(like("a", &["z", ""])));
    let node = Node::Or(vec![is("a", "x"), Node::And(vec![is("a", "y y"), not])]);
    assert_eq!(*parsed("a : (x or (\"y y\" and not z*))").root(), node);
    assert_eq!(*parsed("a : (x)").root(), is("a", "x"));
}

#[test]
fn the_text_stays_as_it_was_written() {
    let filter = parsed("a : b   AND c : d");
    assert_eq!(
        (filter.text(), filter.to_string()),
        ("a : b   AND c : d", filter.text().to_owned())
    );
}

#[test]
fn elasticsearch_is_asked_the_same() {
    for (text, dsl) in [
        ("a : 500", json!({"match_phrase": {"a": "500"}})),
        ("a : *", json!({"exists": {"field": "a"}})),
        (r"a : b*\*?\\", json!({"wildcard": {"a": {"value": r"b*\*\?\\"}}})),
        ("a >= 500", json!({"range": {"a": {"gte": "500"}}})),
        ("a < 5", json!({"range": {"a": {"lt": "5"}}})),
        (
            "not a : b and (c : d or e > f)",
            json!({"bool": {"filter": [
                {"bool": {"must_not": [{"match_phrase": {"a": "b"}}]}},
                {"bool": {"minimum_should_match": 1, "should": [
                    {"match_phrase": {"c": "d"}}, {"range": {"e": {"gt": "f"}}},
                ]}},
            ]}}),
        ),
    ] {
        assert_eq!(parsed(text).dsl(), dsl, "{text}");
    }
}

/// A query, what it finds and what it does not.
type Found = (&'static str, &'static [&'static str], &'static [&'static str]);

#[test]
fn documents_are_found_by_the_type_of_their_values() {
    for (text, found, not_found) in FOUND {
        let filter = parsed(text);
        let read = |document: &str| serde_json::from_str::<Value>(document).unwrap();
        for document in *found {
            assert!(filter.matches(&read(document)), "{text} finds {document}");
        }
        for document in *not_found {
            assert!(!filter.matches(&read(document)), "{text} does not find {document}");
        }
    }
}

const FOUND: &[Found] = &[
    (
        "a : 500",
        &[r#"{"a": 500}"#, r#"{"a": "500"}"#, r#"{"a": 500.0}"#, r#"{"a": [1, [500]]}"#],
        &[r#"{"a": 5000}"#, r#"{"a": "500.0"}"#, r#"{"a": null}"#, "{}", r#"{"a": {"b": 500}}"#],
    ),
    ("a : 500.0", &[r#"{"a": 500}"#, r#"{"a": "500.0"}"#], &[r#"{"a": "500"}"#]),
    ("a : 5e2", &[r#"{"a": 500}"#, r#"{"a": "5e2"}"#], &[r#"{"a": "500"}"#]),
    ("a : inf", &[r#"{"a": "inf"}"#], &[r#"{"a": 1e308}"#]),
    ("a : 9007199254740993", &[r#"{"a": 9007199254740993}"#], &[r#"{"a": 9007199254740992}"#]),
    ("a : Get", &[r#"{"a": "Get"}"#, r#"{"a": ["x", "Get"]}"#], &[r#"{"a": "GET"}"#, "[]", "5"]),
    ("a : true", &[r#"{"a": true}"#, r#"{"a": "true"}"#], &[r#"{"a": false}"#, r#"{"a": 1}"#]),
    ("a : \"\"", &[r#"{"a": ""}"#], &[r#"{"a": []}"#]),
    ("a : x*z", &[r#"{"a": "xz"}"#, r#"{"a": "xyz\n z"}"#], &[r#"{"a": "xzy"}"#, r#"{"a": "XZ"}"#]),
    ("a : x*x", &[r#"{"a": "xx"}"#], &[r#"{"a": "x"}"#]),
    ("a : *b*c*", &[r#"{"a": "abac"}"#, r#"{"a": "bc"}"#], &[r#"{"a": "cb"}"#]),
    ("a : 5*", &[r#"{"a": "503"}"#, r#"{"a": 503}"#], &[r#"{"a": 404}"#]),
    (
        "a : *",
        &[
            r#"{"a": 0}"#,
            r#"{"a": ""}"#,
            r#"{"a": false}"#,
            r#"{"a": {"b": [1]}}"#,
            r#"{"a.b": 1}"#,
        ],
        &[r#"{"a": null}"#, r#"{"a": [null, []]}"#, r#"{"a": {"b": null}}"#, r#"{"ab": 1}"#],
    ),
    (
        "a.b.c : 1",
        &[
            r#"{"a.b.c": 1}"#,
            r#"{"a": {"b": {"c": 1}}}"#,
            r#"{"a.b": {"c": 1}}"#,
            r#"{"a": {"b.c": 1}}"#,
            r#"{"a": [{"b.c": 2}, {"b": [{"c": [3, 1]}]}]}"#,
            r#"{"a.b.c": 2, "a": {"b": {"c": 1}}}"#,
        ],
        &[r#"{"a": {"b": 1}}"#, r#"{"a.b": 1}"#, r#"{"c": 1}"#, r#"{"a": {"bc": 1}}"#],
    ),
    ("a >= 500", &[r#"{"a": 500}"#, r#"{"a": 500.5}"#, r#"{"a": "99"}"#], &[r#"{"a": 499.9}"#]),
    ("a > 500", &[r#"{"a": 501}"#, r#"{"a": [1, 1e9]}"#], &[r#"{"a": 500}"#, "{}"]),
    ("a < 0.5", &[r#"{"a": -3}"#, r#"{"a": 0.25}"#], &[r#"{"a": 0.5}"#, r#"{"a": true}"#]),
    ("a <= b", &[r#"{"a": "B"}"#, r#"{"a": "b"}"#], &[r#"{"a": "c"}"#, r#"{"a": 1}"#]),
    (
        "@timestamp >= \"2026-11-21\"",
        &[r#"{"@timestamp": "2026-11-21T10:00:00Z"}"#],
        &[r#"{"@timestamp": "2026-11-20T23:59:59Z"}"#],
    ),
    ("not a : 1", &["{}", r#"{"a": 2}"#], &[r#"{"a": [1, 2]}"#]),
    ("a : (1 and 2)", &[r#"{"a": [2, 1]}"#], &[r#"{"a": 1}"#]),
];

#[test]
fn a_document_of_any_depth_is_walked() {
    let filter = parsed("a.b : 1 or c : *");
    let mut deep = json!(1);
    for _ in 0..100 {
        deep = json!({"b": [deep]});
    }
    assert!(!filter.matches(&json!({"a": deep})) && filter.matches(&json!({"c": deep})));
}
