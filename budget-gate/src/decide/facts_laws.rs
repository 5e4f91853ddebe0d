//! Laws over everything that is known beside budgets: incidents, calendars, deployments, overrides.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::Duration;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use slo_core::view::{Ask, Group};

use super::*;
use crate::decision::Kind;
use crate::policy::rule::Severity;
use crate::sample::{self, calendar, incident, no_data, now, override_of, policy, view};

const RULES: [&str; 5] = [
    "budget: {denyBelow: 0%, warnBelow: 25%}",
    "incidents: {deny: [critical], warn: [major]}",
    "freeze: {calendar: c}",
    "dependencies: {denyBelow: 0%, warnBelow: 10%}",
    "coverage: {min: 95%}",
];

/// All that a decision goes by, owned.
#[derive(Debug, Clone)]
struct World {
    /// Bad events of a million; `None` is no data.
    bad: Option<u32>,
    incidents: Vec<Incident>,
    calendar: Calendar,
    dependency: Option<Vec<BudgetView>>,
    deployments: Vec<Deployment>,
    overrides: Vec<Override>,
    claims: Vec<DateTime<Utc>>,
}

impl World {
    fn views(&self, at: DateTime<Utc>) -> Vec<BudgetView> {
        let mut view = match self.bad {
            Some(bad) => view("availability", f64::from(bad), 1e6),
            None => no_data("availability"),
        };
        view.data_until = view.data_until.map(|_| at - Duration::seconds(30));
        view.answers = vec![];
        vec![view]
    }

    fn ask(&self, request: &Request, policies: &[Policy], at: DateTime<Utc>) -> Decision {
        self.told(&self.views(at), |facts| decide(request, facts, policies, at))
    }

