use std::sync::Arc;

use chrono::Duration;
use slo_core::time::Span;
use slo_core::view::{Ask, Estimate, Finding, Group, SourceView};

use super::*;
use crate::decision::Kind;
use crate::sample::{self, aged, at, declaring, no_data, now, rules, view};

mod data;
mod pace;

const BUDGET: &str = "budget: {denyBelow: 0%, warnBelow: 25%}";
const BURN: &str = "burn: {window: 1h, deny: 14.4, warn: 6}";

fn ask(policy: &Policy, views: &[BudgetView]) -> Decision {
    ask_as(Kind::Release, policy, views)
}

fn ask_as(kind: Kind, policy: &Policy, views: &[BudgetView]) -> Decision {
    let request =
        Request { environment: Some("production".to_owned()), kind, ..Request::of("orders") };
    sample::decided(&request, views, std::slice::from_ref(policy))
}

fn result<'a>(decision: &'a Decision, rule: &str) -> &'a crate::decision::RuleResult {
    decision.rules.iter().find(|r| r.rule == rule).unwrap()
}

fn healthy() -> BudgetView {
    view("availability", 229.0, 1e6)
}

fn burning(rate: Option<f64>, bad: i64) -> BudgetView {
    let mut view = healthy();
    (view.burn[0].rate, view.burn[0].bad) = (rate, bad);
    view
}

/// `answers` for the first window and `denyBelow: 0%`.
fn recovering(mut view: BudgetView, instant: Option<&str>) -> BudgetView {
    let ask = Ask::Remaining { window: None, at_least: 0.0 };
    view.answers.push((ask, instant.map(at)));
    view
}

#[test]
fn a_healthy_service_is_allowed_and_every_rule_is_shown() {
    let decision = ask(&rules(&[BUDGET, BURN]), &[healthy()]);
    assert_eq!((decision.verdict, decision.allow), (Verdict::Allow, true));
    assert!(decision.because.is_empty() && decision.reasons.is_empty());
    assert_eq!(decision.unblocks, None);
    assert_eq!(decision.rules.len(), 3);
    assert_eq!(
        result(&decision, "budget").reason,
        "availability: 77.1 % of the 30d budget remains"
    );
    assert_eq!(decision.snapshot_age_seconds, Some(4));
}

#[test]
fn a_spent_budget_denies_with_its_numbers_and_the_instant_that_opens() {
    let view = recovering(view("availability", 1_120.0, 1e6), Some("2026-11-24T14:10:00Z"));
    let decision = ask(&rules(&[BUDGET]), &[view]);
    assert_eq!((decision.verdict, decision.allow), (Verdict::Deny, false));
    let reason =
        "availability: the 30d budget is spent (112 %); the policy denies at 100 %".to_owned();
    assert_eq!(decision.reasons, [reason]);
    let rule = &decision.rules[0];
    assert_eq!(
        rule.evidence.as_deref(),
        Some("/slos/orders/availability?at=2026-11-21T09:59:56Z&environment=production")
    );
    assert_eq!((rule.threshold, rule.window.as_deref()), (Some(0.0), Some("30d")));
    assert_eq!(rule.unblocks, Some(at("2026-11-24T14:10:00Z")));
    let unblocks = decision.unblocks.unwrap();
    assert_eq!(unblocks.at, Some(at("2026-11-24T14:10:00Z")));
    assert_eq!(unblocks.because, "availability: enough bad events have left the 30d window");
    assert_eq!(unblocks.acts, ["ask with --kind rollback, if it is one"]);
}

#[test]
fn budget_thresholds_are_strict_and_a_spent_budget_denies_whatever_they_say() {
    for (rule, bad, verdict) in [
        (BUDGET, 1_000.0, Verdict::Deny),
        (BUDGET, 999.0, Verdict::Warn),
        (BUDGET, 751.0, Verdict::Warn),
        (BUDGET, 750.0, Verdict::Allow),
        ("budget: {denyBelow: 10%}", 900.0, Verdict::Allow),
        ("budget: {denyBelow: 10%}", 901.0, Verdict::Deny),
        ("budget: {}", 999.0, Verdict::Allow),
        ("budget: {}", 1_000.0, Verdict::Deny),
    ] {
        let decision = ask(&rules(&[rule]), &[view("availability", bad, 1e6)]);
        assert_eq!(decision.verdict, verdict, "{rule} with {bad}");
    }
}

