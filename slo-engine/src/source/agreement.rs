//! Whether a source's clock agrees with ours: ages mean nothing otherwise.

use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};

use super::error::SourceError;

/// So far a clock may be off, seconds.
pub(super) const SKEW_MOST: i64 = 60;

/// An instant and when it was so: what the time is while a long answer comes in.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    at: DateTime<Utc>,
    since: Instant,
}

impl Now {
    /// It is so now.
    #[must_use]
    pub fn new(at: DateTime<Utc>) -> Self {
        Self { at, since: Instant::now() }
    }

    /// Refuses a source whose clock is too far off.
    ///
    /// # Errors
    /// By how much, and in which direction.
    pub fn agrees(&self, date: Option<DateTime<Utc>>, url: &str) -> Result<(), SourceError> {
        let passed = TimeDelta::from_std(self.since.elapsed()).unwrap_or_default();
        let skew = date.map_or(0, |date| (date - self.at - passed).num_seconds());
        if skew.abs() <= SKEW_MOST {
            return Ok(());
        }
        let direction = if skew > 0 { "ahead" } else { "behind" };
        Err(SourceError::Skewed { url: url.to_owned(), seconds: skew.abs(), direction })
    }
}
