//! Native histograms: what one sample says of a threshold, and what changed between two.
//!
//! The buckets of a native histogram are not fixed: a busy one halves its resolution. Events of two
//! samples are therefore told apart by the boundaries that both have.

use crate::counter::is_dip;

/// One sample of a native histogram: what was counted since the process began.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Histogram {
    /// All observations.
    pub count: f64,
    /// The buckets that hold some of them, lowest first.
    pub buckets: Vec<Filled>,
}

/// A bucket of a [`Histogram`]; where boundaries belong does not matter to a threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Filled {
    /// Its lower boundary.
    pub left: f64,
    /// Its upper boundary.
    pub right: f64,
    /// Its observations.
    pub count: f64,
}

/// Observations so far, around a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Counts {
    /// All.
    pub total: f64,
    /// Those certainly at or below the threshold.
    pub lower: f64,
    /// Those perhaps at or below it: with the bucket that it lies in.
    pub upper: f64,
}

/// How a sample follows an earlier one of its series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change {
    /// It goes on from these counts: those of the earlier one, told by the boundaries that both have.
    From(Counts),
    /// The process began anew: everything counts.
    Reset,
    /// Less than before, but not by enough for a new process: a replica that is behind.
    Dip,
}

impl Histogram {
    /// What it says of a threshold.
    #[must_use]
    pub fn counts(&self, under: f64) -> Counts {
        let around = self.around(under);
        self.split(around.unwrap_or((under, under)))
    }

    /// The boundaries of the bucket that a threshold lies in; `None` when it is a boundary itself, or
    /// no observation is near it.
    #[must_use]
    pub fn around(&self, under: f64) -> Option<(f64, f64)> {
        let holds = |b: &&Filled| b.left < under && under < b.right;
        self.buckets.iter().find(holds).map(|b| (b.left, b.right))
    }

    fn split(&self, (low, high): (f64, f64)) -> Counts {
        let sum = |within: &dyn Fn(&Filled) -> bool| {
            self.buckets.iter().filter(|b| within(b)).map(|b| b.count).sum()
        };
        Counts {
            total: self.count,
            lower: sum(&|b| b.right <= low),
            upper: sum(&|b| b.right <= high),
        }
    }

    /// How it follows `before`.
    #[must_use]
    pub fn since(&self, before: &Self, under: f64) -> Change {
        if self.count < before.count {
            return if is_dip(before.count, self.count) { Change::Dip } else { Change::Reset };
        }
        if self.lost(before) {
            return Change::Reset;
        }
        Change::From(before.split(self.around(under).unwrap_or((under, under))))
    }

    /// Whether some bucket holds less than the earlier sample's buckets within it, or is a part of
    /// one: resolution only ever falls while a process lives.
    fn lost(&self, before: &Self) -> bool {
        let mut old = before.buckets.iter().peekable();
        for new in &self.buckets {
            if old.peek().is_some_and(|o| o.left < new.left) {
                return true;
            }
            let mut within = 0.0;
            while let Some(o) = old.next_if(|o| o.right <= new.right) {
                within += o.count;
            }
            let is_part = old.peek().is_some_and(|o| o.left < new.right);
            if within > new.count || is_part {
                return true;
            }
        }
        old.next().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(buckets: &[(f64, f64, f64)]) -> Histogram {
        let filled = |&(left, right, count): &(f64, f64, f64)| Filled { left, right, count };
        Histogram {
            count: buckets.iter().map(|b| b.2).sum(),
            buckets: buckets.iter().map(filled).collect(),
        }
    }

    fn counts(total: f64, lower: f64, upper: f64) -> Counts {
        Counts { total, lower, upper }
    }

    #[test]
    fn a_boundary_is_exact_and_a_threshold_within_a_bucket_has_two_bounds() {
        let h = histogram(&[(0.25, 0.5, 7.0), (0.5, 1.0, 2.0), (4.0, 8.0, 1.0)]);
        assert_eq!((h.counts(0.5), h.around(0.5)), (counts(10.0, 7.0, 7.0), None));
        assert_eq!((h.counts(0.7), h.around(0.7)), (counts(10.0, 7.0, 9.0), Some((0.5, 1.0))));
        assert_eq!(h.counts(2.0), counts(10.0, 9.0, 9.0), "nobody is near: exact");
        assert_eq!(h.counts(0.1), counts(10.0, 0.0, 0.0));
        assert_eq!(h.counts(9.0), counts(10.0, 10.0, 10.0));
    }

    #[test]
    fn the_zero_bucket_lies_below_every_threshold_beyond_it() {
        let h = histogram(&[(-2.0, -1.0, 1.0), (-1e-9, 1e-9, 5.0), (1.0, 2.0, 3.0)]);
        assert_eq!(h.counts(1.0), counts(9.0, 6.0, 6.0));
    }

    #[test]
    fn halved_resolution_is_no_reset_and_counts_by_the_boundaries_that_both_have() {
        let fine = histogram(&[(0.25, 0.35, 5.0), (0.35, 0.5, 4.0), (0.5, 0.7, 1.0)]);
        let coarse = histogram(&[(0.25, 0.5, 12.0), (0.5, 1.0, 1.0)]);
        // At most 0.4: 5 to 9 before and 0 to 12 now; told by 0.25 and 0.5 it was 0 to 9.
        assert_eq!(coarse.since(&fine, 0.4), Change::From(counts(10.0, 0.0, 9.0)));
        assert_eq!(coarse.since(&fine, 0.5), Change::From(counts(10.0, 9.0, 9.0)));
        assert_eq!(fine.since(&fine, 0.4), Change::From(fine.counts(0.4)));
    }

    #[test]
    fn finer_buckets_or_fewer_observations_in_one_are_a_new_process() {
        let before = histogram(&[(0.25, 0.5, 5.0), (0.5, 1.0, 5.0)]);
        for now in [
            histogram(&[(0.25, 0.5, 4.0), (0.5, 1.0, 9.0)]),
            histogram(&[(0.25, 0.35, 9.0), (0.5, 1.0, 9.0)]),
            histogram(&[(0.5, 1.0, 50.0)]),
            histogram(&[(0.25, 0.5, 50.0)]),
            histogram(&[(0.25, 0.5, 3.0)]),
        ] {
            assert_eq!(now.since(&before, 0.5), Change::Reset, "{now:?}");
        }
        let grown = histogram(&[(0.1, 0.25, 1.0), (0.25, 0.5, 5.0), (0.5, 1.0, 5.0)]);
        assert_eq!(grown.since(&before, 0.5), Change::From(counts(10.0, 5.0, 5.0)));
    }

    #[test]
    fn a_replica_that_is_behind_is_a_dip() {
        let before = histogram(&[(0.25, 0.5, 2_000.0)]);
        let behind = histogram(&[(0.25, 0.5, 1_990.0)]);
        assert_eq!(behind.since(&before, 0.5), Change::Dip);
    }
}
