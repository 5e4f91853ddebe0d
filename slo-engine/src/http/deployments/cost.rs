//! What a deployment cost: what each SLO spent from it to the next one, against the time before.

use budget_gate::deployment::Deployment;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use slo_core::time::Minute;
use slo_core::view::BudgetView;

use crate::http::app::App;
use crate::http::history::{Counts, counted};
use crate::http::place;
use crate::http::problem::Problem;

/// A deployment, and what it cost.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct DeploymentCost {
    /// What was told.
    #[serde(flatten)]
    deployment: Deployment,
    /// Until when it ran; null while it runs.
    until: Option<DateTime<Utc>>,
    /// By SLO; empty where the service is not declared any more.
    slos: Vec<SloCost>,
}

/// What one SLO spent.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct SloCost {
    /// The SLO.
    slo: String,
    /// The window whose budget is meant: its first.
    window: String,
    /// Share of the window's budget, as it is now, that was spent while it ran; null when nothing was
    /// measured.
    spent: Option<f64>,
    /// While it ran.
    since: Rate,
    /// In the same length of time before it.
    before: Rate,
}

/// How fast a budget was spent.
#[derive(Debug, Serialize, JsonSchema)]
struct Rate {
    /// The first instant.
    from: DateTime<Utc>,
    /// The last instant (exclusive).
    to: DateTime<Utc>,
    /// Bad events (or slices).
    bad: f64,
    /// All events (or slices).
    total: f64,
    /// How many times faster than sustainable; null without events.
    burn: Option<f64>,
}

/// Comparisons reach no further back.
const LONGEST: i64 = 30 * 1_440;

/// Reads it from the ledger. Whole minutes (and slices) count: the one in which the deployment began is
/// of neither.
pub(super) async fn of(
    app: &App,
    deployment: Deployment,
    until: Option<DateTime<Utc>>,
) -> Result<DeploymentCost, Problem> {
    let snapshot = app.snapshot()?;
    let place = (&deployment.service, Some(deployment.environment.as_str()));
    let mut slos = Vec::new();
    if let Some(found) = place::declared(&snapshot, place.0, place.1)? {
        for view in found.views.iter().filter(|view| view.group.is_none()) {
            let Some(window) = view.windows.first() else { continue };
            let from = Minute::of(deployment.at) + 1;
            let end = Minute::of(until.unwrap_or(window.to).min(window.to)).max(from);
            let length = (end - from).min(LONGEST);
            let of = (&*snapshot, &**found.service, &**view);
            let since = counted(app, of, (from, end)).await?;
            let before = counted(app, of, (from - 1 - length, from - 1)).await?;
            let allowed = window.allowed.filter(|allowed| *allowed > 0.0);
            slos.push(SloCost {
                slo: view.slo.to_string(),
                window: window.window.to_string(),
                spent: allowed.filter(|_| since.measured > 0).map(|allowed| since.bad / allowed),
                since: rate(view, since, (from, end)),
                before: rate(view, before, (from - 1 - length, from - 1)),
            });
        }
    }
    Ok(DeploymentCost { deployment, until, slos })
}

fn rate(view: &BudgetView, counts: Counts, (from, to): (Minute, Minute)) -> Rate {
    Rate {
        from: from.start(),
        to: to.start(),
        bad: counts.bad,
        total: counts.total,
        burn: burn(view, counts),
    }
}

/// (bad/total)/(1 - objective); `None` without events.
pub(in crate::http) fn burn(view: &BudgetView, counts: Counts) -> Option<f64> {
    let budget = 1.0 - view.objective;
    (counts.total > 0.0).then(|| counts.bad / counts.total / budget)
}

#[cfg(test)]
mod tests;
