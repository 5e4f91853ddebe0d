//! Native histograms: each counts as three series, told by its buckets around the threshold.

use std::collections::HashSet;
use std::sync::Arc;

use slo_core::counter::{Counter, Kind, Sample, TargetKey, Weights};
use slo_core::histogram::{Change, Counts, Histogram};
use slo_core::labels::Labels;

use super::batch::Part;
use super::{Feeding, Intake, Unit};

/// What is known of one series of native histograms.
#[derive(Debug, Default)]
pub(super) struct Native {
    seen_by: Vec<usize>,
    fed: Vec<Fed>,
}

/// One SLO that a native histogram feeds.
#[derive(Debug)]
struct Fed {
    query: usize,
    slo: usize,
    under: f64,
    /// Numbers of its series: all, those at or below the threshold, those perhaps.
    series: [u32; 3],
    /// The newest sample that was counted; the next one is told apart from it.
    last: Option<At>,
    /// The newest one of the batch.
    taken: Option<At>,
}

/// A histogram at an instant, Unix milliseconds.
type At = (i64, Arc<Histogram>);

const WEIGHTS: [Weights; 3] = [
    Weights { total: 1, good: 0, slack: 0 },
    Weights { total: 0, good: 1, slack: -1 },
    Weights { total: 0, good: 0, slack: 1 },
];

/// Samples that go on from one another; the first one from `tail`, if it says so.
#[derive(Debug)]
struct Run {
    tail: Option<Counts>,
    counts: bool,
    samples: [Vec<Sample>; 3],
}

impl Intake {
    /// Notes that a series of a query has native histograms where numbers are wanted.
    pub fn note_native(&mut self, query: usize, labels: &Labels, at: i64) {
        for slo in &self.queries[query].0.slos {
            let unit = &mut self.slos[*slo];
            unit.native = unit.native.max(unit.feeds.weights(labels).map(|_| at));
        }
    }

    /// Takes the native histograms of one series that query number `query` showed, by instant (Unix
    /// milliseconds), oldest first. Classic ones of the same query round must have been taken.
    pub fn take_histograms(
        &mut self,
        query: usize,
        labels: &Labels,
        samples: Vec<(i64, Histogram)>,
    ) {
        if !self.natives.get(labels).is_some_and(|native| native.seen_by.contains(&query)) {
            self.meet_native(query, labels);
        }
        let samples: Vec<At> = samples.into_iter().map(|(at, h)| (at, Arc::new(h))).collect();
        let Some(native) = self.natives.get(labels) else { return };
        for fed in native.fed.iter().filter(|fed| fed.query == query) {
            let classic = self.classic_times(fed.slo, &TargetKey::of(labels));
            for Run { tail, counts, samples } in runs(fed, &samples, &classic) {
                let tails = tail.map(|c| [c.total, c.lower, c.upper]);
                for (place, samples) in samples.into_iter().enumerate() {
                    let (slo, series) = (fed.slo, fed.series[place]);
                    let tail = tails.map(|tails| tails[place] as i64);
                    let samples = self.samples.push(&samples);
                    self.batch.push(Part { slo, series, samples, created: None, tail, counts });
                }
            }
        }
        let newest = samples.last();
        let fed = self.natives.get_mut(labels).map(|native| &mut native.fed).into_iter().flatten();
        for fed in fed.filter(|fed| fed.query == query) {
            if newest.is_some_and(|(at, _)| fed.newest().is_none_or(|(last, _)| at > last)) {
                fed.taken = newest.cloned();
            }
        }
    }

    fn meet_native(&mut self, query: usize, labels: &Labels) {
        let feeds: Vec<_> = self.slos.iter().map(|unit| &*unit.feeds).collect();
        let found = self.queries[query].1.feed_native(labels, &feeds);
        let native = self.natives.entry(labels.clone()).or_default();
        native.seen_by.push(query);
        for (slo, under) in found {
            if native.fed.iter().any(|fed| fed.slo == slo) {
                continue;
            }
            let unit = &mut self.slos[slo];
            let series = WEIGHTS.map(|weights| unit.register(labels, weights, Kind::Counter));
            native.fed.push(Fed { query, slo, under, series, last: None, taken: None });
        }
    }