#[test]
fn until_needs_are_met_otherwise_holds_even_for_a_spent_budget() {
    let young = |maturity| {
        let mut view = view("availability", 2.0, 1_000.0);
        view.windows[0].maturity = maturity;
        view
    };
    let needs = "needs: {events: 100, maturity: 10%}";
    let asked = |rule: &str, maturity| ask(&rules(&[rule]), &[young(maturity)]);
    let decision = asked(&format!("budget: {{{needs}, otherwise: warn}}"), 0.001);
    assert_eq!(decision.verdict, Verdict::Warn);
    assert_eq!(
        decision.reasons[0],
        "availability: too little is known for the budget rule: the SLO's life is 0.1 % of the 30d \
         window; 10 % are needed; until then it warns"
    );
    assert_eq!(asked(&format!("budget: {{{needs}}}"), 0.001).verdict, Verdict::Unknown);
    assert_eq!(
        asked(&format!("budget: {{{needs}, otherwise: allow}}"), 0.1).verdict,
        Verdict::Deny
    );
}

#[test]
fn youth_passes_at_a_known_instant_and_missing_events_do_not() {
    let mut young = view("availability", 0.0, 50.0);
    young.windows[0].maturity = 0.05;
    let asked = |needs: &str| {
        let rule = format!("budget: {{needs: {{{needs}}}, otherwise: deny}}");
        ask(&rules(&[&rule]), &[young.clone()]).unblocks.unwrap()
    };
    assert_eq!(asked("maturity: 10%").at, Some(now() + Duration::hours(36)));
    assert_eq!(asked("events: 100").at, None);
    assert!(asked("events: 100").because.contains("enough is known for the budget rule"));
}

#[test]
fn a_young_slo_with_a_spent_budget_opens_when_it_is_grown_and_has_recovered() {
    let rule = "budget: {needs: {maturity: 10%}, otherwise: deny}";
    for (recovers, opens) in [
        (Some("2026-11-22T00:00:00Z"), Some("2026-11-22T22:00:00Z")),
        (Some("2026-11-25T00:00:00Z"), Some("2026-11-25T00:00:00Z")),
        (None, None),
    ] {
        let mut young = recovering(view("availability", 20.0, 1_000.0), recovers);
        young.windows[0].maturity = 0.05;
        let unblocks = ask(&rules(&[rule]), &[young]).unblocks.unwrap();
        assert_eq!(unblocks.at, opens.map(at), "{recovers:?}");
    }
}

#[test]
fn a_window_that_the_slo_lacks_is_unknown() {
    let decision = ask(&rules(&["budget: {window: 7d}"]), &[healthy()]);
    assert_eq!((decision.verdict, decision.allow), (Verdict::Unknown, false));
    assert_eq!(
        decision.reasons,
        ["availability: the policy asks for the 7d budget; the SLO has 30d"]
    );
}

#[test]
fn a_null_budget_is_unknown_unless_nothing_happened() {
    let mut idle = view("availability", 0.0, 0.0);
    idle.windows[0].remaining = None;
    assert_eq!(ask(&rules(&[BUDGET]), &[idle.clone()]).verdict, Verdict::Allow);
    idle.windows[0].total = None;
    assert_eq!(ask(&rules(&[BUDGET]), &[idle]).verdict, Verdict::Unknown);
}

#[test]
fn a_calendar_window_is_judged_by_its_estimate() {
    let mut view = view("availability", 100.0, 1e6);
    let method = "the same hours of last month".to_owned();
    let estimate = Estimate { total: 5e4, spent: Some(2.0), remaining: Some(-1.0), method };
    view.windows[0].estimate = Some(estimate);
    let decision = ask(&rules(&[BUDGET]), &[view]);
    assert_eq!(decision.verdict, Verdict::Deny);
    assert!(decision.reasons[0].contains("200 % at its end, forecast by the same hours of last"));
}

#[test]
fn the_worst_slo_decides_never_a_mean() {
    let mut views: Vec<BudgetView> = (0..9).map(|n| view(&format!("slo-{n}"), 0.0, 1e6)).collect();
    views.push(view("broken", 1_001.0, 1e6));
    let decision = ask(&rules(&[BUDGET]), &views);
    assert_eq!(decision.verdict, Verdict::Deny);
    assert_eq!(decision.rules[0].slo.as_deref(), Some("broken"));
    assert_eq!(decision.reasons.len(), 1);
}

