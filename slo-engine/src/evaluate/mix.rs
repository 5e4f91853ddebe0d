//! SLOs whose sides are apart: a minute of such an SLO is the sum of its shares, each as much later
//! as its delay says, and is measured when all of them are.

use std::ops::Range;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use slo_core::bucket::{Bucket, Lump};
use slo_core::budget::end_of;
use slo_core::ledger::Ledger;
use slo_core::plan::{Feeds, Role};
use slo_core::sli::Part;
use slo_core::slo::Slo;
use slo_core::time::{Minute, Span};
use slo_core::view::{Backfill, SourceView};

use super::reading::{self, Reading, Together};
use crate::source::config::SourceConfig;

/// One share of an SLO.
#[derive(Debug, Clone)]
pub(super) struct Counted<'a> {
    /// What its events are of the SLO's.
    pub(super) role: Role,
    /// How many minutes later its events come.
    pub(super) delay: i64,
    pub(super) events: &'a Ledger,
    pub(super) reading: &'a Reading,
    /// Where it is read; `None` where it is added up itself.
    pub(super) source: Option<&'a SourceConfig>,
    pub(super) backfill: Option<Backfill>,
    /// Whether what an unmeasured minute held comes with the next measured one: differences of
    /// counters do, documents do not.
    pub(super) catches_up: bool,
}

/// Whether the events of a share come with a later minute where one was not measured.
pub(super) fn catches_up(feeds: Option<&Feeds>) -> bool {
    !matches!(feeds, Some(Feeds::Logs(_)))
}

