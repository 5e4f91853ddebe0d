//! Native histograms: each counts as three series, told by its buckets around the threshold.

use std::collections::HashSet;

use slo_core::counter::{Counter, Kind, Sample, TargetKey, Weights};
use slo_core::histogram::{Change, Counts, Histogram};
use slo_core::labels::Labels;

use super::{Feeding, Intake, Part, Unit};

/// What is known of one series of native histograms.
#[derive(Debug, Default)]
pub(super) struct Native {
    seen_by: Vec<usize>,
    fed: Vec<Fed>,
    /// The newest sample that was counted; the next one is told apart from it.
    last: Option<(i64, Histogram)>,
    /// The newest one of the batch.
    taken: Option<(i64, Histogram)>,
}

/// One SLO that a native histogram feeds.
#[derive(Debug, Clone, Copy)]
struct Fed {
    slo: usize,
    under: f64,
    /// Numbers of its series: all, those at or below the threshold, those perhaps.
    series: [u32; 3],
}

const WEIGHTS: [Weights; 3] = [
    Weights { total: 1, good: 0, slack: 0 },
    Weights { total: 0, good: 1, slack: -1 },
    Weights { total: 0, good: 0, slack: 1 },
];

/// Samples that go on from one another; the first one from `tail`, if it says so.
#[derive(Debug, Default)]
struct Run {
    tail: Option<Counts>,
    samples: [Vec<Sample>; 3],
}

impl Intake {
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
        let Some(native) = self.natives.get(labels) else { return };
        for fed in &native.fed {
            let classic = self.classic_times(fed.slo, &TargetKey::of(labels));
            let new = samples.iter().filter(|(at, _)| !classic.contains(at));
            for run in runs(native.newest(), new, fed.under) {
                let tails = run.tail.map(|c| [c.total, c.lower, c.upper]);
                for (place, samples) in run.samples.into_iter().enumerate() {
                    let tail = tails.map(|tails| tails[place] as i64);
                    let at = self.arena.len();
                    let series = fed.series[place];
                    self.batch.push(Part {
                        slo: fed.slo,
                        series,
                        samples: at,
                        created: None,
                        tail,
                    });
                    self.arena.push(samples);
                }
            }
        }
        let newest = samples.into_iter().next_back();
        if let Some(native) = self.natives.get_mut(labels)
            && let Some((at, histogram)) = newest
            && native.newest().is_none_or(|(last, _)| at > *last)
        {
            native.taken = Some((at, histogram));
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
            let (target, counter) = (TargetKey::of(labels), &mut self.slos[slo].counter);
            let series = WEIGHTS.map(|weights| counter.register(&target, weights, Kind::Counter));
            native.fed.push(Fed { slo, under, series });
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
        parts.flat_map(|part| self.arena[part.samples].iter().map(|s| s.at)).collect()
    }

    /// The boundaries of the bucket that an SLO's threshold lies in, in its newest native histogram.
    #[must_use]
    pub fn around(&self, slo: usize) -> Option<(f64, f64)> {
        let around = |native: &Native| {
            let fed = native.fed.iter().find(|fed| fed.slo == slo)?;
            let (at, histogram) = native.newest()?;
            Some((*at, histogram.around(fed.under)?))
        };
        self.natives.values().filter_map(around).max_by_key(|(at, _)| *at).map(|(_, around)| around)
    }
}

impl Native {
    const fn newest(&self) -> Option<&(i64, Histogram)> {
        match &self.taken {
            Some(taken) => Some(taken),
            None => self.last.as_ref(),
        }
    }

    /// The batch is counted, or it is not.
    pub(super) fn settle(&mut self, counted: bool) {
        let taken = self.taken.take();
        if counted && taken.is_some() {
            self.last = taken;
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

/// What new samples count as, by the threshold `under`.
fn runs<'a>(
    last: Option<&'a (i64, Histogram)>,
    samples: impl Iterator<Item = &'a (i64, Histogram)>,
    under: f64,
) -> Vec<Run> {
    let mut runs = vec![Run::default()];
    let mut before = last;
    for new in samples {
        let (at, now) = new;
        if before.is_some_and(|(last, _)| at <= last) {
            continue;
        }
        let counts = now.counts(under);
        let push = |runs: &mut Vec<Run>, values: &[f64]| {
            if let Some(run) = runs.last_mut() {
                for (samples, value) in run.samples.iter_mut().zip(values) {
                    samples.push(Sample { at: *at, value: *value });
                }
            }
        };
        match before.map(|(_, before)| (now.since(before, under), before.counts(under))) {
            Some((Change::Dip, _)) => {
                push(&mut runs, &[counts.total]);
                continue;
            }
            Some((Change::Reset, _)) => {
                runs.push(Run { tail: Some(Counts::default()), ..Run::default() });
            }
            Some((Change::From(told), was)) if told != was => {
                runs.push(Run { tail: Some(told), ..Run::default() });
            }
            _ => {}
        }
        push(&mut runs, &[counts.total, counts.lower, counts.upper]);
        before = Some(new);
    }
    runs
}
