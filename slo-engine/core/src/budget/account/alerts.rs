//! What burn rates and what remains say: rates, alerts and conditions of a view.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Account, Facts};
use crate::burn::{self, BurnWindow, Factor};
use crate::slo::AlertPair;
use crate::view::{AlertState, AlertView, BudgetView, BurnView, State};

impl Account {
    pub(super) fn burn_views(
        &self,
        burns: &[Option<BurnWindow>],
        facts: &Facts<'_>,
    ) -> Vec<BurnView> {
        let view = |(at, window): (usize, &Option<BurnWindow>)| BurnView {
            window: self.name(self.slo.windows.len() + at),
            rate: window.filter(|_| !facts.faulty).and_then(|w| w.rate(self.slo.objective)),
            bad: window.map_or(0, |w| w.bad_events),
        };
        burns.iter().enumerate().map(view).collect()
    }

    pub(super) fn alerts(&self, burns: &[Option<BurnWindow>], facts: &Facts<'_>) -> Vec<AlertView> {
        let Some(placed) = self.placed(0) else { return Vec::new() };
        let view = |pair: &AlertPair| {
            let factor = Factor::of(pair, placed.length());
            let state = if factor.is_dropped() {
                AlertState::Dropped
            } else if self.fires(pair, &factor, burns) {
                AlertState::Firing
            } else {
                AlertState::Inactive
            };
            let since = since(state, &pair.name, facts.now, facts.before);
            AlertView { name: pair.name.clone(), state, since }
        };
        self.slo.alerts.iter().map(view).collect()
    }

    fn fires(&self, pair: &AlertPair, factor: &Factor, burns: &[Option<BurnWindow>]) -> bool {
        let over = |span| burns[self.burns().iter().position(|known| *known == span)?];
        let (Some(long), Some(short)) = (over(pair.long), over(pair.short)) else { return false };
        let total = self.counted_sums(0).total;
        burn::fires(pair, factor, &long, &short, self.slo.objective, total)
    }
}

/// All that holds of a view, worst first, by its first window.
pub(crate) fn conditions(
    first: Option<&crate::view::WindowView>,
    alerts: &[AlertView],
    faulty: bool,
    stale: bool,
    now: DateTime<Utc>,
) -> Vec<State> {
    let remaining = first.and_then(crate::view::WindowView::deciding_remaining);
    let mut conditions = Vec::new();
    if faulty || remaining.is_none() {
        conditions.push(State::NoData);
    }
    if stale {
        conditions.push(State::Stale);
    }
    if remaining.is_some_and(|r| r <= 0.0) {
        conditions.push(State::Exhausted);
    }
    let soon = first.and_then(|w| w.exhausts_at).is_some_and(|at| at - now <= TimeDelta::days(3));
    let firing = alerts.iter().any(|a| a.state == AlertState::Firing);
    if firing || soon || remaining.is_some_and(|r| r < 0.25) {
        conditions.push(State::AtRisk);
    }
    if conditions.is_empty() {
        conditions.push(State::Healthy);
    }
    conditions
}

/// Since when an alert fires: as the view before said, or now.
pub(crate) fn since(
    state: AlertState,
    name: &str,
    now: DateTime<Utc>,
    before: Option<&BudgetView>,
) -> Option<DateTime<Utc>> {
    let before = before.and_then(|view| view.alerts.iter().find(|alert| *alert.name == *name));
    (state == AlertState::Firing).then(|| before.and_then(|alert| alert.since).unwrap_or(now))
}
