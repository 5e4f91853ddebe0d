//! The rules of a policy as they are written. What they say of an SLO is in [`crate::decide()`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scalar::{Factor, Length, Minutes, Share, WindowName, Word};
use crate::decision::Verdict;

/// One rule; each gives a verdict for each SLO, or one for the service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Rule {
    /// What remains of the budget.
    Budget(BudgetRule),
    /// How fast the budget is spent.
    Burn(BurnRule),
    /// How soon the forecast sees it gone.
    Exhaustion(ExhaustionRule),
    /// How old the numbers may be; may only tighten the SLO's own limit.
    Freshness(FreshnessRule),
    /// How much was measured since the first data.
    Coverage(CoverageRule),
    /// Active incidents of the service.
    Incidents(IncidentsRule),
    /// Times in which nothing is deployed.
    Freeze(FreezeRule),
    /// The budgets of the services this one depends on, one level deep.
    Dependencies(DependenciesRule),
    /// When to say roll back after a deploy; takes no part in decisions.
    Watch(WatchRule),
}

impl Rule {
    /// The rule's key in a policy.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Budget(_) => "budget",
            Self::Burn(_) => "burn",
            Self::Exhaustion(_) => "exhaustion",
            Self::Freshness(_) => "freshness",
            Self::Coverage(_) => "coverage",
            Self::Incidents(_) => "incidents",
            Self::Freeze(_) => "freeze",
            Self::Dependencies(_) => "dependencies",
            Self::Watch(_) => "watch",
        }
    }

    /// What holds between the parts of the rule.
    ///
    /// # Errors
    /// A sentence that says what cannot be meant.
    pub fn check(&self) -> Result<(), String> {
        match self {
            Self::Budget(rule) => rule.check(),
            Self::Burn(rule) => rule.check(),
            Self::Dependencies(rule) => {
                never_warns(rule.deny_below.unwrap_or_default(), rule.warn_below)
            }
            _ => Ok(()),
        }
    }
}

/// Denies and warns by what remains. A spent budget (remaining ≤ 0) is denied whatever `denyBelow`
/// says; the other thresholds are strict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BudgetRule {
    /// Which of the SLO's windows; default its first.
    pub window: Option<WindowName>,
    /// Deny when less than this remains; default 0%.
    #[serde(default)]
    pub deny_below: Share,
    /// Warn when less than this remains.
    pub warn_below: Option<Share>,
    /// What must be known before the rule says anything.
    pub needs: Option<Needs>,
    /// The rule's verdict while `needs` is not met; default unknown, which `onUnknown` settles.
    pub otherwise: Option<Verdict>,
}

impl BudgetRule {
    fn check(&self) -> Result<(), String> {
        if self.otherwise.is_some() && self.needs.is_none() {
            return Err("`otherwise` says what holds while `needs` is not met, and there is no \
                `needs`; add it, or remove `otherwise`"
                .to_owned());
        }
        never_warns(self.deny_below, self.warn_below)
    }
}

fn never_warns(deny: Share, warn: Option<Share>) -> Result<(), String> {
    match warn {
        Some(warn) if warn < deny => {
            Err("`warnBelow` is less than `denyBelow`, so the rule could \
            never warn; swap them"
                .to_owned())
        }
        _ => Ok(()),
    }
}

/// What must be known of a window before its remaining budget means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Needs {
    /// At least so many events (slices, where those are counted) in the window.
    pub events: Option<u64>,
    /// At least this share of the window since the first data.
    pub maturity: Option<Share>,
}

/// Denies and warns by the burn rate over a window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BurnRule {
    /// The window: any whole minutes.
    pub window: Minutes,
    /// Deny above this rate.
    pub deny: Option<Factor>,
    /// Warn above this rate.
    pub warn: Option<Factor>,
    /// Fewer bad events than this in the window neither deny nor warn; default 10.
    #[serde(default = "min_bad")]
    pub min_bad: u32,
}

const fn min_bad() -> u32 {
    10
}

impl BurnRule {
    fn check(&self) -> Result<(), String> {
        match (self.deny, self.warn) {
            (None, None) => Err("a burn rule needs `deny`, `warn` or both".to_owned()),
            (Some(deny), Some(warn)) if warn > deny => {
                Err("`warn` is above `deny`, so the rule could never warn; swap them".to_owned())
            }
            _ => Ok(()),
        }
    }
}

/// Warns when the forecast sees the budget gone soon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExhaustionRule {
    /// Warn when it will be gone within this.
    pub warn_within: Length,
}

/// Gives unknown when the numbers are older.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FreshnessRule {
    /// The greatest age.
    pub max: Length,
}

/// Gives unknown when less was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CoverageRule {
    /// The least share of measured minutes since the first data.
    pub min: Share,
}

/// How bad an incident is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// Users cannot work.
    Critical,
    /// Users are hindered.
    Major,
    /// Users hardly notice.
    Minor,
}

impl Severity {
    /// The severity as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Major => "major",
            Self::Minor => "minor",
        }
    }
}

/// Denies and warns while incidents are open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IncidentsRule {
    /// Severities that deny.
    #[serde(default)]
    pub deny: Vec<Severity>,
    /// Severities that warn.
    #[serde(default)]
    pub warn: Vec<Severity>,
}

/// Denies while a calendar is closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FreezeRule {
    /// The calendar's name.
    pub calendar: Word,
}

/// Denies and warns by the budgets of `dependsOn`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DependenciesRule {
    /// Deny when less than this remains.
    pub deny_below: Option<Share>,
    /// Warn when less than this remains.
    pub warn_below: Option<Share>,
}

/// When a deploy should be rolled back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WatchRule {
    /// The window since the deploy: any whole minutes.
    pub window: Minutes,
    /// Roll back above this burn rate.
    pub burn: Factor,
    /// Fewer bad events than this say nothing; default 10.
    #[serde(default = "min_bad")]
    pub min_bad: u32,
}
