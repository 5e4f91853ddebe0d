//! A decision as a person reads it in a CI log: the verdict first, the worst rule first, then what
//! would open the gate and when. Texts in a decision come from elsewhere: nothing in them may act.

use std::fmt::Write;

use crate::decision::{Decision, RuleResult, Verdict};
use crate::harmless::harmless;
use crate::{summary, words};

/// `DENY orders 1.4.2 in production`
#[must_use]
pub fn headline(decision: &Decision) -> String {
    format!("{} {}", loud(decision), harmless(&summary::subject(decision)))
}

/// The decision in one line, for callers that show a single text: the verdict, why, when the gate
/// opens, and where to read more. At most so many letters, of which the link is the last to go.
///
/// `DENY orders 1.4.2 in production: availability: the 30d budget is spent ...; opens 2026-11-24 14:10
/// UTC, in 3d 4h: ...; see https://...`
#[must_use]
pub fn one_line(decision: &Decision, most: usize) -> String {
    let mut line = headline(decision);
    let why = summary::reasons(decision).join("; ");
    if !why.is_empty() && decision.verdict != Verdict::Allow {
        let _ = write!(line, ": {}", harmless(&why));
    }
    if let Some(unblocks) = &decision.unblocks {
        let opens = harmless(&summary::opening(unblocks, decision.at));
        let word = if unblocks.at.is_some() { "opens " } else { "" };
        let _ = write!(line, "; {word}{opens}");
    }
    let link = decision.permalink.as_ref().map(|link| format!("; see {}", harmless(link)));
    let link = link.filter(|link| link.chars().count() < most).unwrap_or_default();
    shortened(&line, most - link.chars().count()) + &link
}

/// At most so many letters of a text; where some had to go, it ends with `…`.
#[must_use]
pub fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// The whole decision; `colours` are those of a terminal.
#[must_use]
pub fn text(decision: &Decision, colours: bool) -> String {
    let paint = Paint { colours };
    let verdict = paint.verdict(decision.verdict, &loud(decision));
    let mut out = format!("{verdict}  {}\n\n", harmless(&summary::subject(decision)));
    rules(&mut out, decision, paint);
    out.push('\n');
    for (label, note) in summary::notes(decision) {
        let _ = writeln!(out, "{label:<8} {}", harmless(&note));
    }
    if let Some(link) = &decision.permalink {
        let _ = writeln!(out, "{:<8} {}", "see", harmless(link));
    }
    out
}

fn loud(decision: &Decision) -> String {
    decision.verdict.as_str().to_uppercase()
}

/// Rules that speak, each with when it opens; of those that allow only the budgets.
fn rules(out: &mut String, decision: &Decision, paint: Paint) {
    let is_shown = |r: &&RuleResult| r.verdict != Verdict::Allow || r.rule == "budget";
    let (shown, quiet): (Vec<_>, Vec<_>) =
        summary::worst_first(decision).into_iter().partition(is_shown);
    for rule in shown {
        line(out, rule.verdict, &rule.reason, paint);
        if let Some(at) = rule.unblocks {
            let _ = writeln!(out, "  {:<8} opens {}", "", words::instant(at));
        }
    }
    match quiet.len() {
        0 => {}
        1 => out.push_str("  and 1 more that allows\n"),
        quiet => {
            let _ = writeln!(out, "  and {quiet} more that allow");
        }
    }
    if decision.rules.is_empty() {
        decision.reasons.iter().for_each(|reason| line(out, decision.computed, reason, paint));
    }
}

/// A line never begins with a text from elsewhere: CI systems take `::` there for a command.
fn line(out: &mut String, verdict: Verdict, reason: &str, paint: Paint) {
    let verdict = paint.verdict(verdict, &format!("{verdict:<8}"));
    let _ = writeln!(out, "  {verdict} {}", harmless(reason));
}

#[derive(Clone, Copy)]
struct Paint {
    colours: bool,
}

