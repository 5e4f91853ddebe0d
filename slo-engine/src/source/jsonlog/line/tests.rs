//! One pass over a line finds what the filter finds in the whole document.

use proptest::prelude::*;
use serde_json::Value;
use slo_core::filter::Filter;

use super::*;

fn filter(text: &str) -> Filter {
    Filter::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// Which filters find the line, and its time.
fn found(line: &str, filters: &[&str]) -> (Vec<bool>, Option<i64>) {
    let mut questions = Questions::new("@timestamp");
    let numbers: Vec<usize> = filters.iter().map(|text| questions.add(&filter(text))).collect();
    let questions = questions.connect();
    let mut answers = Answers::default();
    read(line.as_bytes(), &questions, &mut answers).unwrap_or_else(|e| panic!("{line}: {e}"));
    let found: Vec<usize> = questions.found(&answers).collect();
    let finds = |number: &usize| found.contains(number);
    (numbers.iter().map(finds).collect(), answers.time)
}

#[test]
fn a_line_as_services_write_it_is_read() {
    let line = r#"{"@timestamp":"2026-11-21T10:00:00.5Z","log.level":"info","service.name":"catalog",
        "http.response.status_code":503,"http":{"request":{"method":"GET"}},"tags":["a","b"],
        "message":"\"quoted\" \u00e9","event.duration":1200000,"deep":{"x":[{"y":[[7]]}]}}"#;
    let (finds, time) = found(
        line,
        &[
            "service.name : catalog and http.response.status_code >= 500",
            "http.response.status_code : 500",
            "http.request.method : GET",
            "tags : b",
            "message : \"\\\"quoted\\\" é\"",
            "deep.x.y : 7",
            "http : * and deep.x : *",
            "http.request.body : * or httpx : *",
            "not service.name : orders",
            "event.duration < 300000000",
        ],
    );
    assert_eq!(finds, [true, false, true, true, true, true, true, false, true, true]);
    assert_eq!(time, Some(1_795_255_200_500));
}

#[test]
fn a_time_may_lie_deep_and_lines_without_one_have_none() {
    let mut questions = Questions::new("event.created");
    questions.add(&filter("a : *"));
    let questions = questions.connect();
    let mut answers = Answers::default();
    for (line, time) in [
        (r#"{"event": {"created": 5}}"#, Some(5)),
        (r#"{"event.created": "5"}"#, Some(5)),
        (r#"{"event": [{"created": null}, {"created": [5, 6]}]}"#, Some(5)),
        (r#"{"event.created": "yesterday"}"#, None),
        (r#"{"created": 5}"#, None),
    ] {
        read(line.as_bytes(), &questions, &mut answers).unwrap();
        assert_eq!(answers.time, time, "{line}");
    }
}

#[test]
fn what_is_no_json_object_is_refused_and_deep_nesting_harms_nobody() {
    let mut questions = Questions::new("@timestamp");
    questions.add(&filter("a.b : 1"));
    let questions = questions.connect();
    let read = |line: &[u8]| read(line, &questions, &mut Answers::default()).is_ok();
    for line in ["", "5", "[1]", "text", "{", "{\"a\":1", "{\"a\":1}{}", "{\"a\":1} x", "{a:1}"] {
        assert!(!read(line.as_bytes()), "{line}");
    }
    assert!(!read(b"{\"a\":\"\xff\"}") && read(b"{\"x\":\"\xff\"}") && read(b" {\"a\" : 1 } \r"));
    let deep = |key: &str| format!("{{\"{key}\":{}1{}}}", "[".repeat(50_000), "]".repeat(50_000));
    assert!(!read(deep("a").as_bytes()) && read(deep("other").as_bytes()));
}

/// Values of documents in which no key stands twice.
fn value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3..20_i64).prop_map(Value::from),
        (0..9_u8).prop_map(|n| Value::from(f64::from(n) / 2.0)),
        "[ab1\"\\\\é]{0,2}".prop_map(Value::from),
    ];
    scalar.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::hash_map(key(), inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![8 => "[ab](\\.[ab]){0,2}", 1 => "[.ab]{0,3}"]
}

fn condition() -> impl Strategy<Value = String> {
    let test = prop_oneof![
        Just(": *".to_owned()),
        "[ab1]{1,2}".prop_map(|text| format!(": {text}")),
        "[ab1]{0,1}\\*[ab1]".prop_map(|text| format!(": {text}")),
        ("(>|>=|<|<=)", 0..9_u8).prop_map(|(sign, n)| format!("{sign} {n}")),
    ];
    (key(), test, any::<bool>()).prop_map(|(field, test, not)| {
        format!("{}\"{field}\" {test}", if not { "not " } else { "" })
    })
}

fn query() -> impl Strategy<Value = String> {
    let joined = prop::collection::vec(condition(), 1..4);
    (joined, prop_oneof![Just(" and "), Just(" or ")]).prop_map(|(parts, by)| parts.join(by))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn one_pass_finds_what_the_filter_finds(
        document in prop::collection::hash_map(key(), value(), 0..5),
        queries in prop::collection::vec(query(), 1..6),
    ) {
        let document = Value::Object(document.into_iter().collect());
        let texts: Vec<&str> = queries.iter().map(String::as_str).collect();
        let (finds, _) = found(&document.to_string(), &texts);
        for (query, finds) in queries.iter().zip(finds) {
            prop_assert_eq!(finds, filter(query).matches(&document), "{} in {}", query, document);
        }
    }
}
