use budget_gate::decision::{Kind, Verdict};
use chrono::{DateTime, Utc};

use super::*;

fn at() -> DateTime<Utc> {
    "2026-11-21T10:00:00Z".parse().unwrap()
}

fn denied() -> Item {
    Item {
        id: Some("01J".to_owned()),
        seq: Some(7),
        at: at(),
        service: "orders".to_owned(),
        environment: Some("production".to_owned()),
        version: Some("1.4.2".to_owned()),
        kind: Kind::Release,
        outcome: Outcome::Changed,
        recorded: Verdict::Allow,
        replayed: Some(Verdict::Deny),
        loaded: Some(Verdict::Allow),
        reason: Some("availability: 12 % of the 30d budget remains".to_owned()),
        ledger_changed: Vec::new(),
    }
}

fn moved(rebuilt: Option<f64>) -> LedgerChange {
    let (slo, window) = ("availability".to_owned(), "30d".to_owned());
    LedgerChange { slo, window, recorded: 0.5, rebuilt }
}

#[test]
fn a_changed_verdict_is_shown_with_its_reason() {
    let head = "2026-11-21 10:00:00  orders production 1.4.2  allow -> deny\n";
    let expected = format!("{head}  availability: 12 % of the 30d budget remains\n");
    assert_eq!(item(&denied()), expected);
}

#[test]
fn both_numbers_of_a_changed_ledger_are_told_apart() {
    let mut one = Item { outcome: Outcome::Same, reason: None, ..denied() };
    one.ledger_changed = vec![moved(Some(0.500_01)), moved(None)];
    let lines: Vec<String> = item(&one).lines().map(str::to_owned).collect();
    assert!(lines[0].ends_with("1.4.2  allow"), "{lines:?}");
    let told = "  ledger changed since: availability had 50 % of its 30d budget left; now 50.001 %";
    assert_eq!(lines[1], told);
    assert!(lines[2].ends_with("had 50 % of its 30d budget left; now nothing is known"));
}

#[test]
fn what_is_not_by_the_policy_says_so() {
    let one = Item { outcome: Outcome::NotByPolicy, ..denied() };
    assert!(item(&one).contains("1.4.2  allow, now deny\n  not by this policy: "));
    let one = Item { outcome: Outcome::NotKnown, replayed: None, ..denied() };
    assert_eq!(item(&one), "", "only the table counts it");
}

#[test]
fn a_version_with_control_characters_moves_no_cursor() {
    let one = Item { version: Some("1\u{1b}[2J\n2".to_owned()), ..denied() };
    assert!(item(&one).lines().count() == 2 && !item(&one).contains('\u{1b}'));
}

#[test]
fn the_last_line_has_all_of_it() {
    let change = |from, to, count| Transition { from, to, count };
    let all = Counts {
        decisions: 9,
        changed: 3,
        changes: vec![
            change(Verdict::Allow, Verdict::Deny, 2),
            change(Verdict::Warn, Verdict::Deny, 1),
        ],
        not_by_policy: 1,
        ledger_changed: 2,
        not_known: 4,
    };
    let one = Summary { from: at(), to: at(), all, services: Vec::new() };
    let said = "9 decisions from 2026-11-21 10:00 UTC to 2026-11-21 10:00 UTC: 3 would have been another \
                (2 allow -> deny, 1 warn -> deny); 1 would differ, but not by this policy; \
                2 with another ledger since; 4 not known any more\n";
    assert_eq!(summary(&one), format!("\n{said}"));
}
