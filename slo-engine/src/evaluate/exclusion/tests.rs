use slo_core::slo::Name;

use super::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn minute(text: &str) -> Minute {
    Minute::of(at(text))
}

fn in_force(body: serde_json::Value, since: Option<&str>) -> InForce {
    let exclusion = serde_json::from_value(body).unwrap();
    InForce { name: "e1".to_owned(), exclusion, since: since.map(at) }
}

fn weekly(since: Option<&str>) -> InForce {
    let body = serde_json::json!({
        "slos": ["orders/*"], "reason": "backups",
        "weekly": {"from": "Sun 02:00", "until": "Sun 03:00", "zone": "Europe/Paris"},
    });
    in_force(body, since)
}

fn once(from: &str, until: &str) -> InForce {
    let body = serde_json::json!({
        "slos": ["*/latency@production"], "reason": "upgrade", "from": from, "until": until,
    });
    in_force(body, None)
}

/// The lengths of what it excludes from the middle of October to the middle of November 2026.
fn lengths(one: &InForce) -> Vec<i64> {
    let stretch = (minute("2026-10-12T00:00:00Z"), minute("2026-11-15T12:00:00Z"));
    Acting::minutes(&Acting::between([one], stretch)).runs().map(|(a, b)| b - a).collect()
}

#[test]
fn every_minute_that_an_exclusion_touches_is_excluded() {
    let one = once("2026-11-10T02:00:30Z", "2026-11-10T02:02:00.5Z");
    assert_eq!(lengths(&one), [3]);
    let whole = once("2026-11-10T02:00:00Z", "2026-11-10T02:02:00Z");
    assert_eq!(lengths(&whole), [2]);
}

#[test]
fn what_comes_every_week_counts_from_when_it_was_asked_for_by_the_clock_of_its_zone() {
    // On 25 October the hour from 2 to 3 comes twice.
    assert_eq!(lengths(&weekly(None)), [60, 120, 60, 60, 60]);
    let stretch = (minute("2026-10-12T00:00:00Z"), minute("2026-11-15T12:00:00Z"));
    let since = weekly(Some("2026-11-01T01:20:10Z"));
    let runs = Acting::minutes(&Acting::between([&since], stretch));
    let first = runs.runs().next().unwrap();
    assert_eq!(first, (minute("2026-11-01T01:20:00Z"), minute("2026-11-01T02:00:00Z")));
    assert_eq!(runs.runs().len(), 3);
}

#[test]
fn exclusions_act_on_the_slos_that_they_name_and_only_where_they_reach() {
    let all = [weekly(None), once("2026-11-10T02:00:00Z", "2026-11-10T03:00:00Z")];
    let id = |service: &str, slo: &str| {
        let name = |text: &str| Name::parse(text).unwrap();
        SloId { service: name(service), slo: name(slo), environment: name("production") }
    };
    let week = (minute("2026-11-08T12:00:00Z"), minute("2026-11-15T12:00:00Z"));
    let acting = Acting::between(&all, week);
    let of = |service, slo| {
        let own = Acting::on(&acting, &id(service, slo));
        (own.len(), Acting::minutes(&own).count(week.0, week.1))
    };
    assert_eq!(of("orders", "availability"), (1, 60));
    assert_eq!(of("orders", "latency"), (2, 120));
    assert_eq!(of("payment", "latency"), (1, 60));
    assert_eq!(of("payment", "availability"), (0, 0));
    assert!(Acting::between(&all, (minute("2026-11-08T12:00:00Z"), week.0 + 60)).is_empty());
    assert_eq!(acting[1].to_string(), "upgrade (e1)");
}
