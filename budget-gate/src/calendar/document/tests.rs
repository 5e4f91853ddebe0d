use super::*;
use crate::sample::try_calendar;

/// Wrong times of an entry, the column of the fault, what is said and what helps.
const WRONG_TIMES: [(&str, usize, &str, &str); 10] = [
    ("from: 2026-12-18T18:00Z, until: 2027-01-04T08:00", 12, "has an offset", "2026-12-18T19:00"),
    ("from: 2026-12-18, until: 2027-01-04T08:00", 12, "is not a date and time", "write it like"),
    ("from: 2026-12-18T18:00, until: 2026-12-18T18:00", 37, "is not after", "write a later time"),
    ("from: 2026-03-29T02:10, until: 2026-03-29T02:50", 37, "of Europe/Paris skips", "later"),
    ("from: 2026-12-18T18:00, until: Mon 08:00", 37, "`from` is a date", "write both as dates"),
    ("from: Fri 16:00, until: 2027-01-04T08:00", 30, "`until` is a date", "Fri 16:00"),
    ("from: Fry 16:00, until: Mon 08:00", 12, "there is no day `Fry`", "did you mean `Fri`?"),
    ("from: Fri 16:00, until: Mon 8:00", 30, "`8:00` is not a time of day", "write it as HH:MM"),
    ("from: 16:00, until: 17:00", 12, "names no day", "write it like Fri 16:00"),
    ("from: Mon..Thu 24:00, until: 17:00", 12, "the day after", "write Tue..Fri 00:00"),
];

#[test]
fn wrong_times_are_refused_at_their_place_with_a_remedy() {
    for (times, column, message, remedy) in WRONG_TIMES {
        let closed = format!("closed:\n  - {{{times}, reason: r}}\n");
        let only = format!("only:\n  - {{{times}, reason: r}}\n");
        for entries in [closed, only] {
            let body = format!("calendar: c\nzone: Europe/Paris\n{entries}");
            let error = try_calendar(&body).unwrap_err();
            assert_eq!((error.place.line, error.place.column), (6, column), "{error}");
            assert!(error.excerpt.contains('^'), "{error}");
            assert_says(&error, message, remedy);
        }
    }
}

fn assert_says(error: &SpecError, message: &str, remedy: &str) {
    assert!(error.message.contains(message), "{error}");
    assert!(error.remedy.as_ref().is_some_and(|r| r.contains(remedy)), "{error}");
}

const ENTRY: &str = "closed: [{from: Fri 16:00, until: Mon 08:00, reason: r}]";

#[test]
fn wrong_names_zones_and_keys_are_refused_with_a_remedy() {
    for (head, line, message, remedy) in [
        ("calendar: c\nzone: Europe/Pariss\n", 4, "no time zone", "`Europe/Paris`?"),
        ("calendar: c\nzone: Middle-earth\n", 4, "no time zone", "IANA"),
        ("calendar: \"\"\nzone: UTC\n", 3, "`` is not a name", "use a-z"),
        ("calendar: Year End\nzone: UTC\n", 3, "is not a name", "use a-z"),
        ("calendar: c\n", 1, "`zone` is missing", "add `zone: ...`"),
        ("calendar: c\nzone: UTC\nopen: []\n", 5, "unknown key `open`", "known here"),
    ] {
        let error = try_calendar(&format!("{head}{ENTRY}")).unwrap_err();
        assert_eq!(error.place.line, line, "{error}");
        assert_says(&error, message, remedy);
    }
}

#[test]
fn a_closed_entry_needs_a_reason() {
    for (reason, message, remedy) in [
        ("", "`reason` is missing", "add `reason: ...`"),
        (", reason: \" \"", "this text is empty", "write one"),
        (", raeson: r", "unknown key `raeson`", "did you mean `reason`?"),
    ] {
        let entry = ENTRY.replace(", reason: r", reason);
        let error = try_calendar(&format!("calendar: c\nzone: UTC\n{entry}")).unwrap_err();
        assert_eq!(error.place.line, 5, "{error}");
        assert_says(&error, message, remedy);
    }
}

#[test]
fn a_calendar_without_entries_is_refused_at_its_name() {
    for entries in ["", "closed: []\n", "closed: []\nonly: []\n"] {
        let error = try_calendar(&format!("calendar: c\nzone: UTC\n{entries}")).unwrap_err();
        assert_eq!((error.place.line, error.place.column), (3, 11), "{error}");
        assert_says(&error, "always open", "add one");
    }
}

#[test]
fn the_committed_schema_is_the_one_of_the_types() {
    let committed = include_str!("../../../../docs/schema/calendar.v1.json");
    let made = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    assert!(committed == made, "run `make generate`");
}
