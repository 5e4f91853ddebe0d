//! Writes what changed since the last commit. A failed commit loses nothing: all of it is tried again.

use chrono::{DateTime, TimeDelta, Utc};
use slo_core::bucket::Sums;
use slo_core::calendar;
use slo_core::time::Minute;

use super::{Engine, RECENT};
use crate::evaluate::live::Place;
use crate::store::{Commit, Tail, Watermark};

impl Engine {
    pub(super) async fn commit(&mut self, now: DateTime<Utc>) {
        if self.lacks_minutes {
            // What changed stays noted, so that the next tick adds up all of it.
            return;
        }
        let folded_to = self.next_folded();
        let written = match self.register_subsets().await {
            Ok(()) => self.store.commit(&self.gather(folded_to)).await,
            failed => failed,
        };
        match written {
            Err(error) => {
                let error = error.to_string();
                if self.store_error.as_ref() != Some(&error) {
                    tracing::error!(error, "cannot write the ledger, keeping it in memory");
                }
                self.store_error = Some(error);
            }
            Ok(()) => {
                self.committed(folded_to);
                self.forget(now).await;
            }
        }
    }

    /// Hours that no open minute lies in are folded.
    fn next_folded(&self) -> i64 {
        let oldest = self.sources.iter().filter_map(super::LiveSource::watermark).min();
        oldest.map_or(self.folded_to, |mark| (mark - 60).hour().max(self.folded_to))
    }

    fn gather(&self, folded_to: i64) -> Commit {
        let mut commit = Commit { folded_to: Some(folded_to), ..Commit::default() };
        for live in self.slos.iter().filter(|live| live.place != Place::Member) {
            let (id, events) = (live.ledger.id, live.account.events());
            let newly =
                (self.folded_to..folded_to).filter(|hour| events.fold(*hour) != Sums::default());
            let changed = live.dirty.iter().copied().filter(|hour| *hour < folded_to);
            commit.folds.extend(changed.chain(newly).map(|hour| ((hour, id), events.fold(hour))));
            for hour in &live.dirty {
                if let Some(minutes) = events.minutes(*hour) {
                    commit.hours.insert((*hour, id), minutes.pack());
                }
            }
            if let Some(first) = events.first().filter(|first| live.ledger.first != Some(*first)) {
                commit.firsts.insert(id, first);
            }
            if self.stretches_changed {
                commit.stretches.insert(id, live.ledger.stretches.runs().to_vec());
            }
        }
        self.gather_subsets(&mut commit, folded_to);
        for source in &self.sources {
            if let (Some(minute), Some(read_to), true) =
                (source.watermark(), source.read_to, source.intake.is_some())
            {
                commit.watermarks.push(Watermark {
                    source: source.config.name.clone(),
                    minute,
                    read_to,
                });
            }
            if let Some(positions) = source.source.positions() {
                commit.positions.insert(source.config.name.clone(), positions);
            }
            if !source.has_past {
                commit.tails.extend(self.tails(source));
            }
        }
        commit
    }

    fn tails<'a>(&'a self, source: &'a super::LiveSource) -> impl Iterator<Item = Tail> + 'a {
        let tails = source.intake.iter().flat_map(crate::source::intake::Intake::tails);
        tails.map(|(place, labels, at, value)| Tail {
            ledger: self.slos[source.slos[place]].ledger.id,
            series: labels.as_bytes().to_vec(),
            at,
            value,
        })
    }

    fn committed(&mut self, folded_to: i64) {
        if self.store_error.take().is_some() {
            tracing::info!("the ledger is written again");
        }
        (self.folded_to, self.stretches_changed) = (folded_to, false);
        let marks: Vec<Option<Minute>> =
            self.sources.iter().map(super::LiveSource::watermark).collect();
        let oldest = marks.iter().copied().flatten().min();
        for live in &mut self.slos {
            live.dirty.clear();
            live.ledger.first = live.account.events().first();
            // What is added up from others is as new as what it is added up from.
            let mark = live.source.map_or(oldest, |at| marks[at]);
            if let Some(mark) = mark {
                live.account.evict(mark - RECENT);
            }
        }
        for live in &mut self.subsets {
            live.dirty.clear();
            live.first = live.account.events().first();
            if let Some(mark) = self.slos[live.of].source.map_or(oldest, |at| marks[at]) {
                live.account.evict(mark - RECENT);
            }
        }
    }

    /// Once a day: minutes beyond the longest window and a day (at least 35 days), sums beyond 800 days.
    async fn forget(&mut self, now: DateTime<Utc>) {
        if self.forgotten.is_some_and(|at| now - at < TimeDelta::days(1)) {
            return;
        }
        self.retire_subsets();
        let slos = self.declared.services.iter().flat_map(|s| &s.slos);
        let longest =
            slos.flat_map(|s| &s.windows).map(|w| calendar::longest(*w)).max().unwrap_or(0);
        let hour = Minute::of(now).hour();
        let minutes = hour - (longest / 60 + 24).max(35 * 24);
        match self.store.forget(minutes, hour.div_euclid(24) - 800).await {
            Ok(()) => self.forgotten = Some(now),
            Err(error) => tracing::warn!(%error, "cannot forget old minutes"),
        }
    }
}
