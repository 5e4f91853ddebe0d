//! Classic histograms whose boundaries differ, between processes or over time: for every sample the
//! nearest boundaries that its own histogram has, and had at its sample before.

use std::collections::{BTreeMap, HashMap, HashSet};

use slo_core::counter::{Counter, Sample, is_count, is_dip};
use slo_core::labels::Labels;
use slo_core::plan::{Edges, Feeds, canonical_le};

use super::Intake;
use super::batch::{Part, Samples, in_order};

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
    pub(super) fn choose(
        &self,
        parts: &mut Vec<Part>,
        samples: &mut Samples,
        (counter, under): (&Counter, f64),
    ) {
        in_order(parts, samples);
        let since = self.since(parts, samples, counter);
        let nearest = self.nearest(parts, samples, (&since, under));
        let mut chosen = Vec::with_capacity(parts.len());
        for (part, since) in parts.drain(..).zip(&since) {
            let Some(bucket) = self.buckets.get(&part.series) else {
                chosen.push(part);
                continue;
            };
            let is_chosen = |sample: &Sample| {
                let (low, high) =
                    nearest.get(&(bucket.histogram, sample.at)).copied().unwrap_or_default();
                let exact = low.is_some_and(|low| low >= under);
                let side = if bucket.bound <= under { low } else { high.filter(|_| !exact) };
                side.is_some_and(|bound| bound.total_cmp(&bucket.bound).is_eq())
            };
            let is_last = bucket.bound.is_infinite();
            chosen.extend(is_last.then_some(part));
            let series = if is_last { bucket.perhaps } else { Some(part.series) };
            let own = samples.get(part.samples).to_vec();
            let told: Vec<(Sample, Since)> = own.into_iter().zip(since.iter().copied()).collect();
            let counts =
                |(sample, since): &(Sample, Since)| *since != Since::Unknown && is_chosen(sample);
            let runs = told.chunk_by(|a, b| counts(a) == counts(b) && b.1 != Since::Zero);
            for (series, run) in runs.flat_map(|run| series.map(|series| (series, run))) {
                let own: Vec<Sample> = run.iter().map(|(sample, _)| *sample).collect();
                let tail = (run[0].1 == Since::Zero).then_some(0);
                let (samples, counts) = (samples.push(&own), counts(&run[0]));
                chosen.push(Part { series, samples, counts, tail, ..part });
            }
        }
        *parts = chosen;
    }

    /// From where every sample of every part counts.
    fn since(&self, parts: &[Part], samples: &Samples, counter: &Counter) -> Vec<Vec<Since>> {
        let times = Times::new(self, parts, samples, counter);
        let mut tail: Option<(u32, Option<i64>)> = None;
        let mut of_part = |part: &Part| {
            let Some(bucket) = self.buckets.get(&part.series) else { return Vec::new() };
            let stored = || counter.tail(part.series).map(|(at, _)| at);
            let mut before = match tail {
                Some((series, before)) if series == part.series => before,
                _ => stored(),
            };
            let mut since = |sample: &Sample| {
                let since = if bucket.bound.is_infinite() {
                    Since::Tail
                } else {
                    times.since(bucket.histogram, sample.at, before)
                };
                before = before.max(is_count(sample.value).then_some(sample.at));
                since
            };
            let all = samples.get(part.samples).iter().map(&mut since).collect();
            tail = Some((part.series, before));
            all
        };
        parts.iter().map(&mut of_part).collect()
    }

    fn nearest(
        &self,
        parts: &[Part],
        samples: &Samples,
        (since, under): (&[Vec<Since>], f64),
    ) -> HashMap<(u32, i64), Nearest> {
        let mut nearest: HashMap<(u32, i64), Nearest> = HashMap::new();
        for (part, since) in parts.iter().zip(since) {
            let Some(Bucket { histogram, bound, .. }) = self.buckets.get(&part.series).copied()
            else {
                continue;
            };
            let told = samples.get(part.samples).iter().zip(since);
            for (sample, _) in told.filter(|(_, since)| **since != Since::Unknown) {
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

/// From where a bucket's sample counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Since {
    /// From the sample before, which its histogram has no newer one than.
    Tail,
    /// From zero: the whole histogram began anew.
    Zero,
    /// Others of the histogram spoke since: they have counted what came then, and how much of the
    /// difference that is nobody knows.
    Unknown,
}

/// When histograms spoke.
struct Times {
    /// By histogram, in order.
    all: HashMap<u32, Vec<i64>>,
    /// When a last bucket had begun anew.
    anew: HashSet<(u32, i64)>,
    max_gap: i64,
}

impl Times {
    fn new(layouts: &Layouts, parts: &[Part], samples: &Samples, counter: &Counter) -> Self {
        let mut all: HashMap<u32, Vec<i64>> = HashMap::new();
        for (series, bucket) in &layouts.buckets {
            let tail = counter.tail(*series).map(|(at, _)| at);
            all.entry(bucket.histogram).or_default().extend(tail);
        }
        let mut anew = HashSet::new();
        let mut last: HashMap<u32, f64> = HashMap::new();
        for part in parts {
            let Some(bucket) = layouts.buckets.get(&part.series) else { continue };
            let tail = counter.tail(part.series);
            let counts = samples.get(part.samples).iter().filter(|s| is_count(s.value));
            for Sample { at, value } in counts.filter(|s| tail.is_none_or(|(at, _)| s.at > at)) {
                all.entry(bucket.histogram).or_default().push(*at);
                if !bucket.bound.is_infinite() {
                    continue;
                }
                let before = last.entry(bucket.histogram);
                let before = before.or_insert_with(|| tail.map_or(0.0, |(_, value)| value as f64));
                if is_dip(*before, *value) {
                    continue;
                }
                if *value < *before {
                    anew.insert((bucket.histogram, *at));
                }
                *before = *value;
            }
        }
        for times in all.values_mut() {
            times.sort_unstable();
            times.dedup();
        }
        Self { all, anew, max_gap: counter.rules().max_gap.as_millis() }
    }

    /// For a sample of a bucket whose sample before was at `before`.
    fn since(&self, histogram: u32, at: i64, before: Option<i64>) -> Since {
        let times = self.all.get(&histogram).map_or(&[][..], Vec::as_slice);
        let earlier = times[..times.partition_point(|time| *time < at)].last();
        let Some(spoke) = earlier.filter(|spoke| at - **spoke <= self.max_gap) else {
            return Since::Tail;
        };
        if before.is_some_and(|before| before >= *spoke) {
            Since::Tail
        } else if self.anew.contains(&(histogram, at)) {
            Since::Zero
        } else {
            Since::Unknown
        }
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
            layouts.choose(&mut parts, &mut self.samples, (&unit.counter, *under));
            batch.append(&mut parts);
        }
        batch
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use slo_core::bucket::Bucket;
    use slo_core::counter::Rules;
    use slo_core::plan::{Defaults, shares};
    use slo_core::time::{Minute, Span};

    use super::*;

    const SERVICE: &str = "apiVersion: headroom/v1\nkind: Service\nservice: a\ntier: 1\nenvironment: p\n\
        slos: [{name: x, objective: 99%, indicator: {latency: {histogram: 'wait_seconds{}', under: 500ms}}}]\n";
    const BOUNDS: [(&str, f64); 5] =
        [("0.25", 0.25), ("0.5", 0.5), ("0.7", 0.7), ("1", 1.0), ("+Inf", f64::INFINITY)];

    fn intake() -> Intake {
        let set = slo_core::spec::load(&[("a.yaml".to_owned(), SERVICE.into())]).unwrap();
        let rules = Rules { look_back: Span::minutes(5), max_gap: Span::minutes(60) };
        let mut share = shares(&set.services[0].slos[0], Defaults::default()).remove(0);
        if let Feeds::Latency { under, edges, .. } = &mut share.feeds {
            let around = Edges::around(*under, &["0.25".to_owned(), "+Inf".to_owned()]);
            *edges = around.map(|edges| Edges { mixed: true, ..edges });
        }
        Intake::new(vec![(Arc::new(share.feeds), rules)], Minute(0), 10_000)
    }

    /// What one scrape shows: which boundaries (but the last), how often each bin was hit since the one
    /// before, and whether the process began anew in between.
    type Scrape = ([bool; 4], [u8; 5], bool);

    /// What was counted, and how much of the total was truly good.
    fn count(scrapes: &[Scrape], cuts: usize) -> (Bucket, i64) {
        let mut intake = intake();
        let (mut hits, mut good) = ([0_i64; 5], 0);
        let mut buckets: BTreeMap<Minute, Bucket> = BTreeMap::new();
        for (minute, (shown, new, is_anew)) in scrapes.iter().enumerate() {
            let at = minute as i64 * 60_000 + 1;
            // So that every bucket shows it.
            hits = if *is_anew && hits[0] > 1_400 { [0; 5] } else { hits };
            hits.iter_mut().zip(new).for_each(|(sum, new)| *sum += i64::from(*new));
            if minute > 0 {
                good += i64::from(new[0]) + i64::from(new[1]);
            } else {
                hits[0] += 900;
            }
            let mut sum = 0.0;
            for (((le, _), hits), shown) in BOUNDS.iter().zip(hits).zip(shown.iter().chain([&true]))
            {
                sum += hits as f64;
                if *shown {
                    let name = ("__name__", "wait_seconds_bucket");
                    let labels = Labels::new([name, ("instance", "a"), ("le", *le)]);
                    intake.take(0, &labels, &[Sample { at, value: sum }], None);
                }
            }
            if minute % cuts == 0 || minute + 1 == scrapes.len() {
                let outcomes = intake.settle(&|_, _| None, at);
                buckets.extend(outcomes.into_iter().flat_map(|(_, outcome)| outcome.buckets));
            }
        }
        let mut sum = Bucket::default();
        for (_, bucket) in buckets {
            sum.total += bucket.total;
            sum.good += bucket.good;
            sum.slack += bucket.slack;
        }
        (sum, good)
    }

    const ALL: [bool; 4] = [true; 4];
    const WITHOUT_HALF: [bool; 4] = [true, false, true, true];
    const HITS: [u8; 5] = [10, 20, 30, 20, 10];

    #[test]
    fn what_a_boundary_counts_that_was_gone_is_what_came_since_it_is_back() {
        let shown = [ALL, ALL, WITHOUT_HALF, WITHOUT_HALF, ALL, ALL];
        let scrapes = shown.map(|shown| (shown, HITS, false));
        let (counted, good) = count(&scrapes, 1);
        assert_eq!((counted.total, good), (450, 150));
        // Two scrapes of 30, three of 10 to 60.
        assert_eq!((counted.good, counted.slack), (2 * 30 + 3 * 10, 3 * 50));
    }

    #[test]
    fn a_boundary_that_comes_with_a_new_process_counts_from_zero() {
        let mut scrapes = [ALL, ALL, WITHOUT_HALF, ALL, ALL].map(|shown| (shown, [200; 5], false));
        (scrapes[2].2, scrapes[3].2) = (true, true);
        let (counted, good) = count(&scrapes, 1);
        assert_eq!((counted.good, counted.slack, good), (1_400, 400, 1_600));
    }

    fn scrape() -> impl Strategy<Value = Scrape> {
        (any::<[bool; 4]>(), any::<[u8; 5]>(), any::<bool>())
    }

    proptest! {
        #[test]
        fn the_truth_lies_within_the_bounds_whatever_boundaries_come_and_go(
            scrapes in prop::collection::vec(scrape(), 1..30), cuts in 1_usize..6
        ) {
            let (counted, good) = count(&scrapes, cuts);
            let all: i64 = scrapes[1..].iter().flat_map(|s| s.1).map(i64::from).sum();
            prop_assert_eq!(counted.total, all);
            prop_assert!(counted.good <= good && good <= counted.good + counted.slack);
            prop_assert!(counted.good + counted.slack <= counted.total);
            prop_assert_eq!(counted, count(&scrapes, 1).0, "whatever is read together");
        }
    }
}
