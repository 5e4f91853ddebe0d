//! How weekly times are written: `Fri 16:00`, `Mon..Thu 09:00`, `17:00`.

use std::fmt;

use chrono::Weekday;
use slo_core::spec::nearest;

use super::{ClockTime, Ends, Starts, Weekly};

/// The days as they are written and suggested.
const DAYS: [&str; 14] = [
    "Mon",
    "Tue",
    "Wed",
    "Thu",
    "Fri",
    "Sat",
    "Sun",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

impl Starts {
    /// Reads `Fri 16:00` or `Mon..Thu 09:00`.
    ///
    /// # Errors
    /// A sentence that shows the right form.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (days, at) = split(text);
        let days = days.ok_or_else(|| {
            format!("`{text}` names no day of the week; write it like Fri 16:00 or Mon..Thu 09:00")
        })?;
        let (first, last) = days.split_once("..").unwrap_or((days, days));
        let (first, last, at) = (day(first.trim())?, day(last.trim())?, ClockTime::parse(at)?);
        if at.minutes() == super::DAY {
            let next = Self { first: first.succ(), last: last.succ(), at: ClockTime(0) };
            return Err(format!("24:00 is the day after already; write {next}"));
        }
        Ok(Self { first, last, at })
    }
}

impl Ends {
    /// Reads `17:00` or `Mon 08:00`.
    ///
    /// # Errors
    /// A sentence that shows the right form.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match split(text) {
            (None, at) => Ok(Self::At(ClockTime::parse(at)?)),
            (Some(days), _) if days.contains("..") => {
                Err(format!("`{text}` ends on more than one day; write one, such as Mon 08:00"))
            }
            (Some(name), at) => Ok(Self::On(day(name)?, ClockTime::parse(at)?)),
        }
    }
}

/// The days, if there are any, and the time of day.
fn split(text: &str) -> (Option<&str>, &str) {
    match text.rsplit_once(char::is_whitespace) {
        Some((days, at)) => (Some(days.trim()), at),
        None => (None, text),
    }
}

fn day(name: &str) -> Result<Weekday, String> {
    name.parse().map_err(|_| {
        let remedy = nearest(name, DAYS).map_or_else(
            || "write one of Mon, Tue, Wed, Thu, Fri, Sat, Sun".to_owned(),
            |meant| format!("did you mean `{meant}`?"),
        );
        format!("there is no day `{name}`; {remedy}")
    })
}

impl ClockTime {
    fn parse(text: &str) -> Result<Self, String> {
        let minutes = || {
            let (hours, minutes) = text.split_once(':')?;
            let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
            let is_time = hours < 24 && minutes < 60 || (hours, minutes) == (24, 0);
            is_time.then_some(hours * 60 + minutes)
        };
        let wrong = || format!("`{text}` is not a time of day; write it as HH:MM, such as 09:00");
        minutes().map(Self).ok_or_else(wrong)
    }
}

fn two_digits(text: &str) -> Option<u16> {
    let is_number = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

impl fmt::Display for ClockTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl fmt::Display for Starts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first == self.last {
            true => write!(f, "{} {}", self.first, self.at),
            false => write!(f, "{}..{} {}", self.first, self.last, self.at),
        }
    }
}

impl fmt::Display for Ends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(at) => at.fmt(f),
            Self::On(day, at) => write!(f, "{day} {at}"),
        }
    }
}

impl Weekly {
    /// When it begins, as a user writes it: `Mon..Thu 09:00`.
    #[must_use]
    pub fn from(&self) -> String {
        self.starts.to_string()
    }

    /// When it ends, as a user writes it: `17:00`, `Mon 08:00`.
    #[must_use]
    pub fn until(&self) -> String {
        self.ends.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weekly_times_are_written_as_they_were_read() {
        for (text, written) in [
            ("Fri 16:00", "Fri 16:00"),
            ("Mon..Thu 09:00", "Mon..Thu 09:00"),
            ("friday..MON  23:59", "Fri..Mon 23:59"),
            ("Sat .. Sun 00:00", "Sat..Sun 00:00"),
        ] {
            assert_eq!(Starts::parse(text).map(|s| s.to_string()), Ok(written.to_owned()));
        }
        for text in ["17:00", "Mon 08:00", "24:00", "Sun 24:00"] {
            assert_eq!(Ends::parse(text).map(|e| e.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn wrong_weekly_times_are_told_what_to_write() {
        for (text, words) in [
            ("16:00", "names no day of the week; write it like Fri 16:00"),
            ("tomorrow", "names no day"),
            ("Fry 16:00", "there is no day `Fry`; did you mean `Fri`?"),
            ("Sumday 16:00", "did you mean `Sunday`?"),
            ("Xyzzy 16:00", "write one of Mon, Tue"),
            ("Mon.. 09:00", "there is no day ``"),
            ("Fri 9:00", "`9:00` is not a time of day; write it as HH:MM"),
            ("Fri 25:00", "`25:00` is not a time of day"),
            ("Fri 24:30", "`24:30` is not a time of day"),
            ("Fri +9:00", "`+9:00` is not a time of day"),
            ("Fri 24:00", "write Sat 00:00"),
        ] {
            let said = Starts::parse(text).unwrap_err();
            assert!(said.contains(words), "{text}: {said}");
        }
        for (text, words) in [
            ("Mon..Tue 08:00", "more than one day"),
            ("noon", "is not a time of day"),
            ("Mno 08:00", "did you mean `Mon`?"),
        ] {
            let said = Ends::parse(text).unwrap_err();
            assert!(said.contains(words), "{text}: {said}");
        }
    }
}
