//! Reads one source: for the first time since the start, or what came since the last read.

use chrono::{DateTime, TimeDelta, Utc};
use slo_core::plan::Feeds;
use slo_core::time::Minute;

use super::Engine;
use crate::evaluate::live::LiveSource;
use crate::evaluate::reading;
use crate::source::error::SourceError;
use crate::source::intake::Intake;
use crate::source::prometheus::history;
use crate::source::reader::Read;

/// A downtime up to this long is read at once; a longer one is backfilled beside the ticks.
const AT_ONCE: i64 = 1_440;
const SKEW_MOST: i64 = 60;

impl Engine {
    pub(super) async fn read_source(&mut self, source: usize, now: DateTime<Utc>) {
        let to = now.timestamp_millis() - self.sources[source].config.lag.as_millis();
        let read = if self.wants_opening(source, now) {
            self.open_intake(source, to).await
        } else {
            self.read_on(source, to).await
        };
        let url = &self.sources[source].config.url;
        let read =
            if self.compares_clocks { read.and_then(|read| checked(read, now, url)) } else { read };
        match read {
            Err(error) => self.failed(source, &error, now),
            Ok(read) => {
                let live = &mut self.sources[source];
                live.read_to = Some(to);
                live.error = read.problem.clone();
                live.pause_until = None;
                self.take(source, read).await;
            }
        }
    }

    /// Whether the series must be found (again): at the first read, and now and then while a
    /// histogram has not been seen.
    fn wants_opening(&self, source: usize, now: DateTime<Utc>) -> bool {
        let live = &self.sources[source];
        let edgeless =
            |at: &usize| matches!(self.feeds[*at], Some(Feeds::Latency { edges: None, .. }));
        let looked = live.looked_for_edges.is_some_and(|at| now - at < TimeDelta::minutes(1));
        live.intake.is_none() || (!looked && live.slos.iter().any(edgeless))
    }

    /// The first read: tails from before the watermark, then everything since.
    async fn open_intake(&mut self, source: usize, to: i64) -> Result<Read, SourceError> {
        let live = &self.sources[source];
        let now = Minute::of_millis(to);
        let fresh = if live.has_past { Minute((now.hour() - 1) * 60) } else { now };
        let from = live
            .watermark()
            .filter(|mark| !live.has_past || now - *mark <= AT_ONCE)
            .unwrap_or(fresh);
        self.find_edges(source, from, to).await?;
        let mut intake = self.new_intake(source, from);
        let reader = self.sources[source].source.clone();
        let read = if self.sources[source].has_past {
            let gap =
                self.sources[source].slos.iter().map(|at| self.slos[*at].account.slo().max_gap);
            let start = from.start_millis() - gap.max().map_or(0, slo_core::time::Span::as_millis);
            let most = self.sources[source].config.max_samples;
            history::catch_up(&*reader, &mut intake, start, to, most).await?
        } else {
            let restored = self.restore_tails(source, &mut intake, from).await;
            restored.map_err(|e| SourceError::Setup {
                name: self.sources[source].config.name.clone(),
                reason: e.to_string(),
            })?;
            reader.read(&mut intake, to, to).await?
        };
        let resumed = resumed_at(&self.sources[source]);
        for at in self.sources[source].slos.clone() {
            if let Some(mark) = resumed {
                self.slos[at].reopen(mark);
            }
            self.slos[at].cover(from, Minute(i64::MAX));
        }
        self.stretches_changed = true;
        let live = &mut self.sources[source];
        live.intake = Some(intake);
        live.looked_for_edges = DateTime::from_timestamp_millis(to);
        Ok(read)
    }

    async fn find_edges(
        &mut self,
        source: usize,
        from: Minute,
        to: i64,
    ) -> Result<(), SourceError> {
        let reader = self.sources[source].source.clone();
        for at in self.sources[source].slos.clone() {
            let Some(feeds) = &mut self.feeds[at] else { continue };
            if matches!(feeds, Feeds::Latency { edges: None, .. }) {
                let month = 30 * 1_440;
                reader.prepare(feeds, (from - month).start_millis(), to).await?;
                self.slos[at].reading.between = reading::between(feeds);
                self.slos[at].reading.reads(feeds);
            }
        }
        Ok(())
    }

    fn new_intake(&self, source: usize, from: Minute) -> Intake {
        let live = &self.sources[source];
        let fed = live.slos.iter().map(|at| {
            let feeds = self.feeds[*at].clone().unwrap_or_else(nothing);
            (feeds, reading::rules(self.slos[*at].account.slo(), &live.config))
        });
        Intake::new(fed.collect(), from, live.config.max_query_bytes)
    }

    async fn read_on(&mut self, source: usize, to: i64) -> Result<Read, SourceError> {
        let live = &mut self.sources[source];
        let (reader, overlap, most) =
            (live.source.clone(), live.overlap(), live.config.max_samples);
        let from = live.read_to.unwrap_or(to) - overlap;
        let Some(intake) = &mut live.intake else { return Ok(Read::default()) };
        if to - from > 3_600_000 && live.has_past {
            return history::catch_up(&*reader, intake, from, to, most).await;
        }
        reader.read(intake, from, to).await
    }

    /// Folds what was read into the accounts and closes the minutes that are done.
    async fn take(&mut self, source: usize, read: Read) {
        for (place, outcome) in &read.outcomes {
            let at = self.sources[source].slos[*place];
            self.load_hours(&[at], &Self::hours_of(outcome)).await;
            self.slos[at].take(outcome);
        }
        let mark = self.sources[source].watermark();
        let Some(intake) = &mut self.sources[source].intake else { return };
        if let Some(mark) = mark {
            intake.close(mark);
        }
        for (place, at) in self.sources[source].slos.iter().enumerate() {
            let reading = &mut self.slos[*at].reading;
            let Some(intake) = &self.sources[source].intake else { return };
            reading.newest = intake.newest(place).or(reading.newest);
            reading.oddity = intake.oddity(place);
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
        live.error = Some(text);
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

/// Refuses an answer of a source whose clock is too far from ours for ages to mean anything.
fn checked(read: Read, now: DateTime<Utc>, url: &str) -> Result<Read, SourceError> {
    let skew = read.date.map_or(0, |date| (date - now).num_seconds());
    if skew.abs() <= SKEW_MOST {
        return Ok(read);
    }
    let direction = if skew > 0 { "ahead" } else { "behind" };
    Err(SourceError::Skewed { url: url.to_owned(), seconds: skew.abs(), direction })
}
