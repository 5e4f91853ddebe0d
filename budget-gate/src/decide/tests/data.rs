//! Age, missing numbers and holes.

use slo_core::view::State;

use super::*;

#[test]
fn the_age_is_taken_now_whatever_the_view_says() {
    let mut view = healthy();
    view.age_seconds = Some(1.0);
    let decision = ask(&rules(&[]), &[aged(view, 6)]);
    assert_eq!((decision.verdict, decision.allow), (Verdict::Unknown, false));
    assert_eq!(decision.reasons, ["availability: the numbers are 6m old, and stale after 5m"]);
    assert_eq!(decision.rules[0].observed, Some(360.0));
}

#[test]
fn freshness_may_only_tighten() {
    for (max, minutes, verdict) in [
        ("2m", 3, Verdict::Unknown),
        ("2m", 2, Verdict::Allow),
        ("1h", 4, Verdict::Allow),
        ("1h", 6, Verdict::Unknown),
    ] {
        let rule = format!("freshness: {{max: {max}}}");
        let decision = ask(&rules(&[&rule]), &[aged(healthy(), minutes)]);
        assert_eq!(decision.verdict, verdict, "{max} {minutes}");
        let limit = if max == "2m" { 120.0 } else { 300.0 };
        assert_eq!(decision.rules[0].threshold, Some(limit), "{max}");
    }
}

#[test]
fn no_data_is_unknown_under_a_policy_without_rules_and_says_why() {
    let mut view = no_data("availability");
    let message = "no series has the label `status`; there are code, route";
    view.findings.push(finding("missingLabel", message));
    let decision = ask(&rules(&[]), std::slice::from_ref(&view));
    assert_eq!((decision.verdict, decision.allow), (Verdict::Unknown, false));
    assert!(decision.reasons[0].contains("no data (no series has the label `status`"));
    let failed = SourceView {
        name: "prometheus".into(),
        side: "total".into(),
        queries: [].into(),
        data_until: None,
        last_error: Some("connection refused".to_owned()),
    };
    view.sources = [failed].into();
    let decision = ask(&rules(&[]), &[view]);
    assert_eq!(decision.reasons, ["availability: no data (prometheus: connection refused)"]);
}

fn finding(code: &str, message: &str) -> Finding {
    let numbers = std::collections::BTreeMap::new();
    Finding { code: code.to_owned(), message: message.to_owned(), since: None, numbers }
}

#[test]
fn stale_numbers_are_not_explained_by_what_is_known_of_those_that_were_counted() {
    let mut view = aged(healthy(), 6);
    view.findings.push(finding("dip", "a counter fell by 2"));
    let why = |view: &BudgetView| ask(&rules(&[]), std::slice::from_ref(view)).reasons[0].clone();
    assert_eq!(why(&view), "availability: the numbers are 6m old, and stale after 5m");
    view.conditions.insert(0, State::Stale);
    let nothing = "availability: the numbers are 6m old, and stale after 5m (its source brings nothing newer)";
    assert_eq!(why(&view), nothing);
    view.findings.push(finding("severalSeries", "the expression gives 3 series"));
    assert!(why(&view).ends_with("(the expression gives 3 series)"), "{}", why(&view));
}

#[test]
fn numbers_from_the_future_and_views_called_stale_are_unknown() {
    assert_eq!(ask(&rules(&[]), &[aged(healthy(), -2)]).verdict, Verdict::Unknown);
    assert_eq!(ask(&rules(&[]), &[aged(healthy(), -1)]).verdict, Verdict::Allow);
    let mut skewed = healthy();
    skewed.conditions = vec![slo_core::view::State::Stale, slo_core::view::State::Healthy];
    assert_eq!(ask(&rules(&[]), &[skewed]).verdict, Verdict::Unknown);
}

#[test]
fn coverage_below_its_least_or_null_is_unknown() {
    for (coverage, verdict) in
        [(Some(0.95), Verdict::Allow), (Some(0.9499), Verdict::Unknown), (None, Verdict::Unknown)]
    {
        let mut view = healthy();
        view.windows[0].coverage = coverage;
        let decision = ask(&rules(&["coverage: {min: 95%}"]), &[view]);
        assert_eq!(decision.verdict, verdict, "{coverage:?}");
    }
}

#[test]
fn coverage_looks_at_the_first_window_and_at_those_of_budget_rules() {
    let mut view = healthy();
    let mut week = sample::window("7d", 0.0, 1e5);
    week.coverage = Some(0.5);
    view.windows.push(week);
    let coverage = "coverage: {min: 95%}";
    assert_eq!(ask(&rules(&[coverage]), &[view.clone()]).verdict, Verdict::Allow);
    let with_week = rules(&[coverage, "budget: {window: 7d}"]);
    assert_eq!(ask(&with_week, &[view]).verdict, Verdict::Unknown);
}
