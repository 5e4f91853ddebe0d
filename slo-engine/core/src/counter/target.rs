//! A scraped target within one SLO: when it was seen, and which minutes it covers.

use crate::labels::Labels;
use crate::time::Minute;

use super::NEVER;
use super::cover::Cover;

/// Which target a series comes from: equal `job` and `instance`; both absent count as equal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TargetKey {
    /// The label `job`.
    pub job: Box<str>,
    /// The label `instance`.
    pub instance: Box<str>,
}

impl TargetKey {
    /// The target of a series.
    #[must_use]
    pub fn of(labels: &Labels) -> Self {
        Self { job: labels.get("job").into(), instance: labels.get("instance").into() }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) key: TargetKey,
    /// First sample of the presence that goes on, any series.
    first: i64,
    /// The newest sample and the newest before it, any series.
    last: i64,
    before_last: i64,
    /// The newest sample of a series of the total.
    pub(super) total_at: i64,
    /// Minutes with two samples of the total around them.
    pub(super) covered: Cover,
    /// Minutes in whose hour before the target was seen.
    seen: Cover,
}

impl Target {
    pub(super) const fn new(key: TargetKey) -> Self {
        Self {
            key,
            first: NEVER,
            last: NEVER,
            before_last: NEVER,
            total_at: NEVER,
            covered: Cover::new(),
            seen: Cover::new(),
        }
    }

    /// A sample of the target at `at`; the same series had its last one at `previous`.
    pub(super) fn saw(&mut self, at: i64, previous: i64, of_total: bool, max_gap: i64) {
        if at > self.last {
            if at - self.last > max_gap {
                self.first = at;
            }
            self.before_last = self.last;
            self.last = at;
        } else if at < self.last && at > self.before_last {
            self.before_last = at;
        }
        if at < self.first && self.first - at <= max_gap {
            self.first = at;
        }
        if of_total {
            self.total_at = self.total_at.max(at);
            let from = if at - previous <= 3_600_000 { previous } else { at };
            self.seen.add(Minute::of_millis(from) + 1, Minute::of_millis(at) + 60);
        }
    }

    /// The newest known sample strictly before `at`.
    pub(super) fn before(&self, at: i64) -> Option<i64> {
        let known = [self.last, self.before_last, self.first];
        known.into_iter().filter(|t| *t > NEVER && *t < at).max()
    }

    pub(super) fn runs(&self) -> (&Cover, &Cover) {
        (&self.covered, &self.seen)
    }

    pub(super) fn forget_before(&mut self, minute: Minute) {
        self.covered.forget_before(minute);
        self.seen.forget_before(minute);
    }
}
