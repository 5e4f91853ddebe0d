//! Clocks on walls: zones by name, local times as written, and the instants at which a clock shows
//! them.

use chrono::{DateTime, LocalResult, NaiveDateTime, SecondsFormat, TimeZone, Utc};
use chrono_tz::{GapInfo, TZ_VARIANTS, Tz};
use slo_core::spec::nearest;

/// The first instant at which the clock of a zone shows a local time or a later one: of a skipped
/// time the first instant after the gap, of a doubled one the first of both.
pub(super) fn instant(zone: Tz, local: NaiveDateTime) -> DateTime<Utc> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => at.to_utc(),
        LocalResult::None => {
            let gap = GapInfo::new(&local, &zone).and_then(|gap| gap.end);
            gap.map_or_else(|| local.and_utc(), |end| end.to_utc())
        }
    }
}

/// Reads the name of a zone.
///
/// # Errors
/// A sentence that names the nearest zone.
pub(crate) fn zone(name: &str) -> Result<Tz, String> {
    name.parse().map_err(|_| {
        let remedy = nearest(name, TZ_VARIANTS.iter().map(|zone| zone.name())).map_or_else(
            || "write one of the IANA zones, such as Europe/Paris or UTC".to_owned(),
            |meant| format!("did you mean `{meant}`?"),
        );
        format!("there is no time zone `{name}`; {remedy}")
    })
}

/// Whether a text is meant as a date, rather than as a time of every week.
pub(super) fn is_date(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit()) && text.contains(['-', '/'])
}

/// Reads a local date and time of day of a zone, such as `2026-12-18T18:00`.
///
/// # Errors
/// A sentence that shows the right form; of an instant with an offset, what the clock shows then.
pub(super) fn local(text: &str, zone: Tz) -> Result<NaiveDateTime, String> {
    let form = if text.len() == 16 { "%Y-%m-%dT%H:%M" } else { "%Y-%m-%dT%H:%M:%S" };
    if let Ok(local) = NaiveDateTime::parse_from_str(text, form) {
        return Ok(local);
    }
    match parse_instant(text) {
        Some(at) => {
            let shown = at.with_timezone(&zone).format("%Y-%m-%dT%H:%M");
            Err(format!(
                "`{text}` has an offset, and a calendar is written in local times of its zone; \
                 write {shown}, which is that instant in {}",
                zone.name()
            ))
        }
        None => Err(format!("`{text}` is not a date and time; write it like 2026-12-18T18:00")),
    }
}

/// Reads an instant such as `2026-11-20T02:00Z` or `2026-11-20T03:00:00+01:00`.
///
/// # Errors
/// A sentence that shows the right form.
pub(crate) fn utc(text: &str) -> Result<DateTime<Utc>, String> {
    parse_instant(text).ok_or_else(|| match local(text, Tz::UTC) {
        Ok(_) => format!(
            "`{text}` does not say in which zone; write {text}Z for UTC, or its offset such as \
             {text}+01:00"
        ),
        Err(_) => format!("`{text}` is not an instant; write it like 2026-11-20T02:00Z"),
    })
}

/// RFC 3339 whose seconds may be left out.
fn parse_instant(text: &str) -> Option<DateTime<Utc>> {
    let read = |text: &str| DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc());
    let (minutes, offset) = text.split_at_checked(16)?;
    read(text).or_else(|| read(&format!("{minutes}:00{offset}")))
}

/// An instant as [`utc`] reads it back.
pub(crate) fn written(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::at;

    fn shown(zone: Tz, text: &str) -> DateTime<Utc> {
        instant(zone, local(text, zone).unwrap())
    }

    #[test]
    fn a_skipped_time_is_the_first_instant_after_the_gap_and_a_doubled_one_the_first_of_both() {
        let (paris, york) = (Tz::Europe__Paris, Tz::America__New_York);
        for (zone, text, instant) in [
            (paris, "2026-03-29T01:59", "2026-03-29T00:59:00Z"),
            (paris, "2026-03-29T02:00", "2026-03-29T01:00:00Z"),
            (paris, "2026-03-29T02:10", "2026-03-29T01:00:00Z"),
            (paris, "2026-03-29T03:00", "2026-03-29T01:00:00Z"),
            (paris, "2026-10-25T02:30", "2026-10-25T00:30:00Z"),
            (paris, "2026-10-25T03:00", "2026-10-25T02:00:00Z"),
            (york, "2026-03-08T02:59", "2026-03-08T07:00:00Z"),
            (york, "2026-11-01T01:30", "2026-11-01T05:30:00Z"),
            // A whole day that never was, and a gap of half an hour.
            (Tz::Pacific__Apia, "2011-12-30T12:00", "2011-12-30T10:00:00Z"),
            (Tz::Australia__Lord_Howe, "2026-10-04T02:15", "2026-10-03T15:30:00Z"),
        ] {
            assert_eq!(shown(zone, text), at(instant), "{zone} {text}");
        }
    }

    #[test]
    fn instants_are_read_with_and_without_seconds_and_never_without_an_offset() {
        for text in ["2026-11-20T02:00Z", "2026-11-20T02:00:00Z", "2026-11-20T03:00+01:00"] {
            assert_eq!(utc(text), Ok(at("2026-11-20T02:00:00Z")), "{text}");
        }
        let said = utc("2026-11-20T02:00").unwrap_err();
        assert!(said.contains("write 2026-11-20T02:00Z for UTC"), "{said}");
        for text in ["", "Sun 02:00", "2026-11-20", "2026-13-20T02:00Z", "2026-11-20T02:00é"] {
            assert!(utc(text).unwrap_err().contains("is not an instant"), "{text}");
        }
    }

    #[test]
    fn an_instant_in_place_of_a_local_time_is_answered_with_the_local_time() {
        let said = local("2026-12-18T18:00Z", Tz::Europe__Paris).unwrap_err();
        assert!(said.contains("write 2026-12-18T19:00"), "{said}");
        for text in ["2026-12-18", "2026-12-18T24:00", "2026-12-18 18:00", "2026-2-30T10:00"] {
            let said = local(text, Tz::UTC).unwrap_err();
            assert!(said.contains("is not a date and time"), "{said}");
        }
    }
}
