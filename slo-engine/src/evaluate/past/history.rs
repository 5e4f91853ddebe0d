//! One SLO of the past: its account, moved to where its data ended at an instant.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use slo_core::budget::{Account, Want, end_of};
use slo_core::calendar;
use slo_core::ledger::{Hour, Ledger};
use slo_core::plan::shares;
use slo_core::sli::Indicator;
use slo_core::slo::{Gate, Slo, SloId};
use slo_core::time::{Minute, Span};
use slo_core::timeslice::Slicing;
use slo_core::view::BudgetView;

use super::{Look, Was, unsure};
use crate::evaluate::engine::RECENT;
use crate::evaluate::exclusion::Acting;
use crate::evaluate::live::identity;
use crate::evaluate::reading::{self, Reading};
use crate::source::config::{SourceConfig, SourceKind, defaults, source_of};
use crate::store::{LedgerKey, Registered, Store, StoreError};

pub(super) struct History {
    account: Account,
    reading: Reading,
    source: SourceConfig,
    fingerprint: String,
    ledger: Option<u32>,
    /// The instant of the last look.
    now: DateTime<Utc>,
    /// The minutes that slices have been judged by, of an SLO that has slices.
    judged: Option<(Minute, Minute)>,
    /// Hours of which a part is excluded and only the sum is kept.
    unknown: BTreeSet<i64>,
}

impl History {
    pub(super) fn new(slo: &Arc<Slo>, sources: &[SourceConfig], burns: &[Span]) -> Self {
        let mut new = Self {
            account: Account::new(slo.clone(), burns),
            reading: Reading::default(),
            source: SourceConfig::default(),
            fingerprint: String::new(),
            ledger: None,
            now: DateTime::UNIX_EPOCH,
            judged: None,
            unknown: BTreeSet::new(),
        };
        let shares = shares(slo, defaults(sources));
        let Some(Ok(source)) = shares.first().map(|first| source_of(sources, first)) else {
            return new;
        };
        new.fingerprint = identity(&shares);
        new.reading.source = source.name.as_str().into();
        new.reading.reads(&shares[0].feeds);
        new.source = source.clone();
        new
    }

    pub(super) fn id(&self) -> &SloId {
        &self.account.slo().id
    }

    pub(super) const fn source(&self) -> &SourceConfig {
        &self.source
    }

    pub(super) fn key(&self) -> LedgerKey {
        LedgerKey { slo: self.id().clone(), fingerprint: self.fingerprint.clone() }
    }

    /// Takes folded hours, and the minutes of hours that are not folded yet.
    pub(super) fn load(
        &mut self,
        ledger: &Registered,
        folds: Option<Ledger>,
        minutes: Vec<(i64, Hour)>,
    ) {
        self.ledger = Some(ledger.id);
        let events = self.account.events_mut();
        if let Some(folds) = folds {
            events.load_history(folds);
        }
        if let Some(first) = ledger.first {
            events.set_first(first);
        }
        for (hour, minutes) in minutes {
            events.load_fold(hour, &minutes.sums(0, 60));
            events.load_minutes(hour, minutes);
        }
    }

