//! A calendar: when nothing is deployed, in local times of a zone. Read from documents of kind
//! `Calendar`; which policies hold to it is their `freeze` rules' matter.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use slo_core::spec::{Place, SpecError};

use crate::policy::scalar::Word;

pub(crate) mod clock;
mod document;
mod weekly;
mod when;

pub use document::{read, schema};
pub use weekly::Weekly;
pub use when::{Stretch, When};

/// How far ahead is looked.
const HORIZON: TimeDelta = TimeDelta::days(400);

/// When nothing is deployed. Built by [`read`], so that it has an entry at least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    /// Its name; unique.
    pub name: Word,
    /// The zone whose clock counts.
    pub zone: Tz,
    /// When it is closed, whatever `only` says.
    pub closed: Vec<Closing>,
    /// When it is open; where there is none, whenever it is not closed.
    pub only: Vec<Opening>,
    /// Where it is written.
    pub place: Place,
    /// The line that names it, for errors about it.
    pub excerpt: String,
}

/// An entry of `closed`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// When.
    pub when: When,
    /// Why, for people.
    pub reason: String,
}

/// An entry of `only`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// When.
    pub when: When,
    /// Why, for people.
    pub reason: Option<String>,
}

/// That a calendar is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closure<'a> {
    /// What closes it.
    pub cause: Cause<'a>,
    /// The first instant at which it is open again, also where one closing follows another; `None`
    /// when that is not within 400 days.
    pub until: Option<DateTime<Utc>>,
}

/// What closes a calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause<'a> {
    /// An entry of `closed`; of several the one that ends last.
    Closed(&'a Closing),
    /// No entry of `only` holds.
    Outside,
}

impl<'a> Closure<'a> {
    /// Why, where an entry of `closed` says it.
    #[must_use]
    pub fn reason(&self) -> Option<&'a str> {
        match self.cause {
            Cause::Closed(closing) => Some(&closing.reason),
            Cause::Outside => None,
        }
    }
}

impl Calendar {
    /// Whether, why and until when it is closed at an instant; `None` when it is open.
    #[must_use]
    pub fn closed_at(&self, now: DateTime<Utc>) -> Option<Closure<'_>> {
        let cause = match self.closing(now) {
            Some((closing, _)) => Cause::Closed(closing),
            None if self.lets(now) => return None,
            None => Cause::Outside,
        };
        Some(Closure { cause, until: self.opens(now) })
    }

    /// The first instant after another at which an entry begins or ends, so that open and closed
    /// may change; between the two they do not. `None` when there is none within 400 days.
    #[must_use]
    pub fn next_change(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let closed = self.closed.iter().map(|closing| &closing.when);
        let entries = closed.chain(self.only.iter().map(|opening| &opening.when));
        entries.filter_map(|when| when.next_end(after)).min().filter(|at| *at <= horizon(after))
    }

    /// The entry of `closed` that holds, and until when.
    fn closing(&self, at: DateTime<Utc>) -> Option<(&Closing, DateTime<Utc>)> {
        let holding = self.closed.iter().filter_map(|c| Some((c, c.when.holds(at)?)));
        // From behind, because of equal ones the last is taken.
        holding.rev().max_by_key(|(_, until)| *until)
    }

    /// Whether `only` does not stand in the way.
    fn lets(&self, at: DateTime<Utc>) -> bool {
        self.only.is_empty() || self.only.iter().any(|opening| opening.when.holds(at).is_some())
    }

    fn opens(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let (mut at, last) = (now, horizon(now));
        while at <= last {
            at = match self.closing(at) {
                Some((_, until)) => until,
                None if self.lets(at) => return Some(at),
                None => self.only.iter().filter_map(|opening| opening.when.next(at)).min()?,
            };
        }
        None
    }

    /// An error about the calendar as a whole, at its name.
    #[must_use]
    pub fn error(&self, message: impl Into<String>) -> SpecError {
        let (place, excerpt) = (self.place.clone(), self.excerpt.clone());
        SpecError { place, excerpt, message: message.into(), remedy: None }
    }
}

fn horizon(now: DateTime<Utc>) -> DateTime<Utc> {
    now.checked_add_signed(HORIZON).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
