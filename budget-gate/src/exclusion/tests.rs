use slo_core::spec::SpecError;
use slo_core::spec::yaml;

use super::*;
use crate::sample::at;

const ONCE: &str = "slos: [\"orders/*\"]\nfrom: 2026-11-20T02:00Z\nuntil: 2026-11-20T02:40Z\n\
    reason: planned database upgrade, announced\nauthor: ana@example.com\n";
const WEEKLY: &str = "slos: [\"*/latency\", orders/availability@production]\n\
    weekly: {from: \"Sun 02:00\", until: \"Sun 03:00\", zone: Europe/Paris}\n\
    reason: backups\nauthor: ana@example.com\nexpires: 2026-11-08T01:00Z\n";

fn try_read(body: &str) -> Result<Exclusion, SpecError> {
    let text = format!("apiVersion: headroom/v1\nkind: Exclusion\n{body}");
    read(&yaml::documents("x.yaml", text.as_bytes()).remove(0)?)
}

fn spans(exclusion: &Exclusion, from: &str, to: &str) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
    exclusion.spans(at(from), at(to))
}

#[test]
fn the_exclusion_of_the_description_is_read() {
    let exclusion = try_read(ONCE).unwrap();
    assert_eq!(exclusion.author.as_deref(), Some("ana@example.com"));
    assert_eq!(exclusion.place.as_ref().map(|p| p.line), Some(3));
    assert!(exclusion.covers("orders", "latency", "staging"));
    assert!(!exclusion.covers("users", "latency", "production"));
    let stretch = [(at("2026-11-20T02:00:00Z"), at("2026-11-20T02:40:00Z"))];
    assert_eq!(spans(&exclusion, "2026-11-19T00:00:00Z", "2026-11-21T00:00:00Z"), stretch);
}

#[test]
fn spans_are_cut_at_both_ends() {
    let exclusion = try_read(ONCE).unwrap();
    for (from, to, expected) in [
        ("2026-11-20T02:10:00Z", "2026-11-20T02:20:00Z", Some(("02:10", "02:20"))),
        ("2026-11-20T02:30:00Z", "2026-11-20T03:00:00Z", Some(("02:30", "02:40"))),
        ("2026-11-20T02:40:00Z", "2026-11-20T03:00:00Z", None),
        ("2026-11-20T01:00:00Z", "2026-11-20T02:00:00Z", None),
        ("2026-11-20T02:20:00Z", "2026-11-20T02:10:00Z", None),
    ] {
        let instant = |time: &str| at(&format!("2026-11-20T{time}:00Z"));
        let expected: Vec<_> =
            expected.map(|(a, b)| (instant(a), instant(b))).into_iter().collect();
        assert_eq!(spans(&exclusion, from, to), expected, "{from} {to}");
    }
}

#[test]
fn a_weekly_exclusion_follows_its_zone_and_starts_no_more_after_it_expires() {
    let exclusion = try_read(WEEKLY).unwrap();
    let expected = [
        ("2026-10-18T00:00:00Z", "2026-10-18T01:00:00Z"),
        // The doubled hour: from the first 02:00 to the only 03:00.
        ("2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z"),
        ("2026-11-01T01:00:00Z", "2026-11-01T02:00:00Z"),
        ("2026-11-08T01:00:00Z", "2026-11-08T02:00:00Z"),
    ];
    let expected = expected.map(|(from, until)| (at(from), at(until)));
    assert_eq!(spans(&exclusion, "2026-10-12T00:00:00Z", "2026-12-01T00:00:00Z"), expected);
    let shorter = WEEKLY.replace("2026-11-08T01:00Z", "2026-11-08T00:59:59Z");
    let shorter = try_read(&shorter).unwrap();
    assert_eq!(
        spans(&shorter, "2026-10-12T00:00:00Z", "2026-12-01T00:00:00Z"),
        expected[..3].to_vec()
    );
}

#[test]
fn an_exclusion_is_over_when_its_last_stretch_is() {
    let (once, weekly) = (try_read(ONCE).unwrap(), try_read(WEEKLY).unwrap());
    let endless = try_read(&WEEKLY.replace("expires: 2026-11-08T01:00Z\n", "")).unwrap();
    for (exclusion, during, after) in [
        (&once, "2026-11-20T02:39:59Z", "2026-11-20T02:40:00Z"),
        (&weekly, "2026-11-08T01:59:59Z", "2026-11-08T02:00:00Z"),
    ] {
        assert!(!exclusion.is_over(at(during)) && exclusion.is_over(at(after)), "{during}");
    }
    assert!(!endless.is_over(at("2036-11-20T02:40:00Z")));
}

#[test]
fn a_request_is_described_without_what_only_a_document_says() {
    let schema = schemars::schema_for!(Exclusion).to_value();
    let keys: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["expires", "from", "reason", "slos", "until", "weekly"]);
    assert_eq!(schema["required"], serde_json::json!(["slos", "reason"]));
}

#[test]
fn recurrences_that_touch_are_one_span() {
    let nights = WEEKLY
        .replace("\"Sun 02:00\", until: \"Sun 03:00\"", "\"Sat..Sun 00:00\", until: \"24:00\"")
        .replace("Europe/Paris", "UTC");
    let exclusion = try_read(&nights).unwrap();
    assert_eq!(
        spans(&exclusion, "2026-10-16T00:00:00Z", "2026-10-23T00:00:00Z"),
        [(at("2026-10-17T00:00:00Z"), at("2026-10-19T00:00:00Z"))]
    );
}

