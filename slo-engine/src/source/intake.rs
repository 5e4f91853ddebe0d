//! From series to the counters of the SLOs they feed. Shared by every source that reads series.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use slo_core::bucket::Bucket;
use slo_core::counter::{
    Counter, Kind, NewTarget, Note, Outcome, Rules, Sample, TargetKey, Weights,
};
use slo_core::labels::Labels;
use slo_core::plan::{Feeds, Query, Router, queries};
use slo_core::sli;
use slo_core::slo::BILLION;
use slo_core::subset::{Cuts, Subset};
use slo_core::time::Minute;

use super::agreement::Now;

mod batch;
mod lapsed;
mod layouts;
pub mod logs;
mod native;
mod oddity;
mod subsets;
mod texts;
mod width;

use batch::{Part, Place, Samples, in_order, series};
pub use lapsed::Refused;
use layouts::Layouts;
use native::Native;
pub use oddity::Oddity;
use subsets::Subsets;
use texts::Texts;
use width::Width;

/// The counting of a set of SLOs that are read together.
#[derive(Debug)]
pub struct Intake {
    slos: Vec<Unit>,
    queries: Vec<(Query, Router)>,
    /// By query, where queries may leave out lists of values.
    widths: Vec<Width>,
    known: HashMap<Labels, Known>,
    natives: HashMap<Labels, Native>,
    from: Minute,
    texts: Texts,
    batch: Vec<Part>,
    samples: Samples,
    /// SLOs that the source refuses, where it may refuse some.
    lapsed: Option<BTreeSet<usize>>,
    /// What the time is, where the source's clock must agree.
    pub now: Option<Now>,
}

/// An SLO to be counted.
#[derive(Debug, Clone)]
pub struct Fed {
    /// What feeds it.
    pub feeds: Arc<Feeds>,
    /// How it is counted.
    pub rules: Rules,
    /// The subsets of its events that are counted, too.
    pub apart: Option<Apart>,
}

/// By what an SLO's events are told apart, and which subsets are known already.
#[derive(Debug, Clone)]
pub struct Apart {
    /// By what.
    pub cuts: Arc<Cuts>,
    /// Those that have a ledger.
    pub known: Vec<Arc<Subset>>,
    /// Whether all others are counted together.
    pub is_settled: bool,
}

impl From<(Arc<Feeds>, Rules)> for Fed {
    fn from((feeds, rules): (Arc<Feeds>, Rules)) -> Self {
        Self { feeds, rules, apart: None }
    }
}

/// What is known of one SLO's series.
#[derive(Debug)]
struct Unit {
    feeds: Arc<Feeds>,
    counter: Counter,
    subsets: Option<Box<Subsets>>,
    /// Labels of series of the total, until all that the refinements name have been seen.
    labels: BTreeSet<String>,
    labelled: bool,
    part_seen: bool,
    /// A recording rule's name among those of the series.
    recorded: Option<String>,
    /// When a series that should hold numbers held a native histogram last, Unix milliseconds.
    native: Option<i64>,
    /// Whether classic buckets are read, where they may be.
    shows_classic: bool,
    /// For a histogram whose boundaries differ.
    layouts: Option<Box<Layouts>>,
    /// For a raw ratio the last millisecond of the newest slice that had a value, for logs the newest heartbeat;
    /// Unix milliseconds.
    newest: Option<i64>,
    /// For logs: the first minute with events.
    began: Option<Minute>,
    several: usize,
}

/// A raw ratio to be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawRatio {
    /// The SLO's position.
    pub slo: usize,
    /// PromQL.
    pub expression: String,
    /// Minutes of a slice.
    pub size: i64,
    share_of: sli::Part,
}

/// The SLOs that a series feeds, by the query that showed it.
#[derive(Debug, Default)]
struct Known {
    seen_by: Vec<usize>,
    fed: Vec<(usize, usize, u32)>,
}

/// A series that feeds an SLO.
#[derive(Debug, Clone, PartialEq)]
pub struct Feeding {
    /// Its labels.
    pub labels: Labels,
    /// What its events count as.
    pub weights: Weights,
    /// What was seen of it.
    pub note: Note,
}

