//! A recorded decision beside what a proposed policy, and the policies that are loaded, say now.

use budget_gate::{Decision, Facts, Request, decide};

use super::Replay;
use super::item::{Item, Outcome};
use super::scene::{Scene, Way};
use super::timeline::{Asked, Timeline};
use crate::declared::Declared;

pub(super) struct Compared<'a> {
    pub(super) replay: &'a Replay<'a>,
    pub(super) scene: &'a Scene<'a>,
    pub(super) timeline: &'a Timeline,
    pub(super) asked: &'a Asked,
}

impl Compared<'_> {
    /// Says of an item what would have become of it.
    pub(super) fn judge(&self, item: &mut Item) {
        let recorded = &self.asked.decision;
        let proposed = self.ask(self.replay.proposed, Way::Likely);
        if self.scene.has_extremes() {
            let verdict = |way| self.ask(self.replay.proposed, way).verdict;
            if [Way::Best, Way::Worst].into_iter().any(|way| verdict(way) != proposed.verdict) {
                item.is_not_known(
                    "of the hour in which a window begins only the sum is kept, and the verdict hangs on its minutes",
                );
                return;
            }
        }
        item.replayed = Some(proposed.verdict);
        if proposed.verdict == recorded.verdict {
            return;
        }
        let loaded = self.ask(self.replay.loaded, Way::Likely);
        item.outcome = match is_by_policy(recorded, &proposed, &loaded) {
            true => Outcome::Changed,
            false => Outcome::NotByPolicy,
        };
        item.loaded = Some(loaded.verdict);
        item.reason = Some(first_reason(&proposed));
    }

    fn ask(&self, declared: &Declared, way: Way) -> Decision {
        let decision = &self.asked.decision;
        let (own, others) = self.scene.views(way);
        let dependencies =
            |name: &str| others.iter().find(|(other, _)| *other == name).map(|(_, all)| &all[..]);
        let incidents = self.timeline.incidents(decision);
        let facts = Facts {
            dependencies: &dependencies,
            calendars: &declared.calendars,
            incidents: &incidents,
            incidents_close_after: self.replay.incidents_close_after,
            known: self.timeline.known(self.asked),
            ..Facts::of(self.scene.service.map(AsRef::as_ref), &own)
        };
        decide(&request(decision), &facts, &declared.policies, decision.at)
    }
}

/// The question that a decision answered.
fn request(decision: &Decision) -> Request {
    let Decision { service, environment, version, commit, digest, identifier, .. } =
        decision.clone();
    let (kind, reason) = (decision.kind, decision.reason.clone());
    Request { service, environment, version, commit, digest, identifier, kind, reason }
}

/// Whether a verdict that differs from the recorded one does so by the proposed policy. Where the policy
/// that decided then says now what the proposed one says, something else has changed: the ledger, or
/// what nobody recorded.
fn is_by_policy(recorded: &Decision, proposed: &Decision, loaded: &Decision) -> bool {
    let then = policy(recorded);
    let says_so_too = |other: &Decision| policy(other) == then && other.verdict == proposed.verdict;
    ![proposed, loaded].into_iter().any(says_so_too)
}

fn policy(decision: &Decision) -> Option<&str> {
    decision.policy.as_ref().map(|policy| policy.hash.as_str())
}

fn first_reason(decision: &Decision) -> String {
    let said = decision.reasons.first().or(decision.because.first());
    said.cloned().unwrap_or_else(|| match &decision.policy {
        Some(policy) => format!("no rule of policy `{}` stands in the way", policy.name),
        None => "nothing stands in the way".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use budget_gate::decision::{PolicyRef, Verdict};
    use budget_gate::policy::Mode;
    use chrono::DateTime;

    use super::*;

    fn by(hash: &str, verdict: Verdict) -> Decision {
        let nothing: Facts<'_, slo_core::view::BudgetView> = Facts::of(None, &[]);
        let mut decision = decide(&Request::of("orders"), &nothing, &[], DateTime::UNIX_EPOCH);
        let policy = PolicyRef { name: "p".to_owned(), hash: hash.to_owned(), mode: Mode::Enforce };
        (decision.policy, decision.verdict) = (Some(policy), verdict);
        decision
    }

    #[test]
    fn what_the_policy_of_then_says_now_too_is_not_by_the_proposed_one() {
        use Verdict::{Allow, Deny, Warn};
        let recorded = by("then", Allow);
        for (proposed, loaded, expected) in [
            (by("new", Deny), by("then", Allow), true),
            (by("new", Deny), by("then", Deny), false),
            (by("new", Deny), by("then", Warn), true),
            (by("then", Deny), by("now", Allow), false),
            (by("new", Deny), by("now", Deny), true),
        ] {
            assert_eq!(is_by_policy(&recorded, &proposed, &loaded), expected, "{proposed:?}");
        }
    }
}
