//! What a case expects of the answer.

use super::words::{Words, length};
use super::world::World;
use crate::decision::{Decision, RuleResult};

impl World {
    /// # Panics
    /// When the answer is another.
    pub(super) fn expect(&self, word: &str, rest: &str, words: &mut Words<'_>) {
        let decision = self.answer.as_ref().expect("a question before what is expected");
        let text = rest.trim().trim_matches('"');
        let holds = said(decision, word, text)
            .or_else(|| ruled(decision, word, text, words))
            .or_else(|| self.timed(decision, word, text, words));
        let holds = holds.unwrap_or_else(|| panic!("`{word}` is no line of a case"));
        assert!(holds, "got {decision:#?}");
    }

    fn timed(
        &self,
        decision: &Decision,
        word: &str,
        text: &str,
        words: &mut Words<'_>,
    ) -> Option<bool> {
        let opens = decision.unblocks.as_ref().and_then(|unblocks| unblocks.at);
        Some(match word {
            "opens" if text == "never" => !decision.allow && opens.is_none(),
            "opens" if text.contains('T') => opens == Some(text.parse().expect("an instant")),
            "opens" => opens == Some(self.now + length(text)),
            "frees" => {
                let (rule, slo) = (words.need("a rule"), Some(words.need("an SLO")));
                let at = Some(self.now + words.length());
                let mut rules = decision.rules.iter();
                rules.any(|one| one.rule == rule && one.slo.as_deref() == slo && one.unblocks == at)
            }
            "repeated" => decision.at < self.now,
            "anew" => decision.at == self.now,
            _ => return None,
        })
    }
}

/// Lines about the texts of the answer.
fn said(decision: &Decision, word: &str, text: &str) -> Option<bool> {
    let has = |all: &[String]| all.iter().any(|one| one.contains(text));
    let acts = decision.unblocks.as_ref().map_or(&[][..], |unblocks| &unblocks.acts);
    Some(match word {
        "reason" => has(&decision.reasons),
        "no-reason" => !has(&decision.reasons),
        "because" => has(&decision.because),
        "no-because" => !has(&decision.because),
        "nothing-because" => decision.because.is_empty(),
        "act" => has(acts),
        "no-act" => !has(acts),
        "opens-nothing" => decision.unblocks.is_none(),
        "opens-when" => decision.unblocks.as_ref().is_some_and(|u| u.because.contains(text)),
        "counts" => decision.claim.as_ref().is_some_and(|claim| claim.counts),
        "uncounted" => !decision.claim.as_ref().is_some_and(|claim| claim.counts),
        _ => return None,
    })
}

/// Lines about verdicts, rules and policies.
fn ruled(decision: &Decision, word: &str, text: &str, words: &mut Words<'_>) -> Option<bool> {
    Some(match word {
        "expect" => {
            let is_consistent = decision.allow == decision.verdict.allows()
                && decision.allow == decision.unblocks.is_none();
            let verdict = words.need("a verdict");
            let computed = words.next().map(|_| words.need("what is computed"));
            is_consistent
                && decision.verdict.as_str() == verdict
                && computed.is_none_or(|computed| decision.computed.as_str() == computed)
        }
        "worst" => decision.rules.first().is_some_and(|rule| named(rule) == text),
        "says" => {
            let (rule, mut verdict) = (words.need("a rule"), words.need("a verdict"));
            let slo = words.next().map(|last| std::mem::replace(&mut verdict, last));
            decision.rules.iter().any(|one| {
                one.rule == rule && one.slo.as_deref() == slo && one.verdict.as_str() == verdict
            })
        }
        "unlisted" => !decision.rules.iter().any(|one| one.rule == text),
        "no-trial" => !decision.dry_run.iter().any(|trial| trial.policy == text),
        "decides" => decision.policy.as_ref().is_some_and(|policy| policy.name == text),
        "trial" => {
            let (name, computed) = (words.need("a policy"), words.need("a verdict"));
            let mut trials = decision.dry_run.iter();
            trials.any(|t| t.policy == name && t.computed.as_str() == computed)
        }
        _ => return None,
    })
}

/// `budget availability`
fn named(rule: &RuleResult) -> String {
    let slo = rule.slo.as_deref().unwrap_or_default();
    format!("{} {slo}", rule.rule).trim().to_owned()
}