#[test]
fn deny_beats_unknown_beats_warn_beats_allow_over_slos() {
    let (deny, unknown) = (view("deny", 2_000.0, 1e6), no_data("unknown"));
    let (warn, allow) = (view("warn", 900.0, 1e6), view("allow", 0.0, 1e6));
    let policy = rules(&[BUDGET]);
    let computed = |views: &[&BudgetView]| {
        let facts = Facts::of(None, views);
        decide(&Request::of("orders"), &facts, std::slice::from_ref(&policy), now()).computed
    };
    assert_eq!(computed(&[&allow, &warn, &unknown, &deny]), Verdict::Deny);
    assert_eq!(computed(&[&allow, &warn, &unknown]), Verdict::Unknown);
    assert_eq!(computed(&[&allow, &warn]), Verdict::Warn);
    assert_eq!(computed(&[&allow]), Verdict::Allow);
}

#[test]
fn stale_and_exhausted_at_once_is_denied_under_each_on_unknown() {
    for answer in ["allow", "warn", "deny"] {
        let keys = format!("onUnknown: {answer}\nnoSlo: deny\n");
        let policy = sample::policy("p", &keys, &[BUDGET]);
        let decision = ask(&policy, &[aged(view("availability", 2_000.0, 1e6), 60)]);
        assert_eq!((decision.verdict, decision.allow), (Verdict::Deny, false), "{answer}");
    }
}

#[test]
fn on_unknown_settles_what_is_unknown_and_says_so() {
    for (answer, verdict, allow, steps) in [
        ("allow", Verdict::Allow, true, 1),
        ("warn", Verdict::Warn, true, 1),
        ("deny", Verdict::Unknown, false, 0),
    ] {
        let keys = format!("onUnknown: {answer}\nnoSlo: deny\n");
        let decision = ask(&sample::policy("p", &keys, &[BUDGET]), &[no_data("availability")]);
        assert_eq!((decision.verdict, decision.allow), (verdict, allow), "{answer}");
        assert_eq!((decision.because.len(), decision.computed), (steps, Verdict::Unknown));
    }
}

#[test]
fn a_service_without_an_slo_that_gates_gets_what_no_slo_says() {
    let mut informs = view("availability", 5_000.0, 1e6);
    informs.gate = Gate::Informs;
    for (answer, verdict) in
        [("allow", Verdict::Allow), ("warn", Verdict::Warn), ("deny", Verdict::Deny)]
    {
        let keys = format!("onUnknown: deny\nnoSlo: {answer}\n");
        let policy = sample::policy("p", &keys, &[BUDGET, "freeze: {calendar: year-end}"]);
        let decision = ask(&policy, std::slice::from_ref(&informs));
        assert_eq!((decision.computed, decision.verdict), (verdict, verdict), "{answer}");
        assert_eq!(decision.rules[0].rule, "noSlo");
    }
}

#[test]
fn a_declared_slo_that_was_never_evaluated_is_unknown() {
    let service = declaring(&["availability", "latency"]);
    let policies = [rules(&[BUDGET])];
    let views = [healthy()];
    let facts = Facts::of(Some(&service), &views);
    let decision = decide(&Request::of("orders"), &facts, &policies, now());
    assert_eq!((decision.verdict, decision.allow), (Verdict::Unknown, false));
    assert_eq!(decision.reasons, ["latency: no data: it has not been evaluated yet"]);
    assert_eq!(decision.environment.as_deref(), Some("production"));
}

#[test]
fn other_services_do_not_decide() {
    let mut payment = view("availability", 5_000.0, 1e6);
    payment.service = "payment".into();
    let mut staging = view("availability", 5_000.0, 1e6);
    staging.environment = "staging".into();
    let decision = ask(&rules(&[BUDGET]), &[payment, staging, healthy()]);
    assert_eq!(decision.verdict, Verdict::Allow);
    assert_eq!(decision.rules.len(), 2);
}

#[test]
fn the_evidence_of_a_group_names_it_whatever_its_value_is() {
    let mut group = view("availability", 5_000.0, 1e6);
    group.gate = Gate::Groups;
    let labels = Arc::new([("route".to_owned(), "/a?b=c&d".to_owned())].into());
    let parent = BudgetView { gate: Gate::Groups, ..healthy() };
    group.group = Some(Group::Labels { labels });
    let (views, groups) = ([parent], [group]);
    let facts = Facts { groups: &groups, ..Facts::of(None, &views) };
    let decision = decide(&Request::of("orders"), &facts, &[rules(&[BUDGET])], now());
    assert_eq!((decision.verdict, decision.rules.len()), (Verdict::Deny, 2));
    assert!(
        decision.reasons[0].starts_with("availability route=/a?b=c&d: "),
        "{:?}",
        decision.reasons
    );
    let evidence = decision.rules[0].evidence.as_deref().unwrap();
    assert!(evidence.ends_with("&group=%7B%22route%22%3A%22%2Fa%3Fb%3Dc%26d%22%7D"), "{evidence}");
}

