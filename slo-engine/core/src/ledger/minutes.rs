//! The hours whose minutes are in memory. They are ten or so, in one piece: a map of them would take
//! more than they do.

use super::Hour;

/// Hours and their minutes, oldest first. Hours lie apart from their minutes, so that one is found in a
/// single place of memory.
#[derive(Debug, Clone, Default)]
pub(super) struct Minutes {
    hours: Vec<i64>,
    each: Vec<Hour>,
}

impl Minutes {
    pub(super) fn get(&self, hour: i64) -> Option<&Hour> {
        Some(&self.each[self.find(hour).ok()?])
    }

    /// The minutes of an hour, to change them; empty where they were not there.
    pub(super) fn of(&mut self, hour: i64) -> &mut Hour {
        let at = self.find(hour).unwrap_or_else(|at| {
            self.insert(at, hour, Hour::default());
            at
        });
        &mut self.each[at]
    }

    /// Adds the minutes of an hour, unless they are there.
    pub(super) fn load(&mut self, hour: i64, minutes: Hour) {
        if let Err(at) = self.find(hour) {
            self.insert(at, hour, minutes);
        }
    }

    /// Those of the hours `first..=last`.
    pub(super) fn range(&self, first: i64, last: i64) -> impl Iterator<Item = (i64, &Hour)> {
        let from = self.hours.partition_point(|hour| *hour < first);
        let hours = self.hours[from..].iter().copied();
        hours.zip(&self.each[from..]).take_while(move |(hour, _)| *hour <= last)
    }

    /// Lets go of all but some hours.
    pub(super) fn retain(&mut self, keeps: impl Fn(i64) -> bool) {
        if self.hours.iter().all(|hour| keeps(*hour)) {
            return;
        }
        let mut kept = self.hours.iter().map(|hour| keeps(*hour));
        self.each.retain(|_| kept.next().unwrap_or(true));
        self.hours.retain(|hour| keeps(*hour));
        // A backfill brings many at once, and they go again.
        self.hours.shrink_to(self.hours.len() + 1);
        self.each.shrink_to(self.each.len() + 1);
    }

    /// Keeps the hours that are over in the fewest bytes.
    pub(super) fn settle(&mut self) {
        if let Some((_, over)) = self.each.split_last_mut() {
            over.iter_mut().for_each(Hour::settle);
        }
    }

    fn find(&self, hour: i64) -> Result<usize, usize> {
        self.hours.binary_search(&hour)
    }

    fn insert(&mut self, at: usize, hour: i64, minutes: Hour) {
        if self.hours.len() == self.hours.capacity() {
            let more = 1 + self.hours.len() / 8;
            self.hours.reserve_exact(more);
            self.each.reserve_exact(more);
        }
        self.hours.insert(at, hour);
        self.each.insert(at, minutes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_without_numbers_takes_88_bytes() {
        assert_eq!(size_of::<i64>() + size_of::<Hour>(), 88);
    }

    #[test]
    fn hours_stay_sorted_and_a_second_load_changes_nothing() {
        let bucket = crate::bucket::Bucket { good: 1, total: 1, ..Default::default() };
        let mut minutes = Minutes::default();
        for hour in [5, 1, 3, 720] {
            minutes.of(hour).set(0, &bucket);
        }
        minutes.load(3, Hour::default());
        assert_eq!(minutes.get(3).unwrap().get(0), bucket);
        assert!(minutes.get(4).is_none());
        let hours = |first, last| minutes.range(first, last).map(|(hour, _)| hour);
        assert_eq!(hours(1, 5).collect::<Vec<_>>(), [1, 3, 5]);
        assert_eq!(hours(2, 4).collect::<Vec<_>>(), [3]);
        minutes.retain(|hour| hour > 3);
        assert_eq!(minutes.range(0, 999).map(|(hour, _)| hour).collect::<Vec<_>>(), [5, 720]);
    }
}
