//! `/v1/slos/{service}/{slo}/history`: counts over time and how the budget went, for a chart.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use slo_core::exclusion::Excluded;
use slo_core::ledger::Hour;
use slo_core::slo::{Service, Slo};
use slo_core::subset::Subset;
use slo_core::time::{Minute, Span};
use slo_core::timeslice::Slicing;
use slo_core::view::{BudgetView, Group, Unit, whole};
use utoipa::IntoParams;

use super::app::{App, json};
use super::openapi::NotFound;
use super::place;
use super::problem::Problem;
use super::query::{Asked, Named};
use crate::evaluate::exclusion::Acting;
use crate::evaluate::snapshot::Snapshot;
use crate::store::{Store, StoreError};
pub(super) use fold::Counts;
use fold::{Fold, Judged, Point};
use range::Range;
pub(super) use range::stretch;

mod fold;
mod range;

/// Which part of the past, and how finely.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Stretch {
    /// The first instant, RFC 3339; the length of the SLO's first window before `to` when nothing is
    /// said.
    from: Option<String>,
    /// The last instant (exclusive), RFC 3339; now when nothing is said or it is later.
    to: Option<String>,
    /// The length of one point in whole minutes, such as `5m` or `1h`; at most 2,000 points. When
    /// nothing is said, the shortest usual one that gives no more points.
    step: Option<String>,
    /// May be left out where the service is in one environment only.
    environment: Option<String>,
    /// One group of a grouped SLO; as `group` of one SLO.
    group: Option<String>,
}

/// An SLO over time. Both ends are whole minutes.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct History {
    /// The service's name.
    service: String,
    /// The SLO's name.
    slo: String,
    /// The environment.
    environment: String,
    /// Which group of a grouped SLO; null for the whole.
    group: Option<Group>,
    /// The first instant.
    from: DateTime<Utc>,
    /// The last instant (exclusive).
    to: DateTime<Utc>,
    /// The length of a point, such as `5m`; the last one may be shorter.
    step: String,
    /// What good, bad, total and allowed count.
    unit: Option<Unit>,
    /// The target as a share.
    objective: f64,
    /// What the objective allows to be bad from `from` to `to`: (1 - objective) times all events, or
    /// times all slices, that are not excluded; null when nothing was measured.
    #[serde(serialize_with = "whole::optional")]
    #[schemars(with = "Option<f64>")]
    allowed: Option<f64>,
    /// At most 2,000, oldest first.
    points: Vec<Point>,
}

/// Counts of one SLO over time, and how they spent its budget
///
/// Folded from the minutes that were written to the database, so the newest tick may be missing.
#[utoipa::path(get, path = "/v1/slos/{service}/{slo}/history", tag = "budgets", operation_id = "getHistory", responses(
    (status = 200, description = "Its history", body = ref("#/components/schemas/History")),
    NotFound,
), params(
    ("service" = String, Path, description = "The service's name"),
    ("slo" = String, Path, description = "The SLO's name"),
    Stretch,
))]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Named((service, slo)): Named<(String, String)>,
    Asked(asked): Asked<Stretch>,
) -> Result<Response, Problem> {
    let snapshot = app.snapshot()?;
    let (environment, group) = (asked.environment.as_deref(), asked.group.as_deref());
    let (declared, view) = place::view_of(&snapshot, (&service, &slo), environment, group)?;
    let (ledger, slo) = kept(&snapshot, declared, view)?;
    let slicing = Slicing::of(slo.budgeting, slo.unmeasured);
    let range = Range::read(&asked, view, slicing.as_ref(), app.now())?;
    let new = Fold::new(range, slicing, excluded(&snapshot, slo, &range));
    let fold = fold(&app.shared.store, ledger, view, new).await.map_err(|error| {
        tracing::error!(%error, service, slo = slo.id.slo.as_str(), "cannot read a history");
        Problem::unavailable("the history cannot be read; the engine's log says why")
    })?;
    let (allowed, points) = fold.finish(slo.objective);
    json(&History {
        service,
        slo: view.slo.to_string(),
        environment: view.environment.to_string(),
        group: view.group.clone(),
        from: range.from.start(),
        to: range.to.start(),
        step: range.step().to_string(),
        unit: view.windows.first().and_then(|window| window.unit),
        objective: view.objective,
        allowed,
        points,
    })
}

