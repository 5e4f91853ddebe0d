//! The windows of an SLO as sums that one can redo by hand.

use budget_gate::words::{length, number, with_decimals};
use chrono::{DateTime, Utc};
use serde::Serialize;
use slo_core::slo::Slo;
use slo_core::view::{BudgetView, BudgetingName, Estimate, Unit, WindowView, whole};

use super::text::instant;
use crate::evaluate::oneshot::One;

/// One window.
#[derive(Debug, Serialize)]
pub(super) struct Window {
    pub(super) window: String,
    pub(super) from: DateTime<Utc>,
    pub(super) to: DateTime<Utc>,
    /// From the counts to what remains; empty when nothing was measured.
    pub(super) steps: Vec<Step>,
    /// What the forecast says, in a sentence.
    pub(super) forecast: Option<String>,
}

/// One step: `allowed = (1 - objective) x total = (1 - 99.9 %) x 1,000,229 = 1,000.229 events`.
#[derive(Debug, Serialize)]
pub(super) struct Step {
    pub(super) name: &'static str,
    /// In words; absent for what was counted.
    pub(super) formula: Option<&'static str>,
    /// With the numbers put in.
    pub(super) numbers: Option<String>,
    #[serde(serialize_with = "whole::optional")]
    pub(super) value: Option<f64>,
    /// The value with its unit.
    pub(super) shown: String,
}

pub(super) fn windows(slo: &Slo, one: &One, view: &BudgetView) -> Vec<Window> {
    let window = |(at, w): (usize, &WindowView)| {
        let (measured, slices) = (one.account.event_sums(at).measured, one.account.slices_of(at));
        Window {
            window: w.window.to_string(),
            from: w.from,
            to: w.to,
            steps: steps(slo, w, (measured, slices)),
            forecast: forecast(w, view.evaluated_at),
        }
    };
    view.windows.iter().enumerate().map(window).collect()
}

fn steps(slo: &Slo, w: &WindowView, (measured, slices): (i64, Option<i64>)) -> Vec<Step> {
    if w.budgeting == BudgetingName::Composite {
        return mean(slo, w);
    }
    let unit = if w.unit == Some(Unit::Slices) { "slices" } else { "events" };
    let (Some(good), Some(bad), Some(total)) = (w.good, w.bad, w.total) else { return Vec::new() };
    let [g, b, t] = [good, bad, total].map(|n| with_decimals(n, 3));
    let mut steps = vec![
        counted("total", total, &format!("{t} {unit}")),
        counted("good", good, &g),
        worked_out("bad", "total - good", format!("{t} - {g}"), bad, &b),
    ];
    if let Some(sli) = w.sli {
        let share = percent(sli, 5);
        steps.push(worked_out("SLI", "good / total", format!("{g} / {t}"), sli, &share));
    }
    if let (Some(allowed), Some(spent)) = (w.allowed, w.spent) {
        let (formula, many) = allowance(w, total, slices);
        let numbers = format!("(1 - {}) x {many}", percent(slo.objective.share(), 7));
        let a = with_decimals(allowed, 3);
        steps.push(worked_out("allowed", formula, numbers, allowed, &format!("{a} {unit}")));
        let share = percent(spent, 2);
        steps.push(worked_out("spent", "bad / allowed", format!("{b} / {a}"), spent, &share));
    }
    steps.extend(w.remaining.map(|left| rest(w.spent, left)));
    steps.extend(estimated(slo, w));
    steps.extend(bounds(w));
    steps.extend(without_exclusions(w));
    steps.extend(w.coverage.map(|share| coverage(share, measured)));
    steps.extend(doubts(w));
    steps
}

/// A composite counts nothing itself.
fn mean(slo: &Slo, w: &WindowView) -> Vec<Step> {
    let step = |name, formula, numbers, value| {
        let shown = percent(value, 5);
        Step { name, formula: Some(formula), numbers, value: Some(value), shown }
    };
    let mut steps = Vec::new();
    if let Some(sli) = w.sli {
        steps.push(step("SLI", "mean of the members' SLIs, by their weights", None, sli));
    }
    if let (Some(sli), Some(spent)) = (w.sli, w.spent) {
        let objective = percent(slo.objective.share(), 7);
        let numbers = format!("(1 - {}) / (1 - {objective})", percent(sli, 5));
        steps.push(step("spent", "(1 - SLI) / (1 - objective)", Some(numbers), spent));
    }
    steps.extend(w.remaining.map(|left| rest(w.spent, left)));
    steps
        .extend(w.coverage.map(|share| step("coverage", "the least of the members'", None, share)));
    steps
}

fn rest(spent: Option<f64>, left: f64) -> Step {
    let numbers = format!("1 - {}", percent(spent.unwrap_or_default(), 2));
    worked_out("remaining", "1 - spent", numbers, left, &percent(left, 2))
}

