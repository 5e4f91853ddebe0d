//! What exclusions leave out of an account, kept beside the counts and never taken from them: so what
//! is no longer excluded counts again as it did.

use crate::bucket::{Bucket, Sums};
use crate::exclusion::Excluded;
use crate::ledger::{Hour, Ledger};
use crate::time::Minute;
use crate::timeslice::{Judged, Slicing};

/// What is left out. Its minutes are in memory wherever those of the events are.
#[derive(Debug, Clone)]
pub(super) struct LeftOut {
    pub(super) minutes: Excluded,
    /// Of the events.
    pub(super) events: Ledger,
    /// Of the slices: their outcomes less those by the events that count.
    pub(super) slices: Ledger,
}

impl LeftOut {
    /// Nothing, beside events and, of an SLO that has them, slices.
    pub(super) fn beside(events: &Ledger, slices: Option<&Ledger>) -> Self {
        Self {
            minutes: Excluded::default(),
            events: events.beside(),
            slices: slices.map_or_else(Ledger::default, Ledger::beside),
        }
    }

    /// Follows a minute that was replaced.
    pub(super) fn take(&mut self, minute: Minute, bucket: &Bucket) {
        self.events.replace(minute, &self.minutes.part(minute, bucket));
    }

    /// Follows the minutes of an hour that are in memory now.
    pub(super) fn load(&mut self, hour: i64, minutes: &Hour) {
        if !self.events.lacks(hour) {
            return;
        }
        let mut parts = Hour::default();
        for at in 0..60 {
            let minute = Minute(hour * 60 + at as i64);
            parts.set(at, &self.minutes.part(minute, &minutes.get(at)));
        }
        self.events.load_minutes(hour, parts);
    }

    /// Excludes other minutes from now on, `differing` from those so far, in some hours. Of an hour
    /// whose minutes are gone for good an even share goes.
    pub(super) fn change(&mut self, differing: &Excluded, hours: &[i64], events: &Ledger) {
        for hour in hours {
            let Some(minutes) = events.minutes(*hour) else {
                let excluded = self.minutes.count(Minute(hour * 60), Minute(hour * 60 + 60));
                self.events.load_fold(*hour, &events.fold(*hour).share(excluded, 60));
                continue;
            };
            for at in 0..60 {
                let minute = Minute(hour * 60 + at as i64);
                let bucket = minutes.get(at);
                if differing.has(minute) || bucket.lump.is_some() {
                    self.take(minute, &bucket);
                }
            }
        }
        self.events.sum_up();
    }

    /// What is left out of minutes `from..to`. Of a group it is measured where all events of its SLO are.
    fn part_of(&self, whole: Option<&Ledger>, from: Minute, to: Minute) -> Sums {
        let mut part = self.events.sums(from, to);
        let Some(whole) = whole else { return part };
        for minute in (from.0..to.0).map(Minute).filter(|minute| self.minutes.has(*minute)) {
            let bucket = whole.bucket(minute).unwrap_or_default();
            part.measured += i64::from(bucket.measured);
            part.partial += i64::from(bucket.partial);
        }
        part
    }

    /// Judges slices of `from..to` by what counts, as [`Slicing::judge`] has judged them by all. One whose
    /// minutes are all excluded is none.
    pub(super) fn judge(
        &mut self,
        (slicing, slices): (&Slicing, &Ledger),
        events: Judged<'_>,
        (from, to): (Minute, Minute),
        judged: Minute,
    ) {
        for (start, end) in slicing.whole_between(events, (from, to), judged) {
            let part = self.part_of(events.whole, start, end);
            let is_out = self.minutes.count(start, end) == slicing.size;
            let by_all = slices.bucket(end - 1).unwrap_or_default();
            let mut sums = events.sums(start, end);
            sums.combine(&part, -1);
            let lost = match (is_out, part == Sums::default()) {
                (true, _) => by_all,
                (false, true) => Bucket::default(),
                (false, false) => by_all.without(&slicing.outcome(&sums)),
            };
            self.slices.replace(end - 1, &lost);
        }
    }
}
