//! What can be wrong with policies taken together, found before anyone asks.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use slo_core::slo::Service;
use slo_core::spec::{SpecError, Warning};

use super::{Declared, Selection, Subject, select};
use crate::policy::Policy;
use crate::policy::scalar::WindowName;

/// Two policies that cannot stand side by side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conflict<'a> {
    /// One of them.
    pub first: &'a Policy,
    /// The other; errors point at this one.
    pub second: &'a Policy,
    /// Why not.
    pub kind: ConflictKind<'a>,
}

/// Why two policies cannot stand side by side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ConflictKind<'a> {
    /// They have one name.
    SameName,
    /// They are equally specific for a declared service.
    Tie(&'a Service),
    /// They are equally specific by what they say, whatever is declared.
    Alike,
}

/// What is wrong, with the names of both and where they are written.
impl fmt::Display for Conflict<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (a, b) = (self.first.name.as_str(), self.second.name.as_str());
        let (here, there) = (&self.first.place, &self.second.place);
        match self.kind {
            ConflictKind::SameName => {
                write!(f, "policy `{a}` is written twice: {here} and {there}")
            }
            ConflictKind::Tie(service) => write!(
                f,
                "policies `{a}` ({here}) and `{b}` ({there}) tie for {} in {}: neither is more \
                 specific",
                service.name, service.environment
            ),
            ConflictKind::Alike => write!(
                f,
                "policies `{a}` ({here}) and `{b}` ({there}) tie: both are for the same services"
            ),
        }
    }
}

impl Conflict<'_> {
    /// The conflict as an error at the second policy.
    #[must_use]
    pub fn error(&self) -> SpecError {
        self.second.error(self.to_string()).with_remedy(self.remedy())
    }

    const fn remedy(&self) -> &'static str {
        match self.kind {
            ConflictKind::SameName => "give one of them another name",
            _ => {
                "name the service, more labels, tiers or environments in one of them, or make it \
                 `mode: dryRun`"
            }
        }
    }
}

/// Finds policies of one name, and enforced policies that tie: for some declared service, or by
/// what they say (the same service pattern and labels, a common tier and environment), so that they
/// would tie for the next one that is declared.
#[must_use]
pub fn check<'a>(policies: &'a [Policy], services: &'a [Arc<Service>]) -> Vec<Conflict<'a>> {
    let mut conflicts: Vec<Conflict<'a>> = Vec::new();
    let pairs = policies.iter().enumerate().flat_map(|(at, a)| {
        let later = &policies[at + 1..];
        later.iter().map(move |b| (a, b))
    });
    for (first, second) in pairs {
        if first.name == second.name {
            conflicts.push(Conflict { first, second, kind: ConflictKind::SameName });
        } else if are_alike(first, second, policies) {
            conflicts.push(Conflict { first, second, kind: ConflictKind::Alike });
        }
    }
    for service in services {
        if let Selection::Tie(first, second) = select(policies, &Subject::from(service.as_ref())) {
            let known = |c: &Conflict<'_>| is_pair((c.first, c.second), (first, second));
            if !conflicts.iter().any(known) {
                conflicts.push(Conflict { first, second, kind: ConflictKind::Tie(service) });
            }
        }
    }
    conflicts
}

fn is_pair(a: (&Policy, &Policy), b: (&Policy, &Policy)) -> bool {
    let names = |(p, q): (&Policy, &Policy)| {
        let mut names = [p.name.as_str().to_owned(), q.name.as_str().to_owned()];
        names.sort();
        names
    };
    names(a) == names(b)
}

/// Whether two policies decide on one made-up service with equal right: one for each service
/// pattern, tier and environment that both name.
fn are_alike(a: &Policy, b: &Policy, all: &[Policy]) -> bool {
    if !a.is_enforced() || !b.is_enforced() || a.applies.labels != b.applies.labels {
        return false;
    }
    let tiers = common(&a.applies.tiers, &b.applies.tiers);
    let environments = common(&a.applies.environments, &b.applies.environments);
    let (Some(tiers), Some(environments)) = (tiers, environments) else {
        return false;
    };
    let names = common_services(a, b);
    let labels = &a.applies.labels;
    names.iter().any(|service| {
        tiers.iter().any(|tier| {
            environments.iter().any(|environment| {
                // An environment that nobody can name where neither names one.
                let environment = Some(environment.map_or("", |e| e.as_str()));
                let tier = tier.map(|t| t.get());
                tie_for(all, (a, b), service, environment, tier, labels)
            })
        })
    })
}

