//! One SLO's account: its history, its windows moved to the newest minute, and the view of them.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::bucket::{Bucket, Sums};
use crate::burn;
use crate::calendar::{self, Placed};
use crate::forecast::Hours;
use crate::ledger::{Counted, Hour, Ledger};
use crate::slo::{Slo, Window};
use crate::time::{Minute, Span};
use crate::timeslice::{Judged, Slicing};
use crate::view::{Ask, Backfill, BudgetView, Finding, SourceView};

mod alerts;

pub(crate) use alerts::{conditions, since};

use super::group::Whole;
use super::left_out::LeftOut;
use super::windows;

/// The history and the windows of one SLO.
#[derive(Debug, Clone)]
pub struct Account {
    pub(super) slo: Arc<Slo>,
    pub(super) events: Ledger,
    pub(super) slices: Option<Box<(Slicing, Ledger)>>,
    /// What exclusions leave out of both; `None` without exclusions.
    pub(super) left_out: Option<Box<LeftOut>>,
    windows: Arc<Windows>,
    /// Where its windows stand, once they have been moved.
    pub(super) standing: Option<Standing>,
    /// Slices that start before this minute are judged, but for those from `dirty` on.
    pub(super) judged_to: Option<Minute>,
    dirty: Option<Minute>,
    /// What a group takes over from all events of its SLO.
    pub(super) whole: Option<Arc<Whole>>,
}

/// The windows of an SLO, which those of its groups are, too, and of all SLOs that have the same.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Windows {
    burns: Box<[Span]>,
    /// The names of the SLO's windows, which come before the burn windows.
    names: Box<[Arc<str>]>,
}

impl Windows {
    /// How many there are of both kinds.
    fn count(&self) -> usize {
        self.names.len() + self.burns.len()
    }
}

/// Where windows stand: rolling ones before a minute, the others in their periods.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    to: Minute,
    /// Of the calendar windows alone.
    periods: Option<Arc<[Placed]>>,
}

/// What a view needs to know besides the counts.
#[derive(Debug, Clone, Default)]
pub struct Facts<'a> {
    /// The instant of the view.
    pub now: DateTime<Utc>,
    /// The newest instant that every side has been read to.
    pub data_until: Option<DateTime<Utc>>,
    /// The minute of the newest sample of the total.
    pub newest: Option<Minute>,
    /// The age beyond which the view is stale.
    pub stale_after: Option<Span>,
    /// Whether the counts cannot be trusted at all, for a reason that `findings` gives.
    pub faulty: bool,
    /// Where the numbers come from.
    pub sources: Arc<[SourceView]>,
    /// What a person should know.
    pub findings: Vec<Finding>,
    /// How far the reading of history is.
    pub backfill: Option<Backfill>,
    /// What policies ask about the future.
    pub asks: &'a [Ask],
    /// The view before this one: since when an alert fires is carried on.
    pub before: Option<&'a BudgetView>,
}

/// The sides of an SLO may be so many minutes apart.
const APART: i64 = 5;

/// An hour whose minutes must be loaded before an account can move on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Want(pub i64);

impl Account {
    /// An empty account. `burns` are the windows that policies ask for; those of the SLO's alerts
    /// are added.
    #[must_use]
    pub fn new(slo: Arc<Slo>, burns: &[Span]) -> Self {
        let mut all = burn::windows(slo.alerts.iter());
        all.extend(burns);
        all.sort_unstable();
        all.dedup();
        let names = slo.windows.iter().map(|window| window.to_string().into());
        let windows = Windows { names: names.collect(), burns: all.into() };
        Self::with_windows(slo, Arc::new(windows))
    }

    /// An empty account with the same windows, for a group.
    #[must_use]
    pub fn of_group(&self) -> Self {
        Self::with_windows(self.slo.clone(), self.windows.clone())
    }

    fn with_windows(slo: Arc<Slo>, windows: Arc<Windows>) -> Self {
        let count = windows.count();
        let slicing = Slicing::of(slo.budgeting, slo.unmeasured);
        Self {
            events: Ledger::new(count),
            slices: slicing.map(|slicing| Box::new((slicing, Ledger::new(count)))),
            left_out: None,
            windows,
            standing: None,
            judged_to: None,
            dirty: None,
            whole: None,
            slo,
        }
    }