    fn told<T>(&self, views: &[BudgetView], ask: impl FnOnce(&Facts<'_, BudgetView>) -> T) -> T {
        let mut service = sample::service("orders", 1, "production", &[]);
        service.depends_on = vec![slo_core::slo::Name::parse("payment").unwrap()];
        let others = |_: &str| self.dependency.as_deref();
        let calendars = [self.calendar.clone()];
        ask(&Facts {
            dependencies: &others,
            calendars: &calendars,
            incidents: &self.incidents,
            known: Known {
                deployments: &self.deployments,
                overrides: &self.overrides,
                claims: &self.claims,
                asked_before: None,
            },
            groups: views,
            ..Facts::of(Some(&service), views)
        })
    }
}

fn days(days: i64) -> DateTime<Utc> {
    now() - Duration::days(days)
}

fn run(version: &str, at: DateTime<Utc>) -> Deployment {
    Deployment {
        id: version.to_owned(),
        service: "orders".to_owned(),
        environment: "production".to_owned(),
        version: version.to_owned(),
        digest: None,
        commit: None,
        at,
        principal: "token:ci".to_owned(),
    }
}

fn some_override() -> impl Strategy<Value = Override> {
    (1_i64..6, 0_i64..5, any::<bool>(), any::<bool>()).prop_map(
        |(hours, ago, approved, revoked)| {
            let mut one = override_of(&format!("o{hours}{ago}"), hours);
            let length = one.until - one.at;
            one.at = now() - Duration::hours(ago);
            one.until = one.at + length;
            one.approvals = if approved { vec!["token:ben".to_owned()] } else { Vec::new() };
            one.revoked_at = revoked.then(now);
            one
        },
    )
}

fn calendars() -> impl Strategy<Value = Calendar> {
    prop::sample::select(vec![
        calendar("UTC", &[r#"{from: "Fri 16:00", until: "Mon 08:00", reason: weekends}"#], &[]),
        calendar("Europe/Paris", &[], &[r#"{from: "Mon..Thu 09:00", until: "17:00"}"#]),
        calendar("UTC", &["{from: 2027-01-01T00:00, until: 2027-01-02T00:00, reason: far}"], &[]),
    ])
}

fn worlds() -> impl Strategy<Value = World> {
    let severity = prop::sample::select(vec![Severity::Critical, Severity::Major, Severity::Minor]);
    (
        prop::option::weighted(0.9, prop::sample::select(vec![0, 800, 1_000, 5_000])),
        prop::collection::vec(severity.prop_map(|severity| incident("db", severity)), 0..2),
        calendars(),
        prop::sample::select(vec![
            None,
            Some(vec![]),
            Some(vec![view("a", 2_000.0, 1e6)]),
            Some(vec![no_data("a")]),
        ]),
        prop::sample::select(vec![vec![], vec!["1", "2"], vec!["1", "2", "1"]]),
        prop::collection::vec(some_override(), 0..3),
        prop::collection::vec((0_i64..9).prop_map(days), 0..3),
    )
        .prop_map(|(bad, incidents, calendar, dependency, ran, overrides, claims)| {
            let runs = ran.iter().enumerate();
            let deployments = runs.map(|(at, v)| run(v, days(9 - at as i64))).collect();
            World { bad, incidents, calendar, dependency, deployments, overrides, claims }
        })
}

fn policies(rules: &[&str], on_unknown: &str) -> [Policy; 1] {
    let keys = format!(
        "onUnknown: {on_unknown}\nnoSlo: deny\nkinds: {{hotfix: warn}}\n\
         override: {{allowed: true, approvals: 1, maxDuration: 4h, perWeek: 2}}\n"
    );
    [policy("p", &keys, rules)]
}

fn some_rules() -> impl Strategy<Value = Vec<&'static str>> {
    prop::sample::subsequence(RULES.to_vec(), 0..=RULES.len())
}

fn answer() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["allow", "warn", "deny"])
}

fn requests() -> impl Strategy<Value = Request> {
    let version = prop::sample::select(vec![None, Some("1"), Some("2"), Some("3")]);
    (prop::sample::select(Kind::ALL.to_vec()), version).prop_map(|(kind, version)| Request {
        kind,
        version: version.map(str::to_owned),
        ..Request::of("orders")
    })
}

proptest! {
    #[test]
    fn a_proven_rollback_is_allowed_whatever_else_is_known(
        mut world in worlds(), rules in some_rules(), on_unknown in answer(), has_policy in any::<bool>(),
    ) {
        world.deployments = vec![run("1", days(9)), run("2", days(1))];
        let request = Request {
            kind: Kind::Rollback,
            version: Some("1".to_owned()),
            ..Request::of("orders")
        };
        let policies = policies(&rules, on_unknown);
        let mut decision = world.ask(&request, if has_policy { &policies } else { &[] }, now());
        prop_assert!(decision.allow, "{:?}", decision);
        decision.unrecorded(has_policy.then_some(&policies[0]), "the disk is full");
        prop_assert!(decision.allow);
    }

    #[test]
    fn the_same_input_gives_the_same_decision_and_record(
        world in worlds(), rules in some_rules(), on_unknown in answer(), request in requests(),
    ) {
        let policies = policies(&rules, on_unknown);
        let [one, two] = [(), ()].map(|()| world.ask(&request, &policies, now()));
        prop_assert_eq!(one.record().unwrap(), two.record().unwrap());
        prop_assert_eq!(one, two);
    }

    #[test]
    fn the_order_in_which_things_are_known_does_not_matter(
        world in worlds(), mut rules in some_rules(), on_unknown in answer(), request in requests(),
    ) {
        let one = world.ask(&request, &policies(&rules, on_unknown), now());
        let mut turned = world;
        turned.incidents.reverse();
        turned.overrides.reverse();
        turned.claims.reverse();
        rules.reverse();
        let mut two = turned.ask(&request, &policies(&rules, on_unknown), now());
        // The hash is of the policy as its file lists it.
        two.policy.clone_from(&one.policy);
        prop_assert_eq!(one, two);
    }

    #[test]
    fn an_incident_a_closed_calendar_or_a_rule_never_opens_the_gate(
        world in worlds(), rules in some_rules(), more in prop::sample::select(RULES.to_vec()),
        on_unknown in answer(), request in requests(),
    ) {
        let before = world.ask(&request, &policies(&rules, on_unknown), now());
        let mut worse = world.clone();
        worse.incidents.push(incident("more", Severity::Critical));
        let after = worse.ask(&request, &policies(&rules, on_unknown), now());
        prop_assert!(after.computed >= before.computed);
        prop_assert!(before.allow || !after.allow);
        let all: Vec<&str> = rules.iter().copied().chain([more]).collect();
        let after = world.ask(&request, &policies(&all, on_unknown), now());
        prop_assert!(after.computed >= before.computed);
        // `onUnknown: allow` may turn a new unknown over a warning into allow; never over a deny.
        prop_assert!(before.computed != Verdict::Deny || before.allow || !after.allow);
    }

    #[test]
    fn an_override_never_refuses_what_went_without_it(
        world in worlds(), rules in some_rules(), on_unknown in answer(),
    ) {
        let request = Request::of("orders");
        let with = world.ask(&request, &policies(&rules, on_unknown), now());
        let mut without = world;
        without.overrides.clear();
        let without = without.ask(&request, &policies(&rules, on_unknown), now());
        prop_assert!(with.allow || !without.allow);
        prop_assert_eq!(with.overridden.is_some(), with.because.iter().any(|b| b.starts_with("override: ")));
    }

    #[test]
    fn at_the_instant_that_is_named_the_same_question_is_allowed_and_not_before(
        mut world in worlds(), rules in some_rules(), request in requests(), share in 0.0..1.0_f64,
    ) {
        // What heals by itself here are calendars, overrides and claims.
        world.bad = Some(0);
        let policies = policies(&rules, "deny");
        let decision = world.ask(&request, &policies, now());
        let Some(at) = decision.unblocks.and_then(|unblocks| unblocks.at) else { return Ok(()) };
        // Incidents that nothing confirms close by themselves; that is not foreseen.
        world.incidents.iter_mut().for_each(|one| one.confirmed_at = at);
        prop_assert!(world.ask(&request, &policies, at).allow);
        let before = now() + Duration::seconds(((at - now()).num_seconds() as f64 * share) as i64);
        if before < at {
            prop_assert!(!world.ask(&request, &policies, before).allow, "{}", before);
        }
    }
}

/// A view whose numbers, forecasts and age are any; one with a group is of a group of the first SLO.
fn lively_view() -> impl Strategy<Value = BudgetView> {
    let instant = || {
        let near = (-90_i64..400).prop_map(|s| now() + Duration::seconds(s));
        let far = (0_i64..400).prop_map(|h| now() + Duration::hours(h));
        prop::option::of(prop_oneof![near, far])
    };
    let group = prop::sample::select(vec![None, None, Some("a"), Some("\"reason\":\"\u{e9}\\")]);
    let age = prop::sample::select(vec![-90_i64, -20, 0, 29, 30, 119, 299, 300, 301]);
    let numbers = (prop::sample::select(vec![0_u32, 800, 1_000, 5_000]), 0.0..1.0_f64);
    (numbers, age, [instant(), instant(), instant()], 0..3_u8, group).prop_map(
        |((bad, maturity), age, [exhausts, recovers, answered], slo, group)| {
            let mut view = view(&format!("slo-{slo}"), f64::from(bad), 1e6);
            view.data_until = Some(now() - Duration::seconds(age));
            view.gate = Gate::Groups;
            let window = &mut view.windows[0];
            (window.exhausts_at, window.recovers_at) = (exhausts, recovers);
            window.maturity = maturity;
            let asked = Ask::Remaining { window: None, at_least: 0.0 };
            view.answers = vec![(asked, answered)];
            let labels = |value: &str| Arc::new(BTreeMap::from([("l".into(), value.into())]));
            view.group = group.map(|value| Group::Labels { labels: labels(value) });
            view
        },
    )
}

fn lively_rules() -> impl Strategy<Value = Vec<&'static str>> {
    const MORE: [&str; 6] = [
        "burn: {window: 1h, deny: 10, warn: 0.2}",
        "exhaustion: {warnWithin: 3d}",
        "exhaustion: {warnWithin: 10m}",
        "freshness: {max: 2m}",
        "budget: {denyBelow: 10%, needs: {maturity: 50%}, otherwise: deny}",
        "freeze: {calendar: nobody-declared}",
    ];
    let all = [&RULES[..], &MORE[..]].concat();
    prop::sample::subsequence(all, 0..=11)
}

/// Asks a question, and compares what lasts with what would be answered at some later instants.
/// Whether it lasts for a second at least.
fn lasts(
    (world, views): (&World, &[BudgetView]),
    (request, policies): (&Request, &[Policy]),
    later: &[f64],
) -> Result<bool, TestCaseError> {
    let ask = |at| world.told(views, |facts| prepare(request, facts, policies, at));
    let (decision, lasting) = ask(now());
    prop_assert_eq!(&decision, &world.told(views, |f| decide(request, f, policies, now())));
    let Some(lasting) = lasting else { return Ok(false) };
    prop_assert_eq!(lasting.verdict, decision.verdict);
    let most = lasting.ends().min(now() + Duration::days(3)) - now();
    let share =
        |share: &f64| Duration::milliseconds((most.num_milliseconds() as f64 * share) as i64);
    let last = most - Duration::nanoseconds(1);
    for at in later.iter().map(share).chain([Duration::zero(), last]).map(|after| now() + after) {
        prop_assert!(lasting.holds(at));
        let then = serde_json::to_string(&ask(at).0).unwrap();
        prop_assert_eq!(String::from_utf8(lasting.json(at)).unwrap(), then, "{}", at);
    }
    prop_assert!(!lasting.holds(lasting.ends()) && !lasting.holds(now() - Duration::seconds(1)));
    Ok(most >= Duration::seconds(1))
}

#[test]
fn a_decision_that_lasts_is_at_each_instant_the_one_that_would_be_made_then() {
    let views = prop::collection::vec(lively_view(), 0..4).prop_map(|mut views| {
        views.sort_by_key(|view| (view.slo.clone(), view.group.clone()));
        views.dedup_by_key(|view| (view.slo.clone(), view.group.clone()));
        views
    });
    let later = prop::collection::vec(0.0..1.0_f64, 3);
    let asked = (requests(), prop::bool::weighted(0.8), any::<bool>());
    let rules = (lively_rules(), lively_rules(), answer());
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_500) };
    let (mut runner, lasted) = (TestRunner::new(config), Cell::new(0));
    runner
        .run(&(worlds(), views, asked, rules, later), |(mut world, views, asked, rules, later)| {
            let (mut request, is_plain, has_past) = asked;
            if is_plain {
                request.kind = Kind::Release;
            }
            if !has_past {
                (world.deployments, world.overrides, world.claims) = Default::default();
            }
            let [policy] = policies(&rules.0, rules.2);
            let trial = "onUnknown: deny\nnoSlo: deny\nmode: dryRun\n";
            let policies = [policy, sample::policy("t", trial, &rules.1)];
            let lasts = lasts((&world, &views), (&request, &policies), &later)?;
            lasted.set(lasted.get() + u32::from(lasts));
            Ok(())
        })
        .unwrap();
    assert!(lasted.get() > 250, "{} of 1,500 last", lasted.get());
}

