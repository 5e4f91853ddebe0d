//! Which conditions hold, and so why the state is what it is.

use budget_gate::words::length;
use chrono::TimeDelta;
use serde::Serialize;
use slo_core::view::{AlertState, BudgetView, State, WindowView};

use super::arithmetic::percent;
use super::text::instant;

/// Less than this share is a risk.
const LITTLE: f64 = 0.25;

/// One condition.
#[derive(Debug, Serialize)]
pub(super) struct Condition {
    pub(super) condition: State,
    pub(super) holds: bool,
    pub(super) why: String,
}

/// All conditions, in the order in which the first that holds makes the state.
pub(super) fn conditions(view: &BudgetView) -> Vec<Condition> {
    let all = [
        (State::NoData, data(view)),
        (State::Stale, age(view)),
        (State::Exhausted, remaining(view)),
        (State::AtRisk, risk(view)),
        (State::Healthy, healthy(view).to_owned()),
    ];
    let condition = |(condition, why)| Condition {
        condition,
        holds: view.conditions.contains(&condition),
        why,
    };
    all.map(condition).into()
}

/// The reason of the first that holds.
pub(super) fn why(view: &BudgetView, conditions: &[Condition]) -> String {
    if view.state == State::Healthy {
        return format!("{}; {}", remaining(view), firing(view).1);
    }
    conditions.iter().find(|c| c.holds).map_or_else(String::new, |c| c.why.clone())
}

const fn healthy(view: &BudgetView) -> &'static str {
    match view.state {
        State::Healthy => "none of the others holds",
        _ => "one of the others holds",
    }
}

fn data(view: &BudgetView) -> String {
    let failed = view.sources.iter().find_map(|source| source.last_error.as_ref());
    if !view.conditions.contains(&State::NoData) {
        return "there are numbers".to_owned();
    }
    match (failed, view.findings.first()) {
        (Some(error), _) => error.clone(),
        (None, Some(finding)) => finding.message.clone(),
        (None, None) => "no series of the total has two samples in the window".to_owned(),
    }
}

fn age(view: &BudgetView) -> String {
    let limit = length(view.stale_after_seconds);
    view.age_seconds.map_or_else(
        || "no sample is known".to_owned(),
        |age| format!("the data is {} old, and stale after {limit}", length(age.max(0.0))),
    )
}

fn remaining(view: &BudgetView) -> String {
    let Some(window) = view.windows.first() else { return "there is no window".to_owned() };
    let forecast = if window.estimate.is_some() { ", by the forecast of its end" } else { "" };
    window.deciding_remaining().map_or_else(
        || "what remains is not known".to_owned(),
        |left| match left <= 0.0 {
            true => {
                format!(
                    "the {} budget is spent, {}{forecast}",
                    window.window,
                    percent(1.0 - left, 2)
                )
            }
            false => {
                format!("{} of the {} budget remains{forecast}", percent(left, 2), window.window)
            }
        },
    )
}

/// The ways to be at risk that hold; when none does, all three.
fn risk(view: &BudgetView) -> String {
    let all = [firing(view), little(view), soon(view)];
    let holds = all.iter().any(|(holds, _)| *holds);
    let said = all.into_iter().filter(|(this, _)| *this == holds).map(|(_, why)| why);
    said.collect::<Vec<_>>().join("; ")
}

fn firing(view: &BudgetView) -> (bool, String) {
    let firing = view.alerts.iter().filter(|alert| alert.state == AlertState::Firing);
    let firing: Vec<&str> = firing.map(|alert| &*alert.name).collect();
    match firing[..] {
        [] => (false, "no alert fires".to_owned()),
        [one] => (true, format!("{one} fires")),
        ref several => (true, format!("{} fire", several.join(", "))),
    }
}

fn little(view: &BudgetView) -> (bool, String) {
    let left = view.windows.first().and_then(WindowView::deciding_remaining);
    left.map_or_else(
        || (false, "what remains is not known".to_owned()),
        |left| match left < LITTLE {
            true => (true, format!("{} of the budget remains, less than 25 %", percent(left, 2))),
            false => (false, format!("{} of the budget remains, at least 25 %", percent(left, 2))),
        },
    )
}

fn soon(view: &BudgetView) -> (bool, String) {
    let Some(at) = view.windows.first().and_then(|window| window.exhausts_at) else {
        return (false, "the forecast sees no end of the budget".to_owned());
    };
    let said = format!("the budget is forecast to be spent at {}", instant(at));
    match at - view.evaluated_at <= TimeDelta::days(3) {
        true => (true, format!("{said}, within 3 days")),
        false => (false, format!("{said}, not within 3 days")),
    }
}