impl Intake {
    /// Counts the SLOs from the minute `from` on; samples before it only make tails.
    #[must_use]
    pub fn new<F: Into<Fed>>(slos: Vec<F>, from: Minute, max_query_bytes: usize) -> Self {
        let slos: Vec<Fed> = slos.into_iter().map(Into::into).collect();
        let feeds: Vec<&Feeds> = slos.iter().map(|fed| &*fed.feeds).collect();
        let queries = queries(&feeds, max_query_bytes)
            .into_iter()
            .map(|query| {
                let router = Router::new(&query, &feeds);
                (query, router)
            })
            .collect();
        let unit = |fed: Fed| Unit::new(fed, from);
        Self {
            queries,
            widths: Vec::new(),
            slos: slos.into_iter().map(unit).collect(),
            known: HashMap::new(),
            natives: HashMap::new(),
            from,
            texts: Texts::default(),
            batch: Vec::new(),
            samples: Samples::default(),
            lapsed: None,
            now: None,
        }
    }

    /// The queries to send, in order.
    pub fn queries(&self) -> impl Iterator<Item = &Query> {
        self.queries.iter().map(|(query, _)| query)
    }

    /// Takes the samples of one series that query number `query` showed.
    pub fn take(
        &mut self,
        query: usize,
        labels: &Labels,
        samples: &[Sample],
        created: Option<i64>,
    ) {
        let fed = self.fed(query, labels);
        self.samples.take(&mut self.batch, &fed, samples, created);
        self.widths.get_mut(query).into_iter().for_each(|width| width.saw(!fed.is_empty()));
    }

    /// The same by the text that its labels are written as; `labels` reads them when it is new.
    ///
    /// # Errors
    /// What `labels` gives; nothing is taken then.
    pub fn take_written<E>(
        &mut self,
        query: usize,
        text: &str,
        samples: &[Sample],
        labels: impl FnOnce() -> Result<Labels, E>,
    ) -> Result<(), E> {
        let key = self.texts.key(query, text);
        if self.texts.find(key).is_none() {
            let fed = self.fed(query, &labels()?);
            // Of a server that writes the same labels in ever new ways texts are not kept.
            if self.texts.len() > 2 * self.known.len() * self.queries.len() {
                self.texts.clear();
            }
            self.texts.add(key, &fed);
        }
        let fed = self.texts.find(key).unwrap_or_default();
        self.samples.take(&mut self.batch, fed, samples, None);
        self.widths.get_mut(query).into_iter().for_each(|width| width.saw(!fed.is_empty()));
        Ok(())
    }

    /// The SLOs that a series feeds by a query.
    fn fed(&mut self, query: usize, labels: &Labels) -> Vec<Place> {
        if !self.known.get(labels).is_some_and(|known| known.seen_by.contains(&query)) {
            self.meet(query, labels);
        }
        let fed = self.known.get(labels).into_iter().flat_map(|known| &known.fed);
        let fed = fed.filter(|(by, ..)| *by == query);
        fed.map(|(_, slo, series)| Place { slo: *slo, series: *series }).collect()
    }

    /// Sets the tail of a series that feeds an SLO, as stored by a source that has no past.
    pub fn restore(&mut self, slo: usize, labels: &Labels, at: i64, value: i64) {
        let matching: Vec<usize> = self
            .queries
            .iter()
            .enumerate()
            .filter(|(_, (query, _))| query.slos.contains(&slo) && query.selector.matches(labels))
            .map(|(at, _)| at)
            .collect();
        for query in matching {
            if !self.known.get(labels).is_some_and(|known| known.seen_by.contains(&query)) {
                self.meet(query, labels);
            }
        }
        let fed =
            self.known.get(labels).and_then(|known| known.fed.iter().find(|(_, s, _)| *s == slo));
        if let Some((_, _, series)) = fed {
            let unit = &mut self.slos[slo];
            let perhaps = unit.layouts.as_ref().and_then(|layouts| layouts.perhaps(*series));
            for series in std::iter::once(*series).chain(perhaps) {
                unit.counter.restore_tail(series, at, value);
            }
        }
    }

    /// The tails of all series: SLO, labels, instant (Unix milliseconds), value.
    pub fn tails(&self) -> impl Iterator<Item = (usize, &Labels, i64, i64)> {
        self.known.iter().flat_map(move |(labels, known)| {
            let mut fed = known.fed.clone();
            fed.sort_unstable_by_key(|(_, slo, _)| *slo);
            fed.dedup_by_key(|(_, slo, _)| *slo);
            fed.into_iter().filter_map(move |(_, slo, series)| {
                let (at, value) = self.slos[slo].counter.tail(series)?;
                Some((slo, labels, at, value))
            })
        })
    }

