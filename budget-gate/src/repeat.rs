//! When a question that is asked again gets the decision that it got before.

use chrono::{DateTime, Duration, Utc};

use crate::decision::{Decision, Verdict};

/// For so long an allow or a warning is repeated.
const GO: Duration = Duration::minutes(10);
/// For so long a deny or an unknown is repeated.
const WAIT: Duration = Duration::seconds(30);

/// Whether a recorded decision still answers the same question, which `fresh` answers anew: it is
/// young, and policy, override, claim and what the rules say are what they were.
#[must_use]
pub fn still_holds(recorded: &Decision, fresh: &Decision, now: DateTime<Utc>) -> bool {
    let age = now - recorded.at;
    let longest = match recorded.verdict {
        Verdict::Allow | Verdict::Warn => GO,
        Verdict::Unknown | Verdict::Deny => WAIT,
    };
    let is_young = (Duration::zero()..longest).contains(&age);
    is_young && state(recorded) == state(fresh)
}

/// What a repeated decision must agree in.
fn state(decision: &Decision) -> impl PartialEq + '_ {
    let policy = decision.policy.as_ref().map(|p| (p.name.as_str(), p.hash.as_str(), p.mode));
    let overridden = decision.overridden.as_ref().map(|one| one.id.as_str());
    let standing = decision.claim.as_ref().map(|claim| claim.standing);
    (policy, overridden, standing, decision.verdict, decision.computed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Request;
    use crate::sample::{decided, now, rules, view};

    fn made(bad: f64) -> Decision {
        let policies = [rules(&["budget: {}"])];
        decided(&Request::of("orders"), &[view("availability", bad, 1e6)], &policies)
    }

    #[test]
    fn an_allow_is_repeated_for_10_minutes_and_a_deny_for_30_seconds() {
        for (bad, seconds) in [(0.0, 600), (2_000.0, 30)] {
            let decision = made(bad);
            let after =
                |seconds| still_holds(&decision, &decision, now() + Duration::seconds(seconds));
            assert!(after(0) && after(seconds - 1) && !after(seconds));
            assert!(!after(-1), "a clock that was set back repeats nothing");
        }
    }

    #[test]
    fn a_state_that_changed_is_not_repeated() {
        assert!(!still_holds(&made(0.0), &made(2_000.0), now()));
        assert!(!still_holds(&made(2_000.0), &made(0.0), now()));
        let mut other = made(0.0);
        other.policy.as_mut().unwrap().hash = "sha256:other".to_owned();
        assert!(!still_holds(&made(0.0), &other, now()));
    }
}
