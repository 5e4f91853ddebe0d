//! Classic histograms whose boundaries differ, between processes or over time: for every sample the
//! nearest boundaries that its own histogram has.

use std::collections::{BTreeMap, HashMap, HashSet};

use slo_core::counter::Sample;
use slo_core::labels::Labels;
use slo_core::plan::{Edges, Feeds, canonical_le};

use super::Intake;
use super::batch::{Part, Samples};

/// The buckets of one SLO.
#[derive(Debug, Default)]
pub(super) struct Layouts {
    histograms: HashMap<Labels, u32>,
    next: u32,
    buckets: HashMap<u32, Bucket>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    histogram: u32,
    bound: f64,
    /// For the last one: the series that its events count as when they may be good.
    perhaps: Option<u32>,
}

/// The boundaries at or below and above a threshold.
type Nearest = (Option<f64>, Option<f64>);

/// The boundaries around the threshold of a latency SLO.
pub(super) fn edges(feeds: &Feeds) -> Option<&Edges> {
    match feeds {
        Feeds::Latency { edges, .. } => edges.as_ref(),
        _ => None,
    }
}

impl Layouts {
    /// Whether a bucket is its histogram's last one.
    pub(super) fn is_last(labels: &Labels) -> bool {
        canonical_le(labels.get("le")).is_some_and(f64::is_infinite)
    }

    /// Notes a series' bucket.
    pub(super) fn add(&mut self, series: u32, labels: &Labels, perhaps: Option<u32>) {
        let others = labels.iter().filter(|(name, _)| *name != "le");
        let histogram = *self.histograms.entry(Labels::new(others)).or_insert_with(|| {
            self.next += 1;
            self.next
        });
        if let Some(bound) = canonical_le(labels.get("le")) {
            self.buckets.insert(series, Bucket { histogram, bound, perhaps });
        }
    }

    /// The series that the events of a histogram's last bucket count as when they may be good.
    pub(super) fn perhaps(&self, series: u32) -> Option<u32> {
        self.buckets.get(&series)?.perhaps
    }

    /// Series have new numbers; those without one are gone.
    pub(super) fn moved(&mut self, moves: &[Option<u32>]) {
        let now = |series: u32| moves.get(series as usize).copied().flatten();
        let kept = self.buckets.drain().filter_map(|(series, bucket)| {
            let perhaps = bucket.perhaps.and_then(now);
            Some((now(series)?, Bucket { perhaps, ..bucket }))
        });
        self.buckets = kept.collect();
        let alive: HashSet<u32> = self.buckets.values().map(|b| b.histogram).collect();
        self.histograms.retain(|_, histogram| alive.contains(histogram));
    }

    /// Lets of every bucket the samples count that tell most of the threshold. The others move its tail:
    /// when they are the nearest once, what was before is known.
    pub(super) fn choose(&self, parts: &mut Vec<Part>, samples: &mut Samples, under: f64) {
        let nearest = self.nearest(parts, samples, under);
        let mut chosen = Vec::with_capacity(parts.len());
        for part in parts.drain(..) {
            let Some(bucket) = self.buckets.get(&part.series) else {
                chosen.push(part);
                continue;
            };
            let is_chosen = |sample: &Sample| {
                let (low, high) = nearest[&(bucket.histogram, sample.at)];
                let exact = low.is_some_and(|low| low >= under);
                let side = if bucket.bound <= under { low } else { high.filter(|_| !exact) };
                side.is_some_and(|bound| bound.total_cmp(&bucket.bound).is_eq())
            };
            let series =
                if bucket.bound.is_infinite() { bucket.perhaps } else { Some(part.series) };
            if bucket.bound.is_infinite() {
                chosen.push(part);
            }
            let own = samples.get(part.samples).to_vec();
            let runs = own.chunk_by(|a, b| is_chosen(a) == is_chosen(b));
            for (series, run) in runs.flat_map(|run| series.map(|series| (series, run))) {
                let (samples, counts) = (samples.push(run), is_chosen(&run[0]));
                chosen.push(Part { series, samples, counts, ..part });
            }
        }
        *parts = chosen;
    }

    fn nearest(
        &self,
        parts: &[Part],
        samples: &Samples,
        under: f64,
    ) -> HashMap<(u32, i64), Nearest> {
        let mut nearest: HashMap<(u32, i64), Nearest> = HashMap::new();
        for part in parts {
            let Some(Bucket { histogram, bound, .. }) = self.buckets.get(&part.series).copied()
            else {
                continue;
            };
            for sample in samples.get(part.samples) {
                let (low, high) = nearest.entry((histogram, sample.at)).or_default();
                if bound <= under {
                    *low = Some(low.map_or(bound, |low| low.max(bound)));
                } else {
                    *high = Some(high.map_or(bound, |high| high.min(bound)));
                }
            }
        }
        nearest
    }
}

impl Intake {
    /// SLOs whose histograms turn out to have different boundaries: where one sample has a bucket,
    /// another has none. What was taken of them must not be counted.
    #[must_use]
    pub fn mixed(&self) -> Vec<usize> {
        let mut samples: BTreeMap<usize, [usize; 3]> = BTreeMap::new();
        for part in &self.batch {
            let unit = &self.slos[part.slo];
            let is_fixed = unit.shows_classic && unit.layouts.is_none();
            let Some(weights) = unit.counter.weights(part.series).filter(|_| is_fixed) else {
                continue;
            };
            let is_upper = weights.total == 0 && weights.good == 0 && weights.slack > 0;
            let counts = [weights.total != 0, weights.good != 0, is_upper];
            let count = self.samples.get(part.samples).len();
            for (sum, is) in samples.entry(part.slo).or_default().iter_mut().zip(counts) {
                *sum += count * usize::from(is);
            }
        }
        let differ = |(slo, [total, lower, upper]): (usize, [usize; 3])| {
            let edges = edges(&self.slos[slo].feeds)?;
            let has_upper = edges.upper.is_some_and(f64::is_finite);
            let lacks = edges.lower.is_some() && lower != total || has_upper && upper != total;
            lacks.then_some(slo)
        };
        samples.into_iter().filter_map(differ).collect()
    }

    /// The batch, where of histogram buckets only those count that none of the same instant outdoes.
    pub(super) fn chosen(&mut self) -> Vec<Part> {
        let mut batch = std::mem::take(&mut self.batch);
        for (slo, unit) in self.slos.iter().enumerate() {
            let (Some(layouts), Feeds::Latency { under, .. }) = (&unit.layouts, &*unit.feeds)
            else {
                continue;
            };
            let mut parts: Vec<Part> = batch.extract_if(.., |part| part.slo == slo).collect();
            layouts.choose(&mut parts, &mut self.samples, *under);
            batch.append(&mut parts);
        }
        batch
    }
}
