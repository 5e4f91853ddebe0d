//! Which policy decides: among the enforced ones that apply, the most specific. By spec: exact
//! service, then glob (the longer literal), then more labels, then tier, then environment.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use slo_core::slo::Service;

use crate::policy::Policy;
use crate::policy::scalar::{Tier, Word};

mod check;
mod glob;

pub use check::{Conflict, MissingWindow, check, missing_windows};
pub use glob::{Glob, matches};

/// What a policy is for. What is not named (or an empty list) matches everything.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Applies {
    /// Environments.
    pub environments: Vec<Word>,
    /// Tiers, 1 to 4.
    pub tiers: Vec<Tier>,
    /// Services, exact or with `*`.
    pub services: Vec<Glob>,
    /// Labels of the service; all must be equal.
    pub labels: BTreeMap<String, String>,
}

/// What a question is about, as far as policies care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject<'a> {
    /// The service.
    pub service: &'a str,
    /// The environment, when it is known.
    pub environment: Option<&'a str>,
    /// What its document says; `None` for an undeclared service.
    pub declared: Option<Declared<'a>>,
}

/// What a service's document says that policies select by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Declared<'a> {
    /// 1 (most critical) to 4.
    pub tier: u8,
    /// Its labels.
    pub labels: &'a BTreeMap<String, String>,
}

impl<'a> From<&'a Service> for Subject<'a> {
    fn from(service: &'a Service) -> Self {
        Self {
            service: service.name.as_str(),
            environment: Some(service.environment.as_str()),
            declared: Some(Declared { tier: service.tier, labels: &service.labels }),
        }
    }
}

/// How specific a policy is for a subject; compared field by field, the greater decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// `usize::MAX` for an exact service, else the length of the glob's literal part.
    service: usize,
    labels: usize,
    tier: bool,
    environment: bool,
}

impl Applies {
    /// How specific this is for a subject; `None` when it does not apply. An undeclared service has
    /// neither tier nor labels, so nothing that names them applies to it.
    #[must_use]
    pub fn rank(&self, subject: &Subject<'_>) -> Option<Rank> {
        let is_met = self.tier_applies(subject)
            && self.labels_apply(subject)
            && self.environment_applies(subject);
        let service = self.service_rank(subject.service)?;
        is_met.then_some(Rank {
            service,
            labels: self.labels.len(),
            tier: !self.tiers.is_empty(),
            environment: !self.environments.is_empty(),
        })
    }

    fn service_rank(&self, service: &str) -> Option<usize> {
        if self.services.is_empty() {
            return Some(0);
        }
        self.services.iter().filter(|glob| glob.matches(service)).map(Glob::rank).max()
    }

    fn tier_applies(&self, subject: &Subject<'_>) -> bool {
        let tier = subject.declared.map(|d| d.tier);
        self.tiers.is_empty() || self.tiers.iter().any(|t| Some(t.get()) == tier)
    }

    fn labels_apply(&self, subject: &Subject<'_>) -> bool {
        let has = |key: &str| subject.declared.and_then(|d| d.labels.get(key));
        self.labels.iter().all(|(key, value)| has(key) == Some(value))
    }

    fn environment_applies(&self, subject: &Subject<'_>) -> bool {
        self.environments.is_empty()
            || self.environments.iter().any(|e| Some(e.as_str()) == subject.environment)
    }
}

/// Which policy decides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Selection<'a> {
    /// No policy applies.
    Nothing,
    /// This one.
    One(&'a Policy),
    /// Neither of these two is more specific than the other; [`check`] refuses them at load where
    /// it can see it coming.
    Tie(&'a Policy, &'a Policy),
}

/// Selects the policy that decides on a subject: the most specific enforced one, and where none
/// applies the most specific one on trial (of several equal ones the first by name, since it
/// changes no verdict).
#[must_use]
pub fn select<'a>(policies: &'a [Policy], subject: &Subject<'_>) -> Selection<'a> {
    let enforced = ranked(policies.iter().filter(|p| p.is_enforced()), subject);
    match *enforced {
        [(first, a), (second, b), ..] if first == second => Selection::Tie(a, b),
        [(_, policy), ..] => Selection::One(policy),
        [] => {
            let trial = ranked(policies.iter().filter(|p| !p.is_enforced()), subject);
            trial.first().map_or(Selection::Nothing, |(_, policy)| Selection::One(policy))
        }
    }
}

/// The policies on trial that apply to a subject, by name.
#[must_use]
pub fn on_trial<'a>(policies: &'a [Policy], subject: &Subject<'_>) -> Vec<&'a Policy> {
    let trial = policies.iter().filter(|p| !p.is_enforced());
    let mut trial: Vec<_> = trial.filter(|p| p.applies.rank(subject).is_some()).collect();
    trial.sort_by(|a, b| a.name.cmp(&b.name));
    trial
}

/// Those that apply, the most specific first, equal ones by name.
fn ranked<'a>(
    policies: impl Iterator<Item = &'a Policy>,
    subject: &Subject<'_>,
) -> Vec<(Rank, &'a Policy)> {
    let mut ranked: Vec<_> =
        policies.filter_map(|p| p.applies.rank(subject).map(|rank| (rank, p))).collect();
    ranked.sort_by(|(a, p), (b, q)| b.cmp(a).then_with(|| p.name.cmp(&q.name)));
    ranked
}

#[cfg(test)]
mod tests;
