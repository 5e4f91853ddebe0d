//! Laws that hold for all views and policies.

use proptest::prelude::*;
use slo_core::view::State;

use super::*;
use crate::decision::Kind;
use crate::sample::{self, aged, no_data, policy, view};

#[derive(Debug, Clone)]
struct Numbers {
    bad: u32,
    total: u32,
    burn_bad: u32,
    burn_total: u32,
    maturity: f64,
    coverage: Option<f64>,
    age_minutes: i64,
    has_data: bool,
}

impl Numbers {
    fn view(&self, slo: &str) -> BudgetView {
        if !self.has_data {
            return no_data(slo);
        }
        let mut view =
            aged(view(slo, f64::from(self.bad), f64::from(self.total)), self.age_minutes);
        view.burn[0].bad = i64::from(self.burn_bad);
        let share = f64::from(self.burn_bad) / f64::from(self.burn_total);
        view.burn[0].rate = Some(share / 0.001);
        view.windows[0].maturity = self.maturity;
        view.windows[0].coverage = self.coverage;
        view
    }
}

fn numbers() -> impl Strategy<Value = Numbers> {
    (1_u32..2_000_000, 1_u32..50_000, 0.0..1.0, prop::option::weighted(0.9, 0.5..1.0), -3_i64..10)
        .prop_flat_map(|(total, burn_total, maturity, coverage, age_minutes)| {
            let bad = prop_oneof![0..=total.min(2_500), 0..=total];
            let burn_bad = prop_oneof![0..=burn_total.min(40), 0..=burn_total];
            (bad, burn_bad, prop::bool::weighted(0.9)).prop_map(move |(bad, burn_bad, has_data)| {
                Numbers {
                    bad,
                    total,
                    burn_bad,
                    burn_total,
                    maturity,
                    coverage,
                    age_minutes,
                    has_data,
                }
            })
        })
}

const RULES: [&str; 9] = [
    "budget: {denyBelow: 0%, warnBelow: 25%}",
    "budget: {denyBelow: 10%, needs: {events: 1000, maturity: 10%}, otherwise: warn}",
    "budget: {window: 30d, needs: {events: 100}}",
    "budget: {window: 7d}",
    "burn: {window: 1h, deny: 14.4, warn: 6}",
    "exhaustion: {warnWithin: 24h}",
    "freshness: {max: 2m}",
    "coverage: {min: 95%}",
    "freeze: {calendar: year-end}",
];

fn some_rules() -> impl Strategy<Value = Vec<&'static str>> {
    prop::sample::subsequence(RULES.to_vec(), 0..=RULES.len())
}

fn answer() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["allow", "warn", "deny"])
}

fn made(rules: &[&str], on_unknown: &str) -> Policy {
    policy("p", &format!("onUnknown: {on_unknown}\nnoSlo: deny\n"), rules)
}

fn ask(policies: &[Policy], views: &[BudgetView]) -> Decision {
    sample::decided(&Request::of("orders"), views, policies)
}

fn views(all: &[Numbers]) -> Vec<BudgetView> {
    all.iter().enumerate().map(|(at, n)| n.view(&format!("slo-{at}"))).collect()
}

