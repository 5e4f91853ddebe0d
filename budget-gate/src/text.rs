//! A decision as a person reads it in a CI log: the verdict first, the worst rule first, then what
//! would open the gate and when. Texts in a decision come from elsewhere: nothing in them may act.

use std::fmt::Write;

use chrono::{DateTime, Utc};

use crate::decision::{Decision, Kind, RuleResult, Unblocks, Verdict};
use crate::harmless::harmless;
use crate::words::instant;

/// `DENY orders 1.4.2 in production`
#[must_use]
pub fn headline(decision: &Decision) -> String {
    let mut line = decision.verdict.as_str().to_uppercase();
    line.push(' ');
    line.push_str(&subject(decision));
    line
}

fn subject(decision: &Decision) -> String {
    let mut line = harmless(&decision.service);
    if let Some(version) = &decision.version {
        let _ = write!(line, " {}", harmless(version));
    }
    if let Some(environment) = &decision.environment {
        let _ = write!(line, " in {}", harmless(environment));
    }
    if decision.kind != Kind::Release {
        let _ = write!(line, " ({})", decision.kind.as_str());
    }
    line
}

/// The whole decision; `colours` are those of a terminal.
#[must_use]
pub fn text(decision: &Decision, colours: bool) -> String {
    let paint = Paint { colours };
    let verdict = paint.verdict(decision.verdict, &decision.verdict.as_str().to_uppercase());
    let mut out = format!("{verdict}  {}\n\n", subject(decision));
    rules(&mut out, decision, paint);
    let mut notes: Vec<(&str, String)> = Vec::new();
    notes.extend(decision.because.iter().map(|step| ("because", harmless(step))));
    if let Some(unblocks) = &decision.unblocks {
        notes.push(("opens", opening(unblocks, decision.at)));
        notes.extend(unblocks.acts.iter().map(|act| ("you can", harmless(act))));
    }
    notes.push(("policy", policy(decision)));
    if let Some(link) = &decision.permalink {
        notes.push(("see", harmless(link)));
    }
    out.push('\n');
    for (label, note) in notes {
        let _ = writeln!(out, "{label:<8} {note}");
    }
    out
}

/// Rules that speak, each with when it opens; of those that allow only the budgets.
fn rules(out: &mut String, decision: &Decision, paint: Paint) {
    let is_shown = |r: &&RuleResult| r.verdict != Verdict::Allow || r.rule == "budget";
    for rule in decision.rules.iter().filter(is_shown) {
        let verdict = paint.verdict(rule.verdict, &format!("{:<8}", rule.verdict));
        let _ = writeln!(out, "  {verdict} {}", harmless(&rule.reason));
        if let Some(at) = rule.unblocks {
            let _ = writeln!(out, "  {:<8} opens {}", "", instant(at));
        }
    }
    match decision.rules.iter().filter(|r| !is_shown(r)).count() {
        0 => {}
        1 => out.push_str("  and 1 more that allows\n"),
        quiet => {
            let _ = writeln!(out, "  and {quiet} more that allow");
        }
    }
    if decision.rules.is_empty() {
        for reason in &decision.reasons {
            let _ = writeln!(out, "  {}", harmless(reason));
        }
    }
}

fn opening(unblocks: &Unblocks, now: DateTime<Utc>) -> String {
    let because = harmless(&unblocks.because);
    match unblocks.at {
        Some(at) => format!("{}, in {}: {because}", instant(at), distance(at, now)),
        None => because,
    }
}

fn policy(decision: &Decision) -> String {
    let mut line = match &decision.policy {
        Some(policy) => harmless(&policy.name),
        None => "none applies".to_owned(),
    };
    for trial in &decision.dry_run {
        let _ = write!(line, "; {} on trial says {}", harmless(&trial.policy), trial.computed);
    }
    line
}

/// `3d 4h`, `40m`: the two largest units, rounded up to a minute.
fn distance(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let minutes = ((at - now).num_seconds().max(0) + 59) / 60;
    let (days, hours, minutes) = (minutes / 1_440, minutes / 60 % 24, minutes % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes}m"),
        (0, _) => format!("{hours}h {minutes}m"),
        _ => format!("{days}d {hours}h"),
    }
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

    const DENIED: &str = include_str!("../tests/it/denied.json");

    fn denied() -> Decision {
        serde_json::from_str(DENIED).unwrap()
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
        let mut decision = denied();
        let evil = "x\u{1b}]0;y\u{7}\n::error::z";
        decision.service = evil.to_owned();
        decision.rules[0].reason = evil.to_owned();
        decision.because.push(evil.to_owned());
        let unblocks = decision.unblocks.as_mut().unwrap();
        (unblocks.because, unblocks.acts) = (evil.to_owned(), vec![evil.to_owned()]);
        let text = text(&decision, false);
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text}");
        assert!(!text.lines().any(|l| l.trim_start().starts_with("::")), "{text}");
    }

    #[test]
    fn a_decision_without_rules_shows_its_reasons() {
        let mut decision = denied();
        (decision.rules, decision.policy) = (Vec::new(), None);
        decision.reasons = vec!["no policy applies to orders in production".to_owned()];
        let text = text(&decision, false);
        assert!(text.contains("\n  no policy applies to orders in production\n"), "{text}");
        assert!(text.contains("policy   none applies"), "{text}");
    }

    #[test]
    fn distances_have_two_units() {
        let now = denied().at;
        for (minutes, words) in [(0, "0m"), (40, "40m"), (125, "2h 5m"), (4_570, "3d 4h")] {
            assert_eq!(distance(now + chrono::Duration::minutes(minutes), now), words);
        }
    }
}
