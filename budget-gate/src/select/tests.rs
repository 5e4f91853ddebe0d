use std::sync::Arc;

use super::*;
use crate::policy::Policy;
use crate::sample::{self, rules, service};

fn policy(name: &str, applies: &str) -> Policy {
    let keys = format!("applies: {{{applies}}}\nonUnknown: deny\nnoSlo: deny\n");
    sample::policy(name, &keys, &[])
}

fn trial(name: &str, applies: &str) -> Policy {
    let keys = format!("applies: {{{applies}}}\nmode: dryRun\nonUnknown: deny\nnoSlo: deny\n");
    sample::policy(name, &keys, &[])
}

fn chosen(policies: &[Policy], subject: &Subject<'_>) -> String {
    match select(policies, subject) {
        Selection::Nothing => "nothing".to_owned(),
        Selection::One(policy) => policy.name.as_str().to_owned(),
        Selection::Tie(a, b) => format!("{} = {}", a.name.as_str(), b.name.as_str()),
    }
}

const ORDERS: &str = "services: [orders]";
const GLOB: &str = "services: ['ord*']";
const SHORTER: &str = "services: ['o*']";
const LABELS: &str = "labels: {team: checkout, zone: eu}";
const LABEL: &str = "labels: {team: checkout}";
const TIER: &str = "tiers: [1]";
const ENVIRONMENT: &str = "environments: [production]";
const ALL: &str = "";

#[test]
fn each_step_of_specificity_beats_all_later_ones_together() {
    let orders = service("orders", 1, "production", &[("team", "checkout"), ("zone", "eu")]);
    let subject = Subject::from(&orders);
    let later = [ORDERS, GLOB, SHORTER, LABELS, LABEL, TIER, ENVIRONMENT, ALL];
    for (more, less) in later.iter().zip(&later[1..]) {
        let two = [policy("less", less), policy("more", more)];
        assert_eq!(chosen(&two, &subject), "more", "{more} against {less}");
    }
    let rest = format!("{GLOB}, {LABELS}, {TIER}, {ENVIRONMENT}");
    assert_eq!(chosen(&[policy("rest", &rest), policy("exact", ORDERS)], &subject), "exact");
    let rest = format!("{SHORTER}, {LABELS}, {TIER}, {ENVIRONMENT}");
    assert_eq!(chosen(&[policy("rest", &rest), policy("longer", GLOB)], &subject), "longer");
    let rest = format!("{LABEL}, {TIER}, {ENVIRONMENT}");
    assert_eq!(chosen(&[policy("rest", &rest), policy("labels", LABELS)], &subject), "labels");
    let rest = ENVIRONMENT;
    assert_eq!(chosen(&[policy("rest", rest), policy("tier", TIER)], &subject), "tier");
}

#[test]
fn a_policy_applies_only_where_all_that_it_names_is_met() {
    let orders = service("orders", 2, "staging", &[("team", "checkout")]);
    for (applies, name) in [
        ("services: [payment, orders]", "p"),
        ("services: ['*-eu']", "nothing"),
        ("tiers: [1]", "nothing"),
        ("tiers: [1, 2]", "p"),
        ("environments: [production]", "nothing"),
        ("labels: {team: search}", "nothing"),
        ("labels: {team: checkout}", "p"),
        ("labels: {zone: eu}", "nothing"),
    ] {
        assert_eq!(chosen(&[policy("p", applies)], &Subject::from(&orders)), name, "{applies}");
    }
}

#[test]
fn the_best_of_several_patterns_counts() {
    let orders = service("orders", 1, "production", &[]);
    let both = policy("both", "services: ['*', orders]");
    let glob = policy("glob", GLOB);
    assert_eq!(chosen(&[glob, both], &Subject::from(&orders)), "both");
}

