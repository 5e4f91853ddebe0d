//! Where windows begin and end: rolling ones, and calendar periods in an IANA zone across clock
//! changes. All results are whole minutes of UTC.

use chrono::{
    DateTime, Datelike, Days, LocalResult, Months, NaiveDate, NaiveDateTime, TimeZone, Utc,
};
use chrono_tz::Tz;

use crate::slo::{Period, Window};
use crate::time::Minute;

/// A window placed in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// First minute.
    pub from: Minute,
    /// First minute after what is known.
    pub to: Minute,
    /// First minute after the whole window: `to` for rolling windows, the period's end for
    /// calendar ones.
    pub end: Minute,
}

impl Placed {
    /// The length of the whole window in minutes.
    #[must_use]
    pub fn length(&self) -> i64 {
        self.end - self.from
    }
}

/// Places a window so that what is known ends before the minute `to`.
#[must_use]
pub fn place(window: Window, to: Minute) -> Placed {
    match window {
        Window::Rolling(span) => Placed { from: to - span.as_minutes(), to, end: to },
        Window::Calendar { period, zone } => {
            let (from, end) = period_around(period, zone, (to - 1).start());
            Placed { from: Minute::of(from), to, end: Minute::of(end) }
        }
    }
}

/// The longest a window can be, in minutes.
#[must_use]
pub const fn longest(window: Window) -> i64 {
    match window {
        Window::Rolling(span) => span.as_minutes(),
        Window::Calendar { period, .. } => {
            let days = match period {
                Period::Week => 7,
                Period::Month => 31,
                Period::Quarter => 92,
                Period::Year => 366,
            };
            days * 1_440 + 60
        }
    }
}

/// The period that holds `at`, as UTC instants `[from, end)`.
#[must_use]
pub fn period_around(
    period: Period,
    zone: Tz,
    at: DateTime<Utc>,
) -> (DateTime<Utc>, DateTime<Utc>) {
    let today = at.with_timezone(&zone).date_naive();
    let first = first_day(period, today);
    let (from, end) = (midnight(zone, first), midnight(zone, next(period, first)));
    if at < from {
        // A midnight that was skipped or doubled: the local date already says the new period.
        let before = first_day(period, first.pred_opt().unwrap_or(first));
        return (midnight(zone, before), from);
    }
    (from, end)
}

/// The start of the period before the one that starts at `from`.
#[must_use]
pub fn period_before(period: Period, zone: Tz, from: DateTime<Utc>) -> DateTime<Utc> {
    period_around(period, zone, from - chrono::TimeDelta::minutes(1)).0
}

fn first_day(period: Period, day: NaiveDate) -> NaiveDate {
    let first_of = |month| NaiveDate::from_ymd_opt(day.year(), month, 1).unwrap_or(day);
    match period {
        Period::Week => {
            let since_monday = u64::from(day.weekday().num_days_from_monday());
            day.checked_sub_days(Days::new(since_monday)).unwrap_or(day)
        }
        Period::Month => first_of(day.month()),
        Period::Quarter => first_of((day.month0() / 3) * 3 + 1),
        Period::Year => first_of(1),
    }
}

fn next(period: Period, first: NaiveDate) -> NaiveDate {
    let months = match period {
        Period::Week => return first.checked_add_days(Days::new(7)).unwrap_or(first),
        Period::Month => 1,
        Period::Quarter => 3,
        Period::Year => 12,
    };
    first.checked_add_months(Months::new(months)).unwrap_or(first)
}

/// The first instant of a local day. A skipped midnight is the first instant after the gap, a
/// doubled one the first of both.
fn midnight(zone: Tz, day: NaiveDate) -> DateTime<Utc> {
    let start = day.and_hms_opt(0, 0, 0).unwrap_or_default();
    (0..=96)
        .find_map(|quarters| instant(zone, start + chrono::TimeDelta::minutes(15 * quarters)))
        .unwrap_or_else(|| start.and_utc())
}

fn instant(zone: Tz, local: NaiveDateTime) -> Option<DateTime<Utc>> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => Some(at.with_timezone(&Utc)),
        LocalResult::None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Span;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn zone(name: &str) -> Tz {
        name.parse().unwrap()
    }

    #[test]
    fn a_rolling_window_is_a_run_of_whole_minutes_that_ends_with_the_last_one() {
        let placed = place(Window::Rolling(Span::minutes(30)), Minute(100));
        assert_eq!((placed.from, placed.to, placed.length()), (Minute(70), Minute(100), 30));
    }

    #[test]
    fn a_month_across_a_clock_change_has_a_23_or_a_25_hour_day() {
        let paris = zone("Europe/Paris");
        let (from, end) = period_around(Period::Month, paris, at("2026-10-15T12:00:00Z"));
        assert_eq!((from, end), (at("2026-09-30T22:00:00Z"), at("2026-10-31T23:00:00Z")));
        assert_eq!((end - from).num_hours(), 31 * 24 + 1);
        let (from, end) = period_around(Period::Month, paris, at("2026-03-15T12:00:00Z"));
        assert_eq!((end - from).num_hours(), 31 * 24 - 1);
    }

    #[test]
    fn weeks_start_on_monday_and_quarters_in_january_april_july_october() {
        let utc = zone("UTC");
        let (from, end) = period_around(Period::Week, utc, at("2026-11-22T23:59:00Z"));
        assert_eq!((from, end), (at("2026-11-16T00:00:00Z"), at("2026-11-23T00:00:00Z")));
        let (from, end) = period_around(Period::Quarter, utc, at("2026-11-22T00:00:00Z"));
        assert_eq!((from, end), (at("2026-10-01T00:00:00Z"), at("2027-01-01T00:00:00Z")));
        let (from, end) = period_around(Period::Year, utc, at("2026-12-31T23:59:59Z"));
        assert_eq!((from, end), (at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z")));
    }

    #[test]
    fn a_skipped_midnight_is_the_first_instant_of_that_day() {
        // In Cairo the clock went from 00:00 to 01:00 on Friday 26 April 2024.
        assert_eq!(
            midnight(zone("Africa/Cairo"), NaiveDate::from_ymd_opt(2024, 4, 26).unwrap()),
            at("2024-04-25T22:00:00Z")
        );
    }

    #[test]
    fn the_last_minute_of_a_period_belongs_to_it_and_the_next_does_not() {
        let month = Window::Calendar { period: Period::Month, zone: zone("UTC") };
        let end = Minute::of(at("2026-11-01T00:00:00Z"));
        assert_eq!(place(month, end).from, Minute::of(at("2026-10-01T00:00:00Z")));
        assert_eq!(place(month, end + 1).from, end);
    }
}