    /// An account of the same events, with other windows.
    #[must_use]
    pub fn following(&self, slo: Arc<Slo>, burns: &[Span]) -> Self {
        let mut new = Self::new(slo, burns);
        new.events.copy_history(&self.events);
        let slices = (new.slices.as_deref_mut(), self.slices.as_deref());
        if let (Some((_, new)), Some((_, slices))) = slices {
            new.copy_history(slices);
        }
        Self { judged_to: self.judged_to, dirty: self.dirty, ..new }
    }

    /// Shares its windows with the accounts that did so before: most SLOs have the same.
    pub fn share_windows(&mut self, known: &mut HashSet<Arc<Windows>>) {
        match known.get(&self.windows) {
            Some(windows) => self.windows = windows.clone(),
            None => drop(known.insert(self.windows.clone())),
        }
    }

    /// The SLO.
    #[must_use]
    pub const fn slo(&self) -> &Arc<Slo> {
        &self.slo
    }

    /// The burn windows that are kept.
    #[must_use]
    pub fn burns(&self) -> &[Span] {
        &self.windows.burns
    }

    /// The name of one of the SLO's windows.
    pub(super) fn name(&self, at: usize) -> Arc<str> {
        self.windows.names[at].clone()
    }

    /// The minutes and hours of events, excluded ones too.
    #[must_use]
    pub const fn events(&self) -> &Ledger {
        &self.events
    }

    /// The same, to load history into before anything is excluded.
    pub const fn events_mut(&mut self) -> &mut Ledger {
        &mut self.events
    }

