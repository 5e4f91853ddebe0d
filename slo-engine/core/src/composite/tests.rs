use std::sync::Arc;

use super::*;
use crate::bucket::Bucket;
use crate::budget::{Account, Facts, end_of};
use crate::sli::Indicator;
use crate::time::{Minute, Span};
use crate::view::State;

const FILE: &str = "apiVersion: headroom/v1\nkind: Service\nservice: s\ntier: 1\nenvironment: p\nslos:\n\
    \x20 - {name: a, objective: 99.9%, indicator: {ratio: {total: a_total, bad: '{c=\"5\"}'}}}\n\
    \x20 - {name: b, objective: 95%, indicator: {ratio: {total: b_total, bad: '{c=\"5\"}'}}}\n\
    \x20 - name: journey\n    objective: 90%\n    window: 1d\n    indicator:\n      composite:\n\
    \x20       - {slo: s/a, weight: 3}\n        - {slo: s/b, weight: 1, whenDelayed: WHEN, maxDelay: 10m}\n";

const DAY: i64 = 1_440;

struct Lab {
    slo: Arc<Slo>,
    accounts: Vec<Account>,
}

impl Lab {
    fn new(when: &str) -> Self {
        let text = FILE.replace("WHEN", when);
        let set = crate::spec::load(&[("a.yaml".to_owned(), text.into())]).unwrap();
        let slos = &set.services[0].slos;
        let account = |at: usize| {
            Account::new(Arc::new(as_member(&slos[2], &slos[at])), &[Span::minutes(60)])
        };
        Self { slo: slos[2].clone(), accounts: vec![account(0), account(1)] }
    }

    /// So many good of so many events in each of these minutes.
    fn count(&mut self, member: usize, minutes: std::ops::Range<i64>, good: i64, total: i64) {
        for minute in minutes {
            let bucket = Bucket { good, total, measured: true, ..Bucket::default() };
            self.accounts[member].replace(Minute(minute), &bucket);
        }
    }

    /// Gives all members a weight.
    fn weigh(&mut self, weight: f64) {
        let mut slo = (*self.slo).clone();
        let Indicator::Composite(members) = &mut slo.indicator else { panic!() };
        members.iter_mut().for_each(|member| member.weight = weight);
        self.slo = Arc::new(slo);
    }

    /// The composite at minute `now`, where each member has data up to its minute.
    fn view(&mut self, now: i64, until: [i64; 2]) -> BudgetView {
        self.view_of(now, until.map(Some))
    }

    fn view_of(&mut self, now: i64, until: [Option<i64>; 2]) -> BudgetView {
        let now = Minute(now).start();
        let until = until.map(|minute| minute.map(|minute| Minute(minute).start()));
        let end = end(until).unwrap();
        let views: Vec<BudgetView> = self
            .accounts
            .iter_mut()
            .zip(until)
            .map(|(account, until)| {
                account.advance(end_of(end));
                let newest = until.map(|until| end_of(until) - 1);
                account.view(Facts {
                    now,
                    data_until: Some(end),
                    newest,
                    stale_after: Some(Span::minutes(5)),
                    ..Facts::default()
                })
            })
            .collect();
        let Indicator::Composite(members) = &self.slo.indicator else { panic!() };
        let known: Vec<Known<'_>> = members
            .iter()
            .zip(&views)
            .zip(until)
            .map(|((member, view), data_until)| Known { member, view, data_until })
            .collect();
        let asks = [Ask::Remaining { window: None, at_least: 0.0 }];
        view(&self.slo, now, &known, &asks, None)
    }
}

fn close(a: Option<f64>, b: f64) {
    assert!(a.is_some_and(|a| (a - b).abs() < 1e-9), "{a:?} is not {b}");
}

#[test]
fn the_sli_is_the_weighted_mean_whatever_the_traffic_of_the_members() {
    let mut lab = Lab::new("ignore");
    lab.count(0, 0..DAY, 98, 100);
    lab.count(1, 0..DAY, 9_000, 10_000);
    let view = lab.view(DAY, [DAY, DAY]);
    let window = &view.windows[0];
    // (3 x 98 % + 1 x 90 %) / 4 = 96 %: 4 % of a budget of 10 %.
    close(window.sli, 0.96);
    close(window.spent, 0.4);
    close(window.remaining, 0.6);
    assert_eq!(
        (window.good, window.total, window.allowed, window.interval),
        (None, None, None, None)
    );
    assert_eq!((window.budgeting, window.unit), (BudgetingName::Composite, Some(Unit::None)));
    let burn = view.burn.iter().find(|burn| burn.window == Span::minutes(60)).unwrap();
    close(burn.rate, 0.4);
    assert_eq!((view.state, view.findings.len()), (State::Healthy, 0));
    assert_eq!(view.answers[0].1, Some(view.evaluated_at));
}

