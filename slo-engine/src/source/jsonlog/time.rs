//! When a line happened: the instants that Elasticsearch reads by default.

use chrono::NaiveDate;
use slo_core::filter::{Number, Scalar};

/// Unix milliseconds of a value of the time field: a text such as `2026-11-21T10:00:00.123Z`, with an
/// offset for the `Z` or neither for UTC, or a whole number of milliseconds.
pub(super) fn millis(value: Scalar<'_>) -> Option<i64> {
    match value {
        Scalar::Text(text) => of_text(text.as_bytes()).or_else(|| text.parse().ok()),
        Scalar::Number(Number::Whole(millis)) => i64::try_from(millis).ok(),
        Scalar::Number(Number::Real(_)) | Scalar::Bool(_) => None,
    }
}

/// Reads by hand: every line has one, and a general reader takes as long as the rest of the line.
fn of_text(text: &[u8]) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let [year @ .., b'-', m1, m2, b'-', d1, d2] = date else { return None };
    let month = number(&[*m1, *m2])?;
    let day = number(&[*d1, *d2])?;
    let date = NaiveDate::from_ymd_opt(i32::try_from(number(year)?).ok()?, month, day)?;
    let midnight = i64::from(date.to_epoch_days()) * 86_400_000;
    let Some((b'T' | b't' | b' ', rest)) = rest.split_first() else {
        return rest.is_empty().then_some(midnight);
    };
    let (clock, rest) = rest.split_at_checked(8)?;
    let [h1, h2, b':', m1, m2, b':', s1, s2] = clock else { return None };
    let hour = number(&[*h1, *h2]).filter(|h| *h < 24)?;
    let minute = number(&[*m1, *m2]).filter(|m| *m < 60)?;
    // A leap second is the last second of its minute.
    let second = number(&[*s1, *s2]).filter(|s| *s <= 60)?.min(59);
    let (fraction, rest) = fraction(rest)?;
    let of_day = ((hour * 60 + minute) * 60 + second) * 1_000 + fraction;
    Some(midnight + i64::from(of_day) - offset(rest)?)
}

/// The milliseconds of `.123456`, and what follows.
fn fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let Some((b'.' | b',', rest)) = text.split_first() else { return Some((0, text)) };
    let length = rest.iter().position(|c| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, rest) = rest.split_at(length);
    let millis = (0..3).fold(0, |sum, at| {
        let digit = digits.get(at).map_or(0, |digit| u32::from(digit - b'0'));
        sum * 10 + digit
    });
    (length > 0).then_some((millis, rest))
}

/// The milliseconds by which `Z`, `+02:00`, `+0200` or `+02` is ahead of UTC.
fn offset(text: &[u8]) -> Option<i64> {
    let (sign, digits) = match text {
        [] | [b'Z' | b'z'] => return Some(0),
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits {
        [h1, h2] => ([h1, h2], 0),
        [h1, h2, b':', m1, m2] | [h1, h2, m1, m2] => ([h1, h2], number(&[*m1, *m2])?),
        _ => return None,
    };
    let hours = number(&hours.map(|digit| *digit)).filter(|h| *h < 24)?;
    Some(sign * i64::from(hours * 60 + minutes) * 60_000)
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |sum, digit| {
        digit.is_ascii_digit().then(|| sum * 10 + u32::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn instants_are_read_in_every_form_that_loggers_write() {
        let at = 1_795_255_200_123;
        for (text, millis) in [
            ("2026-11-21T10:00:00.123Z", at),
            ("2026-11-21T10:00:00.123456789Z", at),
            ("2026-11-21T10:00:00,123z", at),
            ("2026-11-21T12:30:00.123+02:30", at),
            ("2026-11-21T05:00:00.123-0500", at),
            ("2026-11-21T11:00:00.123+01", at),
            ("2026-11-21 10:00:00.123", at),
            ("2026-11-21T10:00:00.1Z", at - 23),
            ("2026-11-21T10:00:00Z", at - 123),
            ("2026-11-21", at - 123 - 36_000_000),
            ("2024-02-29T23:59:60Z", 1_709_251_199_000),
            ("1969-12-31T23:59:59.999Z", -1),
            ("1795255200123", at),
        ] {
            assert_eq!(super::millis(Scalar::Text(text)), Some(millis), "{text}");
        }
        assert_eq!(millis(Scalar::Number(Number::Whole(at.into()))), Some(at));
    }

    #[test]
    fn what_is_no_instant_is_none() {
        for text in [
            "",
            "now",
            "2026-11-21T",
            "2026-11-21T10:00",
            "2026-13-21T10:00:00Z",
            "2025-02-29T10:00:00Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T10:60:00Z",
            "2026-11-21T10:00:00.Z",
            "2026-11-21T10:00:00.123Zx",
            "2026-11-21T10:00:00+2",
            "2026-11-2é",
            "１２３４-11-21",
        ] {
            assert_eq!(millis(Scalar::Text(text)), None, "{text}");
        }
        assert_eq!(millis(Scalar::Bool(true)), None);
        assert_eq!(millis(Scalar::Number(Number::Real(0.5))), None);
    }

    proptest! {
        #[test]
        fn any_instant_is_read_as_chrono_writes_it(
            millis in -60_000_000_000_000_i64..200_000_000_000_000, east in -86_340_i32..86_340,
        ) {
            let east = chrono::FixedOffset::east_opt(east / 60 * 60).unwrap();
            let at = DateTime::from_timestamp_millis(millis).unwrap().with_timezone(&east);
            let text = at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
            prop_assert_eq!(super::millis(Scalar::Text(&text)), Some(millis), "{}", text);
        }
    }
}
