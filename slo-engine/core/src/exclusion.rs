//! Excluded minutes, and what of a minute's counts goes with them. Why they are excluded, and by whom,
//! is not known here.

use std::sync::Arc;

use crate::bucket::{Bucket, Lump};
use crate::sli::Indicator;
use crate::slo::Slo;
use crate::time::Minute;

/// Runs of minutes that do not count, in order and apart from each other. A copy is cheap.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Excluded(Arc<[(Minute, Minute)]>);

impl Excluded {
    /// The minutes of runs `from..to`, which may overlap and come in any order.
    #[must_use]
    pub fn new(runs: impl IntoIterator<Item = (Minute, Minute)>) -> Self {
        let mut all: Vec<_> = runs.into_iter().filter(|(from, to)| from < to).collect();
        all.sort_unstable();
        let mut apart: Vec<(Minute, Minute)> = Vec::with_capacity(all.len());
        for (from, to) in all {
            match apart.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => apart.push((from, to)),
            }
        }
        Self(apart.into())
    }

    /// Those that count for an SLO. A raw ratio is known for whole slices only: one goes when at least
    /// half of it is excluded.
    #[must_use]
    pub fn of_slo(&self, slo: &Slo) -> Self {
        match (&slo.indicator, slo.budgeting.slice()) {
            (Indicator::Raw(_), Some(size)) => self.in_slices(size.as_minutes()),
            _ => self.clone(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The runs.
    pub fn runs(&self) -> impl ExactSizeIterator<Item = (Minute, Minute)> + use<'_> {
        self.0.iter().copied()
    }

    /// The runs within `from..to`, cut at both ends.
    pub fn within(
        &self,
        from: Minute,
        to: Minute,
    ) -> impl Iterator<Item = (Minute, Minute)> + use<'_> {
        let first = self.0.partition_point(|(_, end)| *end <= from);
        let inside = self.0[first..].iter().take_while(move |(begin, _)| *begin < to);
        inside
            .map(move |(begin, end)| ((*begin).max(from), (*end).min(to)))
            .filter(|(begin, end)| begin < end)
    }

    /// Whether a minute is excluded.
    #[must_use]
    pub fn has(&self, minute: Minute) -> bool {
        self.within(minute, minute + 1).next().is_some()
    }

    /// How many minutes of `from..to` are excluded.
    #[must_use]
    pub fn count(&self, from: Minute, to: Minute) -> i64 {
        self.within(from, to).map(|(begin, end)| end - begin).sum()
    }

    /// How many whole slices of so many minutes lie in the excluded minutes of `from..to`.
    #[must_use]
    pub fn slices(&self, size: i64, from: Minute, to: Minute) -> i64 {
        let whole = |(begin, end): (Minute, Minute)| {
            end.0.div_euclid(size) - (begin.0 + size - 1).div_euclid(size)
        };
        self.within(from, to).map(|run| whole(run).max(0)).sum()
    }

    /// The whole slices of so many minutes that lie in the excluded minutes, and nothing else.
    #[must_use]
    pub fn whole_slices(&self, size: i64) -> Self {
        let begin = |minute: Minute| Minute((minute.0 + size - 1).div_euclid(size) * size);
        let end = |minute: Minute| Minute(minute.0.div_euclid(size) * size);
        Self::new(self.runs().map(|(from, to)| (begin(from), end(to))))
    }

    /// The minutes that only one of both excludes.
    #[must_use]
    pub fn differing(&self, other: &Self) -> Self {
        let mut ends: Vec<Minute> =
            self.runs().chain(other.runs()).flat_map(|(from, to)| [from, to]).collect();
        ends.sort_unstable();
        Self::new(ends.chunks_exact(2).map(|pair| (pair[0], pair[1])))
    }

    /// Whole slices, of those of which at least half of the minutes are excluded.
    fn in_slices(&self, size: i64) -> Self {
        let start = |minute: Minute| Minute(minute.0.div_euclid(size) * size);
        let slices = self.runs().flat_map(|(from, to)| {
            let (first, last) = (start(from), start(to - 1));
            let inner = (first + size < last).then_some((first + size, last));
            let ends = [first, last].into_iter().filter(|begin| {
                let end = *begin + size;
                2 * self.count(*begin, end) >= size
            });
            ends.map(|begin| (begin, begin + size)).chain(inner).collect::<Vec<_>>()
        });
        Self::new(slices)
    }

    /// Whether a lump that ended in a minute goes: when at least half of the minutes that it came over
    /// are excluded.
    fn takes(&self, minute: Minute, lump: Lump) -> bool {
        let from = (lump.from + 1).min(minute);
        2 * self.count(from, minute + 1) >= minute + 1 - from
    }

    /// What of a minute's bucket does not count. An excluded minute goes but for a lump that stays; of
    /// any other minute only a lump can go.
    #[must_use]
    pub fn part(&self, minute: Minute, bucket: &Bucket) -> Bucket {
        let is_out = self.has(minute);
        let Some(lump) = bucket.lump else {
            return if is_out { *bucket } else { Bucket::default() };
        };
        let stays = match (is_out, self.takes(minute, lump)) {
            (true, true) => return *bucket,
            (false, false) => return Bucket::default(),
            (true, false) => Bucket {
                good: lump.good,
                total: lump.total,
                slack: bucket.slack,
                lump: Some(lump),
                ..Bucket::default()
            },
            (false, true) => Bucket {
                good: bucket.good - lump.good,
                total: bucket.total - lump.total,
                lump: None,
                ..*bucket
            },
        };
        // Which of the two it belongs to is not known; it cannot be more than is bad.
        let bad = (stays.total - stays.good).max(0);
        bucket.without(&Bucket { slack: stays.slack.min(bad), ..stays })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn excluded(runs: &[(i64, i64)]) -> Excluded {
        Excluded::new(runs.iter().map(|(from, to)| (Minute(*from), Minute(*to))))
    }

    fn lump(from: i64, good: i64, total: i64) -> Bucket {
        let lump = Some(Lump { from: Minute(from), good, total });
        Bucket { good: good + 9, total: total + 10, measured: true, lump, ..Bucket::default() }
    }

    #[test]
    fn an_excluded_minute_goes_whole_and_no_other_does() {
        let all = excluded(&[(10, 20)]);
        let bucket = Bucket { good: 1, total: 3, measured: true, assumed: 2, ..Bucket::default() };
        for (minute, expected) in [(9, false), (10, true), (19, true), (20, false)] {
            let part = all.part(Minute(minute), &bucket);
            assert_eq!(part, if expected { bucket } else { Bucket::default() }, "{minute}");
        }
    }

    #[test]
    fn a_lump_goes_when_at_least_half_of_its_minutes_are_excluded_wherever_it_ended() {
        // The lump came over the ten minutes 1 to 10.
        let bucket = lump(0, 50, 100);
        for (runs, gone) in [
            (&[(1, 6)][..], (50, 100)),
            (&[(1, 5)], (0, 0)),
            (&[(0, 5)], (0, 0)),
            (&[(1, 3), (7, 10)], (50, 100)),
            (&[(6, 11)], (59, 110)),
            (&[(7, 11)], (9, 10)),
        ] {
            let part = excluded(runs).part(Minute(10), &bucket);
            assert_eq!((part.good, part.total), gone, "{runs:?}");
            let ends_inside = excluded(runs).has(Minute(10));
            assert_eq!(part.measured, ends_inside, "{runs:?}");
        }
    }

    #[test]
    fn a_lump_within_one_minute_goes_with_it() {
        let bucket = lump(10, 50, 100);
        assert!(excluded(&[(11, 20)]).part(Minute(10), &bucket).is_empty());
        assert_eq!(excluded(&[(10, 11)]).part(Minute(10), &bucket), bucket);
    }

    #[test]
    fn slack_stays_with_what_stays_and_is_never_more_than_its_bad_events() {
        let bucket = Bucket { slack: 40, ..lump(0, 50, 100) };
        let (before, after) = (excluded(&[(1, 9)]), excluded(&[(10, 11)]));
        let rest = |e: &Excluded| bucket.without(&e.part(Minute(10), &bucket));
        assert_eq!((rest(&before).total, rest(&before).slack), (10, 1));
        assert_eq!((rest(&after).total, rest(&after).slack), (100, 40));
    }

    #[test]
    fn a_raw_slice_goes_when_at_least_half_of_it_is_excluded() {
        for (runs, expected) in [
            (&[(2, 38)][..], &[(0, 35), (35, 40)][..]),
            (&[(3, 5)], &[]),
            (&[(0, 2), (3, 4)], &[(0, 5)]),
            (&[(7, 8)], &[]),
            (&[(5, 10), (12, 30)], &[(5, 30)]),
        ] {
            assert_eq!(excluded(runs).in_slices(5), excluded(expected), "{runs:?}");
        }
    }

    #[test]
    fn whole_slices_are_those_that_lie_in_a_run_with_all_their_minutes() {
        let all = excluded(&[(3, 16), (20, 24), (25, 30)]);
        assert_eq!(all.slices(5, Minute(0), Minute(40)), 3, "5, 10 and 25");
        assert_eq!(all.slices(5, Minute(6), Minute(40)), 2);
        assert_eq!(all.slices(5, Minute(0), Minute(29)), 2);
    }

    fn runs() -> impl Strategy<Value = Vec<(i64, i64)>> {
        prop::collection::vec((0..200_i64, 0..40_i64), 0..8)
            .prop_map(|runs| runs.into_iter().map(|(from, length)| (from, from + length)).collect())
    }

    proptest! {
        #[test]
        fn minutes_are_counted_compared_and_sliced_as_one_by_one(
            a in runs(), b in runs(), from in 0..200_i64, length in -20..100_i64, size in 1..9_i64,
        ) {
            let one = |runs: &[(i64, i64)], m: i64| runs.iter().any(|(f, t)| (*f..*t).contains(&m));
            let (x, y) = (excluded(&a), excluded(&b));
            for minute in 0..250 {
                prop_assert_eq!(x.has(Minute(minute)), one(&a, minute));
                let differs = x.differing(&y).has(Minute(minute));
                prop_assert_eq!(differs, one(&a, minute) != one(&b, minute), "{}", minute);
            }
            let to = from + length;
            let count = (from..to).filter(|m| one(&a, *m)).count();
            prop_assert_eq!(x.count(Minute(from), Minute(to)), count as i64);
            let is_whole = |start: &i64| (*start..start + size).all(|m| one(&a, m));
            let inside = (0..300).map(|nth| nth * size).filter(|s| from <= *s && s + size <= to);
            let slices = inside.filter(is_whole).count() as i64;
            prop_assert_eq!(x.slices(size, Minute(from), Minute(to)), slices);
            let half = |start: i64| 2 * (start..start + size).filter(|m| one(&a, *m)).count() as i64 >= size;
            let whole = x.whole_slices(size);
            for minute in 0..250 {
                let expected = is_whole(&(minute / size * size));
                prop_assert_eq!(whole.has(Minute(minute)), expected, "{}", minute);
            }
            let raw = x.in_slices(size);
            for minute in 0..250 {
                let start = minute / size * size;
                prop_assert_eq!(raw.has(Minute(minute)), half(start), "{}", minute);
            }
        }
    }
}
