//! Laws of every calendar, against a clock that is watched minute by minute: a time of day has come
//! once the clock on the wall has shown it or a later one.

use chrono::{Datelike, NaiveDateTime, Timelike};
use proptest::prelude::*;

use super::*;
use crate::sample::{at, calendar};

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
/// How many minutes are watched.
const WATCHED: usize = 2_200;

/// A weekly entry in numbers: days from Monday, minutes of a day.
#[derive(Debug, Clone)]
struct Entry {
    days: (i64, i64),
    from: i64,
    until: i64,
    until_day: Option<i64>,
}

impl Entry {
    fn text(&self, rest: &str) -> String {
        let clock = |minutes: i64| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        let day = |day: i64| DAYS[usize::try_from(day).unwrap()];
        let (first, last, from) = (day(self.days.0), day(self.days.1), clock(self.from));
        let until_day = self.until_day.map(|d| format!("{} ", day(d))).unwrap_or_default();
        let until = clock(self.until);
        format!("{{from: {first}..{last} {from}, until: \"{until_day}{until}\"{rest}}}")
    }

    fn holds(&self, shown: NaiveDateTime) -> bool {
        let shown_day = i64::from(shown.weekday().num_days_from_monday());
        let shown = shown_day * 1_440 + i64::from(shown.num_seconds_from_midnight() / 60);
        (0..7).any(|after| {
            let day = (self.days.0 + after) % 7;
            let start = day * 1_440 + self.from;
            let is_listed = after <= (self.days.1 - self.days.0).rem_euclid(7);
            is_listed && (shown - start).rem_euclid(10_080) < self.length(day)
        })
    }

    fn length(&self, day: i64) -> i64 {
        let mut end = self.until_day.unwrap_or(day) * 1_440 + self.until;
        let start = day * 1_440 + self.from;
        while end <= start {
            end += if self.until_day.is_some() { 10_080 } else { 1_440 };
        }
        end - start
    }
}

fn entry() -> impl Strategy<Value = Entry> {
    // Quarters of an hour, more often in the small hours, when clocks change.
    let time = || prop_oneof![0_i64..20, 0_i64..96].prop_map(|quarter| quarter * 15);
    let day = || prop_oneof![Just(6_i64), 0_i64..7];
    (day(), day(), time(), time(), prop::option::of(day())).prop_map(
        |(first, last, from, until, until_day)| Entry {
            days: (first, last),
            from,
            until,
            until_day,
        },
    )
}

/// Zones with an instant at which their clocks change.
fn change() -> impl Strategy<Value = (Tz, DateTime<Utc>)> {
    prop::sample::select(vec![
        (Tz::Europe__Paris, at("2026-03-29T01:00:00Z")),
        (Tz::Europe__Paris, at("2026-10-25T01:00:00Z")),
        (Tz::America__New_York, at("2026-03-08T07:00:00Z")),
        (Tz::America__New_York, at("2026-11-01T06:00:00Z")),
        (Tz::Australia__Lord_Howe, at("2026-04-04T15:00:00Z")),
        (Tz::Asia__Kolkata, at("2026-06-07T00:00:00Z")),
    ])
}

/// Whether the calendar is closed at each minute from an instant on.
fn watch(zone: Tz, from: DateTime<Utc>, closed: &[Entry], only: &[Entry]) -> Vec<bool> {
    let mut latest = (from - TimeDelta::days(2)).with_timezone(&zone).naive_local();
    let mut is_closed = Vec::new();
    for minute in -2 * 1_440..i64::try_from(WATCHED).unwrap() {
        let now = from + TimeDelta::minutes(minute);
        latest = latest.max(now.with_timezone(&zone).naive_local());
        if minute >= 0 {
            let shuts = closed.iter().any(|entry| entry.holds(latest));
            let lets = only.is_empty() || only.iter().any(|entry| entry.holds(latest));
            is_closed.push(shuts || !lets);
        }
    }
    is_closed
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_calendar_says_what_a_clock_that_is_watched_says(
        (zone, change) in change(), before in 0_i64..2_000,
        closed in prop::collection::vec(entry(), 1..3),
        only in prop::collection::vec(entry(), 0..3),
    ) {
        let from = change - TimeDelta::minutes(before);
        let seen = watch(zone, from, &closed, &only);
        let closings: Vec<String> = closed.iter().map(|e| e.text(", reason: r")).collect();
        let openings: Vec<String> = only.iter().map(|e| e.text("")).collect();
        let strs = |texts: &[String]| -> Vec<&'static str> {
            texts.iter().map(|t| &*t.clone().leak()).collect()
        };
        let calendar = calendar(zone.name(), &strs(&closings), &strs(&openings));
        let instant = |at: usize| from + TimeDelta::minutes(i64::try_from(at).unwrap());
        let end = instant(WATCHED);
        for (at, is_closed) in seen.iter().enumerate().step_by(5) {
            let now = instant(at);
            let closure = calendar.closed_at(now);
            prop_assert_eq!(closure.is_some(), *is_closed, "{}", now);
            let turn = (at + 1..WATCHED).find(|later| seen[*later] != *is_closed).map(instant);
            if let Some(closure) = closure {
                match (turn, closure.until) {
                    (Some(turn), until) => prop_assert_eq!(until, Some(turn), "{}", now),
                    (None, until) => prop_assert!(until.is_none_or(|until| until >= end)),
                }
            }
            let next = calendar.next_change(now);
            prop_assert!(next.is_none_or(|next| next > now));
            prop_assert!(turn.is_none_or(|turn| next.is_some_and(|next| next <= turn)), "{}", now);
        }
    }
}
