//! Minutes folded to points. Counts are summed, and divided last; SLOs in slices of time are counted
//! in slices, each in the point that holds its last minute.

use std::ops::Range as Hours;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use slo_core::bucket::Sums;
use slo_core::budget;
use slo_core::exclusion::Excluded;
use slo_core::ledger::Hour;
use slo_core::slo::Objective;
use slo_core::time::Minute;
use slo_core::timeslice::Slicing;
use slo_core::view::whole;

use super::range::Range;

/// One step of a history.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "HistoryPoint")]
pub(super) struct Point {
    /// Its first instant.
    from: DateTime<Utc>,
    /// Good events (or slices); null when nothing was measured.
    #[serde(serialize_with = "whole::optional")]
    #[schemars(with = "Option<f64>")]
    good: Option<f64>,
    /// Bad events (or slices); null when nothing was measured.
    #[serde(serialize_with = "whole::optional")]
    #[schemars(with = "Option<f64>")]
    bad: Option<f64>,
    /// All events (or slices); null when nothing was measured.
    #[serde(serialize_with = "whole::optional")]
    #[schemars(with = "Option<f64>")]
    total: Option<f64>,
    /// Minutes that were measured and count.
    measured: i64,
    /// Minutes that are excluded: of what happened in them nothing is in the other numbers.
    excluded: i64,
    /// All that was bad from the beginning to the end of this point, as a share of what the
    /// objective allows over the whole stretch: a burn-down falls from 1 to 1 - the last one. It is
    /// the budget of the stretch, not that of a window that ends here. Null when nothing was
    /// measured in the stretch.
    spent_share: Option<f64>,
}

/// Slices are judged from the one with the first data, up to where the SLO has been read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judged {
    pub(super) first: Minute,
    pub(super) until: Minute,
}

/// What a stretch holds: events or slices.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(in crate::http) struct Counts {
    pub(in crate::http) bad: f64,
    pub(in crate::http) total: f64,
    /// All minutes that count.
    pub(in crate::http) minutes: i64,
    /// Those of them that were measured.
    pub(in crate::http) measured: i64,
}

impl Counts {
    /// Adds what another stretch counted.
    pub(in crate::http) fn add(&mut self, other: &Self) {
        self.bad += other.bad;
        self.total += other.total;
        self.minutes += other.minutes;
        self.measured += other.measured;
    }
}

/// Points while they are filled.
#[derive(Debug)]
pub(super) struct Fold {
    range: Range,
    excluded: Excluded,
    slices: Option<Slices>,
    points: Vec<Counted>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    /// Events or slices.
    sums: Sums,
    /// Minutes.
    measured: i64,
}

/// The slice that is being read.
#[derive(Debug)]
struct Slices {
    slicing: Slicing,
    judged: Option<Judged>,
    start: Minute,
    sums: Sums,
}

impl Fold {
    pub(super) fn new(range: Range, slicing: Option<Slicing>, excluded: Excluded) -> Self {
        let slices = slicing.map(|slicing| {
            let start = slicing.start(range.from);
            Slices { slicing, judged: None, start, sums: Sums::default() }
        });
        Self { points: vec![Counted::default(); range.points()], slices, range, excluded }
    }

    /// Says which slices are judged; none are before.
    pub(super) const fn judges(&mut self, judged: Option<Judged>) {
        if let Some(slices) = &mut self.slices {
            slices.judged = judged;
        }
    }

    /// The hours that must be taken, in their order.
    pub(super) fn hours(&self) -> Hours<i64> {
        let from = self.slices.as_ref().map_or(self.range.from, |slices| slices.start);
        from.hour()..(self.range.to - 1).hour() + 1
    }

