//! What counts of a history: all of it, less what is left out of it.

use super::{Ledger, Slide};
use crate::bucket::{Bucket, Lump, Sums};
use crate::exclusion::Excluded;
use crate::time::Minute;

/// A history to be read. Without anything left out it costs what the ledger costs.
#[derive(Debug, Clone, Copy)]
pub struct Counted<'a> {
    all: &'a Ledger,
    left_out: Option<(&'a Ledger, &'a Excluded)>,
    first: Option<Minute>,
}

impl<'a> From<&'a Ledger> for Counted<'a> {
    fn from(all: &'a Ledger) -> Self {
        Self { all, left_out: None, first: all.first() }
    }
}

impl<'a> Counted<'a> {
    /// A history, what is left out of it (a ledger with the same windows in the same places), and in
    /// which minutes.
    #[must_use]
    pub const fn new(all: &'a Ledger, left_out: Option<(&'a Ledger, &'a Excluded)>) -> Self {
        Self { all, left_out, first: all.first() }
    }

    /// The same history, known since another minute: no event of a group is one, too.
    #[must_use]
    pub const fn since(self, first: Option<Minute>) -> Self {
        Self { first, ..self }
    }

    /// The first minute of which anything is known, whether it counts or not.
    #[must_use]
    pub const fn first(&self) -> Option<Minute> {
        self.first
    }

    /// The hours that are kept.
    #[must_use]
    pub fn hours(&self) -> std::ops::Range<i64> {
        self.all.hours()
    }

    /// A window and its sums.
    #[must_use]
    pub fn slide(&self, at: usize) -> Slide {
        let mut slide = self.all.slide_at(at);
        if let Some((left_out, _)) = self.left_out {
            slide.sums.combine(&left_out.slide_at(at).sums, -1);
        }
        slide
    }

    /// The bucket of a minute; `None` when its minutes are not in memory.
    #[must_use]
    pub fn bucket(&self, minute: Minute) -> Option<Bucket> {
        let bucket = self.all.bucket(minute)?;
        let part =
            self.left_out.map_or(Some(Bucket::default()), |(left, _)| left.bucket(minute))?;
        Some(bucket.without(&part))
    }

    /// The sums of `from..to`. Minutes that are not in memory count as an even share of what counts in
    /// their hour.
    #[must_use]
    pub fn sums(&self, from: Minute, to: Minute) -> Sums {
        let Some((left_out, excluded)) = self.left_out else { return self.all.sums(from, to) };
        if to <= from {
            return Sums::default();
        }
        let (begin, end) = (Minute(from.hour() * 60 + 60), Minute((to - 1).hour() * 60));
        let whole = |from: Minute, to: Minute| {
            let mut sums = self.all.sums(from, to);
            sums.combine(&left_out.sums(from, to), -1);
            sums
        };
        let part = |from: Minute, to: Minute| {
            let hour = Minute(from.hour() * 60);
            let counting = 60 - excluded.count(hour, hour + 60);
            match self.all.lacks(hour.hour()) && counting > 0 {
                true => {
                    let minutes = to - from - excluded.count(from, to);
                    whole(hour, hour + 60).share(minutes, counting)
                }
                false => whole(from, to),
            }
        };
        if to <= begin {
            return part(from, to);
        }
        let mut sums = part(from, begin);
        sums.combine(&part(end, to), 1);
        sums.combine(&whole(begin, end), 1);
        sums
    }

    /// Bad and all events of `from..to`; quicker than [`Self::sums`] where nothing is left out.
    #[must_use]
    pub fn counts(&self, from: Minute, to: Minute) -> (i64, i64) {
        if self.left_out.is_none() {
            return self.all.counts(from, to);
        }
        let sums = self.sums(from, to);
        (sums.bad(), sums.total)
    }

    /// Bad and all events of each minute of `from..to`, as [`Self::counts`] gives them.
    #[must_use]
    pub fn each_minute(&self, from: Minute, to: Minute) -> (Vec<f64>, Vec<f64>) {
        if self.left_out.is_some() {
            let counts = (from.0..to.0).map(|at| self.counts(Minute(at), Minute(at + 1)));
            return counts.map(|(bad, total)| (bad as f64, total as f64)).unzip();
        }
        let length = usize::try_from(to - from).unwrap_or(0);
        let (mut bad, mut total) = (vec![0.0; length], vec![0.0; length]);
        self.all.shares(from, &mut bad, &mut total);
        self.all.minutely(from, &mut bad, &mut total);
        (bad, total)
    }

    /// Bad and all events of whole hours, from `hour` on; both lists are equally long.
    pub fn hourly(&self, hour: i64, bad: &mut [f64], total: &mut [f64]) {
        self.all.hourly(hour, bad, total);
        let Some((left_out, _)) = self.left_out else { return };
        let (mut less_bad, mut less) = (vec![0.0; bad.len()], vec![0.0; total.len()]);
        left_out.hourly(hour, &mut less_bad, &mut less);
        bad.iter_mut().zip(less_bad).for_each(|(bad, less)| *bad -= less);
        total.iter_mut().zip(less).for_each(|(total, less)| *total -= less);
    }

    /// Bad and all events of each minute of `from..to`; 0 where minutes are not in memory.
    #[must_use]
    pub fn minutely(&self, from: Minute, to: Minute) -> (Vec<f64>, Vec<f64>) {
        let length = usize::try_from(to - from).unwrap_or(0);
        let (mut bad, mut total) = (vec![0.0; length], vec![0.0; length]);
        self.all.minutely(from, &mut bad, &mut total);
        let Some((left_out, _)) = self.left_out else { return (bad, total) };
        let (mut less_bad, mut less) = (vec![0.0; length], vec![0.0; length]);
        left_out.minutely(from, &mut less_bad, &mut less);
        for (at, minute) in (from.0..to.0).map(Minute).enumerate() {
            if left_out.lacks(minute.hour()) {
                (bad[at], total[at]) = (0.0, 0.0);
            } else {
                (bad[at], total[at]) = (bad[at] - less_bad[at], total[at] - less[at]);
            }
        }
        (bad, total)
    }

    /// Whether nothing bad is known of any hour that `from..to` touches, be it left out or not.
    #[must_use]
    pub fn is_flawless(&self, from: Minute, to: Minute) -> bool {
        let left_out = self.left_out.is_none_or(|(left_out, _)| left_out.is_flawless(from, to));
        left_out && self.all.is_flawless(from, to)
    }

    /// Lumps that end in `from..to`, of the hours whose minutes are in memory.
    pub fn lumps(&self, from: Minute, to: Minute) -> impl Iterator<Item = (Minute, Lump)> {
        let left_out = self.left_out;
        self.all.lumps(from, to).filter(move |(minute, _)| {
            let part = left_out.and_then(|(left_out, _)| left_out.bucket(*minute));
            part.is_none_or(|part| part.lump.is_none())
        })
    }
}
