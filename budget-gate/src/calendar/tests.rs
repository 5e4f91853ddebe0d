use super::*;
use crate::sample::{at, calendar, try_calendar};

/// The calendar of the language's description.
const YEAR_END: &str = "\
calendar: year-end
zone: Europe/Paris
closed:
  - {from: 2026-12-18T18:00, until: 2027-01-04T08:00, reason: year-end freeze}
  - {from: \"Fri 16:00\", until: \"Mon 08:00\", reason: weekends}
only:
  - {from: \"Mon..Thu 09:00\", until: \"17:00\"}
";

fn closed(calendar: &Calendar, now: &str) -> Option<(Option<String>, Option<DateTime<Utc>>)> {
    let closure = calendar.closed_at(at(now))?;
    Some((closure.reason().map(str::to_owned), closure.until))
}

fn for_reason(reason: &str, until: &str) -> Option<(Option<String>, Option<DateTime<Utc>>)> {
    Some((Some(reason.to_owned()), Some(at(until))))
}

fn outside(until: &str) -> Option<(Option<String>, Option<DateTime<Utc>>)> {
    Some((None, Some(at(until))))
}

/// A calendar that is closed for one entry's times.
fn closing(zone: &str, from: &str, until: &str) -> Calendar {
    calendar(zone, &[&format!("{{from: \"{from}\", until: \"{until}\", reason: r}}")], &[])
}

/// The next stretch for which such a calendar is closed.
fn next_closing(calendar: &Calendar, after: &str) -> (DateTime<Utc>, DateTime<Utc>) {
    let from = calendar.next_change(at(after)).unwrap();
    let until = calendar.next_change(from).unwrap();
    assert_eq!(calendar.closed_at(from).unwrap().until, Some(until));
    assert_eq!(calendar.closed_at(until), None);
    (from, until)
}

#[test]
fn the_calendar_of_the_description_is_read() {
    let calendar = try_calendar(YEAR_END).unwrap();
    assert_eq!((calendar.name.as_str(), calendar.zone), ("year-end", Tz::Europe__Paris));
    assert_eq!((calendar.closed.len(), calendar.only.len()), (2, 1));
    assert_eq!(calendar.closed[0].reason, "year-end freeze");
    assert_eq!(calendar.place.to_string(), "policies/c.yaml:3:11");
}

#[test]
fn a_freeze_holds_to_the_second_at_both_ends() {
    let calendar = closing("Europe/Paris", "2026-12-18T18:00", "2027-01-04T08:00");
    assert_eq!(closed(&calendar, "2026-12-18T16:59:59Z"), None);
    assert_eq!(closed(&calendar, "2026-12-18T17:00:00Z"), for_reason("r", "2027-01-04T07:00:00Z"));
    assert_eq!(
        closed(&calendar, "2027-01-04T06:59:59.999Z"),
        for_reason("r", "2027-01-04T07:00:00Z")
    );
    assert_eq!(closed(&calendar, "2027-01-04T07:00:00Z"), None);
}

#[test]
fn a_closing_that_ends_inside_of_another_goes_on_until_only_holds() {
    let calendar = try_calendar(YEAR_END).unwrap();
    // From Thursday evening to the first Monday of the year at 09:00.
    let open = "2027-01-04T08:00:00Z";
    assert_eq!(closed(&calendar, "2026-12-17T15:59:59Z"), None);
    assert_eq!(closed(&calendar, "2026-12-17T16:00:00Z"), outside(open));
    assert_eq!(closed(&calendar, "2026-12-18T15:00:00Z"), for_reason("weekends", open));
    assert_eq!(closed(&calendar, "2026-12-18T17:00:00Z"), for_reason("year-end freeze", open));
    assert_eq!(closed(&calendar, "2026-12-19T12:00:00Z"), for_reason("year-end freeze", open));
    assert_eq!(closed(&calendar, "2027-01-04T07:30:00Z"), outside(open));
    assert_eq!(closed(&calendar, open), None);
}

#[test]
fn an_only_list_opens_on_its_days_at_its_hours() {
    let calendar = calendar("UTC", &[], &["{from: Mon..Thu 09:00, until: 17:00}"]);
    for (now, expected) in [
        ("2026-11-19T08:59:59Z", outside("2026-11-19T09:00:00Z")),
        ("2026-11-19T09:00:00Z", None),
        ("2026-11-19T16:59:59Z", None),
        ("2026-11-19T17:00:00Z", outside("2026-11-23T09:00:00Z")),
        ("2026-11-20T12:00:00Z", outside("2026-11-23T09:00:00Z")),
    ] {
        assert_eq!(closed(&calendar, now), expected, "{now}");
    }
    assert_eq!(calendar.next_change(at("2026-11-19T09:00:00Z")), Some(at("2026-11-19T17:00:00Z")));
}

#[test]
fn closed_beats_only() {
    let noon = "{from: Mon..Fri 12:00, until: 13:00, reason: lunch}";
    let calendar = calendar("UTC", &[noon], &["{from: Thu 09:00, until: 17:00}"]);
    assert_eq!(
        closed(&calendar, "2026-11-19T12:30:00Z"),
        for_reason("lunch", "2026-11-19T13:00:00Z")
    );
    assert_eq!(
        closed(&calendar, "2026-11-20T12:30:00Z"),
        for_reason("lunch", "2026-11-26T09:00:00Z")
    );
}

#[test]
fn days_that_wrap_around_the_week_and_nights_that_end_on_the_next_day() {
    let nights = closing("UTC", "Fri..Mon 22:00", "06:00");
    let of_night = |from: &str| next_closing(&nights, from);
    for (after, from, until) in [
        ("2026-11-20T12:00:00Z", "2026-11-20T22:00:00Z", "2026-11-21T06:00:00Z"),
        ("2026-11-22T12:00:00Z", "2026-11-22T22:00:00Z", "2026-11-23T06:00:00Z"),
        ("2026-11-23T12:00:00Z", "2026-11-23T22:00:00Z", "2026-11-24T06:00:00Z"),
        ("2026-11-24T12:00:00Z", "2026-11-27T22:00:00Z", "2026-11-28T06:00:00Z"),
    ] {
        assert_eq!(of_night(after), (at(from), at(until)), "{after}");
    }
}

#[test]
fn days_that_end_at_24_00_follow_each_other_without_a_gap() {
    let weekend = closing("UTC", "Sat..Sun 00:00", "24:00");
    assert_eq!(closed(&weekend, "2026-11-21T00:00:00Z"), for_reason("r", "2026-11-23T00:00:00Z"));
    assert_eq!(closed(&weekend, "2026-11-20T23:59:59Z"), None);
    let whole = closing("UTC", "Sat 00:00", "Sun 24:00");
    assert_eq!(closed(&whole, "2026-11-21T00:00:00Z"), for_reason("r", "2026-11-23T00:00:00Z"));
}

#[test]
fn the_same_day_and_time_is_a_week_later_and_the_same_time_a_day_later() {
    let always = closing("UTC", "Mon 08:00", "Mon 08:00");
    assert_eq!(closed(&always, "2026-11-19T12:00:00Z"), Some((Some("r".to_owned()), None)));
    let day = closing("UTC", "Mon 08:00", "08:00");
    let next = next_closing(&day, "2026-11-19T12:00:00Z");
    assert_eq!(next, (at("2026-11-23T08:00:00Z"), at("2026-11-24T08:00:00Z")));
}

#[test]
fn a_week_that_begins_on_several_days_and_ends_on_one_is_one_stretch() {
    let calendar = closing("UTC", "Mon..Thu 09:00", "Fri 17:00");
    let until = for_reason("r", "2026-11-20T17:00:00Z");
    assert_eq!(closed(&calendar, "2026-11-16T09:00:00Z"), until);
    assert_eq!(closed(&calendar, "2026-11-19T12:00:00Z"), until);
    assert_eq!(closed(&calendar, "2026-11-16T08:59:59Z"), None);
}

#[test]
fn weekly_ends_in_the_hour_that_october_doubles_are_in_its_first_run() {
    for (zone, from, until, stretch) in [
        (
            "Europe/Paris",
            "Sat 22:00",
            "Sun 02:30",
            ("2026-10-24T20:00:00Z", "2026-10-25T00:30:00Z"),
        ),
        ("Europe/Paris", "Sun 02:30", "04:00", ("2026-10-25T00:30:00Z", "2026-10-25T03:00:00Z")),
        ("Europe/Paris", "Sun 02:10", "02:50", ("2026-10-25T00:10:00Z", "2026-10-25T00:50:00Z")),
        (
            "Europe/Paris",
            "Fri 16:00",
            "Mon 08:00",
            ("2026-10-23T14:00:00Z", "2026-10-26T07:00:00Z"),
        ),
        (
            "America/New_York",
            "Sat 22:00",
            "01:30",
            ("2026-11-01T02:00:00Z", "2026-11-01T05:30:00Z"),
        ),
        (
            "America/New_York",
            "Sun 01:30",
            "03:00",
            ("2026-11-01T05:30:00Z", "2026-11-01T08:00:00Z"),
        ),
    ] {
        let after =
            if zone == "Europe/Paris" { "2026-10-20T00:00:00Z" } else { "2026-10-27T00:00:00Z" };
        let expected = (at(stretch.0), at(stretch.1));
        assert_eq!(next_closing(&closing(zone, from, until), after), expected, "{zone} {from}");
    }
}

#[test]
fn weekly_ends_in_the_hour_that_march_skips_are_at_its_end() {
    for (zone, from, until, stretch) in [
        ("Europe/Paris", "Sun 01:00", "02:30", ("2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z")),
        ("Europe/Paris", "Sun 02:30", "04:00", ("2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z")),
        (
            "Europe/Paris",
            "Fri 16:00",
            "Mon 08:00",
            ("2026-03-27T15:00:00Z", "2026-03-30T06:00:00Z"),
        ),
        (
            "America/New_York",
            "Sun 00:00",
            "02:30",
            ("2026-03-08T05:00:00Z", "2026-03-08T07:00:00Z"),
        ),
        (
            "America/New_York",
            "Sun 02:30",
            "05:00",
            ("2026-03-08T07:00:00Z", "2026-03-08T09:00:00Z"),
        ),
    ] {
        let after =
            if zone == "Europe/Paris" { "2026-03-24T00:00:00Z" } else { "2026-03-03T00:00:00Z" };
        let expected = (at(stretch.0), at(stretch.1));
        assert_eq!(next_closing(&closing(zone, from, until), after), expected, "{zone} {from}");
    }
}

#[test]
fn a_weekly_stretch_that_the_clock_skips_is_empty_that_week() {
    let calendar = closing("Europe/Paris", "Sun 02:10", "02:50");
    let next = next_closing(&calendar, "2026-03-22T12:00:00Z");
    assert_eq!(next, (at("2026-04-05T00:10:00Z"), at("2026-04-05T00:50:00Z")));
}

#[test]
fn what_does_not_come_within_400_days_is_not_waited_for() {
    let calendar = closing("UTC", "2028-01-01T00:00", "2028-01-02T00:00");
    assert_eq!(calendar.next_change(at("2026-11-21T10:00:00Z")), None);
    assert_eq!(calendar.next_change(at("2026-11-27T00:00:00Z")), Some(at("2028-01-01T00:00:00Z")));
    assert_eq!(calendar.next_change(at("2028-01-02T00:00:00Z")), None);
    assert_eq!(calendar.next_change(DateTime::<Utc>::MAX_UTC), None);
    let long = closing("UTC", "2026-01-01T00:00", "2030-01-01T00:00");
    assert_eq!(closed(&long, "2026-11-21T10:00:00Z"), Some((Some("r".to_owned()), None)));
    let over = self::calendar("UTC", &[], &["{from: 2020-01-01T00:00, until: 2020-01-02T00:00}"]);
    assert_eq!(closed(&over, "2026-11-21T10:00:00Z"), Some((None, None)));
}