    /// The events that count.
    #[must_use]
    pub fn counted_events(&self) -> Counted<'_> {
        let left = self.left_out.as_ref().map(|left| (&left.events, &left.minutes));
        Counted::new(&self.events, left).since(self.first())
    }

    /// Gives the minutes of an hour whose sums are known already.
    pub fn load_minutes(&mut self, hour: i64, minutes: Hour) {
        if let Some(left) = &mut self.left_out {
            left.load(hour, self.events.minutes(hour).unwrap_or(&minutes));
        }
        self.events.load_minutes(hour, minutes);
    }

    /// Lets go of the minutes before `recent`, except those under a window's old edge.
    pub fn evict(&mut self, recent: Minute) {
        self.events.evict(recent);
        if let Some(left) = &mut self.left_out {
            left.events.evict(recent);
        }
    }

    /// Forgets the sums of hours before `hour`, but for those that windows go by.
    pub fn forget_before(&mut self, hour: i64) {
        let mut hour = self.events.needed_from(hour);
        if let Some((slicing, slices)) = self.slices.as_deref() {
            // A slice in which it begins is judged by all of its minutes.
            hour = slicing.start(Minute(slices.needed_from(hour) * 60)).hour();
        }
        self.events.forget_before(hour);
        if let Some((_, slices)) = self.slices.as_deref_mut() {
            slices.forget_before(hour);
        }
        if let Some(left) = &mut self.left_out {
            left.events.forget_before(hour);
        }
    }

    /// The hours whose minutes must be in memory before minutes of `hours` change: a slice of time
    /// that lies in several hours is judged by all of its minutes.
    #[must_use]
    pub fn judged_with(&self, hours: &[i64]) -> Vec<i64> {
        let Some(slicing) = self.slicing() else { return hours.to_vec() };
        let around = |hour: &i64| {
            let first = slicing.start(Minute(hour * 60));
            let last = slicing.start(Minute(hour * 60 + 59)) + slicing.size;
            first.hour()..=(last - 1).hour()
        };
        let mut all: Vec<i64> = hours.iter().flat_map(around).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Replaces a minute whole.
    pub fn replace(&mut self, minute: Minute, bucket: &Bucket) {
        self.events.replace(minute, bucket);
        if let Some(left) = &mut self.left_out {
            left.take(minute, bucket);
        }
        self.touch(minute);
    }

    /// Sets flags of a closed minute.
    pub fn mark(&mut self, minute: Minute, measured: bool, partial: bool) {
        self.events.mark(minute, measured, partial);
        if let Some((left, bucket)) = self.left_out.as_mut().zip(self.events.bucket(minute)) {
            left.take(minute, &bucket);
        }
        self.touch(minute);
    }

    fn touch(&mut self, minute: Minute) {
        if self.slices.is_some() {
            self.dirty = Some(self.dirty.map_or(minute, |d| d.min(minute)));
        }
    }

    /// The hours of events that must be loaded before [`Self::advance`].
    #[must_use]
    pub fn wants(&self, to: Minute) -> Vec<Want> {
        self.wants_at(to, &self.place(to))
    }

    /// The same, where its windows will stand as those of its SLO.
    #[must_use]
    pub fn wants_at(&self, to: Minute, placed: &[Placed]) -> Vec<Want> {
        let mut hours: Vec<Want> = Vec::new();
        for (at, placed) in placed.iter().enumerate() {
            hours.extend(self.events.wants(at, placed.from, placed.to).map(Want));
        }
        hours.extend(self.unjudged(to));
        hours.sort_unstable();
        hours.dedup();
        hours
    }

    /// The hours that slices to be judged begin or end in the middle of.
    fn unjudged(&self, to: Minute) -> Vec<Want> {
        let Some((slicing, judged)) = self.slicing().zip(self.judged_to) else { return Vec::new() };
        let starts = std::iter::successors(Some(judged), |at| Some(*at + slicing.size));
        let whole = starts.take_while(|start| *start + slicing.size <= to);
        let hours = whole.flat_map(|start| [start.hour(), (start + slicing.size - 1).hour()]);
        hours.filter(|hour| self.events.lacks(*hour)).map(Want).collect()
    }

    /// Judges the slices of minutes that were filled in behind what is judged, while they are in memory,
    /// and keeps all hours in the fewest bytes.
    pub fn judge_filled(&mut self) {
        self.judge_filled_by(None);
    }

    pub(super) fn judge_filled_by(&mut self, whole: Option<&Ledger>) {
        self.events.settle();
        let events = Judged { events: &self.events, whole };
        let Some((slicing, slices)) = self.slices.as_deref_mut() else { return };
        if let Some((dirty, judged)) = self.dirty.zip(self.judged_to) {
            slicing.judge(events, slices, (dirty, judged), judged);
            if let Some(left) = &mut self.left_out {
                left.judge((slicing, slices), events, (dirty, judged), judged);
            }
            self.dirty = None;
        }
        slices.settle();
    }

    /// Moves every window so that it ends before the minute `to`.
    pub fn advance(&mut self, to: Minute) {
        let windows = self.slo.windows.iter();
        let calendar = windows.filter(|window| matches!(window, Window::Calendar { .. }));
        let periods: Vec<Placed> = calendar.map(|window| calendar::place(*window, to)).collect();
        let periods = (!periods.is_empty()).then(|| periods.into());
        self.standing = Some(Standing { to, periods });
        self.advance_by(to, None);
    }

    /// Moves every window to where it is placed.
    pub(super) fn advance_by(&mut self, to: Minute, whole: Option<&Ledger>) {
        let count = self.windows.count();
        let all: Vec<Placed> = (0..count).map_while(|at| self.placed(at)).collect();
        let places = all.iter().map(|placed| (placed.from, placed.to));
        self.events.slide(places.clone());
        if let Some(left) = &mut self.left_out {
            left.events.slide(places);
        }
        let events = Judged { events: &self.events, whole };
        let Some((slicing, slices)) = self.slices.as_deref_mut() else { return };
        if let Some(first) = whole.unwrap_or(&self.events).first() {
            let from =
                self.judged_to.map_or(first, |judged| judged.min(self.dirty.unwrap_or(judged)));
            let judged = self.judged_to.unwrap_or(Minute(i64::MIN));
            slicing.judge(events, slices, (from, to), judged);
            if let Some(left) = &mut self.left_out {
                left.judge((slicing, slices), events, (from, to), judged);
            }
        }
        self.judged_to = Some(slicing.start(to));
        self.dirty = None;
        let slo = &self.slo;
        let places = all.iter().enumerate().map(|(at, placed)| {
            let end = slicing.start(placed.to);
            let from = placed.from - (placed.to - end);
            let calendar = matches!(slo.windows.get(at), Some(Window::Calendar { .. }));
            (if calendar { placed.from } else { from }, end)
        });
        slices.slide(places.clone());
        if let Some(left) = &mut self.left_out {
            left.slices.slide(places);
        }
    }

    /// Where its windows stand when they end before the minute `to`.
    #[must_use]
    pub fn place(&self, to: Minute) -> Vec<Placed> {
        let rolling = self.burns().iter().map(|span| Window::Rolling(*span));
        self.slo.windows.iter().copied().chain(rolling).map(|w| calendar::place(w, to)).collect()
    }

    /// The view at an instant. Call [`Self::advance`] first.
    #[must_use]
    pub fn view(&self, facts: Facts<'_>) -> BudgetView {
        let facts = Facts { faulty: facts.faulty || self.contradicts(), ..facts };
        let past = self.past();
        let windows = windows::views(self, &past, &facts);
        let burns = self.burn_windows();
        let alerts = self.alerts(&burns, &facts);
        let age = facts.data_until.map(|until| facts.now - until);
        let limit =
            facts.stale_after.map_or(TimeDelta::MAX, |s| TimeDelta::milliseconds(s.as_millis()));
        let is_stale = age.is_some_and(|age| age > limit);
        let conditions = conditions(windows.first(), &alerts, facts.faulty, is_stale, facts.now);
        BudgetView {
            service: self.slo.id.service.shared(),
            slo: self.slo.id.slo.shared(),
            environment: self.slo.id.environment.shared(),
            group: None,
            objective: self.slo.objective.share(),
            state: conditions[0],
            conditions,
            evaluated_at: facts.now,
            data_until: facts.data_until,
            age_seconds: facts.data_until.map(|until| seconds(facts.now - until)),
            answers: windows::answers(self, &past, &facts, &windows),
            windows,
            burn: self.burn_views(&burns, &facts),
            alerts,
            sources: facts.sources,
            findings: facts.findings,
            backfill: facts.backfill,
            gate: self.slo.gate,
            stale_after_seconds: facts.stale_after.map_or(f64::MAX, |s| s.as_millis() as f64 / 1e3),
        }
    }

    /// Whether good and total of the first window cannot be of the same events. Two sides that are scraped
    /// one after the other may be apart by what comes in a few minutes.
    fn contradicts(&self) -> bool {
        let Some((placed, first)) = self.placed(0).zip(self.first()) else { return false };
        let (events, minutes) = (self.event_sums(0), placed.to - placed.from.max(first));
        let excess = (events.good - events.total).max(-events.good);
        minutes >= 60 && excess as f64 * minutes as f64 > (events.total * APART) as f64
    }

    /// What budgets and burns are counted in: slices where the SLO has them.
    pub(super) fn counted(&self) -> Counted<'_> {
        let left = self.left_out.as_ref();
        match self.slices.as_deref() {
            Some((_, slices)) => {
                Counted::new(slices, left.map(|left| (&left.slices, &left.minutes)))
            }
            None => self.counted_events(),
        }
    }

    /// What forecasts of its windows read.
    pub(super) fn past(&self) -> Hours<'_> {
        let counted = self.counted();
        let slides = || (0..self.windows.count()).map(|at| counted.slide(at));
        let from = slides().map(|slide| slide.from).min().unwrap_or(Minute(0));
        let to = slides().map(|slide| slide.to).max().unwrap_or(Minute(0));
        Hours::of(counted, from, to)
    }

    pub(super) fn slicing(&self) -> Option<&Slicing> {
        self.slices.as_deref().map(|(slicing, _)| slicing)
    }

    pub(super) fn placed(&self, at: usize) -> Option<Placed> {
        let Standing { to, periods } = self.standing.as_ref()?;
        let windows = &self.slo.windows;
        match windows.get(at) {
            Some(Window::Calendar { .. }) => {
                let before = windows[..at].iter().filter(|w| matches!(w, Window::Calendar { .. }));
                periods.as_ref()?.get(before.count()).copied()
            }
            Some(rolling) => Some(calendar::place(*rolling, *to)),
            None => {
                let span = self.burns().get(at - windows.len())?;
                Some(calendar::place(Window::Rolling(*span), *to))
            }
        }
    }

    pub(super) fn counted_sums(&self, at: usize) -> Sums {
        self.counted().slide(at).sums
    }

    /// The sums of a window's events that count; windows are numbered as in the SLO.
    #[must_use]
    pub fn event_sums(&self, at: usize) -> Sums {
        let sums = self.counted_events().slide(at).sums;
        self.whole.as_ref().map_or(sums, |whole| whole.counted[at].take_over(sums))
    }

    /// The sums of a window without exclusions: of events, and of what budgets are counted in.
    pub(super) fn all_sums(&self, at: usize) -> (Sums, Sums) {
        let counted = self.slices.as_deref().map_or(&self.events, |(_, slices)| slices);
        let sums = self.events.slide_at(at).sums;
        let sums = self.whole.as_ref().map_or(sums, |whole| whole.all[at].take_over(sums));
        (sums, counted.slide_at(at).sums)
    }
}

fn seconds(delta: TimeDelta) -> f64 {
    delta.num_milliseconds() as f64 / 1e3
}

/// The first minute after what `data_until` covers: an instant on a minute's edge covers nothing of it.
#[must_use]
pub fn end_of(data_until: DateTime<Utc>) -> Minute {
    Minute::of(data_until - TimeDelta::milliseconds(1)) + 1
}
