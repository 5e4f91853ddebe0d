//! `/v1/deployments`: pipelines say what runs where, and read what it cost.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use budget_gate::deployment::Deployment;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Deserialize;
use utoipa::IntoParams;

use super::app::{App, json};
use super::body::{Body, Checks};
use super::caller::Caller;
use super::gate::overrides::unrecorded;
use super::openapi::{Forbidden, NotFound, Unread};
use super::page::Newest;
use super::place;
use super::problem::Problem;
use super::query::{Asked, Named};
use crate::gate::event::Event;
use crate::gate::id;
use crate::record::Unrecorded;
use crate::token::Scope;

mod cost;

pub(super) use cost::{DeploymentCost, burn};

/// A version that runs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewDeployment {
    /// The service.
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,63}$"))]
    service: String,
    /// The environment; may be left out where the service is in one only.
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,63}$"))]
    environment: Option<String>,
    /// The version.
    #[schemars(length(min = 1, max = 200))]
    version: String,
    /// The digest of its image.
    #[schemars(length(min = 1, max = 200))]
    digest: Option<String>,
    /// Its commit.
    #[schemars(length(min = 1, max = 200))]
    commit: Option<String>,
    /// Since when it runs; now when nothing is said.
    at: Option<DateTime<Utc>>,
}

/// Say that a version runs
///
/// What ran before it proves a rollback. What runs already is not recorded again: then the status is 200
/// and the answer the deployment that is known.
#[utoipa::path(post, path = "/v1/deployments", tag = "deployments", operation_id = "createDeployment",
    request_body(content = ref("#/components/schemas/NewDeployment"), content_type = "application/json"),
    responses(
        (status = 201, description = "The deployment", body = ref("#/components/schemas/Deployment")),
        (status = 200, description = "The same version runs already", body = ref("#/components/schemas/Deployment")), Unread, Forbidden,
    ))]
pub(super) async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    Body(new): Body<NewDeployment>,
) -> Result<Response, Problem> {
    let now = app.now();
    check(&new, now)?;
    let environment = environment(&app, &new)?;
    caller.needs(Scope::Deploy, &new.service, Some(&environment))?;
    let late = |_| unrecorded(&Unrecorded::Slow { within: caller.left(), under_way: true });
    let made = made(&app, &caller, new, environment, now);
    tokio::time::timeout(caller.left(), made).await.map_err(late)?
}

async fn made(
    app: &App,
    caller: &Caller,
    new: NewDeployment,
    environment: String,
    now: DateTime<Utc>,
) -> Result<Response, Problem> {
    let changing = app.shared.gate.changing().await;
    let one = Deployment {
        id: id::new(now),
        service: new.service,
        environment,
        version: new.version,
        digest: new.digest,
        commit: new.commit,
        at: new.at.unwrap_or(now),
        principal: caller.0.name.clone(),
    };
    if let Some(known) = runs_already(app, &one) {
        return json(&known);
    }
    let event = Event::Deployed { deployment: one.clone() };
    let happened = app.shared.gate.happen(changing, event, now).await;
    happened.map_err(|why| unrecorded(&why))?;
    Ok((StatusCode::CREATED, json(&one)?).into_response())
}

fn check(new: &NewDeployment, now: DateTime<Utc>) -> Result<(), Problem> {
    Checks::default()
        .name("service", &new.service)
        .maybe_name("environment", new.environment.as_deref())
        .short("version", Some(&new.version))
        .short("digest", new.digest.as_deref())
        .short("commit", new.commit.as_deref())
        .past("at", new.at, now)
        .done()
}

/// Services need not be declared to run; but then the environment has to be named.
fn environment(app: &App, new: &NewDeployment) -> Result<String, Problem> {
    if let Some(named) = &new.environment {
        return Ok(named.clone());
    }
    let snapshot = app.snapshot()?;
    let found = place::declared(&snapshot, &new.service, None)?;
    let said = || format!("{} is not declared; say which environment is meant", new.service);
    let found = found.ok_or_else(|| Problem::bad("environment", said()))?;
    Ok(found.service.environment.to_string())
}

/// The deployment that the new one repeats: the one that runs at its instant.
fn runs_already(app: &App, new: &Deployment) -> Option<Deployment> {
    let state = app.shared.gate.state();
    let all = &state.place(&new.service, &new.environment)?.deployments;
    let before = all.iter().rfind(|one| one.at <= new.at)?;
    let is_same = before.version == new.version && before.digest == new.digest;
    is_same.then(|| before.clone())
}

/// Which deployments; what is left out filters nothing.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Listing {
    /// Those of this service.
    service: Option<String>,
    /// Those in this environment.
    environment: Option<String>,
    /// The most items of the answer, 1 to 500; 100 when nothing is said.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// Deployments, the newest first
#[utoipa::path(get, path = "/v1/deployments", tag = "deployments", operation_id = "listDeployments", params(Listing), responses(
    (status = 200, description = "One page", body = ref("#/components/schemas/DeploymentPage")),
))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<Listing>,
) -> Result<Response, Problem> {
    let wanted = Newest::new(asked.limit, asked.cursor.as_deref())?;
    let after = wanted.after_instant()?;
    let state = app.shared.gate.state();
    let places = state.places().filter(|(service, place)| {
        asked.service.as_ref().is_none_or(|s| s == service)
            && asked.environment.as_ref().is_none_or(|e| *e == place.environment)
    });
    // By when it ran, not by when it was told.
    let newest = places.flat_map(|(_, place)| {
        let is_before = |one: &Deployment| {
            after.is_none_or(|(at, id)| (one.at.timestamp_micros(), one.id.as_str()) < (at, id))
        };
        let before = place.deployments.partition_point(is_before);
        place.deployments[..before].iter().rev().take(wanted.one_more() as usize)
    });
    let key = |one: &Deployment| format!("{:020}-{}", one.at.timestamp_micros(), one.id);
    let all = newest.map(|one| (key(one), one.clone())).collect();
    drop(state);
    json(&wanted.page_of(all))
}

/// A deployment, and what it cost
///
/// For each SLO of the service: what was spent from this deployment to the next one (or now), and how
/// fast, against the same length of time before it.
#[utoipa::path(get, path = "/v1/deployments/{id}", tag = "deployments", operation_id = "getDeployment", responses(
    (status = 200, description = "The deployment", body = ref("#/components/schemas/DeploymentCost")), NotFound,
), params(("id" = String, Path, description = "The deployment's id")))]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Named(id): Named<String>,
) -> Result<Response, Problem> {
    let (one, next) = {
        let state = app.shared.gate.state();
        let one = state.deployment(&id).cloned();
        let one = one.ok_or_else(|| Problem::not_found("no deployment has this id"))?;
        let place = state.place(&one.service, &one.environment);
        let all = place.map_or(&[][..], |place| &place.deployments);
        let next = all.iter().find(|other| other.at > one.at).map(|other| other.at);
        (one, next)
    };
    json(&cost::of(&app, one, next).await?)
}

#[cfg(test)]
mod tests;