#[test]
fn an_exclusion_is_written_as_a_user_writes_it_and_read_back() {
    for body in [ONCE, WEEKLY] {
        let exclusion =
            Exclusion { place: None, excerpt: String::new(), ..try_read(body).unwrap() };
        let json = serde_json::to_string(&exclusion).unwrap();
        assert_eq!(serde_json::from_str::<Exclusion>(&json).unwrap(), exclusion, "{json}");
    }
    let weekly = serde_json::to_value(try_read(WEEKLY).unwrap()).unwrap();
    assert_eq!(
        weekly,
        serde_json::json!({
            "slos": ["*/latency", "orders/availability@production"],
            "weekly": {"from": "Sun 02:00", "until": "Sun 03:00", "zone": "Europe/Paris"},
            "reason": "backups",
            "author": "ana@example.com",
            "expires": "2026-11-08T01:00:00Z"
        })
    );
}

#[test]
fn the_body_of_a_request_needs_no_author() {
    let body = r#"{"slos": ["orders/*"], "from": "2026-11-20T03:00+01:00",
        "until": "2026-11-20T02:40:00Z", "reason": "upgrade"}"#;
    let exclusion: Exclusion = serde_json::from_str(body).unwrap();
    assert_eq!((exclusion.author.clone(), exclusion.place.clone()), (None, None));
    let Times::Once(once) = exclusion.times else {
        panic!("{exclusion:?}");
    };
    assert_eq!(once.from, at("2026-11-20T02:00:00Z"));
    let value: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(serde_json::from_value::<Exclusion>(value).unwrap(), exclusion);
}

#[test]
fn a_wrong_body_is_answered_with_a_sentence() {
    for (body, words) in [
        (r#"{"slos": ["orders"], "reason": "r"}"#, "`orders` names no SLOs; write service/slo"),
        (r#"{"slos": ["a/*"], "reason": "r"}"#, "add `from` and `until`, or `weekly`"),
        (r#"{"slos": ["a/*"], "reason": "r", "untill": ""}"#, "unknown field `untill`"),
        (
            r#"{"slos": ["a/*"], "reason": "r", "from": "2026-11-20T02:00", "until": "x"}"#,
            "`2026-11-20T02:00` does not say in which zone; write 2026-11-20T02:00Z for UTC",
        ),
        (
            r#"{"slos": ["a/*"], "reason": "r", "weekly": {"from": "Sun 02:00", "until": "x", "zone": "UTC"}}"#,
            "`x` is not a time of day; write it as HH:MM",
        ),
    ] {
        let said = serde_json::from_str::<Exclusion>(body).unwrap_err().to_string();
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn a_wrong_exclusion_is_refused_at_its_place_with_a_remedy() {
    let weekly = "{from: \"Sun 02:00\", until: \"Sun 03:00\", zone: Europe/Paris}";
    for (body, was, is, line, message, remedy) in [
        (ONCE, "\"orders/*\"", "", 3, "about no SLO", "`*/*` for all"),
        (ONCE, "orders/*", "orders", 3, "names no SLOs", "write service/slo"),
        (
            ONCE,
            "02:00Z",
            "02:00",
            4,
            "does not say in which zone",
            "write 2026-11-20T02:00Z for UTC",
        ),
        (ONCE, "2026-11-20T02:00Z", "Sun 02:00", 4, "is not an instant", "write it like"),
        (ONCE, "02:40Z", "02:00Z", 5, "`until` is not after `from`", "write a later time"),
        (ONCE, "until: 2026-11-20T02:40Z\n", "", 4, "is once, with", "add `until`"),
        (ONCE, "from: 2026-11-20T02:00Z\n", "", 4, "is once, with", "add `from`"),
        (ONCE, "until: 2026-11-20T02:40Z\n", "weekly: WEEKLY\n", 5, "is once", "remove `weekly`"),
        (ONCE, "reason", "expires: 2027-03-01T00:00Z\nreason", 6, "this comes once", "remove it"),
        (ONCE, "author: ana@example.com\n", "", 3, "does not say who wrote it", "add `author:"),
        (ONCE, "ana@example.com", "\"\"", 7, "this text is empty", "write one"),
        (ONCE, "reason", "raeson", 6, "unknown key `raeson`", "did you mean `reason`?"),
        (WEEKLY, "Sun 03:00", "Snu 03:00", 4, "there is no day `Snu`", "`Sun`"),
        (WEEKLY, "Europe/Paris", "Europe/Bern", 4, "no time zone `Europe/Bern`", "Europe/Berlin"),
        (WEEKLY, ", zone: Europe/Paris", "", 4, "`zone` is missing", "add `zone"),
        (
            WEEKLY,
            "expires: 2026-11-08T01:00Z",
            "expires: soon",
            7,
            "`soon` is not an instant",
            "write",
        ),
    ] {
        let error = try_read(&body.replace(was, is).replace("WEEKLY", weekly)).unwrap_err();
        assert_eq!(error.place.line, line, "{error}");
        assert!(error.message.contains(message), "{error}");
        assert!(error.remedy.as_ref().is_some_and(|r| r.contains(remedy)), "{error}");
    }
}

#[test]
fn the_committed_schema_is_the_one_of_the_types() {
    let committed = include_str!("../../../docs/schema/exclusion.v1.json");
    let made = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    assert!(committed == made, "run `make generate`");
}
