//! How often one may ask: a bucket that holds `burst` and refills evenly.

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::RateLimit;

/// What is left of one token's allowance.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket {
    left: f64,
    at: DateTime<Utc>,
}

impl Bucket {
    /// A full one.
    pub(crate) fn full(limit: RateLimit, now: DateTime<Utc>) -> Self {
        Self { left: f64::from(limit.burst.max(1)), at: now }
    }

    /// Takes one out.
    ///
    /// # Errors
    /// How long it takes until there is one again.
    pub(crate) fn take(&mut self, limit: RateLimit, now: DateTime<Utc>) -> Result<(), TimeDelta> {
        if limit.per_second == 0 {
            return Ok(());
        }
        let (rate, most) = (f64::from(limit.per_second), f64::from(limit.burst.max(1)));
        // A clock that was put back gives nothing.
        let passed = (now - self.at).num_microseconds().unwrap_or(i64::MAX).max(0) as f64 / 1e6;
        self.left = (self.left + passed * rate).min(most);
        self.at = now;
        if self.left < 1.0 {
            let millis = ((1.0 - self.left) / rate * 1e3).ceil();
            return Err(TimeDelta::milliseconds(millis as i64));
        }
        self.left -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_790_812_800_000 + millis).unwrap()
    }

    #[test]
    fn a_burst_passes_and_then_one_for_each_share_of_a_second() {
        let limit = RateLimit { per_second: 10, burst: 3 };
        let mut bucket = Bucket::full(limit, at(0));
        let taken = [0, 0, 0, 0, 99, 100, 150, 200].map(|t| bucket.take(limit, at(t)).is_ok());
        assert_eq!(taken, [true, true, true, false, false, true, false, true]);
        assert_eq!(bucket.take(limit, at(250)), Err(TimeDelta::milliseconds(50)));
    }

    #[test]
    fn a_pause_fills_it_to_the_burst_and_no_further_and_a_clock_put_back_gives_nothing() {
        let limit = RateLimit { per_second: 10, burst: 2 };
        let mut bucket = Bucket::full(limit, at(0));
        let taken = [3_600_000, 3_600_000, 3_600_000, 0, 50].map(|t| bucket.take(limit, at(t)));
        assert_eq!(taken.map(|t| t.is_ok()), [true, true, false, false, false]);
    }

    #[test]
    fn zero_is_no_limit_and_no_burst_is_one() {
        let mut bucket = Bucket::full(RateLimit { per_second: 0, burst: 0 }, at(0));
        assert!(
            (0..1_000).all(|_| bucket.take(RateLimit { per_second: 0, burst: 0 }, at(0)).is_ok())
        );
        assert!(bucket.take(RateLimit { per_second: 1, burst: 0 }, at(0)).is_ok());
        assert!(bucket.take(RateLimit { per_second: 1, burst: 0 }, at(0)).is_err());
    }
}