    /// Gives an SLO's open minute what was counted of it before a restart.
    pub fn resume(&mut self, slo: usize, minute: Minute, bucket: Bucket) {
        self.slos[slo].counter.resume(minute, bucket);
    }

    fn meet(&mut self, query: usize, labels: &Labels) {
        let feeds: Vec<&Feeds> = self.slos.iter().map(|unit| &*unit.feeds).collect();
        let fed = self.queries[query].1.feed(labels, &feeds);
        let known = self.known.entry(labels.clone()).or_default();
        known.seen_by.push(query);
        for fed in fed {
            let unit = &mut self.slos[fed.slo];
            let there = known.fed.iter().find(|(_, slo, _)| *slo == fed.slo);
            let series = there.map_or_else(
                || unit.register(labels, fed.weights, fed.kind),
                |(_, _, series)| *series,
            );
            known.fed.push((query, fed.slo, series));
            let perhaps = (unit.layouts.is_some() && Layouts::is_last(labels)).then(|| {
                let perhaps = Weights { slack: 1, ..Weights::default() };
                unit.register(labels, perhaps, fed.kind)
            });
            if let Some(layouts) = &mut unit.layouts {
                layouts.add(series, labels, perhaps);
            }
            if fed.weights.total != 0 && !unit.labelled {
                unit.labels.extend(labels.iter().map(|(name, _)| name.to_owned()));
                unit.labelled = unit.feeds.missing_labels(|l| unit.labels.contains(l)).is_empty();
            }
            if unit.labelled {
                unit.labels.clear();
            }
            let name = labels.get("__name__");
            if unit.recorded.is_none() && fed.kind == Kind::Counter && name.contains(':') {
                unit.recorded = Some(name.to_owned());
            }
            unit.part_seen |= fed.weights.good != fed.weights.total || fed.weights.total == 0;
        }
    }

    /// The targets whose process start decides how the batch is counted.
    #[must_use]
    pub fn new_targets(&mut self) -> Vec<NewTarget> {
        in_order(&mut self.batch, &self.samples);
        let mut found = Vec::new();
        for parts in self.batch.chunk_by(|a, b| a.slo == b.slo) {
            let batch = series(parts, &self.samples);
            found.extend(self.slos[parts[0].slo].counter.new_targets(&batch));
        }
        found
    }

    /// Counts what was taken since the last call; `read_to` is how far it reaches (Unix milliseconds).
    pub fn settle(
        &mut self,
        starts: slo_core::counter::Starts<'_>,
        read_to: i64,
    ) -> Vec<(usize, Outcome)> {
        let mut batch = self.chosen();
        in_order(&mut batch, &self.samples);
        let mut parts = batch.as_slice();
        let mut outcomes = Vec::new();
        for (slo, unit) in self.slos.iter_mut().enumerate() {
            let mine = parts.partition_point(|part| part.slo == slo);
            let (of_slo, rest) = parts.split_at(mine);
            parts = rest;
            let outcome = unit.counter.fold(&series(of_slo, &self.samples), starts, read_to);
            outcomes.push((slo, outcome));
        }
        self.samples = Samples::default();
        self.natives.values_mut().for_each(|native| native.settle(true));
        outcomes
    }

    /// Forgets what was taken since the last call of [`Self::settle`].
    pub fn forget_batch(&mut self) {
        self.batch.clear();
        self.samples = Samples::default();
        self.natives.values_mut().for_each(|native| native.settle(false));
    }

    /// What is asked for an SLO: selectors, or the expression of a raw ratio.
    #[must_use]
    pub fn queries_of(&self, slo: usize) -> Vec<String> {
        if let Feeds::Raw { expression, .. } = &*self.slos[slo].feeds {
            return vec![expression.clone()];
        }
        let of_slo = self.queries().filter(|query| query.slos.contains(&slo));
        of_slo.map(|query| query.selector.to_string()).collect()
    }