fn tie_for(
    all: &[Policy],
    pair: (&Policy, &Policy),
    service: &str,
    environment: Option<&str>,
    tier: Option<u8>,
    labels: &BTreeMap<String, String>,
) -> bool {
    // A service that neither names by tier or labels may as well be undeclared.
    let declared = (tier.is_some() || !labels.is_empty())
        .then_some(Declared { tier: tier.unwrap_or(u8::MAX), labels });
    let subject = Subject { service, environment, declared };
    matches!(select(all, &subject), Selection::Tie(p, q) if is_pair((p, q), pair))
}

/// What both lists name; one `None` where neither names anything, `None` where they cannot meet.
fn common<'a, T: PartialEq>(a: &'a [T], b: &[T]) -> Option<Vec<Option<&'a T>>> {
    match (a.is_empty(), b.is_empty()) {
        (true, true) => Some(vec![None]),
        (false, false) => Some(a.iter().filter(|x| b.contains(x)).map(Some).collect()),
        _ => None,
    }
}

/// A service for each pattern that both have; a list without patterns is `*`.
fn common_services(a: &Policy, b: &Policy) -> Vec<String> {
    let patterns = |p: &Policy| -> Vec<String> {
        match p.applies.services.as_slice() {
            [] => vec!["*".to_owned()],
            globs => globs.iter().map(|g| g.as_str().to_owned()).collect(),
        }
    };
    let others = patterns(b);
    let both = patterns(a).into_iter().filter(|p| others.contains(p));
    // `0` alone matches every `*`; a name of a real service would be matched by chance.
    both.map(|pattern| pattern.replace('*', "0")).collect()
}

/// A budget rule whose window an SLO does not have: its verdict there is always unknown.
#[derive(Debug, Clone, PartialEq)]
pub struct MissingWindow<'a> {
    /// The policy that applies.
    pub policy: &'a Policy,
    /// The window that its rule names.
    pub window: &'a str,
    /// The SLO, as `service/slo@environment`.
    pub slo: String,
}

impl fmt::Display for MissingWindow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (policy, window, slo) = (self.policy.name.as_str(), self.window, &self.slo);
        write!(
            f,
            "policy `{policy}` asks for the {window} budget of {slo}, which has no such window: its \
             verdicts are unknown"
        )
    }
}

impl MissingWindow<'_> {
    /// The finding as a warning at the policy.
    #[must_use]
    pub fn warning(&self) -> Warning {
        let remedy =
            "add the window to the SLO, or leave `window` out: the SLO's first is meant then";
        let finding = self.policy.error(self.to_string()).with_remedy(remedy);
        Warning { code: "window-missing", finding }
    }
}

/// Finds the budget rules that ask for a window which an SLO that gates does not have, among the
/// policies that decide or are on trial.
#[must_use]
pub fn missing_windows<'a>(
    policies: &'a [Policy],
    services: &[Arc<Service>],
) -> Vec<MissingWindow<'a>> {
    let mut missing = Vec::new();
    for service in services {
        let subject = Subject::from(service.as_ref());
        let mut asked = super::on_trial(policies, &subject);
        match select(policies, &subject) {
            Selection::One(policy) if policy.is_enforced() => asked.push(policy),
            _ => {}
        }
        for policy in asked {
            missing.extend(missing_of(policy, service));
        }
    }
    missing
}

fn missing_of<'a>(policy: &'a Policy, service: &Service) -> Vec<MissingWindow<'a>> {
    let gating = service.slos.iter().filter(|slo| slo.gate != slo_core::slo::Gate::Informs);
    let wanted: Vec<&str> =
        policy.budget_rules().filter_map(|r| r.window.as_ref().map(WindowName::as_str)).collect();
    gating
        .flat_map(|slo| {
            let has: Vec<String> = slo.windows.iter().map(ToString::to_string).collect();
            let lacks = wanted.iter().filter(move |w| !has.iter().any(|h| h == *w));
            lacks.map(|w| MissingWindow { policy, window: w, slo: slo.id.to_string() })
        })
        .collect()
}
