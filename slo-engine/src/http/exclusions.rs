//! `/v1/exclusions`: people and pipelines say which times are not to count, such as maintenance. What is
//! answered here is recorded; the engine's next tick goes by it.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use budget_gate::exclusion::Exclusion;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use utoipa::IntoParams;

use super::app::{App, json};
use super::body::Body;
use super::caller::Caller;
use super::gate::overrides::unrecorded;
use super::openapi::{Conflict, Forbidden, NotFound, Unprocessable, Unread};
use super::page::Newest;
use super::problem::Problem;
use super::query::{Asked, Named};
use crate::gate::Changing;
use crate::gate::event::Event;
use crate::gate::exclusion::{ExclusionStep, FromFile, Requested};
use crate::gate::id;
use crate::token::Scope;

mod shown;
mod terms;

pub(super) use shown::{Accepted, Shown};

/// Ask for an exclusion
///
/// It takes effect at the next tick, unless it reaches into the past (it begins more than a minute ago):
/// then it waits for as many approvals as the strictest of the policies of the services that it names asks
/// of overrides. Its author is whose token asks; the token needs the scope `exclude` for everything that
/// the patterns name. Every minute that it touches is left out of the SLOs' numbers, and nothing is
/// deleted. What comes every week counts from now on. A pattern that matches no declared SLO is a
/// warning.
#[utoipa::path(post, path = "/v1/exclusions", tag = "exclusions", operation_id = "createExclusion",
    request_body(content = ref("#/components/schemas/NewExclusion"), content_type = "application/json"),
    responses(
        (status = 201, description = "The exclusion", body = ref("#/components/schemas/AcceptedExclusion")), Unread, Forbidden, Conflict, Unprocessable,
    ))]
pub(super) async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    Body(new): Body<Exclusion>,
) -> Result<Response, Problem> {
    let now = app.now();
    terms::check(&new, now)?;
    may(&caller, &new)?;
    let snapshot = app.snapshot()?;
    let one = Requested {
        id: id::new(now),
        at: now,
        approvals_needed: terms::approvals(&snapshot.declared, &new, now)?,
        approvals: Vec::new(),
        removed_by: None,
        removed_at: None,
        exclusion: Exclusion { author: Some(caller.0.name.clone()), ..new },
    };
    let event = Event::ExclusionCreated(one.clone());
    let gate = &app.shared.gate;
    let changing = gate.changing().await;
    gate.happen(changing, event, now).await.map_err(|why| unrecorded(&why))?;
    let warnings = terms::warnings(&snapshot.declared, &one.exclusion);
    let accepted = Accepted { exclusion: Shown::requested(&one, now), warnings };
    Ok((StatusCode::CREATED, json(&accepted)?).into_response())
}

/// Whether the caller may do this to whatever the patterns name. A pattern of services is only for
/// those whose own patterns match it as it is written: then they match all that it matches.
fn may(caller: &Caller, exclusion: &Exclusion) -> Result<(), Problem> {
    exclusion.slos.iter().try_for_each(|pattern| {
        caller.needs(Scope::Exclude, pattern.service().as_str(), pattern.environment())
    })
}

/// Which exclusions; what is left out filters nothing.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Listing {
    /// Those whose patterns name this service.
    service: Option<String>,
    /// Those whose patterns name this environment, or all.
    environment: Option<String>,
    /// The most items of the answer, 1 to 500; 100 when nothing is said.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

impl Listing {
    fn wants(&self, exclusion: &Exclusion) -> bool {
        exclusion.slos.iter().any(|pattern| {
            let named = pattern.environment();
            self.service.as_deref().is_none_or(|service| pattern.service().matches(service))
                && self.environment.as_deref().is_none_or(|e| named.is_none_or(|named| named == e))
        })
    }
}

