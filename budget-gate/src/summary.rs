//! What every format says of a decision besides the texts of its rules. All of it is raw: each
//! format makes it harmless in its own way.

use std::fmt::Write;

use chrono::{DateTime, Utc};

use crate::decision::{Decision, Kind, RuleResult, Unblocks, Verdict};
use crate::overriding::Overridden;
use crate::words::instant;

/// `orders 1.4.2 in production (hotfix)`
pub(crate) fn subject(decision: &Decision) -> String {
    let mut line = decision.service.clone();
    if let Some(version) = &decision.version {
        let _ = write!(line, " {version}");
    }
    if let Some(environment) = &decision.environment {
        let _ = write!(line, " in {environment}");
    }
    if decision.kind != Kind::Release {
        let _ = write!(line, " ({})", decision.kind.as_str());
    }
    line
}

/// The rules, worst first; equals keep their order.
pub(crate) fn worst_first(decision: &Decision) -> Vec<&RuleResult> {
    let mut rules: Vec<&RuleResult> = decision.rules.iter().collect();
    rules.sort_by_key(|rule| std::cmp::Reverse(rule.verdict));
    rules
}

/// What was looked at: `availability route=/cart 30d`; empty for a rule of the whole service.
pub(crate) fn looked_at(rule: &RuleResult) -> String {
    let mut parts: Vec<String> = rule.slo.iter().map(ToString::to_string).collect();
    parts.extend(rule.group.iter().map(ToString::to_string));
    parts.extend(rule.window.iter().map(ToString::to_string));
    parts.join(" ")
}

/// Why the verdict is what it is, worst first: of the rules, else of the whole.
pub(crate) fn reasons(decision: &Decision) -> Vec<&str> {
    let speaking = worst_first(decision).into_iter().filter(|r| r.verdict != Verdict::Allow);
    let of_rules: Vec<&str> = speaking.map(|rule| rule.reason.as_str()).collect();
    match of_rules.is_empty() {
        true => decision.reasons.iter().map(String::as_str).collect(),
        false => of_rules,
    }
}

/// What changed the verdict, what opens the gate, who decided and where it is recorded, each under
/// its label.
pub(crate) fn notes(decision: &Decision) -> Vec<(&'static str, String)> {
    let mut notes: Vec<(&str, String)> = Vec::new();
    // An override has a line of its own, which says more.
    let is_told = |step: &&String| decision.overridden.is_none() || !step.starts_with("override: ");
    let steps = decision.because.iter().filter(is_told);
    notes.extend(steps.map(|step| ("because", step.clone())));
    notes.extend(decision.overridden.iter().map(|one| ("override", overridden(one))));
    if let Some(unblocks) = &decision.unblocks {
        notes.push(("opens", opening(unblocks, decision.at)));
        notes.extend(unblocks.acts.iter().map(|act| ("you can", act.clone())));
    }
    notes.push(("policy", policy(decision)));
    notes.extend(recorded(decision).map(|place| ("recorded", place)));
    notes
}

/// `by ana until 2026-11-21 12:00 UTC: the fix is in it; approved by bo (01J...)`
fn overridden(one: &Overridden) -> String {
    let mut line = format!("by {} until {}: {}", one.author, instant(one.until), one.reason);
    if !one.approvals.is_empty() {
        let _ = write!(line, "; approved by {}", one.approvals.join(", "));
    }
    let _ = write!(line, " ({})", one.id);
    line
}

pub(crate) fn opening(unblocks: &Unblocks, now: DateTime<Utc>) -> String {
    match unblocks.at {
        Some(at) => format!("{}, in {}: {}", instant(at), distance(at, now), unblocks.because),
        None => unblocks.because.clone(),
    }
}

fn policy(decision: &Decision) -> String {
    let mut line = match &decision.policy {
        Some(policy) => policy.name.clone(),
        None => "none applies".to_owned(),
    };
    for trial in &decision.dry_run {
        let _ = write!(line, "; {} on trial says {}", trial.policy, trial.computed);
    }
    line
}

fn recorded(decision: &Decision) -> Option<String> {
    match (&decision.id, &decision.recorded) {
        (Some(id), Some(place)) => Some(format!("{id}, number {}", place.seq)),
        (Some(id), None) => Some(id.clone()),
        (None, _) => None,
    }
}

/// The decision's page, where it is an address of the web and nothing else.
pub(crate) fn permalink(decision: &Decision) -> Option<&str> {
    decision.permalink.as_deref().filter(|link| is_address(link))
}

/// The page that a rule's numbers come from.
pub(crate) fn evidence(decision: &Decision, rule: &RuleResult) -> Option<String> {
    let page = format!("/gate/decisions/{}", decision.id.as_deref()?);
    let base = permalink(decision)?.strip_suffix(&page)?;
    let path = rule.evidence.as_deref().filter(|path| path.starts_with('/'))?;
    Some(format!("{base}{path}")).filter(|link| is_address(link))
}

/// Letters that an address may hold and that mean nothing in Markdown, HTML or XML, save `&`.
fn is_address(link: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~/?#@:%+=&,;".contains(c);
    (link.starts_with("https://") || link.starts_with("http://")) && link.chars().all(plain)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{denied, recorded as recorded_decision};

    #[test]
    fn distances_have_two_units() {
        let now = denied().at;
        for (minutes, words) in [(0, "0m"), (40, "40m"), (125, "2h 5m"), (4_570, "3d 4h")] {
            assert_eq!(distance(now + chrono::Duration::minutes(minutes), now), words);
        }
    }

    #[test]
    fn a_record_tells_its_override_and_its_place() {
        let notes = notes(&recorded_decision());
        let note = |label| notes.iter().find(|n| n.0 == label).map(|n| n.1.as_str());
        assert_eq!(
            note("override"),
            Some("by ana until 2026-11-21 12:00 UTC: the fix is in it; approved by bo (01JOVER)")
        );
        assert_eq!(note("recorded"), Some("01JDECISION, number 812"));
    }

    #[test]
    fn pages_are_linked_only_where_they_are_plain_addresses() {
        let mut decision = recorded_decision();
        assert_eq!(
            evidence(&decision, &decision.rules[0]).as_deref(),
            Some(
                "https://headroom.example/slos/orders/availability?at=2026-11-21T10:00:00Z&environment=production"
            )
        );
        for evil in ["javascript:alert(1)", "https://x/)[y](z", "https://x/ y", "https://x/<b>"] {
            decision.permalink = Some(evil.to_owned());
            assert_eq!(permalink(&decision), None, "{evil}");
            assert_eq!(evidence(&decision, &decision.rules[0]), None, "{evil}");
        }
    }

    #[test]
    fn a_group_names_its_labels() {
        let mut rule = denied().rules.remove(0);
        assert_eq!(looked_at(&rule), "availability 30d");
        rule.group = serde_json::from_str(r#"{"labels": {"route": "/cart"}}"#).unwrap();
        assert_eq!(looked_at(&rule), "availability route=/cart 30d");
        rule.group = serde_json::from_str(r#"{"other": true}"#).unwrap();
        assert_eq!(looked_at(&rule), "availability (other) 30d");
    }
}