#[test]
fn watch_takes_no_part_in_decisions() {
    let decision = ask(&rules(&["watch: {window: 30m, burn: 10}"]), &[healthy()]);
    assert_eq!(decision.verdict, Verdict::Allow);
    assert_eq!(decision.rules.len(), 1);
}

#[test]
fn a_claimed_rollback_passes_as_a_warning_while_no_deployment_is_known() {
    let broken = [view("availability", 2_000.0, 1e6)];
    let decision = ask_as(Kind::Rollback, &rules(&[BUDGET]), &broken);
    assert_eq!((decision.verdict, decision.allow), (Verdict::Warn, true));
    assert_eq!((decision.computed, decision.because.len()), (Verdict::Deny, 1));
    assert!(decision.because[0].contains("no deployment is known here to prove it"));
    assert_eq!(decision.rules[0].verdict, Verdict::Deny, "rules are shown");
    let decision = ask_as(Kind::Rollback, &rules(&[BUDGET]), &[no_data("availability")]);
    assert_eq!(decision.verdict, Verdict::Warn);
    let decision = ask_as(Kind::Rollback, &rules(&[BUDGET]), &[healthy()]);
    assert_eq!(decision.verdict, Verdict::Allow);
}

#[test]
fn kinds_are_held_to_what_the_policy_says() {
    let broken = [view("availability", 2_000.0, 1e6)];
    for (kinds, verdict) in [
        ("", Verdict::Deny),
        ("kinds: {hotfix: rules}\n", Verdict::Deny),
        ("kinds: {hotfix: warn}\n", Verdict::Warn),
        ("kinds: {hotfix: allow}\n", Verdict::Allow),
    ] {
        let keys = format!("onUnknown: deny\nnoSlo: deny\n{kinds}");
        let policy = sample::policy("p", &keys, &[BUDGET]);
        assert_eq!(ask_as(Kind::Hotfix, &policy, &broken).verdict, verdict, "{kinds}");
        assert_eq!(ask_as(Kind::Config, &policy, &broken).verdict, Verdict::Deny);
    }
}

#[test]
fn a_dry_run_allows_and_says_what_it_would_have_done() {
    let keys = "mode: dryRun\nonUnknown: deny\nnoSlo: deny\n";
    let policy = sample::policy("trial", keys, &[BUDGET]);
    let decision = ask(&policy, &[view("availability", 2_000.0, 1e6)]);
    assert_eq!((decision.verdict, decision.computed), (Verdict::Allow, Verdict::Deny));
    assert_eq!(
        decision.because,
        ["mode: policy `trial` is a dry run; enforced, this would be deny"]
    );
    assert_eq!(decision.dry_run, [DryRun { policy: "trial".to_owned(), computed: Verdict::Deny }]);
}

#[test]
fn dry_runs_are_computed_beside_the_policy_that_decides() {
    let keys = "applies: {services: [orders]}\nmode: dryRun\nonUnknown: deny\nnoSlo: deny\n";
    let stricter = sample::policy("stricter", keys, &["budget: {denyBelow: 90%}"]);
    let policies = [stricter, rules(&[BUDGET])];
    let decision = sample::decided(&Request::of("orders"), &[healthy()], &policies);
    assert_eq!(decision.verdict, Verdict::Allow);
    assert_eq!(decision.dry_run[0].computed, Verdict::Deny);
    assert_eq!(decision.policy.unwrap().name, "p");
}

#[test]
fn where_no_policy_applies_everything_is_denied() {
    let keys = "applies: {services: [payment]}\nonUnknown: allow\nnoSlo: allow\n";
    let decision = ask(&sample::policy("p", keys, &[]), &[healthy()]);
    assert_eq!((decision.verdict, decision.allow), (Verdict::Deny, false));
    assert_eq!(decision.reasons, ["no policy applies to orders in production"]);
    assert!(decision.policy.is_none() && decision.unblocks.unwrap().at.is_none());
}

#[test]
fn policies_that_tie_deny_and_name_both() {
    let two = [sample::policy("a", "onUnknown: allow\nnoSlo: allow\n", &[]), rules(&[])];
    let decision = sample::decided(&Request::of("orders"), &[healthy()], &two);
    assert_eq!(decision.verdict, Verdict::Deny);
    assert_eq!(decision.reasons, ["policies `a` and `p` are equally specific for orders"]);
}