#[test]
fn at_the_very_limit_of_a_rule_no_answer_outlasts_it() {
    let world = World {
        bad: Some(0),
        incidents: Vec::new(),
        calendar: calendar("UTC", &[r#"{from: "Sun 01:00", until: "Sun 02:00", reason: r}"#], &[]),
        dependency: None,
        deployments: Vec::new(),
        overrides: Vec::new(),
        claims: Vec::new(),
    };
    let request = Request::of("orders");
    let kept_for = |world: &World, view: BudgetView, rule: &str| {
        let policies = policies(&[rule], "deny");
        lasts((world, &[view]), (&request, &policies), &[0.001, 0.5]).unwrap();
        let ask = |facts: &Facts<'_, _>| prepare(&request, facts, &policies, now()).1;
        let lasting = world.told(&world.views(now()), ask);
        lasting.map_or(Duration::zero(), |lasting| lasting.ends() - now())
    };
    for nanoseconds in [-1_000_001, -1_000_000, -1, 0, 1, 999_999, 1_000_000, 1_000_001] {
        let aside = Duration::nanoseconds(nanoseconds);
        let mut near = view("availability", 0.0, 1e6);
        near.windows[0].exhausts_at = Some(now() + Duration::hours(24) + aside);
        kept_for(&world, near, "exhaustion: {warnWithin: 24h}");
        let mut old = view("a", 0.0, 1e6);
        old.data_until = Some(now() - Duration::seconds(300) + aside);
        kept_for(&world, old.clone(), "freshness: {max: 10m}");
        // What goes stale here is the dependency alone.
        let world = World { dependency: Some(vec![old]), ..world.clone() };
        let rule = "dependencies: {denyBelow: 0%}";
        let kept = kept_for(&world, view("availability", 0.0, 1e6), rule);
        assert!(kept < Duration::seconds(1) || nanoseconds <= -1_000_000, "{nanoseconds}: {kept}");
    }
}
