//! Classic histograms whose boundaries differ, between processes or over time: for every sample the
//! nearest boundaries that its own histogram has.

use std::collections::HashMap;

use slo_core::counter::Sample;
use slo_core::labels::Labels;
use slo_core::plan::canonical_le;

use super::Part;

/// The buckets of one SLO.
#[derive(Debug, Default)]
pub(super) struct Layouts {
    histograms: HashMap<Labels, u32>,
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

impl Layouts {
    /// Whether a bucket is its histogram's last one.
    pub(super) fn is_last(labels: &Labels) -> bool {
        canonical_le(labels.get("le")).is_some_and(f64::is_infinite)
    }

    /// Notes a series' bucket.
    pub(super) fn add(&mut self, series: u32, labels: &Labels, perhaps: Option<u32>) {
        let others = labels.iter().filter(|(name, _)| *name != "le");
        let next = u32::try_from(self.histograms.len()).unwrap_or(u32::MAX);
        let histogram = *self.histograms.entry(Labels::new(others)).or_insert(next);
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
        let alive: Vec<u32> = self.buckets.values().map(|b| b.histogram).collect();
        self.histograms.retain(|_, histogram| alive.contains(histogram));
    }

    /// Leaves of every bucket the samples that tell most of the threshold.
    pub(super) fn choose(&self, parts: &mut Vec<Part>, arena: &mut Vec<Vec<Sample>>, under: f64) {
        let nearest = self.nearest(parts, arena, under);
        let mut perhaps = Vec::new();
        for part in parts.iter_mut() {
            let Some(bucket) = self.buckets.get(&part.series) else { continue };
            let is_chosen = |sample: &&Sample| {
                let (low, high) = nearest[&(bucket.histogram, sample.at)];
                let exact = low.is_some_and(|low| low >= under);
                let side = if bucket.bound <= under { low } else { high.filter(|_| !exact) };
                side.is_some_and(|bound| bound.total_cmp(&bucket.bound).is_eq())
            };
            let chosen: Vec<Sample> =
                arena[part.samples].iter().filter(is_chosen).copied().collect();
            let samples = arena.len();
            arena.push(chosen);
            match bucket.perhaps {
                Some(series) => perhaps.push(Part { series, samples, ..*part }),
                None if bucket.bound.is_infinite() => {}
                None => part.samples = samples,
            }
        }
        parts.extend(perhaps);
    }

    fn nearest(
        &self,
        parts: &[Part],
        arena: &[Vec<Sample>],
        under: f64,
    ) -> HashMap<(u32, i64), Nearest> {
        let mut nearest: HashMap<(u32, i64), Nearest> = HashMap::new();
        for part in parts {
            let Some(Bucket { histogram, bound, .. }) = self.buckets.get(&part.series).copied()
            else {
                continue;
            };
            for sample in &arena[part.samples] {
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
