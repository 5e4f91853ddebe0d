//! From the database to accounts with their events. The whole is registered on the way: what is new gets
//! a ledger. Services that are looked at before it is loaded change nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use slo_core::calendar;
use slo_core::ledger::{Hour, Ledger};
use slo_core::sli::Indicator;
use slo_core::slo::{Budgeting, SloId};
use slo_core::time::Minute;

use super::{Engine, RECENT};
use crate::evaluate::live::{Live, Place};
use crate::source::intake::Intake;
use crate::store::{ByLedger, Kept, LedgerKey, NEIGHBOURS, Registered, StoreError};

/// What the database holds of ledgers.
pub(super) struct Stored {
    pub(super) folds: HashMap<u32, Ledger>,
    pub(super) minutes: ByLedger<Hour>,
    /// Ledgers of parts of their events.
    pub(super) parts: Vec<Kept>,
}

impl Engine {
    /// Loads what was committed last.
    pub(super) async fn load(&mut self, now: DateTime<Utc>) -> Result<(), StoreError> {
        // By far the most of the work, so it begins first.
        let folds = self.store.folds(self.oldest_hour(now));
        self.register().await?;
        let oldest = self.find_marks().await?;
        self.register_cuts().await?;
        let parts = if self.tells_apart() { self.store.parts().await? } else { Vec::new() };
        self.find_cuts(&parts);
        self.end_stretches();
        self.retire(oldest).await?;
        let recent = self.recent(oldest, now).await?;
        let minutes = self.store.minutes_from(recent).await?;
        self.take_stored(Stored { folds: folds.await?, minutes, parts }, now).await
    }

    /// The same, of a few services, without changing anything: not even what is new is registered.
    pub(super) async fn look_up(&mut self, now: DateTime<Utc>) -> Result<(), StoreError> {
        let (keys, was) = self.keys();
        let found = self.store.find(&keys, &was).await?;
        self.take_ledgers(found);
        let oldest = self.find_marks().await?;
        let mut ids: Vec<u32> = self.slos.iter().map(|live| live.ledger.id).collect();
        let parts = if self.tells_apart() { self.store.parts_of(&ids).await? } else { Vec::new() };
        self.find_cuts(&parts);
        self.end_stretches();
        ids.extend(parts.iter().map(|kept| kept.ledger));
        let folds = self.store.folds_of(&ids, self.oldest_hour(now)).await?;
        let recent = self.recent(oldest, now).await?;
        let minutes = self.store.minutes_of(&ids, recent).await?;
        self.take_stored(Stored { folds, minutes, parts }, now).await
    }

    /// The first hour whose sums views can go by: of all that is declared, whatever is loaded of it.
    pub(super) fn oldest_hour(&self, now: DateTime<Utc>) -> i64 {
        let longest = self.declared.services.iter().flat_map(|s| &s.slos).flat_map(|s| &s.windows);
        let longest = longest.map(|w| calendar::longest(*w)).max().unwrap_or(0).max(8 * 1_440);
        Minute::of(now).hour() - 2 * longest / 60 - 48
    }

    /// How far sources have been read; the oldest of their watermarks.
    async fn find_marks(&mut self) -> Result<Option<Minute>, StoreError> {
        let marks = self.store.watermarks().await?;
        for source in &mut self.sources {
            let mark = marks.iter().find(|m| m.source == source.config.name);
            source.read_to = mark.map(|m| m.read_to);
        }
        Ok(marks.iter().map(|m| m.minute).min())
    }

    /// The first hour whose minutes are needed, because their sums follow from them or because they are
    /// recent.
    async fn recent(
        &mut self,
        oldest: Option<Minute>,
        now: DateTime<Utc>,
    ) -> Result<i64, StoreError> {
        self.folded_to = self.store.folded_to().await?.unwrap_or(Minute::of(now).hour());
        Ok(self.folded_to.min((oldest.unwrap_or(Minute::of(now)) - RECENT).hour()))
    }

    async fn take_stored(
        &mut self,
        mut stored: Stored,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        for live in &mut self.slos {
            if let Some(history) = stored.folds.remove(&live.ledger.id) {
                live.account.events_mut().load_history(history);
            }
            load_minutes(live, stored.minutes.remove(&live.ledger.id).unwrap_or_default());
        }
        self.load_subsets(stored).await?;
        self.load_slices(Minute::of(now).hour()).await?;
        self.find_ends().await;
        Ok(())
    }

    /// Slices of time are judged anew by their minutes, which the sums of hours do not tell.
    async fn load_slices(&mut self, current: i64) -> Result<(), StoreError> {
        // Neighbours lie in the same rows.
        let mut lacking: BTreeMap<u32, Vec<(usize, Vec<i64>)>> = BTreeMap::new();
        let slos = self.declared.services.iter().flat_map(|service| &service.slos);
        let composites = slos.filter(|slo| matches!(slo.indicator, Indicator::Composite(_)));
        let windows = composites.flat_map(|slo| &slo.windows);
        let of_composites = windows.map(|w| calendar::longest(*w)).max().unwrap_or(0);
        for (at, live) in self.slos.iter().enumerate() {
            let slo = live.account.slo();
            if live.place != Place::Shown || matches!(slo.budgeting, Budgeting::Occurrences) {
                continue;
            }
            let longest = slo.windows.iter().map(|w| calendar::longest(*w)).max().unwrap_or(0);
            let longest = longest.max(of_composites);
            let events = live.account.events();
            let hours =
                (current - longest / 60 - 48..current + 1).filter(|hour| events.lacks(*hour));
            let neighbours = lacking.entry(live.ledger.id / NEIGHBOURS).or_default();
            neighbours.push((at, hours.collect()));
        }
        for wanted in lacking.into_values() {
            self.try_load_hours(&wanted).await?;
        }
        Ok(())
    }

