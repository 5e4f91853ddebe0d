//! Documents counted by minute. Their source says how many there were; what they count as, and which
//! minutes are measured, is found here.

use std::collections::BTreeMap;
use std::sync::Arc;

use slo_core::bucket::Bucket;
use slo_core::counter::{Mark, Outcome, OutcomeOf};
use slo_core::plan::{Feeds, LogCount};
use slo_core::subset::Subset;
use slo_core::time::Minute;

use super::{Apart, Intake, Unit};

/// How many documents each count of an SLO found, by minute, and the newest heartbeat (Unix
/// milliseconds) that all of its shippers have passed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// In the order of the SLO's counts.
    pub counts: Vec<Vec<(Minute, i64)>>,
    /// `None` when one of them has none.
    pub newest: Option<i64>,
    /// The same counts of the subsets that were found.
    pub subsets: Vec<(Subset, OfCounts)>,
}

/// By count of an SLO: documents by minute.
pub type OfCounts = Vec<Vec<(Minute, i64)>>;

/// The log counts of one SLO.
#[derive(Debug, Clone)]
pub struct LogFeed {
    /// Position of the SLO.
    pub slo: usize,
    /// By what its documents are told apart, and the subsets that are known.
    pub apart: Option<Apart>,
    feeds: Arc<Feeds>,
}

impl LogFeed {
    /// What is counted.
    #[must_use]
    pub fn counts(&self) -> &[LogCount] {
        match &*self.feeds {
            Feeds::Logs(counts) => counts,
            _ => &[],
        }
    }
}

impl Intake {
    /// The SLOs that are fed by logs.
    #[must_use]
    pub fn logs(&self) -> Vec<LogFeed> {
        let units = self.slos.iter().enumerate();
        let logs = units.filter(|(_, unit)| matches!(*unit.feeds, Feeds::Logs(_)));
        let feed = |(slo, unit): (usize, &Unit)| {
            let apart = unit.subsets.as_ref().map(|subsets| subsets.apart());
            LogFeed { slo, apart, feeds: unit.feeds.clone() }
        };
        logs.map(feed).collect()
    }

    /// The minute that counting begins at.
    #[must_use]
    pub const fn from(&self) -> Minute {
        self.from
    }

    /// Says up to when the shippers of an SLO are known to have lived.
    pub fn restore_newest(&mut self, slo: usize, newest: i64) {
        let unit = &mut self.slos[slo];
        unit.newest = unit.newest.max(Some(newest));
    }

    /// Replaces the minutes `from..to` by what a source that can be asked again found in them.
    pub fn replace_logs(
        &mut self,
        feed: &LogFeed,
        found: &Found,
        (from, to): (Minute, Minute),
    ) -> Outcome {
        let (before, newest) = self.saw(feed.slo, found.newest);
        let mut buckets: BTreeMap<Minute, Bucket> =
            (from.0..to.0).map(|minute| (Minute(minute), Bucket::default())).collect();
        for (minute, bucket) in weighed(feed.counts(), &found.counts) {
            if let Some(open) = buckets.get_mut(&minute) {
                *open = bucket;
            }
        }
        for (minute, bucket) in &mut buckets {
            bucket.measured = newest.is_some_and(|newest| *minute <= Minute::of_millis(newest));
        }
        // A document after a silence tells that nothing was missed in it.
        let marks = before.map_or(Vec::new(), |before| silence(before, newest, from));
        let known = feed.apart.iter().flat_map(|apart| apart.known.iter());
        let mut of: BTreeMap<Arc<Subset>, BTreeMap<Minute, Bucket>> =
            known.map(|subset| (subset.clone(), BTreeMap::new())).collect();
        for (subset, counts) in &found.subsets {
            let buckets = weighed(feed.counts(), counts);
            self.add_to(feed.slo, &mut of, subset, buckets);
        }
        let whole = |(subset, found): (Arc<Subset>, BTreeMap<Minute, Bucket>)| {
            let newest = newest_of(&found);
            let bucket =
                |minute| (Minute(minute), found.get(&Minute(minute)).copied().unwrap_or_default());
            OutcomeOf {
                subset,
                newest,
                buckets: (from.0..to.0).map(bucket).collect(),
                more: Vec::new(),
            }
        };
        let subsets = of.into_iter().map(whole).collect();
        Outcome { buckets: buckets.into_iter().collect(), marks, subsets, ..Outcome::default() }
    }

