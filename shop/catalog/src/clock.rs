//! The only file that reads the time of day; everything else takes it from here.

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

/// Where the time of day comes from.
#[derive(Debug, Clone, Copy)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A given time of day that moves with tokio's clock, which tests can pause.
    Following { start: DateTime<Utc>, since: Instant },
}

impl Clock {
    /// A clock that shows `start` now and then moves with tokio's clock.
    pub fn following(start: DateTime<Utc>) -> Self {
        Self::Following { start, since: Instant::now() }
    }

    pub fn now(&self) -> DateTime<Utc> {
        match self {
            Self::System => system_now(),
            Self::Following { start, since } => {
                *start + TimeDelta::from_std(since.elapsed()).unwrap_or(TimeDelta::MAX)
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the system clock")]
fn system_now() -> DateTime<Utc> {
    std::time::SystemTime::now().into()
}
