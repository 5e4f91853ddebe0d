//! When an entry of a calendar holds: once, or every week.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use slo_core::spec::yaml::Spanned;

use super::clock::{instant, is_date, local};
use super::weekly::{Ends, Starts, Weekly};
use crate::fault::{Fault, parsed};

/// From an instant until before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stretch {
    /// Its first instant.
    pub from: DateTime<Utc>,
    /// The first instant after it.
    pub until: DateTime<Utc>,
}

/// When an entry of a calendar holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Once.
    Once(Stretch),
    /// Every week.
    Weekly(Weekly),
}

impl When {
    /// Reads `from` and `until` of an entry, in local times of a zone.
    pub(super) fn read(
        from: &Spanned<String>,
        until: &Spanned<String>,
        zone: Tz,
    ) -> Result<Self, Fault> {
        match (is_date(from.value.trim()), is_date(until.value.trim())) {
            (true, true) => Stretch::read(from, until, zone).map(Self::Once),
            (false, false) => Self::weekly(from, until, zone).map(Self::Weekly),
            (true, false) => Err(Fault::new(
                until.spot,
                "`from` is a date, and `until` is a time of every week",
                "write both as dates such as 2026-12-18T18:00, or neither",
            )),
            (false, true) => Err(Fault::new(
                until.spot,
                "`from` is a time of every week, and `until` is a date",
                "write both as times such as Fri 16:00, or neither",
            )),
        }
    }

    /// Reads `from` and `until` of what comes every week.
    pub(crate) fn weekly(
        from: &Spanned<String>,
        until: &Spanned<String>,
        zone: Tz,
    ) -> Result<Weekly, Fault> {
        Ok(Weekly::new(parsed(from, Starts::parse)?, parsed(until, Ends::parse)?, zone))
    }

    /// The stretches that end after an instant, by their start.
    fn stretches(&self, after: DateTime<Utc>) -> impl Iterator<Item = Stretch> {
        let (once, weekly) = match *self {
            Self::Once(stretch) => (Some(stretch), None),
            Self::Weekly(weekly) => (None, Some(weekly)),
        };
        let once = once.into_iter().filter(move |stretch| after < stretch.until);
        once.chain(weekly.into_iter().flat_map(move |weekly| weekly.stretches(after)))
    }

    /// Until when it holds that holds at an instant; `None` when it does not hold.
    pub(super) fn holds(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let begun = self.stretches(at).take_while(|stretch| stretch.from <= at);
        begun.map(|stretch| stretch.until).max()
    }

    /// When it next begins after an instant.
    pub(super) fn next(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.stretches(after).map(|stretch| stretch.from).find(|from| after < *from)
    }

    /// When it next begins or ends after an instant.
    pub(super) fn next_end(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let stretch = self.stretches(after).next()?;
        Some(if after < stretch.from { stretch.from } else { stretch.until })
    }
}

impl Stretch {
    fn read(from: &Spanned<String>, until: &Spanned<String>, zone: Tz) -> Result<Self, Fault> {
        let first = parsed(from, |text| local(text, zone))?;
        let last = parsed(until, |text| local(text, zone))?;
        let stretch = Self { from: instant(zone, first), until: instant(zone, last) };
        if first < last && stretch.from == stretch.until {
            let said = format!("no time lies between: the clock of {} skips it", zone.name());
            return Err(Fault::new(until.spot, said, "write a later time"));
        }
        stretch.check(until)
    }

    /// The stretch, or what is wrong with its end.
    pub(crate) fn check(self, until: &Spanned<String>) -> Result<Self, Fault> {
        if self.from < self.until {
            return Ok(self);
        }
        Err(Fault::new(until.spot, "`until` is not after `from`", "write a later time"))
    }
}
