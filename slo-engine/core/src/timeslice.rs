//! Slices of time, each with one outcome. The outcome of a slice is kept as a bucket at its last
//! minute, so that windows over slices slide as windows over events do.

use crate::bucket::{Bucket, Sums};
use crate::ledger::Ledger;
use crate::slo::{BILLION, Budgeting, Unmeasured};
use crate::time::Minute;

/// The events that slices are judged by. Those of a group are measured where all events of its SLO are.
#[derive(Debug, Clone, Copy)]
pub struct Judged<'a> {
    /// The events.
    pub events: &'a Ledger,
    /// For a group: all events of its SLO.
    pub whole: Option<&'a Ledger>,
}

impl Judged<'_> {
    /// The sums of minutes `from..to`.
    #[must_use]
    pub fn sums(&self, from: Minute, to: Minute) -> Sums {
        let sums = self.events.sums(from, to);
        let Some(whole) = self.whole else { return sums };
        let Sums { measured, partial, .. } = whole.sums(from, to);
        Sums { measured, partial, ..sums }
    }

    fn lacks(&self, hour: i64) -> bool {
        self.events.lacks(hour) || self.whole.is_some_and(|whole| whole.lacks(hour))
    }
}

/// How the slices of an SLO are judged. Slices begin at whole multiples of their size since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slicing {
    /// Minutes of a slice.
    pub size: i64,
    /// The share of good events of a good slice, in parts per billion; `None` keeps the ratio.
    pub good_when: Option<i64>,
    /// What a slice without data counts as.
    pub unmeasured: Unmeasured,
}

impl Slicing {
    /// The slicing of a budgeting method; `None` for occurrences.
    #[must_use]
    pub const fn of(budgeting: Budgeting, unmeasured: Unmeasured) -> Option<Self> {
        match budgeting {
            Budgeting::Occurrences => None,
            Budgeting::Timeslices { size, good_when } => {
                Some(Self { size: size.as_minutes(), good_when: Some(good_when), unmeasured })
            }
            Budgeting::RatioTimeslices { size } => {
                Some(Self { size: size.as_minutes(), good_when: None, unmeasured })
            }
        }
    }

    /// How much one whole slice counts: 1, or a billion where its ratio is kept.
    #[must_use]
    pub const fn whole(&self) -> i64 {
        if self.good_when.is_some() { 1 } else { BILLION }
    }

    /// The first minute of the slice that holds a minute.
    #[must_use]
    pub const fn start(&self, minute: Minute) -> Minute {
        Minute(minute.0.div_euclid(self.size) * self.size)
    }

    /// The outcome of a slice with these sums.
    #[must_use]
    pub fn outcome(&self, sums: &Sums) -> Bucket {
        if sums.measured == 0 && sums.total == 0 {
            return match self.unmeasured {
                Unmeasured::Ignore => Bucket::default(),
                Unmeasured::Good => self.bucket(self.whole()),
                Unmeasured::Bad => self.bucket(0),
            };
        }
        match self.good_when {
            Some(goal) => {
                let good = i128::from(sums.good) * i128::from(BILLION);
                self.bucket(i64::from(good >= i128::from(sums.total) * i128::from(goal)))
            }
            // The mean is over slices with traffic; the others are measured but weigh nothing.
            None if sums.total == 0 => Bucket { measured: true, ..Bucket::default() },
            None => {
                let whole = i128::from(sums.good) * i128::from(BILLION);
                let total = i128::from(sums.total);
                let ratio = (whole + total / 2).div_euclid(total);
                self.bucket(i64::try_from(ratio).unwrap_or(BILLION))
            }
        }
    }

    const fn bucket(&self, good: i64) -> Bucket {
        Bucket {
            good,
            total: self.whole(),
            measured: true,
            partial: false,
            invalid: false,
            slack: 0,
            assumed: 0,
            dropped: 0,
            lump: None,
        }
    }

    /// The whole slices that start in `from..to`, to be judged from the events' ledger. Those before
    /// `judged` keep their outcome where their minutes are no longer in memory: nothing has changed in
    /// them, and the sum of an hour does not tell its slices.
    pub fn whole_between<'a>(
        &self,
        events: Judged<'a>,
        (from, to): (Minute, Minute),
        judged: Minute,
    ) -> impl Iterator<Item = (Minute, Minute)> + use<'a> {
        let size = self.size;
        let starts = std::iter::successors(Some(self.start(from)), move |at| Some(*at + size));
        let slices = starts.map(move |start| (start, start + size));
        slices.take_while(move |(_, end)| *end <= to).filter(move |(start, end)| {
            let mut hours = start.hour()..=(*end - 1).hour();
            *start >= judged || !hours.any(|hour| events.lacks(hour))
        })
    }

    /// Writes the outcome of slices from the events' ledger; see [`Self::whole_between`].
    pub fn judge(
        &self,
        events: Judged<'_>,
        slices: &mut Ledger,
        (from, to): (Minute, Minute),
        judged: Minute,
    ) {
        for (start, end) in self.whole_between(events, (from, to), judged) {
            slices.replace(end - 1, &self.outcome(&events.sums(start, end)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(good: i64, total: i64, measured: i64) -> Sums {
        Sums { good, total, measured, ..Sums::default() }
    }

    #[test]
    fn a_slice_is_good_when_its_ratio_reaches_the_goal_exactly() {
        let slicing =
            Slicing { size: 5, good_when: Some(950_000_000), unmeasured: Unmeasured::Ignore };
        assert_eq!(slicing.outcome(&sums(95, 100, 5)).good, 1);
        assert_eq!(slicing.outcome(&sums(94, 100, 5)).good, 0);
        let idle = slicing.outcome(&sums(0, 0, 5));
        assert_eq!((idle.good, idle.total), (1, 1), "measured without events is good");
        assert!(slicing.outcome(&sums(0, 0, 0)).is_empty());
    }

    #[test]
    fn an_unmeasured_slice_counts_as_the_slo_says() {
        for (unmeasured, expected) in [(Unmeasured::Good, (1, 1)), (Unmeasured::Bad, (0, 1))] {
            let slicing = Slicing { size: 5, good_when: Some(1), unmeasured };
            let outcome = slicing.outcome(&sums(0, 0, 0));
            assert_eq!((outcome.good, outcome.total), expected);
        }
    }

    #[test]
    fn ratio_timeslices_keep_the_ratio_of_slices_with_traffic() {
        let slicing = Slicing { size: 5, good_when: None, unmeasured: Unmeasured::Ignore };
        assert_eq!(slicing.outcome(&sums(2, 3, 5)).good, 666_666_667);
        assert_eq!(slicing.outcome(&sums(0, 0, 5)).total, 0);
    }
}