/// Exclusions that were asked for and those of the files, newest first
///
/// Those of a file are as new as the record that first told of them.
#[utoipa::path(get, path = "/v1/exclusions", tag = "exclusions", operation_id = "listExclusions", params(Listing), responses(
    (status = 200, description = "One page", body = ref("#/components/schemas/ExclusionPage")),
))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<Listing>,
) -> Result<Response, Problem> {
    let wanted = Newest::new(asked.limit, asked.cursor.as_deref())?;
    let (snapshot, now) = (app.snapshot()?, app.now());
    let key = |at: DateTime<Utc>, id: &str| format!("{:020}-{id}", at.timestamp_millis());
    let state = app.shared.gate.state();
    let requested = state.exclusions.requested().iter().filter(|one| asked.wants(&one.exclusion));
    let mut all: Vec<_> =
        requested.map(|one| (key(one.at, &one.id), Shown::requested(one, now))).collect();
    let files = FromFile::all(&snapshot.declared.exclusions);
    all.extend(files.iter().filter(|one| asked.wants(&one.exclusion)).map(|one| {
        let since = state.exclusions.declared_since(&one.id);
        (key(since.unwrap_or(now), &one.id), Shown::of_file(one, since, now))
    }));
    drop(state);
    json(&wanted.page_of(all))
}

/// Approve an exclusion that reaches into the past
///
/// Whoever approves is another than the author, and nobody approves twice: persons are told apart by
/// their tokens.
#[utoipa::path(post, path = "/v1/exclusions/{id}/approve", tag = "exclusions", operation_id = "approveExclusion", responses(
    (status = 200, description = "The exclusion", body = ref("#/components/schemas/Exclusion")), Forbidden, NotFound, Conflict,
), params(("id" = String, Path, description = "The exclusion's id")))]
pub(super) async fn approve(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Response, Problem> {
    let changing = app.shared.gate.changing().await;
    let one = permitted(&app, &caller, &id)?;
    let by = caller.0.name.as_str();
    if one.author() == by {
        let said = "the author of an exclusion cannot approve it; somebody else has to";
        return Err(Problem::forbidden(said));
    }
    if one.approvals.iter().any(|name| name == by) {
        return Err(Problem::conflict(format!("{by} approved it already")));
    }
    if one.removed_at.is_some() {
        return Err(Problem::conflict("it was removed; ask for a new one"));
    }
    if one.lacks() == 0 {
        return Err(Problem::conflict("it needs no more approvals"));
    }
    change(&app, changing, &id, Event::ExclusionApproved(step(&app, &caller, &id))).await
}

/// Remove an exclusion
///
/// What it excluded counts again from the next tick on. One that a file declares is removed there: this
/// answers 409 and names the file.
#[utoipa::path(delete, path = "/v1/exclusions/{id}", tag = "exclusions", operation_id = "removeExclusion", responses(
    (status = 200, description = "The exclusion", body = ref("#/components/schemas/Exclusion")), Forbidden, NotFound, Conflict,
), params(("id" = String, Path, description = "The exclusion's id")))]
pub(super) async fn remove(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Response, Problem> {
    let changing = app.shared.gate.changing().await;
    let one = permitted(&app, &caller, &id)?;
    if one.removed_at.is_some() {
        return json(&Shown::requested(&one, app.now()));
    }
    change(&app, changing, &id, Event::ExclusionRemoved(step(&app, &caller, &id))).await
}

fn step(app: &App, caller: &Caller, id: &str) -> ExclusionStep {
    ExclusionStep { id: id.to_owned(), by: caller.0.name.clone(), at: app.now() }
}

/// The exclusion, when the caller may change it and it is no file's.
fn permitted(app: &App, caller: &Caller, id: &str) -> Result<Requested, Problem> {
    let found = app.shared.gate.state().exclusions.find(id).cloned();
    if let Some(one) = found {
        may(caller, &one.exclusion)?;
        return Ok(one);
    }
    let files = FromFile::all(&app.snapshot()?.declared.exclusions);
    let one = files.into_iter().find(|one| one.id == id);
    let one = one.ok_or_else(|| Problem::not_found("no exclusion has this id"))?;
    may(caller, &one.exclusion)?;
    let place = one.place.unwrap_or_default();
    Err(Problem::conflict(format!("a file declares it; change {place} instead")))
}

async fn change(
    app: &App,
    changing: Changing,
    id: &str,
    event: Event,
) -> Result<Response, Problem> {
    let (gate, now) = (&app.shared.gate, app.now());
    gate.happen(changing, event, now).await.map_err(|why| unrecorded(&why))?;
    let one = gate.state().exclusions.find(id).cloned().ok_or_else(Problem::internal)?;
    json(&Shown::requested(&one, now))
}

#[cfg(test)]
mod tests;