#[test]
fn a_member_without_data_is_left_out_and_named() {
    let mut lab = Lab::new("ignore");
    lab.count(0, 0..DAY, 98, 100);
    let view = lab.view(DAY, [DAY, DAY]);
    close(view.windows[0].sli, 0.98);
    assert_eq!(view.findings[0].code, "memberWithoutData");
    assert_eq!(view.findings[0].message, "s/b@p has no data and is left out");
    let nothing = Lab::new("ignore").view(DAY, [DAY, DAY]);
    assert_eq!((nothing.state, nothing.windows[0].sli), (State::NoData, None));
}

#[test]
fn a_member_may_be_behind_for_as_long_as_max_delay() {
    let mut lab = Lab::new("countAsBad");
    lab.count(0, 0..DAY, 100, 100);
    lab.count(1, 0..DAY - 9, 100, 100);
    let view = lab.view(DAY, [DAY, DAY - 9]);
    close(view.windows[0].sli, 1.0);
    assert_eq!((view.data_until, view.state), (Some(Minute(DAY - 9).start()), State::Healthy));
}

#[test]
fn delayed_minutes_count_at_the_mean_traffic_of_a_measured_minute() {
    for (when, b) in [("countAsBad", 0.75), ("countAsGood", 1.0)] {
        let mut lab = Lab::new(when);
        lab.count(0, 0..DAY, 100, 100);
        // Half its measured minutes have twice the traffic; a quarter of the day is delayed.
        lab.count(1, 0..540, 50, 50);
        lab.count(1, 540..1_080, 100, 100);
        let view = lab.view(DAY, [DAY, 1_080]);
        close(view.windows[0].sli, (3.0 + b) / 4.0);
        assert_eq!(view.data_until, Some(Minute(DAY).start()), "it is known what the minutes are");
        assert_eq!(view.findings[0].code, "memberDelayed");
        let burn = view.burn.iter().find(|burn| burn.window == Span::minutes(60)).unwrap();
        close(burn.rate, if b < 1.0 { 2.5 } else { 0.0 });
    }
}

#[test]
fn an_ignored_member_leaves_the_mean() {
    let mut lab = Lab::new("ignore");
    lab.count(0, 0..DAY, 90, 100);
    lab.count(1, 0..DAY - 60, 100, 100);
    let view = lab.view(DAY, [DAY, DAY - 60]);
    close(view.windows[0].sli, 0.9);
    assert!(view.findings[0].message.ends_with("60 min behind and left out"));
    assert_eq!((view.state, view.answers[0].1), (State::Exhausted, None));
}

#[test]
fn all_members_that_are_behind_make_the_composite_stale() {
    let mut lab = Lab::new("ignore");
    lab.count(0, 0..DAY, 100, 100);
    lab.count(1, 0..DAY, 100, 100);
    let view = lab.view(DAY + 30, [DAY, DAY]);
    assert_eq!((view.state, view.windows[0].sli), (State::Stale, Some(1.0)));
}

#[test]
fn idle_members_spend_nothing_and_are_not_without_data() {
    let mut lab = Lab::new("ignore");
    lab.count(0, 0..DAY, 0, 0);
    lab.count(1, 0..DAY, 0, 0);
    let view = lab.view(DAY, [DAY, DAY]);
    let window = &view.windows[0];
    assert_eq!((window.sli, window.spent, window.remaining), (None, Some(0.0), Some(1.0)));
    assert_eq!((window.coverage, view.state), (Some(1.0), State::Healthy));
    assert_eq!(view.findings, []);
    // One that is busy decides alone.
    lab.count(1, 0..DAY, 95, 100);
    close(lab.view(DAY, [DAY, DAY]).windows[0].sli, 0.95);
}

#[test]
fn of_weights_only_the_proportion_counts() {
    for weight in [1e308, 5e-324] {
        let mut lab = Lab::new("ignore");
        lab.weigh(weight);
        lab.count(0, 0..DAY, 98, 100);
        lab.count(1, 0..DAY, 9_000, 10_000);
        close(lab.view(DAY, [DAY, DAY]).windows[0].sli, 0.94);
    }
}

#[test]
fn one_that_never_had_data_does_not_hide_the_burn_of_those_that_are_stale() {
    let mut lab = Lab::new("ignore");
    lab.count(0, 0..DAY, 98, 100);
    let known = lab.view_of(DAY + 30, [Some(DAY), None]);
    assert_eq!((known.state, known.windows[0].sli), (State::Stale, Some(0.98)));
    let burn = known.burn.iter().find(|burn| burn.window == Span::minutes(60)).unwrap();
    close(burn.rate, 0.2);
    let said: Vec<&str> = known.findings.iter().map(|f| f.message.as_str()).collect();
    assert_eq!(said, ["s/a@p is 30 min behind", "s/b@p has no data and is left out"]);
}
