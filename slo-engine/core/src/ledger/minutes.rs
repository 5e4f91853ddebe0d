//! The hours whose minutes are in memory. They are ten or so, in one piece: a map of them would take
//! more than they do.

use super::Hour;

/// Hours and their minutes, oldest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Minutes(Vec<(i64, Hour)>);

impl Minutes {
    pub(super) fn get(&self, hour: i64) -> Option<&Hour> {
        Some(&self.0[self.find(hour).ok()?].1)
    }

    /// The minutes of an hour, to change them; empty where they were not there.
    pub(super) fn of(&mut self, hour: i64) -> &mut Hour {
        let at = self.find(hour).unwrap_or_else(|at| {
            self.insert(at, hour, Hour::default());
            at
        });
        &mut self.0[at].1
    }

    /// Adds the minutes of an hour, unless they are there.
    pub(super) fn load(&mut self, hour: i64, minutes: Hour) {
        if let Err(at) = self.find(hour) {
            self.insert(at, hour, minutes);
        }
    }

    /// Those of the hours `first..=last`.
    pub(super) fn range(&self, first: i64, last: i64) -> impl Iterator<Item = &(i64, Hour)> {
        let from = self.0.partition_point(|(hour, _)| *hour < first);
        self.0[from..].iter().take_while(move |(hour, _)| *hour <= last)
    }

    /// Lets go of all but some hours.
    pub(super) fn retain(&mut self, keeps: impl Fn(i64) -> bool) {
        self.0.retain(|(hour, _)| keeps(*hour));
        // A backfill brings many at once, and they go again.
        self.0.shrink_to(self.0.len() + 1);
    }

    /// Keeps the hours that are over in the fewest bytes.
    pub(super) fn settle(&mut self) {
        if let Some((_, over)) = self.0.split_last_mut() {
            over.iter_mut().for_each(|(_, hour)| hour.settle());
        }
    }

    fn find(&self, hour: i64) -> Result<usize, usize> {
        self.0.binary_search_by_key(&hour, |(hour, _)| *hour)
    }

    fn insert(&mut self, at: usize, hour: i64, minutes: Hour) {
        if self.0.len() == self.0.capacity() {
            self.0.reserve_exact(1 + self.0.len() / 8);
        }
        self.0.insert(at, (hour, minutes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_without_numbers_takes_88_bytes() {
        assert_eq!(size_of::<(i64, Hour)>(), 88);
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
        let hours = |first, last| minutes.range(first, last).map(|(hour, _)| *hour);
        assert_eq!(hours(1, 5).collect::<Vec<_>>(), [1, 3, 5]);
        assert_eq!(hours(2, 4).collect::<Vec<_>>(), [3]);
        minutes.retain(|hour| hour > 3);
        assert_eq!(minutes.range(0, 999).map(|(hour, _)| *hour).collect::<Vec<_>>(), [5, 720]);
    }
}
