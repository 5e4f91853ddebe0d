//! `/v1/gate/overrides`: people take the responsibility for what the rules refuse.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use budget_gate::overriding::Override;
use budget_gate::policy::{Overriding, Policy};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use crate::evaluate::snapshot::Snapshot;
use crate::gate::event::{Event, Step};
use crate::gate::id;
use crate::gate::{Changing, Gate};
use crate::http::app::{App, json};
use crate::http::body::{Body, Checks};
use crate::http::caller::Caller;
use crate::http::openapi::{Conflict, Forbidden, NotFound, Unprocessable, Unread};
use crate::http::page::Newest;
use crate::http::place;
use crate::http::problem::Problem;
use crate::http::query::{Asked, Named};
use crate::record::Unrecorded;
use crate::token::Scope;

/// An override that is asked for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::http) struct NewOverride {
    /// The service.
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,63}$"))]
    service: String,
    /// The environment; may be left out where the service is in one only.
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,63}$"))]
    environment: Option<String>,
    /// The commit that it is for; any when nothing is said.
    #[schemars(length(min = 1, max = 200))]
    commit: Option<String>,
    /// Why.
    #[schemars(length(min = 1, max = 2_000))]
    reason: String,
    /// Until when it holds.
    until: DateTime<Utc>,
}

/// How an override is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum OverrideState {
    /// Approvals are missing.
    Waiting,
    /// It lets deploys go.
    Active,
    /// Its time is over, or the policy takes it no longer.
    Ended,
    /// Somebody revoked it.
    Revoked,
}

/// An override, and how it is now.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Override")]
pub(in crate::http) struct Shown {
    /// What was asked for and what became of it.
    #[serde(flatten)]
    one: Override,
    /// How it is now.
    state: OverrideState,
    /// How many approvals it still lacks.
    approvals_missing: u32,
}

fn shown(one: Override, policy: Option<&Policy>, now: DateTime<Utc>) -> Shown {
    let lacks = policy.and_then(|policy| one.lacks(policy));
    let state = match lacks {
        _ if one.revoked_at.is_some() => OverrideState::Revoked,
        Some(0) if one.is_current(now) => OverrideState::Active,
        Some(_) if one.is_current(now) => OverrideState::Waiting,
        _ => OverrideState::Ended,
    };
    Shown { one, state, approvals_missing: lacks.unwrap_or_default() }
}

/// Ask for an override
///
/// For a while deploys of the service that the rules refuse go with a warning, once as many others have
/// approved it as the policy asks for. Its author is whose token asks.
#[utoipa::path(post, path = "/v1/gate/overrides", tag = "gate", operation_id = "createOverride",
    request_body(content = ref("#/components/schemas/NewOverride"), content_type = "application/json"),
    responses(
        (status = 201, description = "The override", body = ref("#/components/schemas/Override")), Unread, Forbidden, Conflict, Unprocessable,
    ))]
pub(in crate::http) async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    Body(new): Body<NewOverride>,
) -> Result<Response, Problem> {
    let now = app.now();
    check(&new)?;
    let snapshot = app.snapshot()?;
    let (environment, policy) = terms_for(&snapshot, &new)?;
    caller.needs(Scope::Override, &new.service, Some(&environment))?;
    let terms = allowed(policy)?;
    refuse_length(terms, &new, now)?;
    let gate = &app.shared.gate;
    let changing = gate.changing().await;
    refuse_quota(gate, policy, (&new.service, &environment), now)?;
    let one = Override {
        id: id::new(now),
        service: new.service,
        environment,
        commit: new.commit,
        reason: new.reason,
        author: caller.0.name.clone(),
        at: now,
        until: new.until,
        approvals: Vec::new(),
        revoked_by: None,
        revoked_at: None,
    };
    let event = Event::OverrideCreated { one: one.clone() };
    gate.happen(changing, event, now).await.map_err(|why| unrecorded(&why))?;
    Ok((StatusCode::CREATED, json(&shown(one, Some(policy), now))?).into_response())
}

fn check(new: &NewOverride) -> Result<(), Problem> {
    let checks = Checks::default().name("service", &new.service);
    let checks = checks.maybe_name("environment", new.environment.as_deref());
    let checks = checks.short("commit", new.commit.as_deref()).sentence("reason", &new.reason);
    checks.written("until", new.until).done()
}

/// The environment that is meant, and the policy that decides there.
fn terms_for<'a>(
    snapshot: &'a Snapshot,
    new: &NewOverride,
) -> Result<(String, &'a Policy), Problem> {
    let found = place::declared(snapshot, &new.service, new.environment.as_deref())?;
    let environment = found.map(|found| found.service.environment.to_string());
    let Some(environment) = environment.or_else(|| new.environment.clone()) else {
        let said = format!("{} is not declared; say which environment is meant", new.service);
        return Err(Problem::bad("environment", said));
    };
    let policy = Gate::policy(&snapshot.declared, found, &new.service, &environment);
    let policy = policy.ok_or_else(|| {
        Problem::conflict(format!("no policy decides on {} in {environment}", new.service))
    })?;
    Ok((environment, policy))
}

fn allowed(policy: &Policy) -> Result<&Overriding, Problem> {
    policy.overriding.as_ref().filter(|terms| terms.allowed).ok_or_else(|| {
        let name = policy.name.as_str();
        Problem::conflict(format!("the policy {name} takes no overrides"))
    })
}

fn refuse_length(terms: &Overriding, new: &NewOverride, now: DateTime<Utc>) -> Result<(), Problem> {
    if new.until <= now {
        return Err(Problem::unprocessable("until", "it is not in the future"));
    }
    match &terms.max_duration {
        Some(longest) if !terms.takes(new.until - now) => {
            let said = format!("the policy takes none longer than {longest}");
            Err(Problem::unprocessable("until", said))
        }
        _ => Ok(()),
    }
}