/// What an SLO counted in minutes `from..to`; one in slices in the slices that lie in them whole.
///
/// # Errors
/// When it has no ledger, or the database cannot be read.
pub(super) async fn counted(
    app: &App,
    (snapshot, service, view): (&Snapshot, &Service, &BudgetView),
    (from, to): (Minute, Minute),
) -> Result<Counts, Problem> {
    if from >= to {
        return Ok(Counts::default());
    }
    let (ledger, slo) = kept(snapshot, service, view)?;
    let slicing = Slicing::of(slo.budgeting, slo.unmeasured);
    let whole = |slicing: &Slicing| (slicing.start(from + (slicing.size - 1)), slicing.start(to));
    let (from, to) = slicing.as_ref().map_or((from, to), whole);
    if from >= to {
        return Ok(Counts::default());
    }
    let range = Range { from, to, step: to - from };
    let new = Fold::new(range, slicing, excluded(snapshot, slo, &range));
    let fold = fold(&app.shared.store, ledger, view, new).await;
    let fold = fold.map_err(|error| {
        tracing::error!(%error, "cannot read what an SLO counted");
        Problem::unavailable("the ledger cannot be read; the engine's log says why")
    })?;
    Ok(fold.counts())
}

/// The minutes that exclusions take from a range, and before it as far back as a lump or a slice that
/// ends in it can begin.
fn excluded(snapshot: &Snapshot, slo: &Slo, range: &Range) -> Excluded {
    let slice = slo.budgeting.slice().map_or(0, Span::as_minutes);
    let from = range.from - slo.max_gap.as_minutes() - slice - 1;
    let acting = Acting::between(&*snapshot.exclusions, (from, range.to + slice));
    Acting::minutes(&Acting::on(&acting, &slo.id)).of_slo(slo)
}

/// The SLO's ledger and declaration.
fn kept<'a>(
    snapshot: &Snapshot,
    service: &'a Service,
    view: &BudgetView,
) -> Result<(u32, &'a Arc<Slo>), Problem> {
    let slo = service.slos.iter().find(|slo| *slo.id.slo.as_str() == *view.slo);
    let ledger = slo.and_then(|slo| snapshot.ledgers.get(&slo.id));
    let none = || Problem::not_found(format!("{}/{} has no history", view.service, view.slo));
    ledger.copied().zip(slo).ok_or_else(none)
}

/// Days at a time, so that a long history keeps neither memory nor a thread for long.
async fn fold(
    store: &Store,
    ledger: u32,
    view: &BudgetView,
    mut fold: Fold,
) -> Result<Fold, StoreError> {
    let first = store.first(ledger).await?;
    let group = match view.group.as_ref().map(Subset::from) {
        // One that has not been committed yet has no ledger, and none has the number 0.
        Some(group) => {
            let subsets = store.subsets_of(ledger).await?;
            let found = subsets.into_iter().find(|(subset, _)| *subset == group);
            Some(found.map_or(0, |(_, ledger)| ledger))
        }
        None => None,
    };
    let until = view.windows.first().map_or(Minute::of(view.evaluated_at), |w| Minute::of(w.to));
    fold.judges(first.map(|first| Judged { first, until }));
    let hours = fold.hours();
    // Nothing is kept of the time before.
    let mut hour = first.map_or(hours.end, |first| hours.start.max(first.hour()));
    while hour < hours.end {
        let next = (hour + 48).min(hours.end);
        let minutes = store.history(ledger, hour, next).await?;
        for (hour, minutes) in match group {
            Some(group) => of_group(minutes, store.history(group, hour, next).await?),
            None => minutes,
        } {
            fold.take(hour, &minutes);
        }
        tokio::task::yield_now().await;
        hour = next;
    }
    Ok(fold)
}

/// The hours of a group, measured where those of the whole are.
fn of_group(whole: Vec<(i64, Hour)>, group: Vec<(i64, Hour)>) -> Vec<(i64, Hour)> {
    let mut group: HashMap<i64, Hour> = group.into_iter().collect();
    let hour = |(hour, whole): (i64, Hour)| {
        (hour, group.remove(&hour).unwrap_or_default().measured_as(&whole))
    };
    whole.into_iter().map(hour).collect()
}

#[cfg(test)]
mod tests;
