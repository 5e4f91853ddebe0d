//! What is not known to the minute, at its best and at its worst.

use slo_core::bucket::{Bucket, Sums};
use slo_core::ledger::Hour;

/// Which end of what is possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Best,
    Worst,
}

/// The best first.
pub(super) const SIDES: [Side; 2] = [Side::Best, Side::Worst];

impl Side {
    /// Minutes with these sums, for a window that begins somewhere in their hour: at best all bad
    /// events came first and have left it, at worst the good ones.
    pub(super) fn hour(self, sums: &Sums) -> Hour {
        let (good, bad) = (sums.good, sums.bad());
        let ((first_good, first_bad), (last_good, last_bad)) = match self {
            Self::Best => ((0, bad), (good, 0)),
            Self::Worst => ((good, 0), (0, bad)),
        };
        let measured = usize::try_from(sums.measured).unwrap_or(0);
        let mut hour = Hour::default();
        for at in 0..60 {
            let (good, bad) = match at {
                0 => (first_good, first_bad),
                59 => (last_good, last_bad),
                _ => (0, 0),
            };
            let measured = match self {
                Self::Best => at + measured >= 60,
                Self::Worst => at < measured,
            };
            hour.set(at, &Bucket { good, total: good + bad, measured, ..Bucket::default() });
        }
        hour
    }

    /// The part of a minute that may have been read while it was open: at best its good events, at worst
    /// its bad ones.
    pub(super) fn part(self, whole: &Bucket) -> Bucket {
        let (good, bad) = (whole.good, whole.total - whole.good);
        let (good, bad) = match self {
            Self::Best => (good.max(0), bad.min(0)),
            Self::Worst => (good.min(0), bad.max(0)),
        };
        Bucket { good, total: good + bad, lump: None, ..*whole }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_of_an_hour_have_its_sums_and_enclose_every_part_of_it() {
        let sums = Sums { good: 90, total: 100, measured: 40, ..Sums::default() };
        for side in SIDES {
            assert_eq!(side.hour(&sums).sums(0, 60), sums, "{side:?}");
        }
        let late = SIDES.map(|side| side.hour(&sums).sums(1, 60));
        assert_eq!([late[0].bad(), late[0].good, late[0].measured], [0, 90, 40]);
        assert_eq!([late[1].bad(), late[1].good, late[1].measured], [10, 0, 39]);
    }

    #[test]
    fn of_an_open_minute_the_good_events_or_the_bad_ones_may_have_been_read() {
        let whole = Bucket { good: 7, total: 9, measured: true, ..Bucket::default() };
        let parts = SIDES.map(|side| side.part(&whole));
        assert_eq!(parts.map(|b| (b.good, b.total, b.measured)), [(7, 7, true), (0, 2, true)]);
    }
}