fn refuse_quota(
    gate: &Gate,
    policy: &Policy,
    (service, environment): (&str, &str),
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let used = gate.quota_used(policy, service, environment, now);
    match policy.per_week() {
        Some(most) if used >= most => Err(Problem::conflict(format!(
            "the quota of {service} in {environment} is spent: {used} of {most} overrides and claims \
             in 7 days"
        ))),
        _ => Ok(()),
    }
}

/// Which overrides; what is left out filters nothing.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct Listing {
    /// Those for this service.
    service: Option<String>,
    /// Those for this environment.
    environment: Option<String>,
    /// The most items of the answer, 1 to 500; 100 when nothing is said.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// Overrides of the last week, newest first
#[utoipa::path(get, path = "/v1/gate/overrides", tag = "gate", operation_id = "listOverrides", params(Listing), responses(
    (status = 200, description = "One page", body = ref("#/components/schemas/OverridePage")),
))]
pub(in crate::http) async fn list(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<Listing>,
) -> Result<Response, Problem> {
    let wanted = Newest::new(asked.limit, asked.cursor.as_deref())?;
    let (snapshot, now) = (app.snapshot()?, app.now());
    let is_wanted = |one: &Override| {
        asked.service.as_ref().is_none_or(|s| *s == one.service)
            && asked.environment.as_ref().is_none_or(|e| *e == one.environment)
    };
    let state = app.shared.gate.state();
    let all = state.places().flat_map(|(_, place)| &place.overrides);
    let wanted_ones = all.filter(|one| is_wanted(one)).cloned();
    let page = wanted_ones
        .map(|one| {
            let policy = policy_of(&snapshot, &one);
            (one.id.clone(), shown(one, policy, now))
        })
        .collect();
    drop(state);
    json(&wanted.page_of(page))
}

fn policy_of<'a>(snapshot: &'a Snapshot, one: &Override) -> Option<&'a Policy> {
    let found = place::declared(snapshot, &one.service, Some(&one.environment)).ok()?;
    Gate::policy(&snapshot.declared, found, &one.service, &one.environment)
}

/// Approve an override
///
/// Whoever approves is another than the author, and nobody approves twice: persons are told apart by
/// their tokens.
#[utoipa::path(post, path = "/v1/gate/overrides/{id}/approve", tag = "gate", operation_id = "approveOverride", responses(
    (status = 200, description = "The override", body = ref("#/components/schemas/Override")), Forbidden, NotFound, Conflict,
), params(("id" = String, Path, description = "The override's id")))]
pub(in crate::http) async fn approve(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Response, Problem> {
    let now = app.now();
    let changing = app.shared.gate.changing().await;
    let one = permitted(&app, &caller, &id)?;
    let by = caller.0.name.as_str();
    if one.author == by {
        let said = "the author of an override cannot approve it; somebody else has to";
        return Err(Problem::forbidden(said));
    }
    if one.approvals.iter().any(|name| name == by) {
        return Err(Problem::conflict(format!("{by} approved it already")));
    }
    if !one.is_current(now) {
        return Err(Problem::conflict("it has ended or was revoked; ask for a new one"));
    }
    change(&app, changing, Event::OverrideApproved(step(&one, by, now)), &id).await
}

/// Revoke an override
#[utoipa::path(delete, path = "/v1/gate/overrides/{id}", tag = "gate", operation_id = "revokeOverride", responses(
    (status = 200, description = "The override", body = ref("#/components/schemas/Override")), Forbidden, NotFound,
), params(("id" = String, Path, description = "The override's id")))]
pub(in crate::http) async fn revoke(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Response, Problem> {
    let now = app.now();
    let changing = app.shared.gate.changing().await;
    let one = permitted(&app, &caller, &id)?;
    if one.revoked_at.is_some() {
        return json(&shown(one.clone(), policy_of(&*app.snapshot()?, &one), now));
    }
    change(&app, changing, Event::OverrideRevoked(step(&one, &caller.0.name, now)), &id).await
}

fn step(one: &Override, by: &str, at: DateTime<Utc>) -> Step {
    Step {
        id: one.id.clone(),
        service: one.service.clone(),
        environment: one.environment.clone(),
        by: by.to_owned(),
        at,
    }
}

/// The override, when the caller may change it.
fn permitted(app: &App, caller: &Caller, id: &str) -> Result<Override, Problem> {
    let one = app.shared.gate.state().overriding(id).cloned();
    let one = one.ok_or_else(|| Problem::not_found("no override of the last week has this id"))?;
    caller.needs(Scope::Override, &one.service, Some(&one.environment))?;
    Ok(one)
}

async fn change(
    app: &App,
    changing: Changing,
    event: Event,
    id: &str,
) -> Result<Response, Problem> {
    let (gate, now) = (&app.shared.gate, app.now());
    gate.happen(changing, event, now).await.map_err(|why| unrecorded(&why))?;
    let one = gate.state().overriding(id).cloned().ok_or_else(Problem::internal)?;
    json(&shown(one.clone(), policy_of(&*app.snapshot()?, &one), now))
}

/// What could not be recorded did not happen, unless its writing goes on.
pub(in crate::http) fn unrecorded(why: &Unrecorded) -> Problem {
    tracing::error!(%why, "cannot record");
    let said = match why {
        Unrecorded::Slow { under_way: true, .. } => {
            "it takes too long to record; it may still happen, so look before you repeat it"
        }
        _ => "it cannot be recorded now, so it did not happen",
    };
    Problem::unavailable(said).again_after(5)
}

#[cfg(test)]
mod tests;
