//! `/healthz` and `/readyz`: whether the process lives, and whether its answers can be used.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, SecondsFormat, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use slo_core::time::Span;

use super::Nothing;
use super::app::{App, json};
use super::problem::Problem;
use super::query::Asked;
use crate::evaluate::snapshot::Snapshot;

/// The process answers.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Alive {
    /// Always `alive`.
    status: &'static str,
    /// The engine's version.
    version: &'static str,
}

/// The engine's numbers can be used.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ready {
    /// Always `ready`.
    status: &'static str,
    /// When the numbers were made.
    evaluated_at: DateTime<Utc>,
    /// How long ago that was.
    age_seconds: f64,
    /// Why the database cannot be written; null when it can. The server then answers from memory.
    store: Option<String>,
    /// Since when nothing can be recorded; null when it can. Peeks go on; of a decision that is to be
    /// recorded the policy's `onUnrecorded` decides, and other writes are refused.
    record: Option<String>,
    /// Why the changed files were not taken over; null when the newest ones are in force.
    files: Option<String>,
    /// Sources that cannot be read, and why; their SLOs keep their last numbers and grow stale.
    sources: BTreeMap<String, String>,
}

/// Whether the process lives
#[utoipa::path(get, path = "/healthz", tag = "operation", operation_id = "alive", responses(
    (status = 200, description = "The process lives", body = ref("#/components/schemas/Alive")),
))]
pub(super) async fn alive(_: Asked<Nothing>) -> Result<Response, Problem> {
    json(&Alive { status: "alive", version: env!("CARGO_PKG_VERSION") })
}

/// Whether budgets and verdicts can be used
///
/// Ready while the newest evaluation is younger than ten ticks (at least a minute). After a start that is
/// so as soon as verdicts can be given, which is before all ledgers are loaded; other answers then wait
/// for them. Sources that fail, a database or a record that cannot be written and changed files with errors are named and change nothing about
/// that: answers come from memory.
#[utoipa::path(get, path = "/readyz", tag = "operation", operation_id = "ready", responses(
    (status = 200, description = "Budgets and verdicts can be used", body = ref("#/components/schemas/Ready")),
))]
pub(super) async fn ready(
    State(app): State<Arc<App>>,
    _: Asked<Nothing>,
) -> Result<Response, Problem> {
    let snapshot = match app.shared.latest.early() {
        Some(early) => Arc::new(Snapshot { at: early.now(), ..Snapshot::default() }),
        None => app.snapshot()?,
    };
    let age = (app.now() - snapshot.at).num_milliseconds();
    let limit = patience(app.shared.tick);
    if age > limit.as_millis() {
        let said = format!(
            "the newest evaluation is {} old, more than {limit}: evaluating has stopped",
            Span::seconds(age / 1_000)
        );
        return Err(failures(&app, &snapshot, Problem::unavailable(said)));
    }
    json(&Ready {
        status: "ready",
        evaluated_at: snapshot.at,
        age_seconds: age as f64 / 1e3,
        store: snapshot.store_error.clone(),
        record: unrecorded(&app),
        files: snapshot.reload_error.clone(),
        sources: snapshot.source_errors.clone(),
    })
}

/// How old the newest evaluation may be.
fn patience(tick: Span) -> Span {
    Span::millis(10 * tick.as_millis()).max(Span::minutes(1))
}

/// Whoever asks here need not be known: the cause is for the log.
fn unrecorded(app: &App) -> Option<String> {
    let since = app.shared.gate.recorder().failing_since()?;
    let since = since.to_rfc3339_opts(SecondsFormat::Secs, true);
    Some(format!("nothing can be recorded since {since}; the log says why"))
}

fn failures(app: &App, snapshot: &Snapshot, mut problem: Problem) -> Problem {
    if let Some(error) = &snapshot.store_error {
        problem = problem.and("store", error);
    }
    if let Some(said) = unrecorded(app) {
        problem = problem.and("record", said);
    }
    if let Some(error) = &snapshot.reload_error {
        problem = problem.and("files", error);
    }
    for (source, error) in &snapshot.source_errors {
        problem = problem.and(&format!("sources.{source}"), error);
    }
    problem
}

#[cfg(test)]
mod tests;
