//! Writes what changed since the last commit. A failed commit loses nothing: all of it is tried again.

use std::collections::BTreeSet;
use std::ops::Range;

use chrono::{DateTime, TimeDelta, Utc};
use slo_core::bucket::Sums;
use slo_core::calendar;
use slo_core::ledger::Ledger;
use slo_core::time::Minute;
use tokio::task::JoinHandle;

use super::{Engine, RECENT, on_all_cores, share};
use crate::evaluate::live::{Live, Place};
use crate::store::{Commit, StoreError, Tail, Watermark};

/// A ledger with what changed in it since the last commit.
pub(super) struct Changed<'a> {
    pub(super) ledger: u32,
    pub(super) events: &'a Ledger,
    pub(super) dirty: &'a BTreeSet<i64>,
    /// The first minute, as the database knows it.
    pub(super) first: Option<Minute>,
}

impl Changed<'_> {
    /// Adds it to a commit that folds some more hours.
    pub(super) fn add_to(&self, commit: &mut Commit, folding: Range<i64>) {
        let Self { ledger, events, dirty, first } = *self;
        let changed = dirty.iter().copied().filter(|hour| *hour < folding.end);
        let newly = folding.clone().filter(|hour| events.fold(*hour) != Sums::default());
        let folds = changed.chain(newly).map(|hour| ((hour, ledger), events.fold(hour)));
        commit.folds.extend(folds);
        for hour in dirty {
            if let Some(minutes) = events.minutes(*hour) {
                commit.hours.push((*hour, ledger, minutes.pack()));
            }
        }
        if let Some(begins) = events.first().filter(|begins| first != Some(*begins)) {
            commit.firsts.insert(ledger, begins);
        }
    }
}

/// A commit that is being written.
pub(super) struct Writing {
    folded_to: i64,
    task: JoinHandle<Result<(), StoreError>>,
}

impl Engine {
    pub(super) async fn commit(&mut self, now: DateTime<Utc>) {
        let writing = self.write().await;
        self.written(writing, now).await;
    }

    /// Begins to write what changed. Until [`Engine::written`] no event may change.
    pub(super) async fn write(&mut self) -> Option<Writing> {
        if self.lacks_minutes {
            // What changed stays noted, so that the next tick adds up all of it.
            return None;
        }
        let folded_to = self.next_folded();
        let registered = self.register_subsets().await;
        let (store, commit) = (self.store.clone(), self.gather(folded_to));
        let task = tokio::spawn(async move {
            registered?;
            store.commit(&commit).await
        });
        Some(Writing { folded_to, task })
    }

    /// Waits until it is written.
    pub(super) async fn written(&mut self, writing: Option<Writing>, now: DateTime<Utc>) {
        let Some(Writing { folded_to, task }) = writing else { return };
        match task.await.expect("writing the ledger does not panic") {
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
            let changed = Changed {
                ledger: live.ledger.id,
                events: live.account.events(),
                dirty: &live.dirty,
                first: live.ledger.first,
            };
            changed.add_to(&mut commit, self.folded_to..folded_to);
            if self.stretches_changed {
                commit.stretches.insert(live.ledger.id, live.ledger.stretches.runs().to_vec());
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

    /// Once a day: minutes beyond the longest window and a day (at least 35 days), sums beyond 800 days; in
    /// memory what a start would not load.
    async fn forget(&mut self, now: DateTime<Utc>) {
        if self.forgotten.is_some_and(|at| now - at < TimeDelta::days(1)) {
            return;
        }
        self.retire_subsets();
        let oldest = self.oldest_hour(now);
        let forget = |part: &mut [Live]| {
            part.iter_mut().for_each(|live| live.account.forget_before(oldest));
        };
        let share = share(self.slos.len());
        on_all_cores(self.slos.chunks_mut(share), forget);
        self.subsets.iter_mut().for_each(|live| live.account.forget_before(oldest));
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use slo_core::bucket::Bucket;

    use super::*;
    use crate::config::Config;
    use crate::declared;
    use crate::evaluate::snapshot::Latest;
    use crate::store::Store;

    const SLO: &str = "apiVersion: headroom/v1\nkind: Service\nservice: shop\ntier: 2\n\
        environment: p\nslos:\n  - name: one\n    objective: 99%\n    window: 1d\n    \
        indicator: {ratio: {total: t_total, bad: '{code=\"500\"}'}}\n";

    #[tokio::test]
    async fn a_server_that_runs_for_long_keeps_in_memory_what_a_start_would_load() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("slos.yaml"), SLO).unwrap();
        let url = format!("sqlite://{}/h.db", folder.path().display());
        let store = Store::open(&url).await.unwrap();
        let declared = Arc::new(declared::read(&[folder.path().to_owned()], None).unwrap());
        let now: DateTime<Utc> = "2026-11-21T12:00:00Z".parse().unwrap();
        let (config, latest) = (Config::default(), Latest::default());
        let mut engine =
            Engine::start(&config, declared, store, latest, Arc::default(), now).await.unwrap();
        let bucket = Bucket { good: 9, total: 10, measured: true, ..Bucket::default() };
        let last = Minute::of(now);
        for day in 0..90 {
            engine.slos[0].replace(last - day * 1_440 - 1, &bucket);
        }
        let hours = |engine: &Engine| engine.slos[0].account.events().hours();
        engine.commit(now).await;
        let kept = hours(&engine);
        assert_eq!(kept, engine.oldest_hour(now)..last.hour());
        engine.commit(now + TimeDelta::hours(23)).await;
        assert_eq!(hours(&engine), kept, "once a day");
        engine.commit(now + TimeDelta::days(1)).await;
        assert_eq!(hours(&engine).start, kept.start + 24);
    }
}
