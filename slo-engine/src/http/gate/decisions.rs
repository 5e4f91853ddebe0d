//! `/v1/gate/decisions`: verdicts that are recorded before they are given.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use budget_gate::decision::Verdict;
use budget_gate::{Decision, Kind, Request};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::evaluate::snapshot::Snapshot;
use crate::gate::{self, Answer, Asking};
use crate::http::app::{App, json};
use crate::http::body::{Body, Checks};
use crate::http::caller::Caller;
use crate::http::openapi::{Forbidden, NotFound, Unprocessable, Unread, VerdictKey};
use crate::http::page::{Newest, Page};
use crate::http::place;
use crate::http::problem::Problem;
use crate::http::query::{Asked, Named};
use crate::record::{Filter, RecordKind};
use crate::token::Scope;

/// By this header a caller makes a question its own: the same key gets the same decision.
const KEY: &str = "idempotency-key";
/// Who deploys, as the caller says.
const ACTOR: &str = "x-headroom-actor";

/// May this be deployed now? Recorded
///
/// The decision is on the disk before it is answered. `allow` is the only field that a script must
/// read; the status is 201 whatever the verdict, and 200 when an earlier decision is repeated: an allow
/// or warn for 10 minutes and a deny or unknown for 30 seconds, while policy, override and state are
/// unchanged. The key of a question is the header `Idempotency-Key`, else service, environment, version
/// and kind, with commit, digest and identifier. When it cannot be recorded, the policy's
/// `onUnrecorded` decides, and `recorded` is null. `token` is the signed verdict, as of this answer: the
/// gate has looked anew also where it repeats a decision.
#[utoipa::path(post, path = "/v1/gate/decisions", tag = "gate", operation_id = "decide",
    request_body(content = ref("#/components/schemas/Request"), content_type = "application/json"),
    params(
        ("idempotency-key" = Option<String>, Header, description = "A key of the caller's, at most 200 letters"),
        ("x-headroom-actor" = Option<String>, Header, description = "Who deploys"),
    ),
    responses(
        (status = 201, description = "The verdict", body = ref("#/components/schemas/Decision")),
        (status = 200, description = "The verdict that this question got before", body = ref("#/components/schemas/Decision")), Unread, Forbidden, Unprocessable,
    ))]
pub(in crate::http) async fn decide(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
    Body(request): Body<Request>,
) -> Result<Response, Problem> {
    check(&request)?;
    let (principal, actor) = (caller.0.name.clone(), text(&headers, ACTOR)?);
    let key = text(&headers, KEY)?;
    let began = Instant::now();
    let snapshot = app.snapshot_of(&request.service).await?;
    let waited = caller.1 + began.elapsed();
    let asking = Asking { actor, principal, key, request, waited };
    let looked = app.now();
    let answer = ask(&app, &caller, &snapshot, asking).await?;
    let status = if answer.is_repeated { StatusCode::OK } else { StatusCode::CREATED };
    let place = answer.decision.id.as_deref().map(|id| format!("/v1/gate/decisions/{id}"));
    let location = place.map(|place| [(header::LOCATION, place)]);
    let decision = signed(&app, Arc::unwrap_or_clone(answer.decision), looked);
    Ok((status, location, json(&decision)?).into_response())
}

/// The decision with its signed verdict as of the instant at which the gate looked.
fn signed(app: &App, decision: Decision, looked: DateTime<Utc>) -> Decision {
    Decision { token: app.shared.verdicts.token(&decision, looked, app.now()), ..decision }
}

/// Asks the gate, if the caller may.
pub(in crate::http) async fn ask(
    app: &App,
    caller: &Caller,
    snapshot: &Snapshot,
    mut asking: Asking,
) -> Result<Answer, Problem> {
    let request = &mut asking.request;
    let found = place::declared(snapshot, &request.service, request.environment.as_deref())?;
    if let Some(found) = found {
        request.environment = Some(found.service.environment.to_string());
    }
    permit(caller, request)?;
    let began = Instant::now();
    let answer = app.shared.gate.decide(snapshot, found, asking, app.now()).await;
    let answer = answer.map_err(|gate::OtherQuestion| {
        let said = "this key was used for another question; take a new key for a new question";
        Problem::unprocessable("idempotency-key", said)
    })?;
    app.metrics.decided(&answer, began.elapsed());
    Ok(answer)
}

/// What is wrong with a question, all of it.
pub(in crate::http) fn check(asked: &Request) -> Result<(), Problem> {
    let mut checks = check_of_peek(asked).maybe_sentence("reason", asked.reason.as_deref());
    if scope_of(asked.kind).is_some() && asked.reason.is_none() {
        checks = checks.lacks("reason", "a hotfix or security fix says why it is one");
    }
    checks.done()
}

