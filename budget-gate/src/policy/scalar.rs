//! The values that stand in a policy: shares, lengths of time, factors, names of windows. Each is
//! checked when it is read, so that a policy in memory holds none that is wrong.

use std::fmt;

use chrono_tz::Tz;
use slo_core::slo::{BILLION, Name, Period, Window, parse_share};
use slo_core::time::Span;

mod written;

/// A share from 0 to 1, written `25%` or `0.25`, kept in parts per billion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Share(i64);

impl Share {
    /// Reads a share.
    ///
    /// # Errors
    /// A sentence that shows the right form.
    pub fn parse(text: &str) -> Result<Self, String> {
        match parse_share(text)? {
            ppb if ppb < 0 => Err(format!("`{text}` is less than nothing; write 0% to 100%")),
            ppb if ppb <= BILLION => Ok(Self(ppb)),
            _ if text.ends_with('%') => Err(format!("`{text}` is more than all; 100% is the most")),
            _ => Err(format!("`{text}` is more than 1; did you mean `{text}%`?")),
        }
    }

    /// Parts per billion.
    #[must_use]
    pub const fn ppb(self) -> i64 {
        self.0
    }

    /// The share, 0..=1.
    #[must_use]
    pub fn share(self) -> f64 {
        self.0 as f64 / BILLION as f64
    }
}

/// A length of time greater than 0, written `24h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Length(Span);

impl Length {
    /// Reads a length.
    ///
    /// # Errors
    /// A sentence that shows the right form.
    pub fn parse(text: &str) -> Result<Self, String> {
        match Span::parse(text)? {
            span if span.as_millis() > 0 => Ok(Self(span)),
            _ => Err(format!("`{text}` is no time at all; write a length above 0, such as 5m")),
        }
    }

    /// The length.
    #[must_use]
    pub const fn span(self) -> Span {
        self.0
    }

    /// The length in seconds.
    #[must_use]
    pub fn seconds(self) -> f64 {
        self.0.as_millis() as f64 / 1_000.0
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A length of whole minutes, as burn rates are taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Minutes(Span);

impl Minutes {
    /// Reads a length of whole minutes.
    ///
    /// # Errors
    /// A sentence that shows the right form.
    pub fn parse(text: &str) -> Result<Self, String> {
        match Length::parse(text)?.span() {
            span if span.as_millis() % 60_000 == 0 => Ok(Self(span)),
            _ => Err(format!("`{text}` is not whole minutes; events are kept by the minute")),
        }
    }

    /// The length.
    #[must_use]
    pub const fn span(self) -> Span {
        self.0
    }
}

impl fmt::Display for Minutes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A burn rate: how many times faster than sustainable; greater than 0.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Factor(f64);

impl Factor {
    /// Reads a factor.
    ///
    /// # Errors
    /// A sentence that shows the right form.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.trim().parse::<f64>() {
            Ok(factor) if factor.is_finite() && factor > 0.0 => Ok(Self(factor)),
            _ => Err(format!("`{text}` is not a burn rate; write a number above 0, such as 14.4")),
        }
    }

    /// The factor.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }

    /// Whether a rate is above it. One that equals it to nine digits is not: rates are quotients.
    #[must_use]
    pub fn is_crossed(self, rate: f64) -> bool {
        rate > self.0 * (1.0 + 1e-9)
    }
}

impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of one of an SLO's windows as [`Window`] writes it: `30d`, `month@Europe/Paris`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowName(String);

impl WindowName {
    /// Reads a window's name; `4w` becomes `28d`.
    ///
    /// # Errors
    /// A sentence that shows the right form.
    pub fn parse(text: &str) -> Result<Self, String> {
        let window = match text.split_once('@') {
            Some((period, zone)) => calendar(text, period, zone)?,
            None => Window::Rolling(Minutes::parse(text)?.span()),
        };
        Ok(Self(window.to_string()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn calendar(text: &str, period: &str, zone: &str) -> Result<Window, String> {
    let periods = [Period::Week, Period::Month, Period::Quarter, Period::Year];
    let period = periods.into_iter().find(|p| p.as_str() == period).ok_or_else(|| {
        format!("`{text}` is not a window; before the @ stands week, month, quarter or year")
    })?;
    let zone: Tz =
        zone.parse().map_err(|_| format!("`{zone}` is not an IANA zone, such as Europe/Paris"))?;
    Ok(Window::Calendar { period, zone })
}

/// The name of a service, a policy, an environment or a calendar.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Word(Name);

impl Word {
    /// Reads a name.
    ///
    /// # Errors
    /// A sentence that says what a name may hold.
    pub fn parse(text: &str) -> Result<Self, String> {
        Name::parse(text).map(Self)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// 1 (most critical) to 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tier(u8);

impl Tier {
    /// Reads a tier.
    ///
    /// # Errors
    /// A sentence that says which tiers there are.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.trim().parse::<u8>() {
            Ok(tier) if (1..=4).contains(&tier) => Ok(Self(tier)),
            _ => Err(format!("`{text}` is not a tier; they are 1 (most critical) to 4")),
        }
    }

    /// The tier.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_read_as_percent_or_number_and_refused_beyond_all() {
        assert_eq!(Share::parse("25%"), Ok(Share(250_000_000)));
        assert_eq!(serde_json::from_str::<Share>("0.25").unwrap(), Share(250_000_000));
        assert!(Share::parse("25").unwrap_err().contains("did you mean `25%`?"));
        assert!(Share::parse("101%").is_err() && Share::parse("-1%").is_err());
    }

    #[test]
    fn a_window_is_known_by_the_name_that_views_give_it() {
        for (text, name) in
            [("4w", "28d"), ("720h", "30d"), ("month@Europe/Paris", "month@Europe/Paris")]
        {
            assert_eq!(WindowName::parse(text).unwrap().as_str(), name);
        }
        for text in ["day@Europe/Paris", "month@Mars/Base", "90s", "0m", ""] {
            assert!(WindowName::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn factors_are_finite_and_above_0() {
        assert_eq!(Factor::parse("14.4"), Ok(Factor(14.4)));
        for text in ["0", "-1", "inf", "NaN", "x"] {
            assert!(Factor::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_rate_that_equals_a_factor_has_not_crossed_it_however_it_was_divided() {
        let factor = Factor::parse("10").unwrap();
        for budget in [0.9, 0.99, 0.999, 0.9999].map(|objective: f64| 1.0 - objective) {
            assert!(!factor.is_crossed(10.0 * budget / budget), "{budget}");
            assert!(factor.is_crossed(10.0001 * budget / budget), "{budget}");
        }
        assert!(!factor.is_crossed(100.0 / 100.0 / (1.0 - 0.9)), "1.0 / 0.09999999999999998");
    }

    #[test]
    fn tiers_are_1_to_4() {
        assert_eq!(serde_json::from_str::<Tier>("1").unwrap().get(), 1);
        assert!(serde_json::from_str::<Tier>("5").unwrap_err().to_string().contains("1 (most"));
    }
}
