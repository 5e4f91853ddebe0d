//! From what the rules say to what holds: kind, (override,) `onUnknown`, mode, in this order. A peek
//! records nothing, so `onUnrecorded` has no say in it.

use crate::decision::{Kind, Verdict};
use crate::policy::{Answer, Policy, Treatment};

/// A verdict on its way, with the steps that changed it.
pub(super) struct Course {
    pub(super) verdict: Verdict,
    pub(super) because: Vec<String>,
}

/// Walks all steps.
pub(super) fn from(computed: Verdict, policy: &Policy, kind: Kind) -> Course {
    let mut course = Course { verdict: computed, because: Vec::new() };
    course.by_kind(policy.treatment(kind), kind);
    course.by_on_unknown(policy.on_unknown);
    course.by_mode(policy);
    course
}

impl Course {
    /// A step that changes nothing leaves no trace.
    fn step(&mut self, to: Verdict, why: impl FnOnce() -> String) {
        if to != self.verdict {
            self.because.push(why());
            self.verdict = to;
        }
    }

    /// No kind makes a verdict worse than a release would get. Deployments are not known in this
    /// version, so a claimed rollback cannot be proven and passes as a warning.
    fn by_kind(&mut self, treatment: Treatment, kind: Kind) {
        let as_warning = self.verdict.min(Verdict::Warn);
        let name = kind.as_str();
        match treatment {
            Treatment::Rules => {}
            Treatment::Allow | Treatment::Warn if kind == Kind::Rollback => {
                self.step(as_warning, || {
                    "kind: it claims to be a rollback; no deployment is known here to prove it, so \
                     it passes as a warning"
                        .to_owned()
                });
            }
            Treatment::Warn => {
                self.step(as_warning, || format!("kind: for a {name} the policy warns at worst"));
            }
            Treatment::Allow => {
                self.step(Verdict::Allow, || format!("kind: the policy lets every {name} go"));
            }
        }
    }

    /// With `onUnknown: deny` the verdict stays unknown, which does not allow.
    fn by_on_unknown(&mut self, answer: Answer) {
        if self.verdict == Verdict::Unknown && answer != Answer::Deny {
            let to = answer.verdict();
            self.step(to, || format!("onUnknown: for what is unknown the policy says {to}"));
        }
    }

    fn by_mode(&mut self, policy: &Policy) {
        if !policy.is_enforced() {
            let (name, was) = (policy.name.as_str(), self.verdict);
            self.step(Verdict::Allow, || {
                format!("mode: policy `{name}` is a dry run; enforced, this would be {was}")
            });
        }
    }
}
