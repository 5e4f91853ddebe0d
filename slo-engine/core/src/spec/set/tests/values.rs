//! What good files mean.

use super::*;
use crate::filter::Filter;
use crate::selector::Selector;
use crate::sli::{
    Durations, Events, Indicator, Latency, LogFilter, Part, Range, Ratio, Side, WhenDelayed,
};
use crate::slo::{Budgeting, Gate, Period, Severity, Slo, Unmeasured, Window, default_alerts};

/// The whole example, with the service that its composite names.
fn whole() -> Service {
    let payment = "slos:\n  - {name: availability, objective: 99%, indicator: {ratio: {total: up, \
        bad: '{x=\"1\"}'}}}\n";
    let files = vec![("orders.yaml".to_owned(), WHOLE.to_vec()), service("payment", payment)];
    let set = load(&files).unwrap_or_else(|errors| panic!("{}", errors[0]));
    assert_eq!(codes(&set), [("undeclared-dependency", 8, 22)]);
    Service::clone(&set.services[0])
}

fn slo(name: &str) -> Slo {
    Slo::clone(whole().slos.iter().find(|slo| slo.id.slo.as_str() == name).unwrap())
}

fn ratio(name: &str) -> Ratio {
    match slo(name).indicator {
        Indicator::Ratio(ratio) => ratio,
        other => panic!("{other:?}"),
    }
}

fn metric(side: &Side) -> String {
    match &side.events {
        Events::Metric(selector) => selector.to_string(),
        other @ Events::Logs(_) => panic!("{other:?}"),
    }
}

fn keyed(keys: &str) -> Slo {
    let set = one(with_keys(keys)).unwrap_or_else(|e| panic!("{}", e[0]));
    Slo::clone(&set.services[0].slos[0])
}

#[test]
fn the_service_of_the_whole_example_is_read() {
    let service = whole();
    assert_eq!((service.name.as_str(), service.environment.as_str()), ("orders", "production"));
    assert_eq!((service.tier, service.slos.len()), (1, 9));
    assert_eq!(
        (service.title.as_deref(), service.owner.as_deref()),
        (Some("Orders"), Some("team-checkout"))
    );
    let calls: Vec<&str> = service.depends_on.iter().map(Name::as_str).collect();
    assert_eq!(calls, ["payment", "users"]);
    assert_eq!(service.links["runbook"], "https://...");
    assert_eq!(service.labels["team"], "checkout");
}

#[test]
fn a_ratio_of_counters_keeps_its_refinement_apart_from_the_total() {
    let ratio = ratio("availability");
    assert_eq!(metric(&ratio.total[0]), "http_requests_total{service=\"orders\"}");
    assert_eq!(metric(&ratio.part[0]), "{code=~\"5..\"}");
    assert_eq!((ratio.part_is, ratio.total[0].source.as_deref()), (Part::Bad, None));
}

#[test]
fn what_is_not_said_has_the_defaults_of_the_language() {
    let slo = slo("queue");
    assert_eq!(slo.windows, [Window::Rolling(Span::minutes(43_200))]);
    assert_eq!((slo.gate, slo.budgeting), (Gate::Decides, Budgeting::Occurrences));
    assert_eq!((slo.unmeasured, slo.max_gap), (Unmeasured::Ignore, Span::minutes(360)));
    assert_eq!((slo.max_groups, slo.look_back, slo.stale_after), (50, None, None));
    assert_eq!(slo.alerts, default_alerts());
}

#[test]
fn a_latency_threshold_is_given_in_the_unit_of_the_metric() {
    let Indicator::Latency(Latency { durations, under, .. }) = slo("latency").indicator else {
        panic!()
    };
    assert_eq!((under.in_unit.to_string(), under.span), ("0.5".to_owned(), Span::millis(500)));
    assert!(matches!(durations, Durations::Histogram(s)
        if s.metric() == Some("http_server_request_duration_seconds")));
    let Indicator::Latency(logs) = slo("slow-searches").indicator else { panic!() };
    assert_eq!(
        (logs.under.in_unit.to_string(), logs.source.as_deref()),
        ("300000000".to_owned(), Some("logs"))
    );
    assert!(matches!(logs.durations, Durations::Field { field, logs }
        if field == "event.duration" && logs.index.as_deref() == Some("logs-catalog-*")));
}