/// The same of what a peek asks, which claims nothing.
pub(super) fn check_of_peek(asked: &Request) -> Checks {
    let named = Checks::default()
        .name("service", &asked.service)
        .maybe_name("environment", asked.environment.as_deref());
    let texts = [
        ("version", &asked.version),
        ("commit", &asked.commit),
        ("digest", &asked.digest),
        ("identifier", &asked.identifier),
    ];
    texts.into_iter().fold(named, |checks, (field, text)| checks.short(field, text.as_deref()))
}

/// The scope that it takes to claim a kind.
const fn scope_of(kind: Kind) -> Option<Scope> {
    match kind {
        Kind::Hotfix => Some(Scope::KindHotfix),
        Kind::Security => Some(Scope::KindSecurity),
        Kind::Release | Kind::Rollback | Kind::Config => None,
    }
}

pub(in crate::http) fn permit(caller: &Caller, request: &Request) -> Result<(), Problem> {
    let (service, environment) = (&request.service, request.environment.as_deref());
    caller.needs(Scope::Decide, service, environment)?;
    match scope_of(request.kind) {
        Some(scope) => caller.needs(scope, service, environment),
        None => Ok(()),
    }
}

fn text(headers: &HeaderMap, name: &str) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let text = value.to_str().map_err(|_| Problem::bad(name, "it is no plain text"))?.trim();
    Checks::default().short(name, Some(text)).done()?;
    Ok(Some(text.to_owned()))
}

/// Which decisions; what is left out filters nothing.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct Listing {
    /// Those about this service.
    pub(in crate::http) service: Option<String>,
    /// Those about this environment.
    pub(in crate::http) environment: Option<String>,
    /// Those with this verdict.
    #[param(value_type = VerdictKey, required = false)]
    pub(in crate::http) verdict: Option<Verdict>,
    /// Those made at or after this instant.
    pub(in crate::http) from: Option<DateTime<Utc>>,
    /// Those made before this instant.
    pub(in crate::http) to: Option<DateTime<Utc>>,
    /// The most items of the answer, 1 to 500; 100 when nothing is said.
    #[param(minimum = 1, maximum = 500)]
    pub(in crate::http) limit: Option<usize>,
    /// The `next` of the page before.
    pub(in crate::http) cursor: Option<String>,
}

/// Recorded decisions, newest first
#[utoipa::path(get, path = "/v1/gate/decisions", tag = "gate", operation_id = "listDecisions", params(Listing), responses(
    (status = 200, description = "One page", body = ref("#/components/schemas/DecisionPage")),
))]
pub(in crate::http) async fn list(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<Listing>,
) -> Result<Response, Problem> {
    json(&page(&app, asked).await?)
}

/// One page of decisions.
pub(in crate::http) async fn page(app: &App, asked: Listing) -> Result<Page<Decision>, Problem> {
    let wanted = Newest::new(asked.limit, asked.cursor.as_deref())?;
    let filter = Filter {
        kind: Some(RecordKind::Decision),
        service: asked.service,
        environment: asked.environment,
        verdict: asked.verdict.map(|verdict| verdict.as_str().to_owned()),
        from: asked.from,
        to: asked.to,
    };
    let records = app.records().list(&filter, wanted.after_number()?, wanted.one_more()).await;
    let records = records.map_err(|error| unread(&error))?;
    let read = records.iter().map(gate::decision).collect::<Result<Vec<_>, _>>();
    let decisions = read.map_err(|error| unread(&error))?;
    Ok(wanted.page(records.iter().map(|record| record.seq.to_string()).zip(decisions)))
}

/// A recorded decision
///
/// With its signed verdict in `token`, as of when it was made, until that has expired.
#[utoipa::path(get, path = "/v1/gate/decisions/{id}", tag = "gate", operation_id = "getDecision", responses(
    (status = 200, description = "The decision", body = ref("#/components/schemas/Decision")), NotFound,
), params(("id" = String, Path, description = "The decision's id")))]
pub(in crate::http) async fn show(
    State(app): State<Arc<App>>,
    Named(id): Named<String>,
) -> Result<Response, Problem> {
    let decision = one(&app, &id).await?;
    let made = decision.at;
    json(&signed(&app, decision, made))
}

/// One decision by its id.
pub(in crate::http) async fn one(app: &App, id: &str) -> Result<Decision, Problem> {
    let records = app.records().by_id(id).await.map_err(|error| unread(&error))?;
    let record = records.iter().find(|record| record.entry.kind == RecordKind::Decision);
    let record = record.ok_or_else(|| Problem::not_found("no decision has this id"))?;
    gate::decision(record).map_err(|error| unread(&error))
}

pub(in crate::http) fn unread(error: &crate::store::StoreError) -> Problem {
    tracing::error!(%error, "cannot read the records");
    Problem::unavailable("the records cannot be read now").again_after(5)
}

#[cfg(test)]
mod tests;
