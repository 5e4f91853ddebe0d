//! An explanation as a person reads it: the answer first, then the way to it.

use std::fmt::Write;

use budget_gate::harmless::harmless;
use budget_gate::words::number;
use chrono::{DateTime, Utc};
use comfy_table::CellAlignment;

use super::arithmetic::{Window, percent};
use super::{Explanation, counting};
use crate::cli::output::counted;
use crate::cli::table;

/// More series than this are summed up; `--json` has all of them.
const SERIES: usize = 25;

pub(super) fn text(e: &Explanation) -> String {
    let mut out = String::new();
    let state = table::word(e.state);
    let _ = writeln!(out, "{}: {}", e.slo, state.to_uppercase());
    let _ = writeln!(out, "{}", harmless(&e.why));
    if let Some(description) = &e.description {
        let _ = writeln!(out, "{}", harmless(description));
    }
    let _ = writeln!(out, "objective {}, asked at {}", percent(e.objective, 7), instant(e.at));
    counting(&mut out, e);
    series(&mut out, e);
    windows(&mut out, e);
    burn(&mut out, e);
    conditions(&mut out, e);
    out
}

fn title(out: &mut String, title: &str) {
    let _ = writeln!(out, "\n{title}");
}

fn counting(out: &mut String, e: &Explanation) {
    title(out, "WHAT IS COUNTED");
    for side in &e.counted {
        let _ = writeln!(out, "  {:<10} {}", side.side, side.is);
    }
    let asked = &e.asked;
    if let Some(source) = &asked.source {
        let places = [source].into_iter().chain(&asked.url).chain(&asked.files);
        let places: Vec<&str> = places.map(String::as_str).collect();
        let _ = writeln!(out, "  {:<10} {}", "source", places.join(", "));
    }
    if e.counted.is_empty() {
        out.push_str("  nothing\n");
    }
    for query in &asked.queries {
        let _ = writeln!(out, "  {:<10} {query}, {}", "asked for", asked.of_each);
    }
    if let (Some(from), Some(until)) = (asked.from, asked.data_until) {
        let _ = writeln!(out, "  {:<10} {} to {}", "read", instant(from), instant(until));
    }
    if let Some(error) = &asked.last_error {
        let _ = writeln!(out, "  {:<10} {}", "failed", harmless(error));
    }
}

fn series(out: &mut String, e: &Explanation) {
    if e.counted.iter().any(|side| side.side == "member") {
        return;
    }
    title(out, "SERIES, and what each added to the counts over all that was read");
    if e.series.is_empty() {
        let is_ratio = matches!(e.counted[..], [_]) && e.asked.last_error.is_none();
        out.push_str(match () {
            () if is_ratio => "  none: the source works out the ratio\n",
            () if e.asked.of_each == counting::DOCUMENTS => "  none: documents are counted\n",
            () => "  none matched\n",
        });
        return;
    }
    let mut rows = table::plain();
    let names =
        ["COUNTS AS", "TOTAL", "GOOD", "BAD", "RESETS", "SAMPLES", "FIRST", "LAST", "SERIES"];
    rows.set_header(names);
    for series in e.series.iter().take(SERIES) {
        rows.add_row(row(series));
    }
    for column in 1..6 {
        if let Some(column) = rows.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let _ = writeln!(out, "{}", table::trimmed(&rows));
    let left = e.series.len().saturating_sub(SERIES);
    if left > 0 {
        let _ = writeln!(out, "  and {} that spent less; --json shows all", more(left));
    }
    if let Some(together) = &e.together {
        let (total, bad) = (number(together.total as f64), number(together.bad as f64));
        let _ = writeln!(out, "  together: {total} events, {bad} of them bad");
    }
}

fn more(left: usize) -> String {
    if left == 1 { "1 more series".to_owned() } else { format!("{left} more series") }
}

fn row(series: &counting::Series) -> [String; 9] {
    let day = |at: Option<DateTime<Utc>>| at.map_or_else(|| "-".to_owned(), short);
    [
        series.counts_as.to_owned(),
        count(series.total),
        count(series.good),
        count(series.bad),
        series.resets.to_string(),
        number(series.samples as f64),
        day(series.first),
        day(series.last),
        harmless(&series.name),
    ]
}

fn count(count: Option<i64>) -> String {
    count.map_or_else(|| "-".to_owned(), |count| number(count as f64))
}

fn windows(out: &mut String, e: &Explanation) {
    for window in &e.windows {
        let (from, to) = (instant(window.from), instant(window.to));
        title(out, &format!("WINDOW {}, {from} to {to}", window.window));
        steps(out, window);
    }
}

fn steps(out: &mut String, window: &Window) {
    if window.steps.is_empty() {
        out.push_str("  no numbers\n");
        return;
    }
    for step in &window.steps {
        let formula = step.formula.map_or_else(String::new, |formula| format!("{formula} = "));
        let numbers = step.numbers.as_ref().map_or_else(String::new, |n| format!("{n} = "));
        let _ = writeln!(out, "  {:<10} {formula}{numbers}{}", step.name, step.shown);
    }
    if let Some(forecast) = &window.forecast {
        let _ = writeln!(out, "  {:<10} {forecast}", "outlook");
    }
}

fn burn(out: &mut String, e: &Explanation) {
    if e.burn.is_empty() {
        return;
    }
    title(out, "BURN RATES, (bad / total) / (1 - objective)");
    for burn in &e.burn {
        let _ = writeln!(out, "  {:<10} {}", burn.window, burn.shown);
    }
    if e.alerts.is_empty() {
        return;
    }
    title(out, "ALERTS fire when both burn rates are above the factor");
    for a in &e.alerts {
        let factor = format!("factor {} = {}", a.factor_is, number(a.factor));
        let _ = writeln!(out, "  {:<12} {} and {}, {factor}", a.name, a.long, a.short);
        let _ = writeln!(out, "  {:<12} {}", "", a.why);
    }
}

fn conditions(out: &mut String, e: &Explanation) {
    if !e.findings.is_empty() {
        title(out, &format!("TO KNOW, {}", counted(e.findings.len(), "finding")));
        for finding in &e.findings {
            let since = finding.since.map_or_else(String::new, |at| format!(" ({})", instant(at)));
            let _ = writeln!(out, "  {}{since}", harmless(&finding.message));
        }
    }
    title(out, "STATE, the first of these that holds");
    for condition in &e.conditions {
        let holds = if condition.holds { "yes" } else { "no" };
        let name = table::word(condition.condition);
        let _ = writeln!(out, "  {name:<10} {holds:<4} {}", harmless(&condition.why));
    }
}

pub(super) fn instant(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

fn short(at: DateTime<Utc>) -> String {
    at.format("%m-%d %H:%M").to_string()
}
