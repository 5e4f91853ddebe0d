//! From what the rules say to what holds: kind, override, `onUnknown`, mode, in this order. A decision
//! that cannot be recorded takes one step more, [`Decision::unrecorded`].

use chrono::{DateTime, Utc};

use super::{Known, claim};
use crate::decision::{Claim, Decision, Kind, Request, Standing, Unblocks, Verdict};
use crate::overriding::Override;
use crate::policy::{Answer, OnUnrecorded, Policy, Treatment};
use crate::words;

/// What leads from what the rules say to a verdict, whatever they say and whenever.
#[derive(Clone, Copy)]
pub(super) struct Course<'a> {
    pub(super) policy: &'a Policy,
    pub(super) request: &'a Request,
    pub(super) known: Known<'a>,
}

/// A verdict on its way, with the steps that changed it.
pub(super) struct Way<'a> {
    pub(super) verdict: Verdict,
    pub(super) because: Vec<String>,
    /// What became of the kind that is claimed.
    pub(super) claim: Option<Claim>,
    /// The override that changed it.
    pub(super) overridden: Option<&'a Override>,
    /// Whether the claimed kind changed it.
    pub(super) is_by_kind: bool,
}

impl<'a> Course<'a> {
    /// Walks all steps, as they are at an instant.
    pub(super) fn from(&self, computed: Verdict, at: DateTime<Utc>) -> Way<'a> {
        let mut way = Way {
            verdict: computed,
            because: Vec::new(),
            claim: claim::of(self.request, Some(self.policy), &self.known, at),
            overridden: None,
            is_by_kind: false,
        };
        self.by_kind(&mut way);
        self.by_override(&mut way, at);
        self.by_on_unknown(&mut way);
        self.by_mode(&mut way);
        way
    }

    /// Whether a rule that says this stands in the way.
    pub(super) fn blocks(&self, verdict: Verdict) -> bool {
        match verdict {
            Verdict::Deny => true,
            Verdict::Unknown => self.policy.on_unknown == Answer::Deny,
            Verdict::Allow | Verdict::Warn => false,
        }
    }

    /// The next instant at which an override begins or ends, or a claim may stand differently.
    pub(super) fn changes_after(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let ends = self.known.overrides.iter().flat_map(|one| [one.at, one.until]);
        let claim = claim::changes_after(self.request, &self.known, at);
        ends.filter(|end| *end > at).chain(claim).min()
    }

    /// No kind makes a verdict worse than a release would get.
    fn by_kind(&self, way: &mut Way<'_>) {
        let (kind, treatment) = (self.request.kind, self.policy.treatment(self.request.kind));
        let name = kind.as_str();
        let before = way.verdict;
        let as_warning = before.min(Verdict::Warn);
        let claim = way.claim.take();
        match (&claim, treatment) {
            (Some(Claim { standing: Standing::Refused, reason, .. }), _) => {
                way.because.push(format!("kind: it claims to be a {name}; {reason}"));
            }
            (Some(Claim { standing: Standing::Unproven, reason, .. }), _) => {
                way.step(as_warning, || {
                    format!("kind: it claims to be a {name}; {reason}, so it passes as a warning")
                });
            }
            (_, Treatment::Rules) => {}
            (_, Treatment::Warn) => {
                way.step(as_warning, || format!("kind: for a {name} the policy warns at worst"));
            }
            (_, Treatment::Allow) => {
                let proof = claim.as_ref().filter(|claim| claim.standing == Standing::Proven);
                let proof = proof.map_or_else(String::new, |claim| format!(": {}", claim.reason));
                way.step(Verdict::Allow, || {
                    format!("kind: the policy lets every {name} go{proof}")
                });
            }
        }
        way.is_by_kind = way.verdict != before;
        way.claim = claim;
    }

    /// Of several overrides the one that holds longest is named.
    fn by_override(&self, way: &mut Way<'a>, at: DateTime<Utc>) {
        if way.verdict.allows() {
            return;
        }
        let holding =
            self.known.overrides.iter().filter(|one| one.holds(self.policy, self.request, at));
        if let Some(one) = holding.max_by_key(|one| (one.until, &one.id)) {
            let (author, until, why) = (&one.author, words::instant(one.until), &one.reason);
            way.step(Verdict::Warn, || format!("override: by {author} until {until}: {why}"));
            way.overridden = Some(one);
        }
    }

    /// With `onUnknown: deny` the verdict stays unknown, which does not allow.
    fn by_on_unknown(&self, way: &mut Way<'_>) {
        let answer = self.policy.on_unknown;
        if way.verdict == Verdict::Unknown && answer != Answer::Deny {
            let to = answer.verdict();
            way.step(to, || format!("onUnknown: for what is unknown the policy says {to}"));
        }
    }

    fn by_mode(&self, way: &mut Way<'_>) {
        if !self.policy.is_enforced() {
            let (name, was) = (self.policy.name.as_str(), way.verdict);
            way.step(Verdict::Allow, || {
                format!("mode: policy `{name}` is a dry run; enforced, this would be {was}")
            });
        }
    }
}

impl Way<'_> {
    /// A step that changes nothing leaves no trace.
    fn step(&mut self, to: Verdict, why: impl FnOnce() -> String) {
        if to != self.verdict {
            self.because.push(why());
            self.verdict = to;
        }
    }
}

/// Whether a decision is a rollback that what ran here proves.
fn is_proven(decision: &Decision) -> bool {
    let is_rollback = decision.kind == Kind::Rollback;
    is_rollback && decision.claim.as_ref().is_some_and(|c| c.standing == Standing::Proven)
}

impl Decision {
    /// The last step, `onUnrecorded`: what holds when the record cannot be written. A proven rollback
    /// is never denied for it; without a policy everything is denied already.
    pub fn unrecorded(&mut self, policy: Option<&Policy>, why: &str) {
        self.recorded = None;
        let denies = policy.is_none_or(|policy| policy.on_unrecorded == OnUnrecorded::Deny);
        if !denies || is_proven(self) || !self.allow {
            self.because.push(format!("onUnrecorded: it is not recorded ({why})"));
            return;
        }
        self.because.push(format!(
            "onUnrecorded: it cannot be recorded ({why}), and for that the policy says deny"
        ));
        (self.verdict, self.allow) = (Verdict::Deny, false);
        self.unblocks = Some(Unblocks {
            at: None,
            because: "no instant is known; needed: decisions can be recorded again".to_owned(),
            acts: vec!["look at /readyz of the engine and its log".to_owned()],
        });
    }
}
