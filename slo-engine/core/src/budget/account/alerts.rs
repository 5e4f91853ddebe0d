//! What burn rates and what remains say: burn windows, and rates, alerts and conditions of a view.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Account, Facts};
use crate::bucket::Lump;
use crate::burn::{self, BurnWindow, Factor};
use crate::slo::AlertPair;
use crate::time::{Minute, Span};
use crate::view::{AlertState, AlertView, BudgetView, BurnView, State};

impl Account {
    /// The burn window of a length, if it is kept: its place and what is known of it.
    pub(in crate::budget) fn burn_window(&self, span: Span) -> Option<(usize, BurnWindow)> {
        let place = self.burns().iter().position(|known| *known == span)?;
        let at = self.slo.windows.len() + place;
        Some((at, self.burn_at(at, span, &self.lumps_of(at))?))
    }

    /// What is known of a burn window that the SLO's alerts or a policy need. Call
    /// [`Self::advance`] first.
    #[must_use]
    pub fn burn_over(&self, span: Span) -> Option<BurnWindow> {
        self.burn_window(span).map(|(_, window)| window)
    }

    /// All of them, in their order.
    pub(super) fn burn_windows(&self) -> Vec<Option<BurnWindow>> {
        let first = self.slo.windows.len();
        // They end at the same minute, and the last is the longest.
        let lumps = self.lumps_of(first + self.burns().len().saturating_sub(1));
        let spans = self.burns().iter().enumerate();
        spans.map(|(at, span)| self.burn_at(first + at, *span, &lumps)).collect()
    }

    fn lumps_of(&self, at: usize) -> Vec<(Minute, Lump)> {
        let counted = self.counted_events();
        let placed = self.placed(at).into_iter();
        placed.flat_map(|placed| counted.lumps(placed.from, placed.to)).collect()
    }

    /// `lumps` are those of a window that ends with this one and is as long or longer.
    fn burn_at(&self, at: usize, span: Span, lumps: &[(Minute, Lump)]) -> Option<BurnWindow> {
        let placed = self.placed(at)?;
        // Whether a rate is known is a matter of measured minutes, and whether enough has gone wrong one
        // of events, also where slices are counted.
        let (sums, events) = (self.counted_sums(at), self.event_sums(at));
        let within = lumps.iter().filter(|(minute, _)| *minute >= placed.from);
        Some(BurnWindow {
            minutes: span.as_minutes(),
            excluded: self.excluded_between(placed.from, placed.to),
            measured: events.measured,
            bad: sums.bad(),
            total: sums.total,
            bad_events: events.bad(),
            young: self.first().is_some_and(|first| first > placed.from),
            longest_gap: within.map(|(minute, lump)| *minute - lump.from).max().unwrap_or(0),
        })
    }

    pub(super) fn burn_views(
        &self,
        burns: &[Option<BurnWindow>],
        facts: &Facts<'_>,
    ) -> Vec<BurnView> {
        let view = |(span, window): (&Span, &Option<BurnWindow>)| BurnView {
            window: *span,
            rate: window.filter(|_| !facts.faulty).and_then(|w| w.rate(self.slo.objective)),
            bad: window.map_or(0, |w| w.bad_events),
        };
        self.burns().iter().zip(burns).map(view).collect()
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
    // What is not needed of the view before is not looked at: it lies in cold memory.
    let since = || before?.alerts.iter().find(|alert| *alert.name == *name)?.since;
    (state == AlertState::Firing).then(|| since().unwrap_or(now))
}
