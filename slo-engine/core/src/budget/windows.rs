//! The views of an account's windows, with their forecasts, and the answers to policies' questions.

use std::cell::OnceCell;

use chrono::{DateTime, Utc};

use crate::bucket::Sums;
use crate::calendar::{self, Placed};
use crate::exclusion::Excluded;
use crate::forecast::{Expected, Hours, Repeat, Seeks, Walk, usual_ratio};
use crate::slo::Window;
use crate::time::{Minute, Span};
use crate::view::{Ask, BudgetView, Estimate, WindowView, WithoutExclusions};

use super::account::{Account, Facts};
use super::{Numbers, bounds, names, occurrences, slices};

pub(super) fn views(account: &Account, past: &Hours<'_>, facts: &Facts<'_>) -> Vec<WindowView> {
    let windows = account.slo().windows.iter().enumerate();
    windows.map(|(at, window)| Reading::new((account, past), at, *window, facts).view()).collect()
}

/// What each question's answer is: an instant, or `None` when the forecast sees none.
pub(super) fn answers(
    account: &Account,
    past: &Hours<'_>,
    facts: &Facts<'_>,
    views: &[WindowView],
) -> Vec<(Ask, Option<DateTime<Utc>>)> {
    let of = (account, past);
    let answer = |ask: &Ask| match ask {
        Ask::Remaining { window, at_least } => remaining(of, facts, views, window, *at_least),
        Ask::Burn { window, at_most } => burn(of, facts, *window, *at_most),
    };
    facts.asks.iter().map(|ask| (ask.clone(), answer(ask))).collect()
}

