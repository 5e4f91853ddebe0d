//! Which minutes have been read.

use crate::time::Minute;

/// Runs of minutes, sorted and apart; the last one may still go on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stretches(Vec<(Minute, Minute)>);

/// The end of a run that goes on.
pub const ONGOING: Minute = Minute(i64::MAX);

impl From<Vec<(Minute, Minute)>> for Stretches {
    fn from(runs: Vec<(Minute, Minute)>) -> Self {
        Self(runs)
    }
}

impl Stretches {
    /// The runs, oldest first.
    #[must_use]
    pub fn runs(&self) -> &[(Minute, Minute)] {
        &self.0
    }

    /// Adds minutes `from..until`.
    pub fn cover(&mut self, from: Minute, until: Minute) {
        self.0.push((from, until));
        self.0.sort_unstable();
        for (a, b) in std::mem::take(&mut self.0) {
            match self.0.last_mut() {
                Some(last) if a <= last.1 => last.1 = last.1.max(b),
                _ => self.0.push((a, b)),
            }
        }
    }

    /// Whether the last run goes on.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        self.0.last().is_some_and(|last| last.1 == ONGOING)
    }

    /// Ends the last run, where it does not end before.
    pub fn end(&mut self, at: Minute) {
        if let Some(last) = self.0.last_mut() {
            last.1 = last.1.min(at.max(last.0));
        }
    }

    /// Whether a minute has been read.
    #[must_use]
    pub fn has(&self, minute: Minute) -> bool {
        self.0.iter().any(|(from, until)| *from <= minute && minute < *until)
    }

    /// The minutes of `from..until` that have not been read, newest first.
    #[must_use]
    pub fn missing(&self, from: Minute, until: Minute) -> Vec<(Minute, Minute)> {
        let mut missing = Vec::new();
        let mut end = until;
        for (a, b) in self.0.iter().rev() {
            let (a, b) = ((*a).max(from), (*b).min(until));
            if a < b && b < end {
                missing.push((b, end));
            }
            if a < b {
                end = end.min(a);
            }
        }
        if from < end {
            missing.push((from, end));
        }
        missing
    }

    /// The minutes that have been read by both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let runs = self.0.iter().flat_map(|(a, b)| {
            let both = other.0.iter().map(move |(c, d)| ((*a).max(*c), (*b).min(*d)));
            both.filter(|(from, until)| from < until)
        });
        Self(runs.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(all: &[(i64, i64)]) -> Stretches {
        all.iter().map(|(a, b)| (Minute(*a), Minute(*b))).collect::<Vec<_>>().into()
    }

    #[test]
    fn what_is_missing_is_named_newest_first() {
        let read = runs(&[(10, 20), (30, 40)]);
        let missing = read.missing(Minute(0), Minute(50));
        assert_eq!(
            missing,
            [(Minute(40), Minute(50)), (Minute(20), Minute(30)), (Minute(0), Minute(10))]
        );
        assert!(read.missing(Minute(12), Minute(18)).is_empty());
        let both = read.and(&runs(&[(5, 12), (15, 33)]));
        assert_eq!(both, runs(&[(10, 12), (15, 20), (30, 33)]));
    }

    #[test]
    fn stretches_that_touch_become_one() {
        let mut read = runs(&[(10, 20), (30, 40)]);
        read.cover(Minute(20), Minute(30));
        assert_eq!(read, runs(&[(10, 40)]));
        assert!(read.missing(Minute(10), Minute(40)).is_empty());
        read.end(Minute(35));
        assert_eq!(read, runs(&[(10, 35)]));
        read.end(Minute(50));
        assert_eq!(read, runs(&[(10, 35)]), "it had ended before");
    }
}