#[test]
fn thresholds_and_raw_ratios_are_read() {
    let Indicator::Threshold(queue) = slo("queue").indicator else { panic!() };
    assert_eq!(queue.good, Range::Below(1_000.0));
    let upstream = slo("upstream");
    let Indicator::Raw(raw) = &upstream.indicator else { panic!() };
    assert_eq!(
        (raw.expression.as_str(), raw.share_of),
        ("job:errors:ratio5m{job=\"x\"}", Part::Bad)
    );
    let slices = Budgeting::Timeslices { size: Span::minutes(5), good_when: 950_000_000 };
    assert_eq!(upstream.budgeting, slices);
}

#[test]
fn log_sides_take_source_index_and_heartbeat_from_the_ratio() {
    let ratio = ratio("checkout-in-logs");
    let sides: Vec<_> = ratio.total.iter().chain(&ratio.part).collect();
    let logs = |side: &Side| match &side.events {
        Events::Logs(logs) => logs.clone(),
        other @ Events::Metric(_) => panic!("{other:?}"),
    };
    let (total, bad) = (logs(sides[0]), logs(sides[1]));
    assert_eq!(total.index.as_deref(), Some("logs-orders-*"));
    assert_eq!(bad.index, None, "it refines the total");
    assert_eq!(
        bad.query,
        LogFilter::Kql(Filter::parse("http.response.status_code >= 500").unwrap())
    );
    assert!(sides.iter().all(|s| s.source.as_deref() == Some("logs")));
    assert_eq!(total.heartbeat.as_ref().map(Filter::text), Some("service.name : *"));
}

#[test]
fn both_worlds_meet_in_one_ratio() {
    let ratio = ratio("payment-delivered");
    assert_eq!(ratio.total[0].source.as_deref(), Some("prometheus"));
    assert_eq!(metric(&ratio.total[0]), "payments_started_total{service=\"payment\"}");
    assert_eq!((ratio.part_is, ratio.part[0].delay), (Part::Good, Span::minutes(2)));
    assert!(matches!(&ratio.part[0].events, Events::Logs(l) if l.index.is_some()));
}

#[test]
fn groups_attribution_old_names_and_composites_are_read() {
    let routes = slo("per-route");
    assert_eq!(
        (routes.group_by, routes.attribute_by),
        (vec!["route".to_owned()], vec!["code".to_owned()])
    );
    assert_eq!(routes.was.unwrap().as_str(), "routes");
    let Indicator::Composite(members) = slo("journey").indicator else { panic!() };
    assert_eq!(members[0].weight.to_string(), "2");
    assert_eq!(members[1].when_delayed, WhenDelayed::CountAsBad);
    assert_eq!(members[1].max_delay, Span::minutes(10));
}

#[test]
fn an_objective_is_exact_in_every_form_it_may_be_written() {
    for (text, ppb) in [
        ("99.9%", 999_000_000),
        ("0.999", 999_000_000),
        (".999", 999_000_000),
        ("'0.999'", 999_000_000),
        ("0.99900", 999_000_000),
        ("0.999999999", 999_999_999),
        ("99.99999 %", 999_999_900),
        ("0.1", 100_000_000),
    ] {
        let text = with_keys("").replace("99.9%", text);
        assert_eq!(one(&text).unwrap().services[0].slos[0].objective.ppb(), ppb, "{text}");
    }
}

#[test]
fn windows_may_be_one_or_several_rolling_or_calendar() {
    let slo = keyed("    window: [1w, {calendar: month, zone: Europe/Paris}, 5m]\n");
    let names: Vec<String> = slo.windows.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["7d", "month@Europe/Paris", "5m"]);
    let slo = keyed("    window: {calendar: quarter, zone: UTC}\n");
    assert!(matches!(slo.windows[0], Window::Calendar { period: Period::Quarter, .. }));
    assert_eq!(keyed("    window: 800d\n").windows.len(), 1);
}

#[test]
fn the_gate_is_a_truth_or_a_word() {
    assert_eq!(keyed("    gate: true\n").gate, Gate::Decides);
    assert_eq!(keyed("    gate: false\n").gate, Gate::Informs);
    assert_eq!(keyed("    gate: groups\n    groupBy: [route]\n").gate, Gate::Groups);
}