#[test]
fn an_undeclared_service_is_matched_only_without_tiers_and_labels() {
    let subject = |environment| Subject { service: "ghost", environment, declared: None };
    let all = [policy("tier", TIER), policy("label", LABEL), policy("production", ENVIRONMENT)];
    assert_eq!(chosen(&all, &subject(Some("production"))), "production");
    assert_eq!(chosen(&all, &subject(Some("staging"))), "nothing");
    assert_eq!(chosen(&all, &subject(None)), "nothing");
    assert_eq!(chosen(&[policy("all", ALL)], &subject(None)), "all");
}

#[test]
fn a_dry_run_never_displaces_and_computes_only_when_alone() {
    let orders = service("orders", 1, "production", &[]);
    let subject = Subject::from(&orders);
    let two = [trial("trial", ORDERS), policy("real", ALL)];
    assert_eq!(chosen(&two, &subject), "real");
    let trials = [trial("wide", ALL), trial("b", ORDERS), trial("a", ORDERS)];
    assert_eq!(chosen(&trials, &subject), "a");
    let names: Vec<&str> = on_trial(&trials, &subject).iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "wide"]);
}

#[test]
fn two_policies_that_tie_for_a_declared_service_are_refused_with_both_places() {
    let services =
        [Arc::new(service("orders", 1, "production", &[("team", "checkout"), ("zone", "eu")]))];
    let two = [policy("a", "labels: {team: checkout}"), policy("b", "labels: {zone: eu}")];
    let conflicts = check(&two, &services);
    assert_eq!(conflicts.len(), 1);
    let error = conflicts[0].error().to_string();
    assert!(error.contains("policies `a` (policies/p.yaml:3:9) and `b` (policies/p.yaml:3:9) tie for orders in production"), "{error}");
    assert!(error.contains("3 | policy: b") && error.contains("help:"), "{error}");
    assert!(check(&two, &[]).is_empty(), "no service has both labels");
}

#[test]
fn a_tie_behind_a_more_specific_policy_is_none() {
    let services = [Arc::new(service("orders", 1, "production", &[("team", "a"), ("zone", "eu")]))];
    let three =
        [policy("a", "labels: {team: a}"), policy("b", "labels: {zone: eu}"), policy("c", ORDERS)];
    assert!(check(&three, &services).is_empty());
}

#[test]
fn policies_for_the_same_services_tie_before_any_is_declared() {
    for (a, b, tie) in [
        (ALL, ALL, true),
        (ALL, "services: ['*']", true),
        (ORDERS, ORDERS, true),
        (ORDERS, "services: [payment]", false),
        (GLOB, "services: ['*rd']", false),
        (ENVIRONMENT, "environments: [production, staging]", true),
        (ENVIRONMENT, "environments: [staging]", false),
        (ENVIRONMENT, ALL, false),
        ("tiers: [1, 2]", "tiers: [2, 3]", true),
        ("tiers: [1]", "tiers: [2]", false),
        (LABEL, LABEL, true),
        (LABEL, "labels: {team: search}", false),
        (ORDERS, ENVIRONMENT, false),
    ] {
        let found = check(&[policy("a", a), policy("b", b)], &[]).len();
        assert_eq!(found, usize::from(tie), "{a} and {b}");
    }
    let dry = [policy("a", ALL), trial("b", ALL)];
    assert!(check(&dry, &[]).is_empty(), "a dry run ties with nothing");
}

#[test]
fn a_name_is_given_once() {
    let two = [policy("a", ORDERS), policy("a", ALL)];
    let conflicts = check(&two, &[]);
    assert!(conflicts[0].to_string().contains("`a` is written twice"), "{}", conflicts[0]);
}

#[test]
fn a_budget_rule_for_a_window_that_an_slo_lacks_is_found_at_load() {
    let services = [sample::declaring(&["availability"])];
    let policies = [rules(&["budget: {window: 7d}", "budget: {window: 30d}", "budget: {}"])];
    let missing = missing_windows(&policies, &services);
    assert_eq!(missing.len(), 1);
    let said = missing[0].warning().to_string();
    assert!(said.contains("asks for the 7d budget of orders/availability@production"), "{said}");
}
