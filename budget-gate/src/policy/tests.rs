use slo_core::spec::yaml;

use super::*;
use crate::sample::{rules, try_policy};

/// The policy of the language's description, word for word.
const WHOLE: &str = include_str!("tests/whole.yaml");

fn whole() -> Policy {
    read(&yaml::documents("policies/production.yaml", WHOLE.as_bytes()).remove(0).unwrap()).unwrap()
}

const REST: &str = "rules: []\nonUnknown: deny\nnoSlo: deny\n";

#[test]
fn the_policy_of_the_description_is_read_whole() {
    let policy = whole();
    assert_eq!((policy.name.as_str(), policy.mode), ("production", Mode::Enforce));
    let names: Vec<&str> = policy.rules.iter().map(Rule::name).collect();
    assert_eq!(
        names,
        [
            "budget",
            "burn",
            "exhaustion",
            "freshness",
            "coverage",
            "incidents",
            "freeze",
            "dependencies",
            "watch"
        ]
    );
    let budget = policy.budget_rules().next().unwrap();
    assert_eq!(budget.warn_below.map(scalar::Share::share), Some(0.25));
    assert_eq!(budget.needs.and_then(|n| n.events), Some(100));
    assert_eq!(budget.otherwise, Some(Verdict::Warn));
    assert_eq!(policy.burn_rules().next().unwrap().deny.map(scalar::Factor::get), Some(14.4));
    assert_eq!(policy.overriding.unwrap().per_week, Some(2));
}

#[test]
fn a_rollback_is_allowed_and_rules_hold_for_kinds_that_are_not_listed() {
    let policy = rules(&[]);
    assert_eq!(policy.treatment(Kind::Rollback), Treatment::Allow);
    for kind in [Kind::Release, Kind::Hotfix, Kind::Security, Kind::Config] {
        assert_eq!(policy.treatment(kind), Treatment::Rules);
    }
}

#[test]
fn what_has_no_default_is_asked_for_in_a_sentence() {
    for (key, rest) in
        [("onUnknown", "rules: []\nnoSlo: deny\n"), ("noSlo", "rules: []\nonUnknown: deny\n")]
    {
        let error = try_policy(&format!("policy: p\n{rest}")).unwrap_err();
        assert!(error.message.contains("has no default"), "{error}");
        assert!(error.remedy.as_ref().is_some_and(|r| r.contains(&format!("add `{key}: deny`"))));
        assert_eq!((error.place.line, error.place.column), (3, 9));
    }
}

#[test]
fn what_cannot_be_meant_is_refused_at_its_place() {
    for (rule, line, words) in [
        ("budget: {denyBelow: 25}", 5, "did you mean `25%`?"),
        ("budget: {denyBelow: 30%, warnBelow: 20%}", 5, "could never warn"),
        ("budget: {otherwise: warn}", 5, "there is no `needs`"),
        ("budget: {window: 30}", 5, "`30` is not a duration"),
        ("budget: {window: fortnight}", 5, "is not a duration"),
        ("budget: {denyBellow: 0%}", 5, "unknown key `denyBellow`"),
        ("burn: {window: 1h}", 5, "needs `deny`, `warn` or both"),
        ("burn: {window: 90s, deny: 2}", 5, "not whole minutes"),
        ("burn: {window: 1h, deny: 2, warn: 3}", 5, "could never warn"),
        ("burn: {window: 1h, deny: .inf}", 5, "expected a finite number"),
        ("burn: {window: 1h, deny: -1}", 5, "is not a burn rate"),
        ("burn: {window: 1h, deny: 2, minBad: -1}", 5, ""),
        ("exhaustion: {warnWithin: 0h}", 5, "no time at all"),
        ("freshness: {max: soon}", 5, "is not a duration"),
        ("coverage: {min: 101%}", 5, "100% is the most"),
        ("incidents: {deny: [catastrophic]}", 5, "catastrophic"),
        ("freeze: {calendar: Year End}", 5, "is not a name"),
        ("bugdet: {}", 5, "did you mean `budget`?"),
    ] {
        let text = format!("policy: p\nrules:\n  - {rule}\nonUnknown: deny\nnoSlo: deny\n");
        let error = try_policy(&text).unwrap_err();
        assert_eq!(error.place.line, line, "{rule}: {error}");
        assert!(error.to_string().contains(words), "{rule}: {error}");
    }
}