    /// Takes the minutes of an hour.
    pub(super) fn take(&mut self, hour: i64, minutes: &Hour) {
        for at in 0..60 {
            let minute = Minute(hour * 60 + at);
            let Ok(at) = usize::try_from(at) else { continue };
            let bucket = minutes.get(at);
            let bucket = bucket.without(&self.excluded.part(minute, &bucket));
            if let Some(slices) = &mut self.slices {
                slices.close_before(minute, (&self.range, &self.excluded), &mut self.points);
                if minute >= slices.start {
                    slices.sums.add(&bucket);
                }
            }
            let Some(point) = self.range.place(minute) else { continue };
            self.points[point].measured += i64::from(bucket.measured);
            if self.slices.is_none() {
                self.points[point].sums.add(&bucket);
            }
        }
    }

    /// All points together.
    pub(super) fn counts(mut self) -> Counts {
        if let Some(slices) = &mut self.slices {
            slices.close_before(self.range.to, (&self.range, &self.excluded), &mut self.points);
        }
        let whole = self.slices.as_ref().map_or(1, |slices| slices.slicing.whole()) as f64;
        let Range { from, to, .. } = self.range;
        let minutes = to - from - self.excluded.count(from, to);
        let mut counts = Counts { minutes, ..Counts::default() };
        for point in &self.points {
            counts.bad += point.sums.bad() as f64 / whole;
            counts.total += point.sums.total as f64 / whole;
            counts.measured += point.measured;
        }
        counts
    }

    /// What the objective allows over the whole stretch, and the points.
    pub(super) fn finish(mut self, objective: Objective) -> (Option<f64>, Vec<Point>) {
        if let Some(slices) = &mut self.slices {
            slices.close_before(self.range.to, (&self.range, &self.excluded), &mut self.points);
        }
        let mut all = Sums::default();
        for point in &self.points {
            all.combine(&point.sums, 1);
        }
        let slicing = self.slices.as_ref().map(|slices| slices.slicing);
        let is_known = all.measured > 0 || all.total != 0;
        let allowed = is_known.then(|| match &slicing {
            None => budget::occurrences(&all, objective).allowed,
            Some(slicing) => {
                budget::slices(&all, slicing, self.minutes(slicing), objective).allowed
            }
        });
        let whole = slicing.map_or(1, |slicing| slicing.whole()) as f64;
        let mut bad = 0;
        let points = self.points.iter().enumerate().map(|(at, point)| {
            bad += point.sums.bad();
            let is_known = point.sums.measured > 0 || point.sums.total != 0;
            let shown = |count: i64| is_known.then_some(count as f64 / whole);
            Point {
                from: self.range.start(at).start(),
                good: shown(point.sums.good),
                bad: shown(point.sums.bad()),
                total: shown(point.sums.total),
                measured: point.measured,
                excluded: self.excluded.count(self.range.start(at), self.range.end(at)),
                spent_share: allowed.map(|allowed| share(bad as f64 / whole, allowed)),
            }
        });
        let points = points.collect();
        (allowed, points)
    }

    /// The minutes of the stretch but for slices that are excluded.
    fn minutes(&self, slicing: &Slicing) -> i64 {
        let Range { from, to, .. } = self.range;
        to - from - self.excluded.slices(slicing.size, from, to) * slicing.size
    }
}

/// Without events nothing is spent.
fn share(bad: f64, allowed: f64) -> f64 {
    if bad == 0.0 { 0.0 } else { bad / allowed }
}

impl Slices {
    /// Judges the slices that end at or before a minute. One whose minutes are all excluded is none.
    fn close_before(
        &mut self,
        minute: Minute,
        (range, excluded): (&Range, &Excluded),
        points: &mut [Counted],
    ) {
        while self.start + self.slicing.size <= minute {
            let end = self.start + self.slicing.size;
            let is_judged = self.judged.is_some_and(|judged| {
                self.slicing.start(judged.first) <= self.start
                    && end <= judged.until
                    && excluded.count(self.start, end) < self.slicing.size
            });
            if let Some(point) = range.place(end - 1).filter(|_| is_judged) {
                points[point].sums.add(&self.slicing.outcome(&self.sums));
            }
            (self.start, self.sums) = (end, Sums::default());
        }
    }
}

#[cfg(test)]
mod tests;