proptest! {
    #[test]
    fn turning_good_events_into_bad_never_turns_deny_into_allow(
        slo in numbers(), rules in some_rules(), on_unknown in answer(),
        more in 0_u32..3_000, more_burn in 0_u32..3_000,
    ) {
        let policies = [made(&rules, on_unknown)];
        let worse = Numbers {
            bad: (slo.bad + more).min(slo.total),
            burn_bad: (slo.burn_bad + more_burn).min(slo.burn_total),
            ..slo.clone()
        };
        let before = ask(&policies, &[slo.view("a")]);
        let after = ask(&policies, &[worse.view("a")]);
        prop_assert!(after.computed >= before.computed);
        prop_assert!(before.allow || !after.allow);
    }

    #[test]
    fn adding_an_slo_never_improves_the_verdict(
        some in prop::collection::vec(numbers(), 1..4), one in numbers(),
        rules in some_rules(), on_unknown in answer(),
    ) {
        let policies = [made(&rules, on_unknown)];
        let mut all = views(&some);
        let before = ask(&policies, &all);
        all.push(one.view("another"));
        let after = ask(&policies, &all);
        prop_assert!(after.computed >= before.computed);
        prop_assert!(before.allow || !after.allow);
    }

    #[test]
    fn adding_a_rule_never_turns_deny_or_unknown_into_allow_where_an_slo_gates(
        some in prop::collection::vec(numbers(), 1..3), rules in some_rules(),
        one in prop::sample::select(RULES.to_vec()), on_unknown in answer(),
    ) {
        let before = ask(&[made(&rules, on_unknown)], &views(&some));
        let more: Vec<&str> = rules.iter().copied().chain([one]).collect();
        let after = ask(&[made(&more, on_unknown)], &views(&some));
        prop_assert!(after.computed >= before.computed);
    }

    #[test]
    fn unknown_never_becomes_allow_unless_on_unknown_says_so(
        some in prop::collection::vec(numbers(), 1..4), rules in some_rules(), on_unknown in answer(),
    ) {
        let decision = ask(&[made(&rules, on_unknown)], &views(&some));
        if decision.computed == Verdict::Unknown {
            prop_assert_eq!(decision.allow, on_unknown != "deny");
        }
        prop_assert_eq!(decision.allow, decision.verdict.allows());
        prop_assert_eq!(decision.allow, decision.unblocks.is_none());
    }

    #[test]
    fn an_slo_that_turns_stale_or_loses_its_data_never_opens_the_gate(
        some in prop::collection::vec(numbers(), 1..3), one in numbers(), rules in some_rules(),
    ) {
        let policies = [made(&rules, "deny")];
        let with = |view: BudgetView| {
            let mut all = views(&some);
            all.push(view);
            ask(&policies, &all)
        };
        let before = with(one.view("last"));
        let mut called_stale = one.view("last");
        called_stale.conditions.insert(0, State::Stale);
        for worse in [aged(one.view("last"), 60), no_data("last"), called_stale] {
            let after = with(worse);
            prop_assert!(!after.allow, "{:?} from {:?}", after.verdict, before.verdict);
        }
    }

    #[test]
    fn the_order_of_slos_rules_and_policies_does_not_matter(
        some in prop::collection::vec(numbers(), 1..5).prop_map(|all| views(&all)),
        rules in some_rules(), turn in 0_usize..10, on_unknown in answer(),
    ) {
        let trial = policy("trial", "mode: dryRun\nonUnknown: deny\nnoSlo: deny\n", &RULES);
        let one = ask(&[made(&rules, on_unknown), trial.clone()], &some);
        let (mut turned, mut views) = (rules, some);
        let by = turn % turned.len().max(1);
        turned.rotate_left(by);
        let by = turn % views.len();
        views.rotate_left(by);
        let mut two = ask(&[trial, made(&turned, on_unknown)], &views);
        // The hash is of the policy as its file lists it.
        two.policy.clone_from(&one.policy);
        prop_assert_eq!(one, two);
    }

    #[test]
    fn no_kind_gets_a_worse_verdict_than_a_release(
        some in prop::collection::vec(numbers(), 1..3), rules in some_rules(),
        kind in prop::sample::select(Kind::ALL.to_vec()),
        held in prop::sample::select(vec!["allow", "warn"]),
    ) {
        let keys = format!("onUnknown: deny\nnoSlo: deny\nkinds: {{{}: {held}}}\n", kind.as_str());
        let policies = [policy("p", &keys, &rules)];
        let request = Request { kind, ..Request::of("orders") };
        let decision = sample::decided(&request, &views(&some), &policies);
        prop_assert!(decision.allow);
        prop_assert!(decision.verdict <= decision.computed);
    }
}