    /// The raw ratios of the SLOs.
    #[must_use]
    pub fn raws(&self) -> Vec<RawRatio> {
        let raw = |(slo, unit): (usize, &Unit)| match &*unit.feeds {
            Feeds::Raw { expression, share_of, size } => Some(RawRatio {
                slo,
                expression: expression.clone(),
                size: size.as_minutes().max(1),
                share_of: *share_of,
            }),
            _ => None,
        };
        self.slos.iter().enumerate().filter_map(raw).collect()
    }

    /// Notes how many series a raw ratio gave; more than one is nobody's ratio.
    pub fn note_series(&mut self, raw: &RawRatio, count: usize) {
        self.slos[raw.slo].several = count;
    }

    /// Counts the values of a raw ratio at the ends of slices (Unix milliseconds). A slice counts as
    /// a billion events at its last minute, of which its ratio is good.
    pub fn take_ratio(&mut self, raw: &RawRatio, values: &[Sample]) -> Outcome {
        let mut outcome = Outcome::default();
        let unit = &mut self.slos[raw.slo];
        for Sample { at, value } in values.iter().filter(|s| !s.value.is_nan()) {
            let end = Minute::of_millis(*at);
            let start = end - raw.size;
            // A slice that began before, and ended since, is known only now.
            if end <= self.from {
                continue;
            }
            let good = if raw.share_of == sli::Part::Good { *value } else { 1.0 - *value };
            let measured = Bucket { measured: true, ..Bucket::default() };
            outcome.buckets.extend((start.0..end.0 - 1).map(|minute| (Minute(minute), measured)));
            let last = if (0.0..=1.0).contains(&good) {
                Bucket { good: (good * BILLION as f64).round() as i64, total: BILLION, ..measured }
            } else {
                Bucket { invalid: true, ..measured }
            };
            outcome.buckets.push((end - 1, last));
            // A slice's end belongs to the next one.
            unit.newest = unit.newest.max(Some(*at - 1));
        }
        outcome
    }

    /// How many SLOs are counted.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.slos.len()
    }

    /// The targets that have fed an SLO.
    pub fn targets(&self, slo: usize) -> impl Iterator<Item = &TargetKey> {
        self.slos[slo].counter.targets()
    }

    /// Closes the minutes before `before`.
    pub fn close(&mut self, before: Minute) {
        for unit in &mut self.slos {
            unit.counter.close(before);
        }
    }

    /// Forgets series without a sample since `before` (Unix milliseconds).
    pub fn prune(&mut self, before: i64) {
        let moves: Vec<Vec<Option<u32>>> =
            self.slos.iter_mut().map(|unit| unit.counter.prune(before)).collect();
        self.known.retain(|_, known| {
            known.fed.retain_mut(|(_, slo, series)| {
                let now = moves[*slo][*series as usize];
                *series = now.unwrap_or(*series);
                now.is_some()
            });
            !known.fed.is_empty()
        });
        self.known.shrink_to_fit();
        self.texts.clear();
        self.natives.retain(|_, native| native.moved(&moves));
        for (unit, moves) in self.slos.iter_mut().zip(&moves) {
            if let Some(layouts) = &mut unit.layouts {
                layouts.moved(moves);
            }
        }
    }

    /// Keeps notes of every series from now on, for [`Self::feeding`].
    pub fn keep_notes(&mut self) {
        for unit in &mut self.slos {
            unit.counter.keep_notes();
        }
    }

    /// The series that feed an SLO, by labels; those without a sample are left out.
    #[must_use]
    pub fn feeding(&self, slo: usize) -> Vec<Feeding> {
        let counter = &self.slos[slo].counter;
        let feeding = |(labels, known): (&Labels, &Known)| {
            let (_, _, series) = known.fed.iter().find(|(_, fed, _)| *fed == slo)?;
            let (weights, note) = (counter.weights(*series)?, counter.note(*series)?);
            Some(Feeding { labels: labels.clone(), weights, note })
        };
        let natives =
            self.natives.iter().filter_map(|(labels, native)| native.feeding(slo, labels, counter));
        let mut all: Vec<Feeding> = self.known.iter().filter_map(feeding).chain(natives).collect();
        all.sort_by(|a, b| a.labels.cmp(&b.labels));
        all
    }

    /// The newest sample of an SLO's total, Unix milliseconds.
    #[must_use]
    pub fn newest(&self, slo: usize) -> Option<i64> {
        let unit = &self.slos[slo];
        unit.counter.newest().max(unit.newest)
    }
}

#[cfg(test)]
mod tests;