    pub(super) async fn look(
        &mut self,
        (store, acting): (&Store, &[Arc<Acting>]),
        until: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<Look, StoreError> {
        self.now = now;
        self.reading.read_to = until;
        self.reading.newest = until.map(|until| until.timestamp_millis());
        if matches!(self.account.slo().indicator, Indicator::Composite(_)) {
            let slo = &self.id().slo;
            return Ok(Look::Gone(format!("{slo}: composites are not looked at in the past")));
        }
        if self.account.slo().gate == Gate::Groups {
            let slo = &self.id().slo;
            return Ok(Look::Gone(format!(
                "{slo}: its groups decide, and groups are not looked at in the past"
            )));
        }
        let Some(until) = until else {
            return Ok(Look::Known(Was { view: self.empty().into(), extremes: None }));
        };
        let end = end_of(until);
        if let Some(gone) = self.unborn(end) {
            return Ok(Look::Gone(gone));
        }
        self.exclude(store, acting).await?;
        self.fetch(store, end).await?;
        if let Some(hour) = self.forgotten(end).or_else(|| self.half_excluded(end)) {
            let (slo, hour) = (&self.id().slo, hour_text(hour));
            return Ok(Look::Gone(format!("{slo}: its minutes of {hour} have been forgotten")));
        }
        let view = Self::view(&mut self.account, &self.reading, &self.source, now).into();
        let edges = self.edges();
        let extremes = (!edges.is_empty())
            .then(|| unsure::SIDES.map(|side| self.at(side, &edges, end..end).into()));
        self.judged = self.judged.map(|(from, to)| (from, to.max(end)));
        self.account.evict(end - RECENT);
        Ok(Look::Known(Was { view, extremes }))
    }

    fn view(
        account: &mut Account,
        reading: &Reading,
        source: &SourceConfig,
        now: DateTime<Utc>,
    ) -> BudgetView {
        reading::view(account, reading, source, reading::Asked { now, ..reading::Asked::default() })
    }

    /// The view of an SLO that nothing was known of.
    fn empty(&self) -> BudgetView {
        let mut account = Account::new(self.account.slo().clone(), &[]);
        Self::view(&mut account, &self.reading, &self.source, self.now)
    }

    /// Why there is nothing before a minute, when there is nothing.
    fn unborn(&self, end: Minute) -> Option<String> {
        let slo = &self.id().slo;
        match self.account.events().first() {
            Some(first) if first < end => None,
            Some(first) => {
                let first = first.start().format("%Y-%m-%d %H:%M UTC");
                Some(format!("{slo}: nothing is known of it before {first}"))
            }
            None => Some(format!("{slo}: the database has no ledger of it as it is declared now")),
        }
    }

    /// Leaves out what was excluded then.
    async fn exclude(&mut self, store: &Store, acting: &[Arc<Acting>]) -> Result<(), StoreError> {
        let mine = Acting::on(acting, self.id());
        let Some(ledger) = self.ledger.filter(|_| mine != self.reading.exclusions) else {
            return Ok(());
        };
        let minutes = Acting::minutes(&mine);
        let wants = self.account.exclude_wants(&minutes);
        let hours: Vec<i64> = wants.iter().map(|want| want.0).collect();
        let mut found = store.minutes_in(&[ledger], &hours).await?;
        self.unknown.extend(hours);
        for (hour, minutes) in found.remove(&ledger).unwrap_or_default() {
            self.unknown.remove(&hour);
            self.account.load_minutes(hour, minutes);
        }
        self.account.exclude(&minutes);
        self.account.unload(&wants);
        self.reading.exclusions = mine;
        let excluded =
            |hour: i64| self.account.excluded_between(Minute(hour * 60), Minute(hour * 60 + 60));
        self.unknown.retain(|hour| (1..60).contains(&excluded(*hour)));
        Ok(())
    }

    /// An hour of a window of which a part was excluded, and nobody knows how much of its events.
    fn half_excluded(&self, end: Minute) -> Option<i64> {
        let start = self.window_start(end).hour();
        self.unknown.range(start..end.hour() + 1).next_back().copied()
    }

    /// Loads the minutes that the next step needs, as far as they are kept.
    async fn fetch(&mut self, store: &Store, end: Minute) -> Result<(), StoreError> {
        let from = self.whole_from(end);
        let events = self.account.events();
        let mut hours: Vec<i64> =
            (from.hour()..=end.hour()).filter(|hour| events.lacks(*hour)).collect();
        hours.extend(self.account.wants(end).into_iter().map(|Want(hour)| hour));
        hours.sort_unstable();
        hours.dedup();
        let Some(ledger) = self.ledger.filter(|_| !hours.is_empty()) else { return Ok(()) };
        let found = store.minutes_in(&[ledger], &hours).await?.remove(&ledger);
        for (hour, minutes) in found.unwrap_or_default() {
            self.account.load_minutes(hour, minutes);
        }
        Ok(())
    }

    /// From where on all minutes are needed: for a while before the end, and wherever slices are to be
    /// judged.
    fn whole_from(&self, end: Minute) -> Minute {
        let recent = end - RECENT;
        match (self.slicing(), self.judged) {
            (None, _) => recent,
            (Some(_), Some((_, to))) => recent.min(to),
            (Some(slicing), None) => recent.min(self.window_start(end) - slicing.size),
        }
    }

    /// An hour that is needed whole and whose minutes are not kept.
    fn forgotten(&mut self, end: Minute) -> Option<i64> {
        let from = self.whole_from(end);
        let events = self.account.events();
        let lacking = (from.hour()..=(end - 1).hour()).rev().find(|hour| events.lacks(*hour));
        if self.slicing().is_none() {
            return lacking;
        }
        let start = lacking.map_or(from, |hour| Minute((hour + 1) * 60));
        let (start, _) = *self.judged.get_or_insert((start, start));
        let is_recent = lacking.filter(|hour| *hour >= (end - RECENT).hour());
        is_recent.or_else(|| (self.window_start(end) < start).then(|| (start - 1).hour()))
    }

    fn slicing(&self) -> Option<Slicing> {
        let slo = self.account.slo();
        Slicing::of(slo.budgeting, slo.unmeasured)
    }

    fn window_start(&self, end: Minute) -> Minute {
        let windows = &self.account.slo().windows;
        windows.iter().map(|w| calendar::place(*w, end).from).min().unwrap_or(end)
    }

    /// The hours under the windows' old edges of which only the sum is left.
    fn edges(&self) -> Vec<i64> {
        let events = self.account.events();
        let hours = events.slides().filter(|slide| slide.inexact);
        let mut hours: Vec<i64> =
            hours.map(|slide| slide.from.hour()).filter(|hour| events.lacks(*hour)).collect();
        hours.sort_unstable();
        hours.dedup();
        hours
    }

    /// The view at best or at worst, where some hours are known by their sum and some minutes may not
    /// have been read whole.
    fn at(&self, side: unsure::Side, edges: &[i64], open: std::ops::Range<Minute>) -> BudgetView {
        let mut account = self.account.clone();
        for hour in edges {
            let guess = side.hour(&account.events().fold(*hour));
            account.load_minutes(*hour, guess);
        }
        for minute in (open.start.0..open.end.0).map(Minute) {
            if let Some(bucket) = account.events().bucket(minute) {
                account.replace(minute, &side.part(&bucket));
            }
        }
        Self::view(&mut account, &self.reading, &self.source, self.now)
    }

    pub(super) fn range(&self, window: &str) -> Option<(f64, f64)> {
        let until = self.reading.read_to?;
        let open = Minute::of(until - self.overlap())..end_of(until);
        let edges = self.edges();
        let [most, least] = unsure::SIDES.map(|side| {
            let view = self.at(side, &edges, open.clone());
            let window = view.windows.iter().find(|w| *w.window == *window)?;
            window.deciding_remaining()
        });
        Some((least?, most?))
    }

    /// How far the newest minutes were still open.
    fn overlap(&self) -> TimeDelta {
        let default = match self.source.kind {
            SourceKind::Prometheus => Span::seconds(60),
            _ => Span::seconds(0),
        };
        TimeDelta::milliseconds(self.source.overlap.unwrap_or(default).as_millis())
    }
}

fn hour_text(hour: i64) -> String {
    Minute(hour * 60).start().format("%Y-%m-%d %H:%M UTC").to_string()
}
