//! One minute of one SLO, and sums of such minutes. Counts only; ratios exist where they are read.

use crate::time::Minute;

/// What happened in one minute of one SLO (or group, or side).
///
/// `good` is signed: when the bad events come from another metric they can exceed the total, and
/// that is shown, never clamped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bucket {
    /// Good events.
    pub good: i64,
    /// All events.
    pub total: i64,
    /// Whether a series of the total has two samples around the minute within the look-back.
    pub measured: bool,
    /// Whether more than a fifth of the targets were missing.
    pub partial: bool,
    /// Whether a sample was no count (not a whole number below 2^53).
    pub invalid: bool,
    /// Events between the two histogram buckets that enclose a latency threshold; they may be good.
    pub slack: i64,
    /// Events counted when their series was first seen.
    pub assumed: i64,
    /// Events seen but not counted.
    pub dropped: i64,
    /// Events of this minute that came over a gap longer than the look-back.
    pub lump: Option<Lump>,
}

/// Events that a difference over a gap brought at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lump {
    /// The minute of the sample before the gap.
    pub from: Minute,
    /// Good events of the difference.
    pub good: i64,
    /// All events of the difference.
    pub total: i64,
}

impl Lump {
    /// Two lumps of the same minute as one: the longer gap, the counts added.
    #[must_use]
    pub fn joined(self, other: Option<Self>) -> Self {
        other.map_or(self, |o| Self {
            from: self.from.min(o.from),
            good: self.good + o.good,
            total: self.total + o.total,
        })
    }
}

impl Bucket {
    /// Whether nothing at all is known of the minute.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds what another share of the same minute holds. The minute is measured when both are.
    #[must_use]
    pub fn and(self, other: &Self) -> Self {
        let sums = self.plus(other);
        Self { measured: self.measured && other.measured, ..sums }
    }

    /// Adds further events of the same minute.
    #[must_use]
    pub fn plus(self, other: &Self) -> Self {
        Self {
            good: self.good + other.good,
            total: self.total + other.total,
            measured: self.measured || other.measured,
            partial: self.partial || other.partial,
            invalid: self.invalid || other.invalid,
            slack: self.slack + other.slack,
            assumed: self.assumed + other.assumed,
            dropped: self.dropped + other.dropped,
            lump: self.lump.map(|lump| lump.joined(other.lump)).or(other.lump),
        }
    }

    /// What is left when a part of it is taken away.
    #[must_use]
    pub fn without(&self, part: &Self) -> Self {
        Self {
            good: self.good - part.good,
            total: self.total - part.total,
            measured: self.measured && !part.measured,
            partial: self.partial && !part.partial,
            invalid: self.invalid && !part.invalid,
            slack: self.slack - part.slack,
            assumed: self.assumed - part.assumed,
            dropped: self.dropped - part.dropped,
            lump: if part.lump.is_some() { None } else { self.lump },
        }
    }

    /// The counts that are rare, all zero in most minutes.
    #[must_use]
    pub const fn is_plain(&self) -> bool {
        !self.invalid
            && self.slack == 0
            && self.assumed == 0
            && self.dropped == 0
            && self.lump.is_none()
    }
}

/// Sums over a run of minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sums {
    /// Good events.
    pub good: i64,
    /// All events.
    pub total: i64,
    /// Measured minutes.
    pub measured: i64,
    /// Measured minutes with many targets missing.
    pub partial: i64,
    /// Minutes with a sample that was no count.
    pub invalid: i64,
    /// Events between two histogram buckets.
    pub slack: i64,
    /// Events counted on first sight.
    pub assumed: i64,
    /// Events not counted.
    pub dropped: i64,
}

impl Sums {
    /// Bad events.
    #[must_use]
    pub const fn bad(&self) -> i64 {
        self.total - self.good
    }

    /// Adds a bucket.
    pub fn add(&mut self, bucket: &Bucket) {
        self.combine(&Self::from(bucket), 1);
    }

    /// Takes a bucket out again.
    pub fn remove(&mut self, bucket: &Bucket) {
        self.combine(&Self::from(bucket), -1);
    }

    /// Adds `sign` times other sums.
    pub fn combine(&mut self, other: &Self, sign: i64) {
        self.good += sign * other.good;
        self.total += sign * other.total;
        self.measured += sign * other.measured;
        self.partial += sign * other.partial;
        self.invalid += sign * other.invalid;
        self.slack += sign * other.slack;
        self.assumed += sign * other.assumed;
        self.dropped += sign * other.dropped;
    }

    /// The even share of so many minutes, of sums over `all` minutes.
    #[must_use]
    pub const fn share(&self, minutes: i64, all: i64) -> Self {
        let (total, bad) = (self.total * minutes / all, self.bad() * minutes / all);
        Self {
            good: total - bad,
            total,
            measured: self.measured * minutes / all,
            partial: self.partial * minutes / all,
            invalid: self.invalid * minutes / all,
            slack: self.slack * minutes / all,
            assumed: self.assumed * minutes / all,
            dropped: self.dropped * minutes / all,
        }
    }
}

impl From<&Bucket> for Sums {
    fn from(bucket: &Bucket) -> Self {
        Self {
            good: bucket.good,
            total: bucket.total,
            measured: i64::from(bucket.measured),
            partial: i64::from(bucket.partial),
            invalid: i64::from(bucket.invalid),
            slack: bucket.slack,
            assumed: bucket.assumed,
            dropped: bucket.dropped,
        }
    }
}
