//! Reads one source: for the first time since the start, or what came since the last read.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use slo_core::counter::Outcome;
use slo_core::plan::Feeds;
use slo_core::time::Minute;

use super::Engine;
use crate::evaluate::live::LiveSource;
use crate::evaluate::reading;
use crate::source::error::SourceError;
use crate::source::intake::{Fed, Intake};
use crate::source::reader::Read;

/// A downtime up to this long is read at once; a longer one is backfilled beside the ticks.
const AT_ONCE: i64 = 1_440;
/// So many minutes are read at the first start; the past before them is backfilled.
const FRESH: i64 = 10;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// Samples that a slice of a long stretch brings at most, as far as the slice before tells.
const AT_A_TIME: usize = 500_000;

impl Engine {
    pub(super) async fn read_source(&mut self, source: usize, now: DateTime<Utc>) {
        let to = now.timestamp_millis() - self.sources[source].config.lag().as_millis();
        let began = self.sources[source].watermark().filter(|_| self.is_open(source));
        let mut was_answered = false;
        let read = loop {
            match self.read_once(source, to, now).await {
                Err(SourceError::Mixed { slos }) => self.widen(source, &slos),
                Err(SourceError::Answered) if !was_answered => {
                    was_answered = true;
                    self.sources[source].intake = None;
                }
                read => break read,
            }
        };
        match read {
            Err(error) => self.failed(source, &error, now),
            Ok(read) => {
                let live = &mut self.sources[source];
                live.read_to = Some(to);
                live.error = read.problem.clone();
                live.tells_whom = read.concerns.is_some();
                live.pause_until = None;
                let opened = live.intake.as_ref().map(Intake::from);
                let since = began.or(opened).unwrap_or(Minute::of_millis(to));
                self.take(source, read, since).await;
            }
        }
    }

    /// Whether its series have been found and it goes on to be read.
    fn is_open(&self, source: usize) -> bool {
        let live = &self.sources[source];
        live.intake.is_some() && live.reopen_from.is_none()
    }

    async fn read_once(
        &mut self,
        source: usize,
        to: i64,
        now: DateTime<Utc>,
    ) -> Result<Read, SourceError> {
        let live = &self.sources[source];
        let looked = live.looked_for_edges.is_some_and(|at| now - at < TimeDelta::minutes(1));
        // Without a past, what is not committed is not known anew.
        let may_reopen = live.has_past || self.store_error.is_none();
        if live.intake.is_none() || (!looked && may_reopen) {
            self.find_edges(source, Minute::of_millis(to) - FRESH, to).await?;
        }
        let live = &self.sources[source];
        if live.intake.is_none() || live.reopen_from.is_some() {
            return self.open_intake(source, to).await;
        }
        self.read_on(source, to).await
    }

    /// Reads all buckets of some SLOs' histograms from now on, and everything anew.
    fn widen(&mut self, source: usize, places: &[usize]) {
        for place in places {
            let at = self.sources[source].slos[*place];
            if let Some(feeds) = &mut self.feeds[at] {
                Arc::make_mut(feeds).mix();
            }
        }
        self.sources[source].intake = None;
    }

    /// The first read: tails from before the watermark, then everything since; where the series are
    /// others now, everything since the minute that the old ones ended in.
    async fn open_intake(&mut self, source: usize, to: i64) -> Result<Read, SourceError> {
        let live = &self.sources[source];
        let last = Minute::of_millis(to);
        let fresh = if live.has_past { last - FRESH } else { last };
        let from = live
            .watermark()
            .filter(|mark| !live.has_past || live.was_opened || last - *mark <= AT_ONCE)
            .unwrap_or(fresh);
        let from = live.reopen_from.map_or(from, |since| since.min(from));
        let mut intake = self.new_intake(source, from);
        let read = if self.sources[source].has_past {
            let gap =
                self.sources[source].slos.iter().map(|at| self.slos[*at].account.slo().max_gap);
            // A sample at the minute's beginning belongs to it.
            let begin = from.start_millis() - 1;
            let start = begin - gap.max().map_or(0, slo_core::time::Span::as_millis);
            self.catch_up(source, &mut intake, (start, begin)).await?;
            if let Some(mark) = resumed_at(&self.sources[source]) {
                for at in self.sources[source].slos.clone() {
                    self.slos[at].reopen(mark);
                    self.reopen_subsets(at, mark);
                }
            }
            self.catch_up(source, &mut intake, (begin, to)).await?
        } else {
            let restored = self.restore_tails(source, &mut intake, from).await;
            restored.map_err(|e| SourceError::Setup {
                name: self.sources[source].config.name.clone(),
                reason: e.to_string(),
            })?;
            self.ask(source, &mut intake, (to, to)).await?
        };
        self.cover_from(source, from);
        self.stretches_changed = true;
        let live = &mut self.sources[source];
        live.intake = Some(intake);
        (live.was_opened, live.reopen_from) = (true, None);
        Ok(read)
    }