fn remaining(
    (account, past): (&Account, &Hours<'_>),
    facts: &Facts<'_>,
    views: &[WindowView],
    window: &Option<String>,
    at_least: f64,
) -> Option<DateTime<Utc>> {
    let at = match window {
        None => 0,
        Some(name) => views.iter().position(|v| *v.window == **name)?,
    };
    let now = views[at].deciding_remaining()?;
    let enough = |remaining: f64| remaining > 0.0 && remaining >= at_least;
    if enough(now) {
        return Some(facts.now);
    }
    if at_least <= 0.0 {
        // That was asked for the window itself.
        return views[at].recovers_at;
    }
    Reading::new((account, past), at, account.slo().windows[at], facts).recovers(enough)
}

fn burn(
    (account, past): (&Account, &Hours<'_>),
    facts: &Facts<'_>,
    span: Span,
    at_most: f64,
) -> Option<DateTime<Utc>> {
    let (at, window) = account.burn_window(span)?;
    let objective = account.slo().objective;
    if window.rate(objective)? <= at_most {
        return Some(facts.now);
    }
    let reading = Reading::new((account, past), at, Window::Rolling(span), facts);
    let calm = |e: Expected| e.total <= 0.0 || e.bad / e.total / objective.budget() <= at_most;
    let walk = reading.walk(reading.usual_ratio(), Seeks::Better);
    walk.first(calm).map(Minute::start)
}

/// One window at one instant.
struct Reading<'a> {
    account: &'a Account,
    past: &'a Hours<'a>,
    at: usize,
    window: Window,
    placed: Placed,
    newest: Option<Minute>,
    faulty: bool,
    now: DateTime<Utc>,
    /// The view before.
    before: Option<&'a BudgetView>,
    /// The usual share of bad events, once it is known.
    usual: OnceCell<f64>,
}

impl<'a> Reading<'a> {
    fn new(
        (account, past): (&'a Account, &'a Hours<'a>),
        at: usize,
        window: Window,
        facts: &Facts<'a>,
    ) -> Self {
        let placed = account.placed(at);
        let placed =
            placed.unwrap_or_else(|| calendar::place(window, super::account::end_of(facts.now)));
        let Facts { newest, faulty, now, before, .. } = *facts;
        let usual = OnceCell::new();
        Self { account, past, at, window, placed, newest, faulty, now, before, usual }
    }

    fn view(&self) -> WindowView {
        let events = self.account.event_sums(self.at);
        let numbers = self.numbers();
        let n = numbers.as_ref();
        let estimate = n.and_then(|_| self.estimate());
        let left = estimate.as_ref().map_or(n.map(|n| n.remaining), |e| e.remaining);
        let (name, unit) = names(self.account.slo().budgeting);
        let exhausted = left.is_some_and(|left| left <= 0.0);
        WindowView {
            window: self.account.name(self.at),
            from: self.placed.from.start(),
            to: self.placed.to.start(),
            budgeting: name,
            unit: Some(unit),
            bounds: n.and_then(|_| bounds(&events, self.account.slo().objective)),
            good: n.map(|n| n.good),
            bad: n.map(|n| n.bad),
            total: n.map(|n| n.total),
            sli: n.and_then(|n| n.sli),
            allowed: n.map(|n| n.allowed),
            spent: n.map(|n| n.spent),
            remaining: n.map(|n| n.remaining),
            coverage: self.coverage(events.measured),
            maturity: self.maturity(),
            interval: n.and_then(|n| n.interval),
            partial: events.partial.unsigned_abs(),
            assumed: events.assumed as f64,
            dropped: events.dropped as f64,
            without_exclusions: self.without_exclusions(),
            exhausts_at: n.filter(|_| !exhausted).and_then(|_| self.exhausts(estimate.as_ref())),
            recovers_at: n.filter(|_| exhausted).and_then(|_| self.recovers(|left| left > 0.0)),
            usual_ratio: self.usual.get().copied(),
            estimate,
        }
    }

    /// By what counts.
    fn numbers(&self) -> Option<Numbers> {
        let account = self.account;
        let sums = (account.event_sums(self.at), account.counted_sums(self.at));
        self.numbers_of(sums, self.minutes_of_slices(self.slices_to()))
    }

    /// By all that was counted; `None` when no exclusion touches the window.
    fn without_exclusions(&self) -> Option<WithoutExclusions> {
        self.account.leaves_out(self.at, &self.placed).then(|| {
            let numbers = self.numbers_of(self.account.all_sums(self.at), self.placed.length());
            WithoutExclusions {
                spent: numbers.map(|n| n.spent),
                remaining: numbers.map(|n| n.remaining),
            }
        })
    }

    /// `None` when no minute is measured, when something in the window was no count, or when the
    /// counts cannot be trusted at all: 100 % of the wrong events is not 100 %.
    fn numbers_of(&self, (events, counted): (Sums, Sums), minutes: i64) -> Option<Numbers> {
        let is_empty = events.measured == 0 && events.total == 0;
        if is_empty || events.invalid > 0 || self.faulty {
            return None;
        }
        let objective = self.account.slo().objective;
        Some(match self.account.slicing() {
            None => occurrences(&events, objective),
            Some(slicing) => slices(&counted, slicing, minutes, objective),
        })
    }

    /// The minutes of the whole window but for slices that are excluded, when its slices end before `to`.
    fn minutes_of_slices(&self, to: Minute) -> i64 {
        let size = self.account.slicing().map_or(0, |slicing| slicing.size);
        let excluded = self.account.excluded_slices(self.window, &self.placed, to);
        self.placed.length() - excluded * size
    }

    /// Where the window ends, in whole slices.
    fn slices_to(&self) -> Minute {
        self.account.slicing().map_or(self.placed.to, |slicing| slicing.start(self.placed.to))
    }

    /// Measured minutes of those since the first data that count. The minutes after the newest sample can
    /// still become measured, so they are no holes yet.
    fn coverage(&self, measured: i64) -> Option<f64> {
        let from = self.placed.from.max(self.account.first()?);
        let to = self.newest.map_or(self.placed.to, |newest| self.placed.to.min(newest + 1));
        let minutes = to - from - self.account.excluded_between(from, to);
        (from < to && minutes > 0).then(|| (measured as f64 / minutes as f64).min(1.0))
    }

    fn maturity(&self) -> f64 {
        let Some(first) = self.account.first() else { return 0.0 };
        let lived = self.placed.to - self.placed.from.max(first);
        (lived as f64 / (self.placed.to - self.placed.from).max(1) as f64).clamp(0.0, 1.0)
    }

    /// Calendar windows of events go by their forecast total.
    fn estimate(&self) -> Option<Estimate> {
        let Window::Calendar { period, zone } = self.window else { return None };
        if self.account.slicing().is_some() {
            return None;
        }
        let ledger = self.account.counted_events();
        let before = Minute::of(calendar::period_before(period, zone, self.placed.from.start()));
        let (length, to) = (self.placed.from - before, self.placed.to);
        let age = ledger.first().map_or(0, |first| to - first);
        let (repeat, method) = match age {
            age if age >= length => (Repeat::Last(length), "previousPeriod"),
            age if age >= 7 * 1_440 => (Repeat::Last(7 * 1_440), "lastWeek"),
            age if age >= 1_440 => (Repeat::Last(1_440), "lastDay"),
            _ => (Repeat::of(ledger, to), "mean"),
        };
        let sums = self.account.event_sums(self.at);
        let coming = |from, until| repeat.coming(ledger, to, from, until);
        let excluded = self.account.excluded();
        let not_to_count: f64 =
            excluded.within(to, self.placed.end).map(|(a, b)| coming(a, b)).sum();
        let total = sums.total as f64 + coming(to, self.placed.end) - not_to_count;
        let allowed = self.account.slo().objective.budget() * total;
        let spent = if total > 0.0 { sums.bad() as f64 / allowed } else { 0.0 };
        Some(Estimate {
            total,
            spent: Some(spent),
            remaining: Some(1.0 - spent),
            method: method.into(),
        })
    }

    /// At the last hour's error ratio.
    fn exhausts(&self, estimate: Option<&Estimate>) -> Option<DateTime<Utc>> {
        let ledger = self.account.counted();
        let slide = ledger.slide(self.at);
        let hour = ledger.sums(slide.to - 60, slide.to);
        // Where nothing was bad and nothing will be, nothing goes.
        if slide.sums.bad() == 0 && hour.bad() == 0 && ledger.is_flawless(slide.from, slide.to) {
            return None;
        }
        let ratio = if hour.total > 0 { hour.bad() as f64 / hour.total as f64 } else { 0.0 };
        let allowed = self.allowed(estimate);
        // Nothing is left, without a division.
        let gone = |e: Expected| {
            let allowed = allowed(e);
            allowed > 0.0 && e.bad >= allowed
        };
        let walk = self.walk(ratio, self.seeks(Seeks::Worse));
        walk.first(gone).map(Minute::start).map(|at| at.max(self.now))
    }

    /// At the median hourly ratio of the window; a calendar window begins anew at its end.
    fn recovers(&self, enough: impl Fn(f64) -> bool) -> Option<DateTime<Utc>> {
        if matches!(self.window, Window::Calendar { .. }) {
            return enough(1.0).then(|| self.placed.end.start());
        }
        let allowed = self.allowed(None);
        let walk = self.walk(self.usual_ratio(), self.seeks(Seeks::Better));
        let back = walk.first(|e| enough(left(e, allowed(e))));
        back.map(Minute::start).map(|at| at.max(self.now))
    }

    fn usual_ratio(&self) -> f64 {
        let Placed { from, to, .. } = self.placed;
        let before = || self.before?.windows.get(self.at)?.usual_ratio;
        *self.usual.get_or_init(|| usual_ratio(self.past, from, to, before()))
    }

    /// How many may be bad of the events that a window holds.
    fn allowed(&self, estimate: Option<&Estimate>) -> impl Fn(Expected) -> f64 {
        let budget = self.account.slo().objective.budget();
        let slices = self.account.slicing().filter(|slicing| slicing.good_when.is_some());
        let whatever_comes = estimate.map(|estimate| budget * estimate.total);
        move |e| match (slices, whatever_comes) {
            (Some(slicing), _) => budget * (self.minutes_of_slices(e.to) / slicing.size) as f64,
            (None, Some(allowed)) => allowed,
            (None, None) => budget * e.total,
        }
    }

    /// What is looked for; how many slices are allowed also depends on where the window ends.
    fn seeks(&self, seeks: Seeks) -> Seeks {
        let counts_slices =
            self.account.slicing().is_some_and(|slicing| slicing.good_when.is_some());
        if counts_slices { Seeks::Any } else { seeks }
    }

    fn walk(&self, bad_ratio: f64, seeks: Seeks) -> Walk<'a> {
        let ledger = self.account.counted();
        let slide = ledger.slide(self.at);
        let rolls = matches!(self.window, Window::Rolling(_));
        let horizon = if rolls { self.placed.length() } else { self.placed.end - slide.to };
        let repeat = Repeat::of(ledger, slide.to);
        Walk {
            past: self.past,
            from: slide.from,
            to: slide.to,
            sums: slide.sums,
            rolls,
            horizon,
            repeat,
            bad_ratio,
            excluded: self.coming_exclusions(slide.to, horizon),
            seeks,
        }
    }

    /// The minutes to come that will not count, as far as a forecast looks; where slices are counted,
    /// those of whole slices.
    fn coming_exclusions(&self, to: Minute, horizon: i64) -> Excluded {
        let excluded = Excluded::new(self.account.excluded().within(to, to + horizon));
        let slicing = self.account.slicing();
        slicing.map_or_else(|| excluded.clone(), |slicing| excluded.whole_slices(slicing.size))
    }
}

/// What remains of the budget when a window holds these events.
fn left(events: Expected, allowed: f64) -> f64 {
    if allowed > 0.0 { 1.0 - events.bad / allowed } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bucket::Bucket;
    use crate::view::{AlertState, State};

    const SERVICE: &str = "apiVersion: headroom/v1\nkind: Service\nservice: a\ntier: 1\n\
        environment: p\nslos:\n  - name: x\n    objective: 99%\n    window: 1d\n    indicator: \
        {ratio: {total: t_total, bad: '{status=\"500\"}'}}\n";

    /// Two days of so many events a minute, of which those of the last minutes are bad.
    fn outage(budgeting: &str, events: i64, minutes: i64) -> AlertState {
        let text =
            SERVICE.replace("window: 1d", &format!("window: 30d\n    budgeting: {budgeting}"));
        let set = crate::spec::load(&[("a.yaml".to_owned(), text.into())]).unwrap();
        let mut account = Account::new(set.services[0].slos[0].clone(), &[]);
        for minute in 0..2_880 {
            let good = if minute < 2_880 - minutes { events } else { 0 };
            let bucket = Bucket { good, total: events, measured: true, ..Bucket::default() };
            account.replace(Minute(minute), &bucket);
        }
        account.advance(Minute(2_880));
        let now = Minute(2_880).start();
        let view = account.view(Facts { now, data_until: Some(now), ..Facts::default() });
        view.alerts.iter().find(|alert| &*alert.name == "page-fast").unwrap().state
    }

    #[test]
    fn an_alert_on_slices_needs_ten_bad_events_and_not_ten_bad_slices() {
        for budgeting in [
            "{timeslices: {size: 5m, goodWhen: 99%}}",
            "{ratioTimeslices: {size: 5m}}",
            "occurrences",
        ] {
            assert_eq!(outage(budgeting, 100, 15), AlertState::Firing, "{budgeting}");
            assert_eq!(outage(budgeting, 1, 15), AlertState::Firing, "{budgeting}: 15 bad events");
            assert_eq!(outage(budgeting, 1, 9), AlertState::Inactive, "{budgeting}: 9 bad events");
        }
    }

    fn events(rare: bool) -> impl Strategy<Value = Vec<(i64, i64)>> {
        let bad = if rare { (-1..2_i64).boxed() } else { Just(0).boxed() };
        let minute = (prop_oneof![60 => Just(0), 1 => bad], 0..4_i64);
        prop::collection::vec(minute, 1..1_500)
    }

    proptest! {
        /// Also where more events are good than there are.
        #[test]
        fn a_budget_is_gone_at_the_first_step_at_which_nothing_is_left(
            minutes in any::<bool>().prop_flat_map(events), which in 0..3_usize,
        ) {
            let kinds = ["occurrences", "{timeslices: {size: 5m, goodWhen: 80%}}", "{ratioTimeslices: {size: 7m}}"];
            let text = SERVICE.replace("window: 1d", &format!("window: 1d\n    budgeting: {}", kinds[which]));
            let set = crate::spec::load(&[("a.yaml".to_owned(), text.into())]).unwrap();
            let mut account = Account::new(set.services[0].slos[0].clone(), &[]);
            for (at, (bad, total)) in minutes.iter().enumerate() {
                let bucket = Bucket { good: total - bad, total: *total, measured: true, ..Bucket::default() };
                account.replace(Minute(at as i64), &bucket);
            }
            let to = Minute(minutes.len() as i64);
            account.advance(to);
            let facts = Facts { now: to.start(), ..Facts::default() };
            let past = account.past();
            let reading = Reading::new((&account, &past), 0, account.slo().windows[0], &facts);
            let end = account.counted().slide(0).to;
            let hour = account.counted().sums(end - 60, end);
            let ratio = if hour.total > 0 { hour.bad() as f64 / hour.total as f64 } else { 0.0 };
            let allowed = reading.allowed(None);
            let walk = reading.walk(ratio, Seeks::Any);
            let gone = walk.first(|e| left(e, allowed(e)) <= 0.0).map(Minute::start);
            prop_assert_eq!(reading.exhausts(None), gone.map(|at| at.max(facts.now)));
        }
    }

    #[test]
    fn counts_that_cannot_be_trusted_are_no_data_and_not_100_percent() {
        let set = crate::spec::load(&[("a.yaml".to_owned(), SERVICE.into())]).unwrap();
        let mut account = Account::new(set.services[0].slos[0].clone(), &[]);
        for minute in 0..1_440 {
            let bucket = Bucket { good: 10, total: 10, measured: true, ..Bucket::default() };
            account.replace(Minute(minute), &bucket);
        }
        account.advance(Minute(1_440));
        let now = Minute(1_440).start();
        let facts = |faulty| Facts { now, data_until: Some(now), faulty, ..Facts::default() };
        let (sound, faulty) = (account.view(facts(false)), account.view(facts(true)));
        assert_eq!((sound.state, sound.windows[0].remaining), (State::Healthy, Some(1.0)));
        assert_eq!(faulty.state, State::NoData);
        let window = &faulty.windows[0];
        assert_eq!((window.total, window.sli, window.remaining), (None, None, None));
        assert!(faulty.burn.iter().all(|burn| burn.rate.is_none()));
    }

    #[test]
    fn good_events_beyond_all_are_no_data_unless_both_sides_are_minutes_apart() {
        let set = crate::spec::load(&[("a.yaml".to_owned(), SERVICE.into())]).unwrap();
        let state = |minutes: i64, more: i64| {
            let mut account = Account::new(set.services[0].slos[0].clone(), &[]);
            for minute in 0..minutes {
                let good = if minute == 3 { 10 + more } else { 10 };
                let bucket = Bucket { good, total: 10, measured: true, ..Bucket::default() };
                account.replace(Minute(minute), &bucket);
            }
            account.advance(Minute(minutes));
            let now = Minute(minutes).start();
            account.view(Facts { now, data_until: Some(now), ..Facts::default() }).state
        };
        for minutes in [60, 1_440] {
            assert_eq!((state(minutes, 50), state(minutes, 51)), (State::Healthy, State::NoData));
            let (total, bad) = (10 * minutes, 51);
            assert_eq!(state(minutes, -10 - total - bad), State::NoData, "fewer than none");
        }
        assert_eq!(state(59, 600), State::Healthy, "too young to tell");
    }
}