/// The minutes of which every share may know something: from where all have data to where the one that
/// is furthest behind was read. Elsewhere one side would count without the other.
pub(super) fn known(slo: &Slo, shares: &[Counted<'_>]) -> Option<Range<Minute>> {
    let firsts = shares.iter().map(|share| Some(share.events.first()? - share.delay));
    let first = firsts.collect::<Option<Vec<Minute>>>()?.into_iter().max()?;
    let end = if shares.len() == 1 { Minute(i64::MAX) } else { end_of(until(slo, shares)?) };
    Some(first..end)
}

/// Up to when the share that is furthest behind has data.
fn until(slo: &Slo, shares: &[Counted<'_>]) -> Option<DateTime<Utc>> {
    let all = shares.iter().map(|share| share.until(slo));
    all.collect::<Option<Vec<_>>>()?.into_iter().min()
}

/// The hours of the SLO from its first minute on that all shares keep.
pub(super) fn hours(shares: &[Counted<'_>], first: Minute) -> Range<i64> {
    let kept = |share: &Counted<'_>| {
        let Range { start, end } = share.events.hours();
        *earlier(start, share.delay).start()..*earlier(end - 1, share.delay).end() + 1
    };
    let whole = first.hour()..i64::MAX;
    shares.iter().map(kept).fold(whole, |a, b| a.start.max(b.start)..a.end.min(b.end))
}

/// A minute of the SLO; `None` when a share's is not in memory. What one side holds of a minute that
/// the other will never know is no part of the SLO.
pub(super) fn bucket(
    shares: &[Counted<'_>],
    known: Option<&Range<Minute>>,
    minute: Minute,
) -> Option<Bucket> {
    let mut sum: Option<Bucket> = None;
    for share in shares {
        let bucket = share.of_slo(share.events.bucket(minute + share.delay)?);
        sum = Some(sum.map_or(bucket, |sum| sum.and(&bucket)));
    }
    let is_known = is_known(shares, known, minute)?;
    Some(sum.filter(|_| is_known).unwrap_or_default())
}

/// The same of a subset of the events, by its part of each share; one that never saw it has none of it.
pub(super) fn bucket_of(
    shares: &[Counted<'_>],
    subset: &[Option<&Ledger>],
    known: Option<&Range<Minute>>,
    minute: Minute,
) -> Option<Bucket> {
    let mut sum = Bucket::default();
    for (share, events) in shares.iter().zip(subset) {
        let Some(events) = events else { continue };
        sum = sum.plus(&share.of_slo(events.bucket(minute + share.delay)?));
    }
    Some(if is_known(shares, known, minute)? { sum } else { Bucket::default() })
}

/// Whether what the shares hold of a minute is all that there is of it.
fn is_known(shares: &[Counted<'_>], known: Option<&Range<Minute>>, minute: Minute) -> Option<bool> {
    let mut is_known = known.is_some_and(|known| known.contains(&minute));
    for share in shares {
        let bucket = share.events.bucket(minute + share.delay)?;
        is_known &= share.catches_up || bucket.measured || shares.len() == 1;
    }
    Some(is_known)
}

impl Counted<'_> {
    /// Up to when it has data, by the SLO's clock.
    fn until(&self, slo: &Slo) -> Option<DateTime<Utc>> {
        let until = match self.source {
            Some(source) => reading::data_until(self.reading, reading::rules(slo, source)),
            None => self.reading.read_to,
        };
        Some(until? - TimeDelta::minutes(self.delay))
    }

    /// What it is, when its source answers and nothing was ever seen of it.
    fn silent(&self) -> Option<String> {
        let is_silent = self.source.is_some()
            && self.events.first().is_none()
            && self.reading.last_error.is_none();
        let queries = self.reading.queries[0].join(" + ");
        is_silent.then(|| format!("{queries} in `{}`", self.reading.source))
    }

    /// What a bucket of its own is of the SLO's.
    fn of_slo(&self, bucket: Bucket) -> Bucket {
        let (good, total) = self.role.weigh(bucket.good, bucket.total);
        let lump = bucket.lump.map(|lump| {
            let (good, total) = self.role.weigh(lump.good, lump.total);
            Lump { from: lump.from - self.delay, good, total }
        });
        // What is assumed or dropped are events of the total.
        let (_, assumed) = self.role.weigh(0, bucket.assumed);
        let (_, dropped) = self.role.weigh(0, bucket.dropped);
        Bucket { good, total, lump, assumed, dropped, ..bucket }
    }

    /// The age beyond which it is stale.
    fn stale_after(&self, slo: &Slo) -> Span {
        let age = match (self.source, self.reading.together.as_deref()) {
            (Some(source), _) => reading::stale_after(slo, source),
            (None, Some(inner)) => inner.stale_after,
            (None, None) => Span::millis(0),
        };
        Span::millis(age.as_millis() + self.delay * 60_000)
    }
}

/// How the SLO was read: as far as the share that is furthest behind.
pub(super) fn read(slo: &Slo, shares: &[Counted<'_>]) -> Reading {
    let mut all = Reading::default();
    let mut together = Together {
        sources: Vec::new(),
        stale_after: Span::millis(0),
        backfill: None,
        silent: Vec::new(),
    };
    // Of all shares, or of none.
    let mut newest: Option<Option<i64>> = None;
    for share in shares {
        let last = share.reading.newest.map(|newest| newest - share.delay * 60_000);
        newest = Some(newest.map_or(last, |newest| newest.zip(last).map(|(a, b)| a.min(b))));
        together.stale_after = together.stale_after.max(share.stale_after(slo));
        let inner = share.reading.together.as_deref();
        together.silent.extend(share.silent());
        let backfill = share.backfill.clone().or_else(|| inner.and_then(|i| i.backfill.clone()));
        together.backfill = slowest(together.backfill, backfill);
        match inner {
            Some(inner) => together.sources.extend(inner.sources.iter().cloned()),
            None => together.sources.extend(sides(slo.indicator.part(), share, share.until(slo))),
        }
        all.last_error = all.last_error.or_else(|| share.reading.last_error.clone());
        all.oddity = all.oddity.or_else(|| share.reading.oddity.clone());
        all.dip = all.dip.max(share.reading.dip);
    }
    all.read_to = until(slo, shares);
    all.newest = newest.flatten();
    all.together = Some(Box::new(together));
    all
}

/// The hours of the SLO that an hour of a share lies in.
pub(super) fn earlier(hour: i64, delay: i64) -> std::ops::RangeInclusive<i64> {
    let first = Minute(hour * 60 - delay);
    first.hour()..=(first + 59).hour()
}

/// The hours of a share that an hour of the SLO lies in.
pub(super) fn later(hour: i64, delay: i64) -> std::ops::RangeInclusive<i64> {
    earlier(hour, -delay)
}

/// What a share's source gave for each side that it holds.
fn sides(part: Part, share: &Counted<'_>, data_until: Option<DateTime<Utc>>) -> Vec<SourceView> {
    let part = if part == Part::Bad { "bad" } else { "good" };
    let [total, other] = &share.reading.queries;
    let view = |side: &'static str, queries: &Arc<[String]>| SourceView {
        name: share.reading.source.clone(),
        side: side.into(),
        queries: queries.clone(),
        data_until,
        last_error: share.reading.last_error.clone(),
    };
    match share.role {
        Role::Whole if other.is_empty() => vec![view("total", total)],
        Role::Whole => vec![view("total", total), view(part, other)],
        Role::Good | Role::Bad => vec![view(part, total)],
    }
}

/// The backfill that has the longer way to go.
fn slowest(a: Option<Backfill>, b: Option<Backfill>) -> Option<Backfill> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if a.share <= b.share { a } else { b }),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests;