    /// Minutes from here on are being read, but for SLOs that are refused.
    fn cover_from(&mut self, source: usize, from: Minute) {
        for at in &self.sources[source].slos {
            if self.slos[*at].fault.is_none() {
                self.slos[*at].cover(from, Minute(i64::MAX));
            }
        }
    }

    /// Looks for the histograms of latency SLOs that were not found yet, or are silent: another kind of
    /// histogram may have taken over. Notes since when others are to be read, if some are.
    async fn find_edges(
        &mut self,
        source: usize,
        from: Minute,
        to: i64,
    ) -> Result<(), SourceError> {
        self.sources[source].looked_for_edges = DateTime::from_timestamp_millis(to);
        self.sources[source].unfound.clear();
        let reader = self.sources[source].source.clone();
        for at in self.sources[source].slos.clone() {
            if !self.is_silent(at, to) {
                continue;
            }
            let Some(feeds) = &mut self.feeds[at] else { continue };
            let mut found = (**feeds).clone();
            let month = 30 * 1_440;
            match reader.prepare(&mut found, (from - month).start_millis(), to).await {
                Err(error) if error.is_of_query() => {
                    self.sources[source].unfound.insert(at, error.to_string());
                    continue;
                }
                found => found?,
            }
            let changed = !found.reads_as(feeds);
            if changed {
                *feeds = Arc::new(found);
            }
            let feeds = feeds.clone();
            let reading = &mut self.slos[at].reading;
            reading.between = reading::between(&feeds);
            reading.reads(&feeds);
            let ended = reading.newest.map_or(from, Minute::of_millis);
            let live = &mut self.sources[source];
            if changed && live.intake.is_some() && live.has_past {
                let ended = ended.max(Minute::of_millis(to) - HOUR / MINUTE);
                live.reopen_from = Some(live.reopen_from.map_or(ended, |from| from.min(ended)));
            } else if changed {
                live.intake = None;
            }
        }
        Ok(())
    }

    /// Whether a latency SLO has no histogram that is still alive at `to` (Unix milliseconds).
    fn is_silent(&self, at: usize, to: i64) -> bool {
        let (Some(Feeds::Latency { edges, .. }), Some(source)) =
            (self.feeds[at].as_deref(), self.slos[at].source)
        else {
            return false;
        };
        let source = &self.sources[source];
        let look_back = reading::rules(self.slos[at].account.slo(), &source.config).look_back;
        let is_old = |newest: i64| newest < to - look_back.as_millis();
        // Without a past all that is there is read anyway.
        edges.is_none() || source.has_past && self.slos[at].reading.newest.is_none_or(is_old)
    }

    fn new_intake(&self, source: usize, from: Minute) -> Intake {
        let live = &self.sources[source];
        let fed = live.slos.iter().map(|at| {
            let feeds = self.feeds[*at].clone().unwrap_or_else(|| Arc::new(nothing()));
            let counted = &self.slos[*at];
            let rules = reading::rules(counted.account.slo(), &live.config);
            Fed { feeds, rules, apart: counted.cuts() }
        });
        let mut intake = Intake::new(fed.collect(), from, live.config.max_query_bytes);
        intake.may_widen();
        intake.may_lapse();
        for feed in intake.logs() {
            let counted = &self.slos[live.slos[feed.slo]];
            if let Some(newest) = counted.reading.newest {
                intake.restore_newest(feed.slo, newest);
            }
            if let Some(first) = counted.account.events().first() {
                intake.restore_first(feed.slo, first);
            }
        }
        intake
    }

    async fn read_on(&mut self, source: usize, to: i64) -> Result<Read, SourceError> {
        let live = &mut self.sources[source];
        let from = live.read_to.unwrap_or(to) - live.overlap();
        let long = to - from > HOUR && live.has_past;
        let Some(mut intake) = live.intake.take() else { return Ok(Read::default()) };
        let read = if long {
            self.catch_up(source, &mut intake, (from, to)).await
        } else {
            self.ask(source, &mut intake, (from, to)).await
        };
        self.sources[source].intake = Some(intake);
        read
    }

