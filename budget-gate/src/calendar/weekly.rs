//! A stretch of time that comes every week by the clock of a zone.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeDelta, Utc, Weekday};
use chrono_tz::Tz;

use super::clock::instant;
use super::when::Stretch;

mod written;

/// Minutes of a day and of a week.
const DAY: i64 = 1_440;
const WEEK: i64 = 7 * DAY;

/// A stretch that begins on some days of every week, at the same time by the clock on the wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weekly {
    starts: Starts,
    ends: Ends,
    zone: Tz,
}

/// `Mon..Thu 09:00`: the days, which may wrap (`Fri..Mon`), and the time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Starts {
    first: Weekday,
    last: Weekday,
    at: ClockTime,
}

/// `17:00` of the day or, when that is not later, of the next one; or the next `Mon 08:00` after
/// the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    At(ClockTime),
    On(Weekday, ClockTime),
}

/// A time of day in minutes since 00:00; 24:00 only where a stretch ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ClockTime(u16);

impl ClockTime {
    fn minutes(self) -> i64 {
        i64::from(self.0)
    }
}

impl Weekly {
    pub(crate) const fn new(starts: Starts, ends: Ends, zone: Tz) -> Self {
        Self { starts, ends, zone }
    }

    /// The zone whose clock counts.
    #[must_use]
    pub const fn zone(&self) -> Tz {
        self.zone
    }

    /// The stretches that end after an instant, by their start. One whose ends fall on the same
    /// instant, since the clock skips what lies between, is left out.
    pub(crate) fn stretches(self, after: DateTime<Utc>) -> impl Iterator<Item = Stretch> {
        // A zone may be a day ahead of UTC, and a gap may be an hour or two long.
        let back = Days::new((self.longest() / DAY + 3).unsigned_abs());
        let first = after.date_naive().checked_sub_days(back).unwrap_or(NaiveDate::MIN);
        let days = first.iter_days().filter(move |day| self.starts.has(day.weekday()));
        days.map(move |day| self.on(day)).filter(move |s| s.from < s.until && after < s.until)
    }

    fn on(&self, day: NaiveDate) -> Stretch {
        let midnight = day.and_time(NaiveTime::MIN);
        let local = |minutes| {
            let later = midnight.checked_add_signed(TimeDelta::minutes(minutes));
            instant(self.zone, later.unwrap_or(midnight))
        };
        let from = self.starts.at.minutes();
        Stretch { from: local(from), until: local(from + self.length(day.weekday())) }
    }

    /// Minutes from the start to the end by the clock, for a start on a day.
    fn length(&self, day: Weekday) -> i64 {
        let start = self.starts.at.minutes();
        let (ahead, cycle) = match self.ends {
            Ends::At(end) => (end.minutes() - start, DAY),
            Ends::On(weekday, end) => {
                let days = i64::from(weekday.days_since(day));
                (days * DAY + end.minutes() - start, WEEK)
            }
        };
        match ahead.rem_euclid(cycle) {
            0 => cycle,
            minutes => minutes,
        }
    }

    fn longest(&self) -> i64 {
        match self.ends {
            Ends::At(_) => DAY,
            Ends::On(..) => WEEK,
        }
    }
}

impl Starts {
    fn has(self, day: Weekday) -> bool {
        day.days_since(self.first) <= self.last.days_since(self.first)
    }
}
