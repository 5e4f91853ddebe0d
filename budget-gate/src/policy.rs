//! A policy: when one may deploy. Read from files by [`load()`]; asked by [`crate::decide()`].

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use slo_core::spec::Place;
use slo_core::time::Span;
use slo_core::view::Ask;

mod document;
mod hash;
mod load;
pub mod rule;
pub mod scalar;

pub use document::{read, schema, shipped};
pub use load::{Loaded, load, load_beside};
pub use rule::Rule;

use crate::decision::{Kind, Verdict};
use crate::select::Applies;
use rule::{BudgetRule, BurnRule, DependenciesRule, WatchRule};
use scalar::{Length, Word};

/// When one may deploy. Built by [`read`], so that what it holds has been checked.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// Its name; unique.
    #[serde(rename = "policy")]
    pub name: Word,
    /// What it is for.
    pub applies: Applies,
    /// Whether its verdicts hold.
    pub mode: Mode,
    /// What it asks of each SLO and of the service.
    pub rules: Vec<Rule>,
    /// What an unknown verdict becomes.
    pub on_unknown: Answer,
    /// The verdict for a service without an SLO that gates.
    pub no_slo: Answer,
    /// What holds when a decision cannot be recorded.
    pub on_unrecorded: OnUnrecorded,
    /// What a deploy that claims to be of a kind is held to; see [`Policy::treatment`].
    pub kinds: BTreeMap<Kind, Treatment>,
    /// Whether and how people may overrule it.
    #[serde(rename = "override")]
    pub overriding: Option<Overriding>,
    /// Where it is written; no part of its hash.
    #[serde(skip)]
    pub place: Place,
    /// The line that names it, for errors about it; no part of its hash.
    #[serde(skip)]
    pub excerpt: String,
    /// `sha256:` and the hash of its canonical JSON with all defaults filled in, so that comments,
    /// order of keys and spelling (`25%`, `0.25`) do not change it.
    #[serde(skip)]
    pub hash: String,
}

/// Whether a policy's verdicts hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// They do.
    #[default]
    Enforce,
    /// They are shown and recorded; everything is allowed.
    DryRun,
}

/// What a policy says where its rules say nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    /// Go.
    Allow,
    /// Go, with a warning.
    Warn,
    /// Wait.
    Deny,
}

impl Answer {
    /// The answer as a verdict.
    #[must_use]
    pub const fn verdict(self) -> Verdict {
        match self {
            Self::Allow => Verdict::Allow,
            Self::Warn => Verdict::Warn,
            Self::Deny => Verdict::Deny,
        }
    }
}

/// What holds when a decision cannot be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "camelCase")]
pub enum OnUnrecorded {
    /// The verdict, unrecorded.
    Allow,
    /// Deny.
    #[default]
    Deny,
}

/// What a kind of deploy is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Treatment {
    /// The rules are shown and do not decide.
    Allow,
    /// At worst a warning.
    Warn,
    /// The rules decide.
    Rules,
}

/// Whether and how people may overrule a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Overriding {
    /// Whether it is possible at all.
    pub allowed: bool,
    /// Authenticated people needed besides the author.
    #[serde(default)]
    pub approvals: u32,
    /// The longest that one may hold.
    pub max_duration: Option<Length>,
    /// The most in 7 days per service and environment.
    pub per_week: Option<u32>,
}

impl Policy {
    /// What a deploy of a kind is held to: as `kinds` says, else a rollback is allowed and the
    /// rules decide on everything else.
    #[must_use]
    pub fn treatment(&self, kind: Kind) -> Treatment {
        let default = match kind {
            Kind::Rollback => Treatment::Allow,
            _ => Treatment::Rules,
        };
        self.kinds.get(&kind).copied().unwrap_or(default)
    }

    /// Whether its verdicts hold.
    #[must_use]
    pub fn is_enforced(&self) -> bool {
        self.mode == Mode::Enforce
    }

    /// The most overrides and claims that count in 7 days, per service and environment; `None` where
    /// its author takes overrides without number. A policy that takes none takes a few claims.
    #[must_use]
    pub fn per_week(&self) -> Option<u32> {
        match &self.overriding {
            Some(terms) if terms.allowed => terms.per_week,
            Some(terms) => terms.per_week.or(Some(FEW)),
            None => Some(FEW),
        }
    }

    /// The watch rules.
    pub fn watch_rules(&self) -> impl Iterator<Item = &WatchRule> {
        self.rules.iter().filter_map(|rule| match rule {
            Rule::Watch(rule) => Some(rule),
            _ => None,
        })
    }

    /// The budget rules.
    pub fn budget_rules(&self) -> impl Iterator<Item = &BudgetRule> {
        self.rules.iter().filter_map(|rule| match rule {
            Rule::Budget(rule) => Some(rule),
            _ => None,
        })
    }

    /// The burn rules.
    pub fn burn_rules(&self) -> impl Iterator<Item = &BurnRule> {
        self.rules.iter().filter_map(|rule| match rule {
            Rule::Burn(rule) => Some(rule),
            _ => None,
        })
    }
}

/// The claims in 7 days that a policy takes which takes no overrides.
const FEW: u32 = 2;

/// What the policies want forecast for each SLO, each question once: when their rules will no
/// longer deny. The evaluator answers in [`slo_core::view::BudgetView::answers`].
#[must_use]
pub fn asks(policies: &[Policy]) -> Vec<Ask> {
    let mut asks = Vec::new();
    let wanted = policies.iter().flat_map(|policy| {
        let budgets = policy.budget_rules().map(BudgetRule::ask);
        let dependencies = policy.rules.iter().filter_map(|rule| match rule {
            Rule::Dependencies(rule) => rule.ask(),
            _ => None,
        });
        budgets.chain(policy.burn_rules().filter_map(BurnRule::ask)).chain(dependencies)
    });
    for ask in wanted {
        if !asks.contains(&ask) {
            asks.push(ask);
        }
    }
    asks
}

/// The windows over which the policies want burn rates, shortest first, each once.
#[must_use]
pub fn burn_windows(policies: &[Policy]) -> Vec<Span> {
    let rules = policies.iter().flat_map(Policy::burn_rules);
    let mut windows: Vec<Span> = rules.map(|rule| rule.window.span()).collect();
    windows.sort_unstable();
    windows.dedup();
    windows
}

impl BudgetRule {
    /// When will the rule no longer deny?
    #[must_use]
    pub fn ask(&self) -> Ask {
        let window = self.window.as_ref().map(|name| name.as_str().to_owned());
        Ask::Remaining { window, at_least: self.deny_below.share() }
    }
}

impl DependenciesRule {
    /// When will the rule no longer deny an SLO? `None` when it never does.
    #[must_use]
    pub fn ask(&self) -> Option<Ask> {
        self.deny_below.map(|limit| Ask::Remaining { window: None, at_least: limit.share() })
    }
}

impl BurnRule {
    /// When will the rule no longer deny? `None` when it never does.
    #[must_use]
    pub fn ask(&self) -> Option<Ask> {
        self.deny.map(|deny| Ask::Burn { window: self.window.span(), at_most: deny.get() })
    }
}

#[cfg(test)]
mod tests;