#[test]
fn other_faults_of_a_policy_are_refused() {
    for (text, words) in [
        (format!("policy: Production\n{REST}"), "is not a name"),
        (format!("policy: p\nmode: dryrun\n{REST}"), "did you mean `dryRun`?"),
        (format!("policy: p\nkinds: {{rollback: rules}}\n{REST}"), "broken version"),
        (format!("policy: p\nkinds: {{rollbak: allow}}\n{REST}"), "rollback"),
        (format!("policy: p\napplies: {{tiers: [5]}}\n{REST}"), "1 (most critical) to 4"),
        (format!("policy: p\napplies: {{services: [Orders]}}\n{REST}"), "pattern of services"),
        ("policy: p\nonUnknown: maybe\nnoSlo: deny\nrules: []\n".to_owned(), "maybe"),
        ("policy: p\nonUnknown: deny\nnoSlo: deny\n".to_owned(), "`rules` is missing"),
        (format!("policy: p\nonUnrecorded: warn\n{REST}"), "warn"),
    ] {
        let error = try_policy(&text).unwrap_err();
        assert!(error.to_string().contains(words), "{text}{error}");
    }
}

#[test]
fn policies_ask_once_for_what_their_rules_will_want_to_know() {
    let budget = "budget: {window: 7d, denyBelow: 10%}";
    let burn = "burn: {window: 1h, deny: 14.4, warn: 6}";
    let policies =
        [rules(&[budget, burn, "budget: {}"]), rules(&[burn, "burn: {window: 5m, warn: 2}"])];
    let seven = Ask::Remaining { window: Some("7d".to_owned()), at_least: 0.1 };
    let first = Ask::Remaining { window: None, at_least: 0.0 };
    let pace = Ask::Burn { window: Span::minutes(60), at_most: 14.4 };
    assert_eq!(asks(&policies), [seven, first, pace]);
    assert_eq!(burn_windows(&policies), [Span::minutes(5), Span::minutes(60)]);
}

#[test]
fn the_hash_is_of_what_a_policy_says_not_of_how_it_is_written() {
    let hash = |text: &str| try_policy(text).unwrap().hash;
    let one =
        hash("policy: p\nrules: [{budget: {warnBelow: 25%}}]\nonUnknown: deny\nnoSlo: deny\n");
    let same = hash(
        "noSlo: deny\nonUnknown: deny # no\nmode: enforce\npolicy: p\nrules:\n  - budget: \
         {warnBelow: 0.25, denyBelow: 0%}\n",
    );
    let other =
        hash("policy: p\nrules: [{budget: {warnBelow: 26%}}]\nonUnknown: deny\nnoSlo: deny\n");
    assert_eq!(one, same);
    assert_ne!(one, other);
    assert!(one.starts_with("sha256:") && one.len() == 71, "{one}");
}

#[test]
fn the_shipped_policy_loads_and_uses_only_what_this_version_evaluates() {
    let policy = shipped();
    assert_eq!(policy.name.as_str(), "default");
    assert!(policy.is_enforced());
    assert_eq!(policy.applies, Applies::default());
}

#[test]
fn the_shipped_policy_is_used_only_when_no_policy_was_found() {
    let loaded = load(&[], &[]).unwrap();
    assert!(loaded.is_shipped && loaded.policies == [shipped()]);
    let loaded = load(&documents(&format!("{WHOLE}---\n{YEAR_END}")), &[]).unwrap();
    assert!(!loaded.is_shipped);
    assert_eq!((loaded.policies.len(), loaded.warnings.len()), (1, 0));
}

fn documents(text: &str) -> Vec<yaml::Document> {
    yaml::documents("p.yaml", text.as_bytes()).into_iter().map(Result::unwrap).collect()
}

const YEAR_END: &str = "apiVersion: headroom/v1\nkind: Calendar\ncalendar: year-end\nzone: UTC\n\
    closed: [{from: Fri 16:00, until: Mon 08:00, reason: weekends}]\n";
const EXCLUSION: &str = "apiVersion: headroom/v1\nkind: Exclusion\nslos: [order/*, orders/*]\n\
    from: 2026-11-20T02:00Z\nuntil: 2026-11-20T02:40Z\nreason: upgrade\nauthor: ana\n";