#[test]
fn the_gate_opens_when_the_last_of_its_rules_does() {
    let first = recovering(view("a", 2_000.0, 1e6), Some("2026-11-22T00:00:00Z"));
    let last = recovering(view("b", 2_000.0, 1e6), Some("2026-11-23T00:00:00Z"));
    let unblocks = ask(&rules(&[BUDGET]), &[first.clone(), last]).unblocks.unwrap();
    assert_eq!(unblocks.at, Some(at("2026-11-23T00:00:00Z")));
    assert!(unblocks.because.starts_with("b: "), "{}", unblocks.because);
    let never = recovering(view("c", 9_000.0, 1e6), None);
    let unblocks = ask(&rules(&[BUDGET]), &[first.clone(), never]).unblocks.unwrap();
    assert_eq!(unblocks.at, None);
    assert!(unblocks.because.starts_with("no instant is known; needed: c: "));
    let unblocks = ask(&rules(&[BUDGET]), &[first, no_data("d")]).unblocks.unwrap();
    assert_eq!(unblocks.at, None);
    assert!(unblocks.because.contains("d: there is data"), "{}", unblocks.because);
}

#[test]
fn what_on_unknown_lets_go_does_not_keep_the_gate_shut() {
    let policy = sample::policy("p", "onUnknown: warn\nnoSlo: deny\n", &[BUDGET]);
    let spent = recovering(view("a", 2_000.0, 1e6), Some("2026-11-22T00:00:00Z"));
    let unblocks = ask(&policy, &[spent, no_data("b")]).unblocks.unwrap();
    assert_eq!(unblocks.at, Some(at("2026-11-22T00:00:00Z")));
}

#[test]
fn a_burn_opens_by_its_own_answer_and_a_past_answer_means_now() {
    let mut view = burning(Some(20.0), 500);
    let ask_burn = Ask::Burn { window: Span::minutes(60), at_most: 14.4 };
    view.answers = vec![(ask_burn.clone(), Some(now() + Duration::minutes(40)))];
    let unblocks = ask(&rules(&[BURN]), &[view.clone()]).unblocks.unwrap();
    assert_eq!(unblocks.at, Some(now() + Duration::minutes(40)));
    assert_eq!(unblocks.because, "availability: the 1h burn rate has fallen");
    view.answers = vec![(ask_burn, Some(now() - Duration::minutes(1)))];
    assert_eq!(ask(&rules(&[BURN]), &[view]).unblocks.unwrap().at, Some(now()));
}

#[test]
fn without_an_answer_the_windows_own_recovery_is_taken() {
    let mut view = view("availability", 2_000.0, 1e6);
    view.windows[0].recovers_at = Some(now() + Duration::days(2));
    let opens = |rule: &str| ask(&rules(&[rule]), &[view.clone()]).unblocks.unwrap().at;
    assert_eq!(opens(BUDGET), Some(now() + Duration::days(2)));
    assert_eq!(opens("budget: {denyBelow: 10%}"), None, "that is another question");
}

#[test]
fn the_json_is_that_of_the_interface() {
    let view = recovering(view("availability", 1_120.0, 1e6), Some("2026-11-24T14:10:00Z"));
    let decision = ask(&rules(&[BUDGET]), &[view]);
    let json = serde_json::to_value(&decision).unwrap();
    let mut keys: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    let mut all: Vec<&str> = "id at service environment version commit kind digest identifier reason \
        actor principal verdict allow computed because reasons rules unblocks policy dryRun override \
        claim recorded snapshotAgeSeconds permalink token"
        .split_whitespace()
        .collect();
    all.sort_unstable();
    assert_eq!(keys, all);
    assert_eq!(json["at"], "2026-11-21T10:00:00Z");
    assert_eq!((&json["verdict"], &json["policy"]["mode"]), (&"deny".into(), &"enforce".into()));
    assert!(json["id"].is_null() && json["recorded"].is_null() && json["token"].is_null());
    let again: Decision = serde_json::from_value(json).unwrap();
    assert_eq!(again, decision);
}

#[test]
fn the_shipped_policy_warns_about_a_new_service_and_denies_an_old_one() {
    let policy = crate::policy::shipped();
    let mut new = view("availability", 2.0, 1_000.0);
    new.windows[0].maturity = 0.001;
    assert_eq!(ask(&policy, &[new]).verdict, Verdict::Warn);
    assert_eq!(ask(&policy, &[view("availability", 2_000.0, 1e6)]).verdict, Verdict::Deny);
    assert_eq!(ask(&policy, &[healthy()]).verdict, Verdict::Allow);
}