    /// Until the series are read again, the newest sample is known to the minute: the last measured
    /// one, also where the data ended long before the watermark.
    async fn find_ends(&mut self) {
        let mut ended: Vec<(usize, i64)> = Vec::new();
        for (at, live) in self.slos.iter().enumerate() {
            let events = live.account.events();
            let last = events.hours().rev().find(|hour| events.fold(*hour).measured > 0);
            ended.extend(last.map(|hour| (at, hour)));
        }
        let wanted: Vec<_> = ended.iter().map(|(at, hour)| (*at, vec![*hour])).collect();
        self.load_hours(&wanted).await;
        for (at, hour) in ended {
            let live = &mut self.slos[at];
            let minutes = live.account.events().minutes(hour);
            let measured = (0..60).rev().find(|at| minutes.is_some_and(|m| m.get(*at).measured));
            let minute =
                Minute(hour * 60 + measured.and_then(|m| i64::try_from(m).ok()).unwrap_or(59));
            live.reading.newest = Some((minute + 1).start_millis() - 1);
        }
    }

    /// What was read until the last run ended was read up to the watermark, no further.
    fn end_stretches(&mut self) {
        for live in &mut self.slos {
            let mark = live.source.and_then(|at| self.sources[at].watermark());
            // Without a mark, nothing that was read in the run that went on was written.
            let end = mark.unwrap_or(Minute(i64::MIN));
            for stretches in live.all_stretches().filter(|all| all.goes_on()) {
                stretches.end(end);
            }
        }
    }

    /// The same in the database, for what is no longer declared.
    async fn retire(&self, oldest: Option<Minute>) -> Result<(), StoreError> {
        let cuts = self.slos.iter().filter_map(|live| Some(live.apart.as_ref()?.ledger));
        let keep: Vec<u32> = self.slos.iter().map(|live| live.ledger.id).chain(cuts).collect();
        match oldest {
            Some(oldest) => self.store.retire(&keep, oldest).await,
            None => Ok(()),
        }
    }

    async fn register(&mut self) -> Result<(), StoreError> {
        let (keys, was) = self.keys();
        self.store.rename(&was).await?;
        let registered = self.store.register(&keys).await?;
        self.take_ledgers(registered);
        Ok(())
    }

    /// What ledgers are known by, and by what those that were renamed.
    fn keys(&self) -> (Vec<LedgerKey>, Vec<(LedgerKey, LedgerKey)>) {
        let key = |live: &Live| LedgerKey {
            slo: live.account.slo().id.clone(),
            fingerprint: live.fingerprint.clone(),
        };
        let keys: Vec<LedgerKey> = self.slos.iter().map(key).collect();
        let was = self.slos.iter().zip(&keys).filter_map(|(live, key)| {
            let slo = live.account.slo().was.clone()?;
            let old = SloId { slo, ..key.slo.clone() };
            Some((LedgerKey { slo: old, ..key.clone() }, key.clone()))
        });
        let was = was.collect();
        (keys, was)
    }

    fn take_ledgers(&mut self, found: Vec<Registered>) {
        let mut ledgers = BTreeMap::new();
        for (live, ledger) in self.slos.iter_mut().zip(found) {
            if live.place == Place::Shown {
                ledgers.insert(live.account.slo().id.clone(), ledger.id);
            }
            if let Some(first) = ledger.first {
                live.account.events_mut().set_first(first);
            }
            live.reading.replaces = ledger.replaces;
            live.ledger = ledger;
            live.fingerprint = String::new();
        }
        self.ledgers = Arc::new(ledgers);
    }

    /// Restores the tails and the open minutes of a source without a past, and where files had been read to.
    pub(super) async fn restore_tails(
        &self,
        source: usize,
        intake: &mut Intake,
        open: Minute,
    ) -> Result<(), StoreError> {
        let live = &self.sources[source];
        if !live.was_opened && live.source.positions().is_some() {
            live.source.resume(self.store.positions(&live.config.name).await?);
        }
        let slos = &live.slos;
        let place: BTreeMap<u32, usize> =
            slos.iter().enumerate().map(|(place, at)| (self.slos[*at].ledger.id, place)).collect();
        for tail in self.store.tails().await? {
            if let Some(place) = place.get(&tail.ledger) {
                let labels = slo_core::labels::Labels::from_bytes(&tail.series);
                intake.restore(*place, &labels, tail.at, tail.value);
            }
        }
        for (place, at) in slos.iter().enumerate() {
            if let Some(bucket) = self.slos[*at].account.events().bucket(open) {
                intake.resume(place, open, bucket);
            }
            let subsets = self.slos[*at].apart.iter().flat_map(|apart| &apart.subsets);
            for (subset, at) in subsets {
                let bucket = self.subsets[*at].account.events().bucket(open);
                intake.resume_subset(place, subset, open, bucket.unwrap_or_default());
            }
        }
        Ok(())
    }
}

/// Loads minutes; the open ones hold what was read until the last commit.
fn load_minutes(live: &mut Live, hours: Vec<(i64, Hour)>) {
    for (hour, minutes) in hours {
        live.account.events_mut().load_fold(hour, &minutes.sums(0, 60));
        live.account.events_mut().load_minutes(hour, minutes);
    }
}