impl Paint {
    fn verdict(self, verdict: Verdict, text: &str) -> String {
        let colour = match verdict {
            Verdict::Allow => 32,
            Verdict::Warn => 33,
            Verdict::Unknown => 35,
            Verdict::Deny => 31,
        };
        match self.colours {
            true => format!("\u{1b}[1;{colour}m{text}\u{1b}[0m"),
            false => text.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{denied, evil, recorded};

    #[test]
    fn one_line_says_why_and_when_it_opens_and_keeps_its_link_when_it_is_cut() {
        let mut decision = denied();
        let said = one_line(&decision, 4_000);
        assert!(
            said.starts_with("DENY orders 1.4.2 in production: availability: ")
                && said.contains("; opens 2026-11-24 14:10 UTC, in 3d 4h: "),
            "{said}"
        );
        decision.permalink = Some("https://headroom.example/gate/decisions/01J".to_owned());
        let cut = one_line(&decision, 120);
        assert_eq!(cut.chars().count(), 120);
        assert!(cut.ends_with("…; see https://headroom.example/gate/decisions/01J"), "{cut}");
        assert!(
            !one_line(&evil("a\n\u{1b}[2J##[error]"), 4_000).chars().any(crate::harmless::acts)
        );
    }

    #[test]
    fn a_denied_deploy_reads_verdict_rules_and_what_opens_the_gate() {
        assert_eq!(
            text(&denied(), false),
            "DENY  orders 1.4.2 in production\n\
             \n\
             \x20 deny     availability: the 30d budget is spent (112 %); the policy denies at 100 %\n\
             \x20          opens 2026-11-24 14:10 UTC\n\
             \x20 warn     latency: 18 % of the 30d budget remains; the policy warns below 25 %\n\
             \x20 allow    queue: 80 % of the 30d budget remains\n\
             \x20 and 1 more that allows\n\
             \n\
             opens    2026-11-24 14:10 UTC, in 3d 4h: availability: enough bad events have left the \
             30d window\n\
             you can  ask with --kind rollback, if it is one\n\
             policy   production; stricter on trial says deny\n"
        );
    }

    #[test]
    fn colours_are_added_only_when_asked_for() {
        let plain = text(&denied(), false);
        let painted = text(&denied(), true);
        assert!(!plain.contains('\u{1b}'));
        assert!(painted.starts_with("\u{1b}[1;31mDENY\u{1b}[0m  orders"));
    }

    #[test]
    fn nothing_in_a_decision_can_act_on_the_terminal() {
        let mut decision = evil("::error::x\u{1b}]0;y\u{7}\n::error::z ##[warning]");
        for rules in [decision.rules.clone(), Vec::new()] {
            decision.rules = rules;
            let text = text(&decision, false);
            assert!(text.contains("error::x"), "{text}");
            assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text}");
            assert!(!text.lines().any(|l| l.trim_start().starts_with("::")), "{text}");
            assert!(!text.contains("##"), "{text}");
        }
    }

    #[test]
    fn a_decision_without_rules_shows_its_reasons() {
        let mut decision = denied();
        (decision.rules, decision.policy) = (Vec::new(), None);
        decision.reasons = vec!["no policy applies to orders in production".to_owned()];
        let text = text(&decision, false);
        assert!(
            text.contains("\n  deny     no policy applies to orders in production\n"),
            "{text}"
        );
        assert!(text.contains("policy   none applies"), "{text}");
    }

    #[test]
    fn a_recorded_decision_ends_with_its_override_and_where_it_is_kept() {
        let text = text(&recorded(), false);
        let end = "because  the override of ana turns deny into a warning\n\
            override by ana until 2026-11-21 12:00 UTC: the fix is in it; approved by bo (01JOVER)\n\
            policy   production; stricter on trial says deny\n\
            recorded 01JDECISION, number 812\n\
            see      https://headroom.example/gate/decisions/01JDECISION\n";
        assert!(text.ends_with(end), "{text}");
    }

    #[test]
    fn the_worst_rule_stands_first_whatever_the_order_of_the_answer() {
        let mut decision = denied();
        decision.rules.reverse();
        let text = text(&decision, false);
        let at = |words: &str| text.find(words).unwrap();
        assert!(at("deny     avail") < at("warn     lat") && at("warn     lat") < at("allow    q"));
    }
}
