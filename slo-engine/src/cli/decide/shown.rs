//! A replay as people read it.

use std::fmt::Write;

use budget_gate::harmless::harmless;
use budget_gate::words;
use comfy_table::{Table, presets};

use crate::cli::output::{self, counted};
use crate::replay::{Counts, Item, LedgerChange, OfService, Outcome, Summary, Transition};

/// A decision, with what there is to say about it on lines of its own. Of those that are not known any
/// more the table says how many there are.
pub(super) fn item(item: &Item) -> String {
    let (at, service) = (item.at.format("%Y-%m-%d %H:%M:%S"), &item.service);
    let environment = item.environment.as_deref().unwrap_or("-");
    let version = item.version.as_deref().map_or_else(String::new, |text| format!(" {text}"));
    let Some(verdict) = verdict(item) else { return String::new() };
    let mut lines = vec![format!("{at}  {service} {environment}{version}  {verdict}")];
    if item.outcome == Outcome::NotByPolicy {
        lines.push(format!("  not by this policy: {}", elsewhere(item)));
    }
    lines.extend(item.reason.as_ref().map(|reason| format!("  {reason}")));
    lines.extend(item.ledger_changed.iter().map(changed));
    lines.iter().fold(String::new(), |text, line| text + &harmless(line) + "\n")
}

/// `None` where only the table says it.
fn verdict(item: &Item) -> Option<String> {
    let recorded = item.recorded;
    match (item.outcome, item.replayed) {
        (Outcome::Same, _) => Some(recorded.to_string()),
        (Outcome::NotKnown, _) if item.ledger_changed.is_empty() => None,
        (Outcome::NotKnown, _) => Some(format!("{recorded}, not known any more")),
        (Outcome::Changed, Some(now)) => Some(format!("{recorded} -> {now}")),
        (_, Some(now)) => Some(format!("{recorded}, now {now}")),
        (_, None) => None,
    }
}

fn elsewhere(item: &Item) -> &'static str {
    match item.ledger_changed.is_empty() {
        true => "the one of then says so now, too; what it saw is not all recorded",
        false => "the one of then says so now, too",
    }
}

fn changed(change: &LedgerChange) -> String {
    let LedgerChange { slo, window, recorded, rebuilt } = change;
    let then = words::percent_beside(*recorded, rebuilt.unwrap_or(f64::NAN));
    let now = rebuilt
        .map_or_else(|| "nothing is known".to_owned(), |now| words::percent_beside(now, *recorded));
    format!("  ledger changed since: {slo} had {then} of its {window} budget left; now {now}")
}

/// A row per service, then all in a line.
pub(super) fn summary(summary: &Summary) -> String {
    let mut text = String::new();
    if !summary.services.is_empty() {
        let _ = writeln!(text, "\n{}", table(&summary.services));
    }
    for service in &summary.services {
        if let Some(why) = &service.not_known_because {
            let name = &service.service;
            let _ = writeln!(text, "{name}, not known any more: {why}");
        }
    }
    harmless_lines(&text) + "\n" + &line(summary) + "\n"
}

fn harmless_lines(text: &str) -> String {
    text.lines().map(|line| harmless(line) + "\n").collect()
}

fn table(services: &[OfService]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    if !output::colours() {
        table.force_no_tty();
    }
    let head = ["SERVICE", "ENVIRONMENT", "DECISIONS", "CHANGED", "LEDGER CHANGED", "NOT KNOWN"];
    table.set_header(head);
    for one in services {
        let Counts { decisions, ledger_changed, not_known, .. } = &one.counts;
        let environment = one.environment.as_deref().filter(|name| !name.is_empty());
        table.add_row([
            one.service.clone(),
            environment.unwrap_or("-").to_owned(),
            decisions.to_string(),
            changes(&one.counts),
            ledger_changed.to_string(),
            not_known.to_string(),
        ]);
    }
    table
}

fn changes(counts: &Counts) -> String {
    let one = |t: &Transition| format!("{} {} -> {}", t.count, t.from, t.to);
    let all: Vec<String> = counts.changes.iter().map(one).collect();
    if all.is_empty() { "0".to_owned() } else { all.join(", ") }
}

fn line(summary: &Summary) -> String {
    let all = &summary.all;
    let (from, to) = (words::instant(summary.from), words::instant(summary.to));
    let many = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    let mut line = format!("{} from {from} to {to}: ", counted(many(all.decisions), "decision"));
    match all.changed {
        0 => line.push_str("none would have been another"),
        some => {
            let _ = write!(line, "{some} would have been another ({})", changes(all));
        }
    }
    for (count, what) in [
        (all.not_by_policy, "would differ, but not by this policy"),
        (all.ledger_changed, "with another ledger since"),
        (all.not_known, "not known any more"),
    ] {
        if count > 0 {
            let _ = write!(line, "; {count} {what}");
        }
    }
    line
}

#[cfg(test)]
mod tests;
