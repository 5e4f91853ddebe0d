//! What is asked of an exclusion: instants that can be meant, and for the past the approvals that the
//! policies ask of overrides.

use budget_gate::exclusion::{Exclusion, SloPattern, Times};
use budget_gate::policy::Policy;
use chrono::{DateTime, TimeDelta, Utc};
use slo_core::slo::Service;

use crate::declared::Declared;
use crate::evaluate::snapshot::Found;
use crate::gate::Gate;
use crate::http::body::Checks;
use crate::http::problem::Problem;

/// The most patterns of one exclusion.
const PATTERNS: usize = 50;
/// Clocks differ, and requests take their time.
const SLACK: TimeDelta = TimeDelta::minutes(1);
/// Counts are kept for so long.
const KEPT: TimeDelta = TimeDelta::days(800);
/// Nobody plans further ahead.
const AHEAD: TimeDelta = TimeDelta::days(3_660);

/// # Errors
/// What is wrong with the body.
pub(super) fn check(new: &Exclusion, now: DateTime<Utc>) -> Result<(), Problem> {
    let mut checks = Checks::default().sentence("reason", &new.reason);
    if new.author.is_some() {
        checks = checks.lacks("author", "it is whose token asks; leave it out");
    }
    if new.slos.len() > PATTERNS {
        checks = checks.lacks("slos", &format!("there are more than {PATTERNS}; ask twice"));
    }
    checks.done()?;
    match new.times {
        Times::Once(once) if once.from < now - KEPT => {
            Err(Problem::unprocessable("from", "counts are kept for 800 days; nothing is older"))
        }
        Times::Once(once) => not_too_far("until", once.until, now),
        Times::Weekly { expires: Some(last), .. } if last <= now => {
            Err(Problem::unprocessable("expires", "it is over: it would exclude nothing"))
        }
        Times::Weekly { expires: Some(last), .. } => not_too_far("expires", last, now),
        Times::Weekly { expires: None, .. } => Ok(()),
    }
}

fn not_too_far(field: &str, at: DateTime<Utc>, now: DateTime<Utc>) -> Result<(), Problem> {
    if at > now + AHEAD {
        return Err(Problem::unprocessable(field, "it is more than ten years ahead"));
    }
    Ok(())
}

/// How many others have to approve an exclusion: none, unless it reaches into the past.
///
/// # Errors
/// When a policy that counts takes no overrides, so nobody can approve it.
pub(super) fn approvals(
    declared: &Declared,
    new: &Exclusion,
    now: DateTime<Utc>,
) -> Result<u32, Problem> {
    match new.times {
        Times::Once(once) if once.from < now - SLACK => strictest(declared, new),
        Times::Once(_) | Times::Weekly { .. } => Ok(0),
    }
}

/// What the strictest policy of the services that are named asks. A pattern that names none that is
/// declared may come to name any, so there every policy counts.
fn strictest(declared: &Declared, new: &Exclusion) -> Result<u32, Problem> {
    let mut most = 0;
    for pattern in &new.slos {
        let mut services = declared.services.iter().filter(|s| reaches(pattern, s)).peekable();
        if services.peek().is_none() {
            for policy in declared.policies.iter().filter(|policy| policy.is_enforced()) {
                most = most.max(asked_by(policy)?);
            }
        }
        for service in services {
            let (name, environment) = (service.name.as_str(), service.environment.as_str());
            let found = Found { service, views: &[], groups: &[] };
            let policy = Gate::policy(declared, Some(found), name, environment);
            most = most.max(asked_by(policy.ok_or_else(|| undecided(name, environment))?)?);
        }
    }
    Ok(most)
}

fn reaches(pattern: &SloPattern, service: &Service) -> bool {
    pattern.reaches(service.name.as_str(), service.environment.as_str())
}

fn asked_by(policy: &Policy) -> Result<u32, Problem> {
    let terms = policy.overriding.as_ref().filter(|terms| terms.allowed);
    terms.map(|terms| terms.approvals).ok_or_else(|| {
        Problem::conflict(format!(
            "the past is excluded with the approvals of an override, and the policy {} takes none",
            policy.name.as_str()
        ))
    })
}

fn undecided(service: &str, environment: &str) -> Problem {
    Problem::conflict(format!(
        "the past is excluded with the approvals of an override, and no policy decides on {service} \
         in {environment}"
    ))
}

/// Patterns that match no declared SLO.
pub(super) fn warnings(declared: &Declared, new: &Exclusion) -> Vec<String> {
    let idle = new.slos.iter().filter(|pattern| !is_at_work(declared, pattern));
    idle.map(|pattern| format!("`{pattern}` matches no declared SLO, so it excludes nothing now"))
        .collect()
}

fn is_at_work(declared: &Declared, pattern: &SloPattern) -> bool {
    let services = declared.services.iter().filter(|service| reaches(pattern, service));
    services.flat_map(|service| &service.slos).any(|slo| {
        let id = &slo.id;
        pattern.matches(id.service.as_str(), id.slo.as_str(), id.environment.as_str())
    })
}
