//! `/v1/incidents`: what is wrong now, as alert managers and people say.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use budget_gate::incident::Incident;
use budget_gate::policy::rule::Severity;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use slo_core::time::Span;
use utoipa::IntoParams;

use super::app::{App, json};
use super::body::{Body, Checks};
use super::caller::Caller;
use super::gate::overrides::unrecorded;
use super::openapi::{Forbidden, NotFound, Unread};
use super::page::Newest;
use super::problem::Problem;
use super::query::{Asked, Named};
use crate::gate::id;
use crate::record::Unrecorded;
use crate::token::Scope;

/// An incident that is reported, or confirmed by its key.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewIncident {
    /// By what its reporter knows it: the same key confirms an open incident.
    #[schemars(length(min = 1, max = 200))]
    key: String,
    /// The service.
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,63}$"))]
    service: String,
    /// The environment; all of them when nothing is said.
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,63}$"))]
    environment: Option<String>,
    /// How bad it is.
    severity: Severity,
    /// What is wrong, in a few words.
    #[schemars(length(min = 1, max = 200))]
    title: String,
}

/// An incident, and how it is now.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Incident")]
pub(super) struct Shown {
    /// What was reported.
    #[serde(flatten)]
    one: Incident,
    /// Whether it is open.
    open: bool,
    /// When it closes by itself unless it is confirmed; null once it is closed.
    lapses_at: Option<DateTime<Utc>>,
}

fn shown(one: Incident, after: Span, now: DateTime<Utc>) -> Shown {
    let open = one.is_open(after, now);
    let lapses_at = one.closed_at.is_none().then(|| one.lapses_at(after));
    Shown { one, open, lapses_at }
}

/// Report or confirm an incident
///
/// While it is open, policies with an `incidents` rule deny or warn. One that nothing confirms closes by
/// itself (`gate.incidentsCloseAfter`, 4 h).
#[utoipa::path(post, path = "/v1/incidents", tag = "incidents", operation_id = "reportIncident",
    request_body(content = ref("#/components/schemas/NewIncident"), content_type = "application/json"),
    responses(
        (status = 201, description = "It is open now", body = ref("#/components/schemas/Incident")),
        (status = 200, description = "It was open, and is confirmed", body = ref("#/components/schemas/Incident")), Unread, Forbidden,
    ))]
pub(super) async fn report(
    State(app): State<Arc<App>>,
    caller: Caller,
    Body(new): Body<NewIncident>,
) -> Result<Response, Problem> {
    Checks::default()
        .short("key", Some(&new.key))
        .name("service", &new.service)
        .maybe_name("environment", new.environment.as_deref())
        .short("title", Some(&new.title))
        .done()?;
    caller.needs(Scope::Incident, &new.service, new.environment.as_deref())?;
    let reported = reported(&app, new);
    tokio::time::timeout(caller.left(), reported).await.map_err(|_| late(&caller))?
}

fn late(caller: &Caller) -> Problem {
    unrecorded(&Unrecorded::Slow { within: caller.left(), under_way: true })
}

async fn reported(app: &App, new: NewIncident) -> Result<Response, Problem> {
    let (gate, now) = (&app.shared.gate, app.now());
    let reporting = gate.reporting(&new.key).await;
    let (status, one) = match known(app, &new, now) {
        Some(known) => {
            let NewIncident { severity, title, .. } = new;
            (StatusCode::OK, Incident { severity, title, confirmed_at: now, ..known })
        }
        None => (StatusCode::CREATED, opened(new, now)),
    };
    gate.report(reporting, vec![one.clone()], now).await.map_err(|why| unrecorded(&why))?;
    Ok((status, json(&shown(one, gate.incidents_close_after(), now))?).into_response())
}

/// The open incident that has the key.
fn known(app: &App, new: &NewIncident, now: DateTime<Utc>) -> Option<Incident> {
    let gate = &app.shared.gate;
    let is_it = |one: &&Incident| {
        one.key == new.key
            && one.environment == new.environment
            && one.is_open(gate.incidents_close_after(), now)
    };
    gate.state().incidents(&new.service).iter().find(is_it).cloned()
}

fn opened(new: NewIncident, now: DateTime<Utc>) -> Incident {
    Incident {
        id: id::new(now),
        key: new.key,
        service: new.service,
        environment: new.environment,
        severity: new.severity,
        title: new.title,
        opened_at: now,
        confirmed_at: now,
        closed_at: None,
    }
}

/// Close an incident
#[utoipa::path(post, path = "/v1/incidents/{id}/close", tag = "incidents", operation_id = "closeIncident", responses(
    (status = 200, description = "It is closed", body = ref("#/components/schemas/Incident")), Forbidden, NotFound,
), params(("id" = String, Path, description = "The incident's id")))]
pub(super) async fn close(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Response, Problem> {
    let closed = closed(&app, &caller, &id);
    tokio::time::timeout(caller.left(), closed).await.map_err(|_| late(&caller))?
}

async fn closed(app: &App, caller: &Caller, id: &str) -> Result<Response, Problem> {
    let (gate, now) = (&app.shared.gate, app.now());
    let found = || {
        let state = gate.state();
        let found = state.all_incidents().find(|one| one.id == id).cloned();
        found.ok_or_else(|| Problem::not_found("no incident has this id"))
    };
    let reporting = gate.reporting(&found()?.key).await;
    let mut one = found()?;
    caller.needs(Scope::Incident, &one.service, one.environment.as_deref())?;
    if one.closed_at.is_none() {
        one.closed_at = Some(now);
        gate.report(reporting, vec![one.clone()], now).await.map_err(|why| unrecorded(&why))?;
    }
    json(&shown(one, gate.incidents_close_after(), now))
}

/// Which incidents; what is left out filters nothing.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Listing {
    /// Those of this service.
    service: Option<String>,
    /// Those of this environment.
    environment: Option<String>,
    /// Those that are open, or those that are not.
    open: Option<bool>,
    /// The most items of the answer, 1 to 500; 100 when nothing is said.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// Open incidents and those closed in the last week, newest first
#[utoipa::path(get, path = "/v1/incidents", tag = "incidents", operation_id = "listIncidents", params(Listing), responses(
    (status = 200, description = "One page", body = ref("#/components/schemas/IncidentPage")),
))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<Listing>,
) -> Result<Response, Problem> {
    let wanted = Newest::new(asked.limit, asked.cursor.as_deref())?;
    let (gate, now) = (&app.shared.gate, app.now());
    let after = gate.incidents_close_after();
    let is_wanted = |one: &Incident| {
        asked.service.as_ref().is_none_or(|s| *s == one.service)
            && asked.environment.as_deref().is_none_or(|e| one.concerns(Some(e)))
            && asked.open.is_none_or(|open| open == one.is_open(after, now))
    };
    let state = gate.state();
    let all = state.all_incidents().filter(|one| is_wanted(one)).cloned();
    let all: Vec<_> = all.map(|one| (one.id.clone(), shown(one, after, now))).collect();
    drop(state);
    json(&wanted.page_of(all))
}

#[cfg(test)]
mod tests;
