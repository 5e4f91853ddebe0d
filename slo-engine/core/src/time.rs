//! Minutes and spans: the two units of time the ledger knows. Calendars are in [`crate::calendar`].

use std::fmt;
use std::ops::{Add, Sub};

use chrono::{DateTime, Utc};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One minute `[m, m + 60 s)`, counted in whole minutes since 1970-01-01T00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Minute(pub i64);

impl Minute {
    /// The minute that holds an instant given in Unix milliseconds.
    #[must_use]
    pub const fn of_millis(millis: i64) -> Self {
        Self(millis.div_euclid(60_000))
    }

    /// The minute that holds an instant.
    #[must_use]
    pub const fn of(at: DateTime<Utc>) -> Self {
        Self::of_millis(at.timestamp_millis())
    }

    /// The first millisecond of the minute.
    #[must_use]
    pub const fn start_millis(self) -> i64 {
        self.0 * 60_000
    }

    /// The first instant of the minute.
    #[must_use]
    pub fn start(self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.0 * 60, 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// The hour (since the epoch) that holds the minute.
    #[must_use]
    pub const fn hour(self) -> i64 {
        self.0.div_euclid(60)
    }
}

impl Add<i64> for Minute {
    type Output = Self;
    fn add(self, minutes: i64) -> Self {
        Self(self.0 + minutes)
    }
}

impl Sub<i64> for Minute {
    type Output = Self;
    fn sub(self, minutes: i64) -> Self {
        Self(self.0 - minutes)
    }
}

impl Sub for Minute {
    type Output = i64;
    fn sub(self, other: Self) -> i64 {
        self.0 - other.0
    }
}

/// A length of time in whole milliseconds, written as people write it: `30d`, `500ms`, `1h30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(i64);

impl Span {
    /// A span of milliseconds.
    #[must_use]
    pub const fn millis(millis: i64) -> Self {
        Self(millis)
    }

    /// A span of seconds.
    #[must_use]
    pub const fn seconds(seconds: i64) -> Self {
        Self(seconds * 1_000)
    }

    /// A span of minutes.
    #[must_use]
    pub const fn minutes(minutes: i64) -> Self {
        Self(minutes * 60_000)
    }

    /// The span in milliseconds.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The span in whole minutes, rounded down.
    #[must_use]
    pub const fn as_minutes(self) -> i64 {
        self.0 / 60_000
    }

    /// Reads `30d`, `4w`, `1h30m`, `500ms`; units w, d, h, m, s, ms, each at most once, larger first.
    ///
    /// # Errors
    /// A sentence that says what was read and what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is not a duration; write it like 30d, 1h30m, 90s or 500ms");
        let (mut rest, mut millis, mut largest) = (text.trim(), 0_i64, i64::MAX);
        if rest.is_empty() {
            return Err(wrong());
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
            let number: i64 = rest[..digits].parse().map_err(|_| wrong())?;
            rest = &rest[digits..];
            let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
            let unit = unit_millis(&rest[..letters]).filter(|u| *u < largest).ok_or_else(wrong)?;
            rest = &rest[letters..];
            largest = unit;
            let part = number.checked_mul(unit).ok_or_else(wrong)?;
            millis = millis.checked_add(part).ok_or_else(wrong)?;
        }
        Ok(Self(millis))
    }
}

fn unit_millis(unit: &str) -> Option<i64> {
    UNITS.iter().find(|(name, _)| *name == unit).map(|(_, millis)| *millis)
}

const UNITS: [(&str, i64); 6] = [
    ("w", 604_800_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// The shortest text that [`Span::parse`] reads back: `30d`, `1h30m`; weeks are written as days.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (name, unit) in &UNITS[1..] {
            if rest >= *unit {
                write!(f, "{}{name}", rest / unit)?;
                rest %= unit;
            }
        }
        Ok(())
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_back_what_they_write() {
        for text in ["30d", "1h30m", "500ms", "90d", "1m30s", "5m"] {
            assert_eq!(Span::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Span::parse("4w").unwrap().to_string(), "28d");
    }

    #[test]
    fn spans_without_unit_out_of_order_or_too_large_are_refused() {
        for text in
            ["", "5", "m", "5x", "5m5m", "5s1m", "-5m", "99999999999999999999d", "9999999999999d"]
        {
            assert!(Span::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_sample_belongs_to_the_minute_of_its_timestamp() {
        assert_eq!(Minute::of_millis(59_999), Minute(0));
        assert_eq!(Minute::of_millis(60_000), Minute(1));
        assert_eq!(Minute::of_millis(-1), Minute(-1));
    }
}