#[test]
fn alerts_are_the_defaults_none_or_a_list() {
    assert_eq!(keyed("    alerts: default\n").alerts, default_alerts());
    assert!(keyed("    alerts: none\n").alerts.is_empty());
    let slo = keyed(
        "    alerts: [{name: a, long: 1h, short: 5m, budget: 0.02, severity: ticket, minBudget: 1%}]\n",
    );
    let alert = &slo.alerts[0];
    assert_eq!((alert.budget_ppb, alert.min_bad), (20_000_000, 10));
    assert_eq!((alert.severity, alert.min_budget_ppb), (Severity::Ticket, Some(10_000_000)));
}

#[test]
fn sides_may_be_lists_of_texts_and_mappings() {
    let text = "ratio:\n        total: [a_total, {selector: 'b_total{x=\"1\"}', source: other}]\n        \
        good: [{selector: '{ok=\"1\"}', source: other}, good_total]";
    let set =
        one(with_indicator(&format!("\n      {text}"))).unwrap_or_else(|e| panic!("{}", e[0]));
    let Indicator::Ratio(ratio) = &set.services[0].slos[0].indicator else { panic!() };
    assert_eq!(
        (metric(&ratio.total[0]), metric(&ratio.total[1])),
        ("a_total".to_owned(), "b_total{x=\"1\"}".to_owned())
    );
    assert_eq!(ratio.part[0].source.as_deref(), Some("other"));
}

#[test]
fn a_query_may_be_written_in_the_language_of_elasticsearch() {
    let set = one(with_indicator(
        "{ratio: {source: logs, index: i, total: {query: {dsl: {term: {a: 1}}}}, bad: 'b : 2'}}",
    ));
    let Indicator::Ratio(ratio) = set.unwrap().services[0].slos[0].indicator.clone() else {
        panic!()
    };
    let dsl = LogFilter::Dsl(serde_json::json!({"term": {"a": 1}}));
    assert!(matches!(&ratio.total[0].events, Events::Logs(l) if l.query == dsl));
}

#[test]
fn a_recorded_gauge_and_a_name_by_regular_expression_are_read() {
    assert!(one(with_indicator("{threshold: {gauge: 'job:queue:max', from: 0, to: 5.5}}")).is_ok());
    let set = one(with_indicator("{ratio: {total: '{__name__=~\"a|b\"}', bad: '{x=\"1\"}'}}"));
    let Indicator::Ratio(ratio) = set.unwrap().services[0].slos[0].indicator.clone() else {
        panic!()
    };
    assert!(matches!(&ratio.total[0].events, Events::Metric(s) if Selector::is_named(s)));
}

#[test]
fn anchors_and_merges_save_writing() {
    let rest = "slos:\n  - &first\n    name: a\n    objective: 99%\n    indicator: &i {ratio: {total: \
        up, bad: '{x=\"1\"}'}}\n  - {name: b, objective: 99%, indicator: *i}\n";
    assert_eq!(one(format!("{HEAD}{rest}")).unwrap().services[0].slos.len(), 2);
    let merged = format!(
        "{HEAD}{}",
        rest.replace("{name: b, objective: 99%, indicator: *i}", "{<<: *first, name: b}")
    );
    assert_eq!(one(merged).unwrap().services[0].slos[1].id.slo.as_str(), "b");
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_do_no_harm() {
    let text = format!("\u{feff}{}", with_keys("").replace('\n', "\r\n"));
    assert_eq!(one(text).unwrap().services[0].slos.len(), 1);
}

#[test]
fn alerts_that_cannot_be_meant_are_warnings() {
    let set = one(with_keys("    window: 7d\n")).unwrap();
    assert_eq!(codes(&set), [("alert-dropped", 7, 11)]);
    assert!(set.warnings[0].finding.message.ends_with("dropped: ticket-fast, ticket-slow"));
    let set = one(with_keys("    alerts: default\n").replace("99.9%", "90%")).unwrap();
    assert_eq!(codes(&set), [("alert-unreachable", 10, 13)], "14.4 times 10 % is more than all");
    assert!(set.warnings[0].finding.message.ends_with("objective: page-fast"));
    let set = one(with_keys("    unmeasured: bad\n    maxGroups: 5\n")).unwrap();
    assert_eq!(
        codes(&set),
        [("unmeasured-without-slices", 10, 17), ("groups-without-group-by", 11, 16)]
    );
}
