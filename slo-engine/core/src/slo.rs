//! An SLO: an objective over windows for one indicator of one service.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use chrono_tz::Tz;

use crate::sli::Indicator;
use crate::time::Span;

/// A name of a service, an SLO or an environment: `[a-z0-9]` and `-`, 1 to 63 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

impl Name {
    /// Checks and takes a name.
    ///
    /// # Errors
    /// A sentence that says what a name may hold.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fits = (1..=63).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if fits {
            return Ok(Self(text.into()));
        }
        Err(format!("`{text}` is not a name; use a-z, 0-9 and -, 1 to 63 characters"))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name, for another owner.
    #[must_use]
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which SLO: unique in an engine. Shown as `service/slo@environment`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SloId {
    /// The service's name.
    pub service: Name,
    /// The SLO's name in the service.
    pub slo: Name,
    /// The environment.
    pub environment: Name,
}

impl fmt::Display for SloId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}@{}", self.service, self.slo, self.environment)
    }
}

/// `service/slo[@environment]` as users write it; without an environment the same one is meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// The service's name.
    pub service: Name,
    /// The SLO's name.
    pub slo: Name,
    /// The environment, when written.
    pub environment: Option<Name>,
}

impl Reference {
    /// Reads `service/slo` or `service/slo@environment`.
    ///
    /// # Errors
    /// A sentence that shows the right form.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is not a reference; write service/slo or service/slo@environment");
        let (path, environment) = match text.split_once('@') {
            Some((path, environment)) => (path, Some(Name::parse(environment)?)),
            None => (text, None),
        };
        let (service, slo) = path.split_once('/').ok_or_else(wrong)?;
        Ok(Self { service: Name::parse(service)?, slo: Name::parse(slo)?, environment })
    }

    /// The SLO that is meant where an environment may be left out.
    #[must_use]
    pub fn id(&self, environment: &Name) -> SloId {
        SloId {
            service: self.service.clone(),
            slo: self.slo.clone(),
            environment: self.environment.as_ref().unwrap_or(environment).clone(),
        }
    }
}

/// The target of an SLO, an exact decimal between 0 and 1, kept in parts per billion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Objective(u32);

/// Parts in a whole: the unit of [`Objective`] and of slice goals.
pub const BILLION: i64 = 1_000_000_000;

impl Objective {
    /// An objective of so many parts per billion.
    ///
    /// # Errors
    /// Why 0 and 1 (and beyond) cannot be objectives.
    pub fn from_ppb(ppb: i64) -> Result<Self, String> {
        match u32::try_from(ppb) {
            Ok(parts) if 0 < ppb && ppb < BILLION => Ok(Self(parts)),
            _ if ppb == BILLION => Err("100 % leaves no budget at all: a single failure would \
                breach it for the whole window, and nothing could ever be deployed; use 99.99%"
                .to_owned()),
            _ => Err("an objective lies between 0 % and 100 %, such as 99.9%".to_owned()),
        }
    }

    /// The target in parts per billion.
    #[must_use]
    pub const fn ppb(self) -> i64 {
        self.0 as i64
    }

    /// What may go wrong, 1 - target, in parts per billion.
    #[must_use]
    pub const fn budget_ppb(self) -> i64 {
        BILLION - self.0 as i64
    }

    /// The target as a share 0..1.
    #[must_use]
    pub fn share(self) -> f64 {
        f64::from(self.0) / 1e9
    }

    /// 1 - target as a share 0..1.
    #[must_use]
    pub fn budget(self) -> f64 {
        self.budget_ppb() as f64 / 1e9
    }
}

/// Reads a share written as `99.9%` or `0.999` into parts per billion, exactly.
///
/// # Errors
/// A sentence that shows the right form.
pub fn parse_share(text: &str) -> Result<i64, String> {
    let wrong = || format!("`{text}` is not a share; write it like 99.9% or 0.999");
    let trimmed = text.trim();
    let (number, places) = match trimmed.strip_suffix('%') {
        Some(percent) => (percent.trim(), 7),
        None => (trimmed, 9),
    };
    let (negative, number) = number.strip_prefix('-').map_or((false, number), |n| (true, n));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) {
        return Err(wrong());
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > places || whole.len() > 9 {
        return Err(format!("`{text}` has more digits than parts per billion can hold"));
    }
    let padded = format!("{whole}{fraction:0<places$}");
    let ppb: i64 = padded.parse().map_err(|_| wrong())?;
    Ok(if negative { -ppb } else { ppb })
}

/// A window of an SLO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Window {
    /// The last so many minutes.
    Rolling(Span),
    /// The current calendar period in a zone.
    Calendar {
        /// The period.
        period: Period,
        /// The IANA zone.
        zone: Tz,
    },
}

/// A calendar period; weeks start on Monday.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Period {
    /// Monday to Sunday.
    Week,
    /// A calendar month.
    Month,
    /// Three months from January, April, July or October.
    Quarter,
    /// A calendar year.
    Year,
}

impl Period {
    /// The period as users write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }
}

/// `30d`, or `month@Europe/Paris`.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rolling(span) => span.fmt(f),
            Self::Calendar { period, zone } => write!(f, "{}@{}", period.as_str(), zone.name()),
        }
    }
}

/// What the budget is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budgeting {
    /// Events.
    Occurrences,
    /// Slices of time, each good or bad.
    Timeslices {
        /// Length in whole minutes.
        size: Span,
        /// A slice is good when good/total reaches this, in parts per billion.
        good_when: i64,
    },
    /// The mean of the slices' ratios.
    RatioTimeslices {
        /// Length in whole minutes.
        size: Span,
    },
}