/// What the objective's share is taken of.
fn allowance(w: &WindowView, total: f64, slices: Option<i64>) -> (&'static str, String) {
    match (w.budgeting, slices) {
        (BudgetingName::Timeslices, Some(slices)) => {
            ("(1 - objective) x slices of the whole window", number(slices as f64))
        }
        (BudgetingName::RatioTimeslices, _) => {
            ("(1 - objective) x slices with traffic", number(total))
        }
        _ => ("(1 - objective) x total", number(total)),
    }
}

/// A calendar window is judged by what it will be at its end.
fn estimated(slo: &Slo, w: &WindowView) -> Vec<Step> {
    let Some(estimate) = &w.estimate else { return Vec::new() };
    let total = with_decimals(estimate.total, 0);
    let shown = format!("{total} events at the window's end, coming traffic {}", like(estimate));
    let mut steps = vec![counted("forecast", estimate.total, &shown)];
    if let (Some(spent), Some(left), Some(bad)) = (estimate.spent, estimate.remaining, w.bad) {
        let objective = percent(slo.objective.share(), 7);
        let numbers = format!("{} / ((1 - {objective}) x {total})", number(bad));
        let formula = "bad / ((1 - objective) x forecast)";
        steps.push(worked_out("spent", formula, numbers, spent, &percent(spent, 2)));
        steps.push(rest(Some(spent), left));
    }
    steps
}

/// Which past the coming traffic repeats.
fn like(estimate: &Estimate) -> &str {
    match estimate.method.as_str() {
        "previousPeriod" => "as in the period before",
        "lastWeek" => "as in the last 7 days",
        "lastDay" => "as in the last day",
        "mean" => "as in the mean so far",
        other => other,
    }
}

fn bounds(w: &WindowView) -> Option<Step> {
    let bounds = w.bounds?;
    let (low, high) = (percent(bounds.spent_low, 2), percent(bounds.spent_high, 2));
    let shown = format!("{low} to {high} spent, as the threshold lies between two buckets");
    Some(Step { name: "bounds", formula: None, numbers: None, value: None, shown })
}

fn without_exclusions(w: &WindowView) -> Option<Step> {
    let all = w.without_exclusions?;
    let shown = match (all.spent, all.remaining) {
        (Some(spent), Some(left)) => format!(
            "{} spent and {} remaining if nothing was excluded",
            percent(spent, 2),
            percent(left, 2)
        ),
        _ => "not known, also if nothing was excluded".to_owned(),
    };
    Some(Step { name: "without", formula: None, numbers: None, value: None, shown })
}

fn coverage(share: f64, measured: i64) -> Step {
    let minutes = if share > 0.0 { (measured as f64 / share).round() } else { 0.0 };
    let numbers = format!("{} / {}", number(measured as f64), number(minutes));
    let formula = "measured minutes / minutes since the first data";
    worked_out("coverage", formula, numbers, share, &percent(share, 2))
}

/// Counts that a person should know of, where there are any.
fn doubts(w: &WindowView) -> impl Iterator<Item = Step> {
    let all = [
        ("assumed", w.assumed, "events counted when their series was first seen"),
        ("dropped", w.dropped, "events seen that could not be counted"),
        (
            "partial",
            w.partial as f64,
            "minutes in which more than a fifth of the targets were missing",
        ),
    ];
    let some = all.into_iter().filter(|(_, count, _)| *count != 0.0);
    some.map(|(name, count, of)| counted(name, count, &format!("{} {of}", number(count))))
}

fn counted(name: &'static str, value: f64, shown: &str) -> Step {
    Step { name, formula: None, numbers: None, value: Some(value), shown: shown.to_owned() }
}

fn worked_out(
    name: &'static str,
    formula: &'static str,
    numbers: String,
    value: f64,
    shown: &str,
) -> Step {
    let shown = shown.to_owned();
    Step { name, formula: Some(formula), numbers: Some(numbers), value: Some(value), shown }
}

fn forecast(w: &WindowView, now: DateTime<Utc>) -> Option<String> {
    let left = w.deciding_remaining().filter(|_| w.budgeting != BudgetingName::Composite)?;
    let within = |at: DateTime<Utc>| length((at - now).num_seconds().max(0) as f64);
    Some(match (left > 0.0, w.exhausts_at, w.recovers_at) {
        (true, Some(at), _) => format!(
            "at the last hour's error ratio it is spent at {}, in {}",
            instant(at),
            within(at)
        ),
        (true, None, _) => {
            "at the last hour's error ratio it is not spent within the window".into()
        }
        (false, _, Some(at)) => format!(
            "at the median hour's error ratio it is above 0 % again at {}, in {}",
            instant(at),
            within(at)
        ),
        (false, _, None) => {
            "at the median hour's error ratio it is not above 0 % again within the window".into()
        }
    })
}

/// A share as a percentage with at most so many decimals.
pub(super) fn percent(share: f64, decimals: usize) -> String {
    with_decimals(share * 100.0, decimals) + " %"
}