    /// Reads `(from, to]` (Unix milliseconds) in slices, and counts each before it reads the next:
    /// what is held of a long stretch is no more than a slice. Reading again after a failure is
    /// harmless.
    async fn catch_up(
        &mut self,
        source: usize,
        intake: &mut Intake,
        (from, to): (i64, i64),
    ) -> Result<Read, SourceError> {
        let most = self.sources[source].config.max_samples.min(AT_A_TIME);
        let overlap = self.sources[source].overlap();
        let (mut last, mut at, mut slice) = (Read::default(), from, 10 * MINUTE);
        let mut failed = Vec::new();
        let opened = Minute::of_millis(from).max(intake.from());
        while at < to {
            let end = (at + slice).min(to);
            match self.ask(source, intake, (at, end)).await {
                Err(e) if e.is_too_much() && slice > MINUTE => slice = (slice / 2).max(MINUTE),
                read => {
                    last = read?;
                    failed.append(&mut last.failed);
                    self.fold(source, &std::mem::take(&mut last.outcomes), opened).await;
                    intake.close(Minute::of_millis(end - overlap));
                    let rate = last.samples as f64 / (end - at) as f64;
                    slice = ((most as f64 / rate.max(1e-9)) as i64).clamp(MINUTE, DAY);
                    at = end;
                }
            }
        }
        last.failed = failed;
        Ok(last)
    }

    /// Reads once.
    async fn ask(
        &mut self,
        source: usize,
        intake: &mut Intake,
        (from, to): (i64, i64),
    ) -> Result<Read, SourceError> {
        let reader = self.sources[source].source.clone();
        intake.now = self.now;
        let read = reader.read(intake, from, to).await?;
        self.sources[source].shows_late = read.shows_late;
        Ok(read)
    }

    /// Takes outcomes into the accounts; minutes from `opened` on are being read.
    async fn fold(&mut self, source: usize, outcomes: &[(usize, Outcome)], opened: Minute) {
        let mut of_subsets = Vec::new();
        for (place, outcome) in outcomes {
            let at = self.sources[source].slos[*place];
            self.load_to_change(at, &Self::hours_of(outcome)).await;
            self.slos[at].take(outcome, opened);
            self.place_subsets(at, &outcome.subsets, &mut of_subsets).await;
        }
        self.take_subsets(of_subsets);
    }

    /// Folds what was read into the accounts and closes the minutes that are done.
    async fn take(&mut self, source: usize, read: Read, since: Minute) {
        self.fold(source, &read.outcomes, since).await;
        let mark = self.sources[source].watermark();
        let Some(intake) = &mut self.sources[source].intake else { return };
        if let Some(mark) = mark {
            intake.close(mark);
        }
        self.forget_series(source);
        let mut failed: BTreeMap<usize, String> = read.failed.into_iter().collect();
        let mut concerns = read.concerns.unwrap_or_default();
        for (place, at) in self.sources[source].slos.iter().enumerate() {
            let Some(intake) = &self.sources[source].intake else { return };
            let live = &mut self.slos[*at];
            let unfound = || self.sources[source].unfound.get(at).cloned();
            if live.note_fault(failed.remove(&place).or_else(unfound), since) {
                self.stretches_changed = true;
                live.tell_fault();
            }
            live.trouble = concerns.remove(&place);
            let reading = &mut live.reading;
            reading.newest = intake.newest(place).or(reading.newest);
            reading.oddity = intake.oddity(place);
            reading.saw(intake.around(place));
        }
    }

    /// Once an hour: series that have been gone for longer than a gap can be. Pods come and go.
    fn forget_series(&mut self, source: usize) {
        let gaps = self.sources[source].slos.iter().map(|at| self.slos[*at].account.slo().max_gap);
        let gap = gaps.max().map_or(0, slo_core::time::Span::as_millis);
        let live = &mut self.sources[source];
        let (Some(intake), Some(read_to)) = (&mut live.intake, live.read_to) else { return };
        if read_to - live.pruned.unwrap_or(i64::MIN / 2) >= HOUR {
            live.pruned = Some(read_to);
            intake.prune(read_to - gap - HOUR);
        }
    }

    fn failed(&mut self, source: usize, error: &SourceError, now: DateTime<Utc>) {
        let live = &mut self.sources[source];
        if let SourceError::Throttled { retry_after: Some(pause), .. } = error {
            live.pause_until = TimeDelta::from_std(*pause).ok().map(|pause| now + pause);
        }
        let text = error.to_string();
        if live.error.as_ref() != Some(&text) {
            tracing::warn!(source.name = live.config.name, error = text, "cannot read the source");
        }
        (live.error, live.tells_whom) = (Some(text), false);
    }
}

/// Where the minutes begin that the first read since the start replaces, of a source with a past.
fn resumed_at(source: &LiveSource) -> Option<Minute> {
    source.watermark().filter(|_| source.has_past && source.intake.is_none())
}

/// What an SLO reads while nothing is known of its series.
const fn nothing() -> Feeds {
    Feeds::Ratio {
        totals: Vec::new(),
        parts: Vec::new(),
        part_is: slo_core::sli::Part::Good,
        needs: Vec::new(),
    }
}
