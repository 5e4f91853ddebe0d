//! Whether records can be written, for those who look after the server: said in the log when it
//! changes, and kept for whoever asks.

use std::fmt::Display;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

/// Since when nothing can be recorded, and why; empty while records are written.
#[derive(Debug, Default)]
pub(super) struct Failing(Mutex<Option<Broken>>);

#[derive(Debug)]
struct Broken {
    since: DateTime<Utc>,
    why: String,
}

impl Failing {
    /// Something could not be recorded.
    pub(super) fn broke(&self, error: &dyn Display, now: DateTime<Utc>) {
        let (why, mut broken) = (error.to_string(), self.broken());
        if broken.as_ref().is_none_or(|broken| broken.why != why) {
            tracing::error!(error = why, "nothing can be recorded");
        }
        let since = broken.as_ref().map_or(now, |broken| broken.since);
        *broken = Some(Broken { since, why });
    }

    /// A caller waited in vain: that says less than an error of the database, which may follow.
    pub(super) fn in_vain(&self, why: &dyn Display, now: DateTime<Utc>) {
        if self.since().is_none() {
            self.broke(why, now);
        }
    }

    /// Something was recorded.
    pub(super) fn works(&self) {
        if self.broken().take().is_some() {
            tracing::info!("records are written again");
        }
    }

    /// Since when nothing can be recorded.
    pub(super) fn since(&self) -> Option<DateTime<Utc>> {
        self.broken().as_ref().map(|broken| broken.since)
    }

    fn broken(&self) -> MutexGuard<'_, Option<Broken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