impl Budgeting {
    /// The length of a slice, where time is sliced.
    #[must_use]
    pub const fn slice(self) -> Option<Span> {
        match self {
            Self::Occurrences => None,
            Self::Timeslices { size, .. } | Self::RatioTimeslices { size } => Some(size),
        }
    }
}

/// What a slice without data counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmeasured {
    /// It is left out.
    Ignore,
    /// It is good.
    Good,
    /// It is bad.
    Bad,
}

/// Whether an SLO takes part in the gate's verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// It decides.
    Decides,
    /// It informs only.
    Informs,
    /// Each group of it decides.
    Groups,
}

/// How urgent an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Someone is woken.
    Page,
    /// Someone looks on a work day.
    Ticket,
}

/// One multi-window burn-rate alert, before it is worked out for a window.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertPair {
    /// Its name, such as `page-fast`.
    pub name: Arc<str>,
    /// The long window.
    pub long: Span,
    /// The short window.
    pub short: Span,
    /// The share of the budget that is spent over the long window when it fires, in parts per billion.
    pub budget_ppb: i64,
    /// How urgent it is.
    pub severity: Severity,
    /// Fewer bad events than this in the long window never fire.
    pub min_bad: i64,
    /// Bad events in the long window must also be this share of the whole window's budget.
    pub min_budget_ppb: Option<i64>,
}

/// An SLO as every later part of the engine sees it, whatever file it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Slo {
    /// Which one.
    pub id: SloId,
    /// A sentence for people.
    pub description: Option<String>,
    /// The target.
    pub objective: Objective,
    /// At least one; the first makes the state.
    pub windows: Vec<Window>,
    /// Whether it takes part in verdicts.
    pub gate: Gate,
    /// Where its events come from.
    pub indicator: Indicator,
    /// What its budget is counted in.
    pub budgeting: Budgeting,
    /// What a slice without data counts as.
    pub unmeasured: Unmeasured,
    /// Samples further apart than this leave a hole; `None` is 5 min, at least 2 scrapes.
    pub look_back: Option<Span>,
    /// A difference over a longer gap is dropped.
    pub max_gap: Span,
    /// Its own limit of age; `None` is the source's lag + max(5 min, 5 scrapes).
    pub stale_after: Option<Span>,
    /// Burn-rate alerts.
    pub alerts: Arc<[AlertPair]>,
    /// One SLO per value of these labels.
    pub group_by: Vec<String>,
    /// Groups beyond this many become `(other)`.
    pub max_groups: usize,
    /// Counts are kept by these labels too.
    pub attribute_by: Vec<String>,
    /// The SLO's old name.
    pub was: Option<Name>,
}

/// A service with its SLOs.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// Its name.
    pub name: Name,
    /// Its environment; unique together with the name.
    pub environment: Name,
    /// A name for people.
    pub title: Option<String>,
    /// Who owns it.
    pub owner: Option<String>,
    /// 1 (most critical) to 4.
    pub tier: u8,
    /// Services it calls.
    pub depends_on: Vec<Name>,
    /// Links for people.
    pub links: BTreeMap<String, String>,
    /// Labels that policies may select by.
    pub labels: BTreeMap<String, String>,
    /// Its SLOs.
    pub slos: Vec<Arc<Slo>>,
}

/// The default of [`Slo::max_gap`]: 6 hours.
pub const MAX_GAP: Span = Span::minutes(360);

/// The default of [`Slo::max_groups`].
pub const MAX_GROUPS: usize = 50;

/// The default alerts, after the Google SRE workbook's table for 30 days; `burn` works them out for
/// other windows.
#[must_use]
pub fn default_alerts() -> Arc<[AlertPair]> {
    DEFAULT_ALERTS.clone()
}

/// One list for all the SLOs that have it.
static DEFAULT_ALERTS: LazyLock<Arc<[AlertPair]>> = LazyLock::new(|| {
    let pair = |name: &str, long, short, percent: i64, severity| AlertPair {
        name: name.into(),
        long: Span::minutes(long),
        short: Span::minutes(short),
        budget_ppb: percent * BILLION / 100,
        severity,
        min_bad: 10,
        min_budget_ppb: None,
    };
    Arc::new([
        pair("page-fast", 60, 5, 2, Severity::Page),
        pair("page-slow", 360, 30, 5, Severity::Page),
        pair("ticket-fast", 1_440, 120, 10, Severity::Ticket),
        pair("ticket-slow", 4_320, 360, 10, Severity::Ticket),
    ])
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_exactly_in_both_forms() {
        for (text, ppb) in [
            ("99.9%", 999_000_000),
            ("0.999", 999_000_000),
            ("99.99999%", 999_999_900),
            ("2%", 20_000_000),
            ("-5%", -50_000_000),
            ("100 %", BILLION),
        ] {
            assert_eq!(parse_share(text), Ok(ppb), "{text}");
        }
        for text in ["", "%", "abc", "1e-3", "99,9%", "0.9999999999"] {
            assert!(parse_share(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_objective_of_0_or_100_percent_is_refused_with_a_reason() {
        assert!(Objective::from_ppb(BILLION).unwrap_err().contains("no budget"));
        for ppb in [0, -1, BILLION + 1, 5 * BILLION] {
            assert!(Objective::from_ppb(ppb).is_err());
        }
    }

    #[test]
    fn references_are_read_with_and_without_an_environment() {
        let read = Reference::parse("orders/availability@staging").unwrap();
        assert_eq!(read.environment, Some(Name::parse("staging").unwrap()));
        assert!(Reference::parse("orders").is_err() && Reference::parse("a/b/c").is_err());
    }
}
