//! A view that is asked about later than it was made. Numbers stay; their age grows, and when nothing
//! new comes they turn stale by themselves, whether or not anything still evaluates them.

use chrono::{DateTime, Utc};

use super::{BudgetView, State};

impl BudgetView {
    /// `now - dataUntil` in seconds; `None` without data.
    #[must_use]
    pub fn age_at(&self, now: DateTime<Utc>) -> Option<f64> {
        self.data_until.map(|until| (now - until).num_milliseconds() as f64 / 1e3)
    }

    /// All conditions that hold at `now`, worst first. What was stale when the view was made stays
    /// so: only new numbers can change that.
    #[must_use]
    pub fn conditions_at(&self, now: DateTime<Utc>) -> Vec<State> {
        let mut conditions = self.conditions.clone();
        if self.is_old_at(now) && !conditions.contains(&State::Stale) {
            conditions.retain(|condition| *condition != State::Healthy);
            conditions.push(State::Stale);
            conditions.sort_unstable();
        }
        conditions
    }

    /// The first of [`Self::conditions_at`].
    #[must_use]
    pub fn state_at(&self, now: DateTime<Utc>) -> State {
        if self.is_old_at(now) { self.state.min(State::Stale) } else { self.state }
    }

    /// The view with age, conditions and state as they are at `now`.
    #[must_use]
    pub fn at(&self, now: DateTime<Utc>) -> Self {
        Self {
            state: self.state_at(now),
            conditions: self.conditions_at(now),
            age_seconds: self.age_at(now),
            ..self.clone()
        }
    }

    fn is_old_at(&self, now: DateTime<Utc>) -> bool {
        self.age_at(now).is_some_and(|age| age > self.stale_after_seconds)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::bucket::Bucket;
    use crate::budget::{Account, Facts, end_of};
    use crate::spec;
    use crate::time::{Minute, Span};

    const SPEC: &str = "apiVersion: headroom/v1\nkind: Service\nservice: a\ntier: 1\n\
        environment: p\nslos:\n  - {name: x, objective: 99.9%, indicator: {ratio: {total: t, bad: b}}}\n";

    fn made() -> DateTime<Utc> {
        "2026-11-21T10:00:00Z".parse().unwrap()
    }

    /// Read until 30 s before it was made, stale after 5 minutes.
    fn view(bad: i64) -> BudgetView {
        let set = spec::load(&[("a.yaml".to_owned(), SPEC.into())]).unwrap();
        let mut account = Account::new(set.services[0].slos[0].clone(), &[]);
        let until = made() - TimeDelta::seconds(30);
        let end = end_of(until);
        for minute in (1..600).map(|back| end - back) {
            let bad = if minute == end - 1 { bad } else { 0 };
            let bucket =
                Bucket { good: 100 - bad, total: 100, measured: true, ..Bucket::default() };
            account.replace(minute, &bucket);
        }
        account.advance(end);
        let stale_after = Some(Span::minutes(5));
        let newest = Some(Minute::of(until));
        let data_until = Some(until);
        account.view(Facts { now: made(), data_until, newest, stale_after, ..Facts::default() })
    }

    fn later(seconds: i64) -> DateTime<Utc> {
        made() + TimeDelta::seconds(seconds)
    }

    #[test]
    fn asked_when_it_was_made_a_view_says_what_it_says() {
        for bad in [0, 100] {
            let view = view(bad);
            assert_eq!(view.at(made()), view);
        }
    }

    #[test]
    fn the_age_grows_until_a_healthy_view_is_stale_and_no_longer_healthy() {
        let view = view(0);
        assert_eq!(view.state, State::Healthy);
        let on_the_limit = view.at(later(270));
        assert_eq!((on_the_limit.age_seconds, on_the_limit.state), (Some(300.0), State::Healthy));
        let beyond = view.at(later(271));
        assert_eq!(beyond.age_seconds, Some(301.0));
        assert_eq!((beyond.state, beyond.conditions), (State::Stale, vec![State::Stale]));
        assert_eq!(beyond.windows, view.windows, "stale keeps the last numbers");
    }

    #[test]
    fn an_exhausted_view_turns_stale_first_and_stays_exhausted() {
        let view = view(100);
        assert_eq!(view.state, State::Exhausted);
        let beyond = view.at(later(600));
        assert_eq!(beyond.state, State::Stale);
        assert_eq!(beyond.conditions, [State::Stale, State::Exhausted, State::AtRisk]);
        assert_eq!(beyond.at(later(1_200)).conditions, beyond.conditions);
    }

    #[test]
    fn no_data_comes_before_stale_and_has_no_age() {
        let mut view = view(0);
        (view.state, view.conditions) = (State::NoData, vec![State::NoData]);
        let beyond = view.at(later(600));
        assert_eq!(beyond.conditions, [State::NoData, State::Stale]);
        assert_eq!(beyond.state, State::NoData);
        view.data_until = None;
        let never = view.at(later(600));
        assert_eq!((never.age_seconds, never.conditions), (None, vec![State::NoData]));
    }

    #[test]
    fn a_view_that_was_made_stale_stays_stale_until_there_is_a_new_one() {
        let mut view = view(0);
        (view.state, view.conditions) = (State::Stale, vec![State::Stale]);
        assert_eq!(view.at(made()).conditions, [State::Stale]);
    }
}
