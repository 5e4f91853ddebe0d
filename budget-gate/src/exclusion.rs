//! An exclusion: times that do not count against some SLOs, such as planned maintenance. Data on
//! top of what was counted; nothing is deleted, and how minutes are left out is the engine's work.

use chrono::{DateTime, Utc};
use slo_core::spec::Place;

use crate::calendar::{Stretch, Weekly};

mod document;
mod pattern;
mod written;

pub use document::{read, schema};
pub use pattern::SloPattern;

/// Times that do not count against some SLOs. Read from a document, or by serde from the body of a
/// request; written by serde as a user writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exclusion {
    /// The SLOs; at least one pattern.
    pub slos: Vec<SloPattern>,
    /// The times.
    pub times: Times,
    /// Why, for people; not empty.
    pub reason: String,
    /// Who wrote it. A document names someone; the body of a request may not, because who asks is
    /// known.
    pub author: Option<String>,
    /// Where it is written, when that is a file.
    pub place: Option<Place>,
    /// The line there, for errors about it.
    pub excerpt: String,
}

/// The times of an exclusion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// Once.
    Once(Stretch),
    /// Every week.
    Weekly {
        /// When.
        weekly: Weekly,
        /// No recurrence starts after it.
        expires: Option<DateTime<Utc>>,
    },
}

impl Exclusion {
    /// The excluded times from an instant until before another: in order, apart from each other,
    /// cut at both ends.
    #[must_use]
    pub fn spans(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
        let mut spans: Vec<(DateTime<Utc>, DateTime<Utc>)> = Vec::new();
        for stretch in self.times.stretches(from).take_while(|stretch| stretch.from < to) {
            let (begin, end) = (stretch.from.max(from), stretch.until.min(to));
            match spans.last_mut() {
                Some(last) if begin <= last.1 => last.1 = last.1.max(end),
                _ if begin < end => spans.push((begin, end)),
                _ => {}
            }
        }
        spans
    }

    /// Whether it is about an SLO.
    #[must_use]
    pub fn covers(&self, service: &str, slo: &str, environment: &str) -> bool {
        self.slos.iter().any(|pattern| pattern.matches(service, slo, environment))
    }

    /// Whether nothing is excluded from an instant on.
    #[must_use]
    pub fn is_over(&self, now: DateTime<Utc>) -> bool {
        self.times.stretches(now).next().is_none()
    }
}

impl Times {
    /// The stretches that end after an instant, by their start.
    fn stretches(&self, after: DateTime<Utc>) -> impl Iterator<Item = Stretch> {
        let (once, weekly) = match *self {
            Self::Once(stretch) => (Some(stretch), None),
            Self::Weekly { weekly, expires } => (None, Some((weekly, expires))),
        };
        let once = once.into_iter().filter(move |stretch| after < stretch.until);
        once.chain(weekly.into_iter().flat_map(move |(weekly, expires)| {
            let lasts = move |stretch: &Stretch| expires.is_none_or(|last| stretch.from <= last);
            weekly.stretches(after).take_while(lasts)
        }))
    }
}

#[cfg(test)]
mod tests;