    /// When the target shows classic histograms, too: those count, as they say more than buckets that
    /// change.
    fn classic_times(&self, slo: usize, target: &TargetKey) -> HashSet<i64> {
        let Unit { counter, shows_classic, .. } = &self.slos[slo];
        let of_total = |part: &&Part| {
            *shows_classic
                && part.slo == slo
                && counter.weights(part.series).is_some_and(|w| w.total != 0)
                && counter.target(part.series) == Some(target)
                && !self.natives.values().any(|n| n.holds(slo, part.series))
        };
        let parts = self.batch.iter().filter(of_total);
        parts.flat_map(|part| self.samples.get(part.samples).iter().map(|s| s.at)).collect()
    }

    /// The boundaries of the bucket that an SLO's threshold lies in, in its newest native histogram.
    #[must_use]
    pub fn around(&self, slo: usize) -> Option<(f64, f64)> {
        let around = |native: &Native| {
            let fed = native.fed.iter().find(|fed| fed.slo == slo)?;
            let (at, histogram) = fed.newest()?;
            Some((*at, histogram.around(fed.under)?))
        };
        self.natives.values().filter_map(around).max_by_key(|(at, _)| *at).map(|(_, around)| around)
    }
}

impl Fed {
    const fn newest(&self) -> Option<&At> {
        match &self.taken {
            Some(taken) => Some(taken),
            None => self.last.as_ref(),
        }
    }
}

impl Native {
    /// The batch is counted, or it is not.
    pub(super) fn settle(&mut self, counted: bool) {
        for fed in &mut self.fed {
            let taken = fed.taken.take();
            if counted && taken.is_some() {
                fed.last = taken;
            }
        }
    }

    fn holds(&self, slo: usize, series: u32) -> bool {
        self.fed.iter().any(|fed| fed.slo == slo && fed.series.contains(&series))
    }

    /// Series have new numbers; false when none is left.
    pub(super) fn moved(&mut self, moves: &[Vec<Option<u32>>]) -> bool {
        self.fed.retain_mut(|fed| {
            let now = fed.series.map(|series| moves[fed.slo][series as usize]);
            let [Some(total), Some(lower), Some(upper)] = now else { return false };
            fed.series = [total, lower, upper];
            true
        });
        !self.fed.is_empty()
    }

    /// What was seen of it for an SLO.
    pub(super) fn feeding(
        &self,
        slo: usize,
        labels: &Labels,
        counter: &Counter,
    ) -> Option<Feeding> {
        let fed = self.fed.iter().find(|fed| fed.slo == slo)?;
        let [all, good, _] = fed.series.map(|series| counter.note(series));
        let mut note = all?;
        note.good = good.map_or(0, |good| good.good);
        Some(Feeding {
            labels: labels.clone(),
            weights: Weights { total: 1, good: 1, slack: 0 },
            note,
        })
    }
}

/// What new samples count as. Those at instants of `classic` only move the tails: the target's classic
/// histograms count there.
fn runs(fed: &Fed, samples: &[At], classic: &HashSet<i64>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut before = fed.newest();
    for new in samples {
        let (at, now) = new;
        if before.is_some_and(|(last, _)| at <= last) {
            continue;
        }
        let counts = !classic.contains(at);
        let change = before.filter(|_| counts).map(|(_, before)| {
            let told = now.since(before, fed.under);
            (told, before.counts(fed.under))
        });
        let tail = match change {
            Some((Change::Reset, _)) => Some(Counts::default()),
            Some((Change::From(told), was)) if told != was => Some(told),
            _ => None,
        };
        if tail.is_some() || runs.last().is_none_or(|run| run.counts != counts) {
            runs.push(Run { tail, counts, samples: Default::default() });
        }
        let Counts { total, lower, upper } = now.counts(fed.under);
        let is_dip = matches!(change, Some((Change::Dip, _)));
        let values = if is_dip { &[total][..] } else { &[total, lower, upper] };
        if let Some(run) = runs.last_mut() {
            for (samples, value) in run.samples.iter_mut().zip(values) {
                samples.push(Sample { at: *at, value: *value });
            }
        }
        if !is_dip {
            before = Some(new);
        }
    }
    runs
}