const FROZEN: &str = "apiVersion: headroom/v1\nkind: Policy\npolicy: p\nonUnknown: deny\n\
    noSlo: deny\nrules: [{freeze: {calendar: year-end}}]\n";

#[test]
fn calendars_and_exclusions_are_read_beside_policies() {
    let text = format!("{FROZEN}---\n{YEAR_END}---\n{EXCLUSION}");
    let loaded = load(&documents(&text), &[]).unwrap();
    assert_eq!(loaded.calendars[0].name.as_str(), "year-end");
    assert_eq!(loaded.exclusions[0].reason, "upgrade");
    let errors = load(&documents(&text.replace("Mon 08:00", "Mon 8:00")), &[]).unwrap_err();
    assert_eq!(errors.len(), 1, "a calendar that cannot be read is declared: {errors:?}");
}

#[test]
fn a_freeze_of_an_unknown_calendar_is_refused_with_the_one_that_was_meant() {
    for (others, remedy) in [
        (YEAR_END.replace("year-end", "yearend"), "did you mean `yearend`?"),
        (YEAR_END.replace("year-end", "summer"), "declared calendars: summer"),
        (EXCLUSION.to_owned(), "declare it in a document with `kind: Calendar`"),
    ] {
        let errors = load(&documents(&format!("{FROZEN}---\n{others}")), &[]).unwrap_err();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_eq!(errors[0].place.to_string(), "p.yaml:3:9");
        assert!(errors[0].message.ends_with("not declared: `year-end`"), "{}", errors[0]);
        assert!(errors[0].remedy.as_ref().unwrap().starts_with(remedy), "{}", errors[0]);
    }
}

#[test]
fn a_calendar_that_is_known_from_elsewhere_may_be_named_and_replaced() {
    let known = load(&documents(YEAR_END), &[]).unwrap().calendars;
    let loaded = load_beside(&documents(FROZEN), &[], &known).unwrap();
    assert_eq!(loaded.calendars, known);
    let new = YEAR_END.replace("weekends", "replaced");
    let loaded = load_beside(&documents(&format!("{FROZEN}---\n{new}")), &[], &known).unwrap();
    let reasons: Vec<&str> = loaded.calendars.iter().map(|c| c.closed[0].reason.as_str()).collect();
    assert_eq!(reasons, ["replaced"]);
}

#[test]
fn two_calendars_of_one_name_are_refused_at_the_second() {
    let errors = load(&documents(&format!("{YEAR_END}---\n{YEAR_END}")), &[]).unwrap_err();
    assert_eq!(errors.len(), 1);
    assert!(
        errors[0]
            .to_string()
            .starts_with("p.yaml:9:11: the calendar `year-end` is already declared at p.yaml:3:11")
    );
}

#[test]
fn a_pattern_of_an_exclusion_that_matches_no_slo_is_a_warning() {
    let services = [crate::sample::declaring(&["availability"])];
    let loaded = load(&documents(EXCLUSION), &services).unwrap();
    assert_eq!(loaded.warnings.len(), 1);
    let said = loaded.warnings[0].to_string();
    assert!(
        said.starts_with("p.yaml:3:7: warning[exclusion-idle]: `order/*` matches no SLO"),
        "{said}"
    );
}

#[test]
fn everything_that_is_wrong_with_policies_is_said_at_once() {
    let head = "apiVersion: headroom/v1\nkind: Policy\n";
    let text = format!("{head}policy: a\n{REST}---\n{head}policy: b\n{REST}---\n{head}policy: c\n");
    let documents = yaml::documents("p.yaml", text.as_bytes());
    let documents: Vec<_> = documents.into_iter().map(Result::unwrap).collect();
    let errors = load(&documents, &[]).unwrap_err();
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(errors[0].message.contains("`rules` is missing"), "{}", errors[0]);
    assert!(errors[1].to_string().contains("p.yaml:10:9: policies `a`"), "{}", errors[1]);
}

#[test]
fn the_committed_schema_is_the_one_of_the_types() {
    let committed = include_str!("../../../docs/schema/policy.v1.json");
    let made = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    assert!(
        committed == made,
        "run `slo-engine schema --kind policy > docs/schema/policy.v1.json`"
    );
}