    /// Adds what was found of a subset to it, or to the rest where it is one too many.
    fn add_to(
        &mut self,
        slo: usize,
        all: &mut BTreeMap<Arc<Subset>, BTreeMap<Minute, Bucket>>,
        subset: &Subset,
        buckets: BTreeMap<Minute, Bucket>,
    ) {
        let Unit { subsets, counter, .. } = &mut self.slos[slo];
        let Some(subsets) = subsets else { return };
        let sum = all.entry(subsets.settled(counter, subset.clone())).or_default();
        for (minute, bucket) in buckets {
            let known = sum.entry(minute).or_default();
            *known = known.plus(&bucket);
        }
    }

    /// Adds events from a source that hands out each once.
    pub fn add_logs(&mut self, feed: &LogFeed, found: &Found) -> Outcome {
        let (before, newest) = self.saw(feed.slo, found.newest);
        let mut more = weighed(feed.counts(), &found.counts);
        let begun = self.slos[feed.slo].began;
        let first = self.began(feed.slo, more.keys().next().copied());
        let since = before.map(|before| Minute::of_millis(before) + 1).or(first);
        measure(&mut more, since, newest);
        // A line that is older than all before it tells that there were none since.
        for minute in first.zip(begun).map_or(0..0, |(first, begun)| first.0..begun.0) {
            more.entry(Minute(minute)).or_default().measured = true;
        }
        let mut of = BTreeMap::new();
        for (subset, counts) in &found.subsets {
            self.add_to(feed.slo, &mut of, subset, weighed(feed.counts(), counts));
        }
        let added = |(subset, more): (Arc<Subset>, BTreeMap<Minute, Bucket>)| {
            let newest = newest_of(&more);
            OutcomeOf { subset, newest, buckets: Vec::new(), more: more.into_iter().collect() }
        };
        let subsets = of.into_iter().map(added).collect();
        Outcome { more: more.into_iter().collect(), subsets, ..Outcome::default() }
    }

    /// Whether nothing is known of an SLO: neither events nor that its shipper lives.
    #[must_use]
    pub fn knows_nothing_of(&self, slo: usize) -> bool {
        let unit = &self.slos[slo];
        unit.newest.is_none() && unit.began.is_none()
    }

    /// Says since when an SLO is counted.
    pub fn restore_first(&mut self, slo: usize, first: Minute) {
        self.began(slo, Some(first));
    }

    /// Notes the first minute with events; the first of all so far.
    fn began(&mut self, slo: usize, first: Option<Minute>) -> Option<Minute> {
        let began = &mut self.slos[slo].began;
        *began = (*began).into_iter().chain(first).min();
        *began
    }

    /// Notes the newest heartbeat; what was the newest before and what is it now.
    fn saw(&mut self, slo: usize, newest: Option<i64>) -> (Option<i64>, Option<i64>) {
        let unit = &mut self.slos[slo];
        let before = unit.newest;
        unit.newest = before.max(newest);
        (before, unit.newest)
    }
}

/// The last millisecond of the newest minute with events.
#[must_use]
pub fn newest_of(buckets: &BTreeMap<Minute, Bucket>) -> Option<i64> {
    let newest = buckets.iter().rev().find(|(_, bucket)| !bucket.is_empty());
    newest.map(|(minute, _)| (*minute + 1).start_millis() - 1)
}

/// What documents count as, by minute.
#[must_use]
pub fn weighed(counts: &[LogCount], found: &[Vec<(Minute, i64)>]) -> BTreeMap<Minute, Bucket> {
    let mut buckets: BTreeMap<Minute, Bucket> = BTreeMap::new();
    for (count, minutes) in counts.iter().zip(found) {
        for (minute, events) in minutes {
            let bucket = buckets.entry(*minute).or_default();
            bucket.total += i64::from(count.weights.total) * events;
            bucket.good += i64::from(count.weights.good) * events;
        }
    }
    buckets
}

/// Marks the minutes up to the newest heartbeat as measured, from `since` or the first one on.
pub fn measure(buckets: &mut BTreeMap<Minute, Bucket>, since: Option<Minute>, newest: Option<i64>) {
    let Some(last) = newest.map(Minute::of_millis) else { return };
    let since = since.or_else(|| buckets.keys().next().copied()).unwrap_or(last);
    for minute in (since.0..=last.0).map(Minute) {
        buckets.entry(minute).or_default().measured = true;
    }
}

/// The minutes after the newest heartbeat of before, up to the one of now or `end`.
fn silence(before: i64, newest: Option<i64>, end: Minute) -> Vec<Mark> {
    let last = newest.map_or(Minute::of_millis(before), Minute::of_millis);
    let end = end.min(last + 1);
    let mark = |minute| Mark { minute: Minute(minute), measured: true, partial: false };
    (Minute::of_millis(before).0 + 1..end.0).map(mark).collect()
}

#[cfg(test)]
mod tests;
