//! Callers that have a wire of their own. Each is one file that reads what its caller sends, asks the
//! one gate, and answers in the caller's words; the decision is the same as everybody's.

use std::time::{Duration, Instant};

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use budget_gate::deployment::{Deployment, Rollback, rollback};
use budget_gate::{Decision, Kind, Request};

use super::app::App;
use super::caller::Caller;
use super::gate::decisions::{ask as ask_gate, check, permit};
use super::place;
use super::problem::{Foreign, Problem};
use crate::evaluate::snapshot::Snapshot;
use crate::gate::{Answer, Asking};
use mapping::{Mapping, Whereabouts};

pub(super) mod admission;
pub(super) mod alertmanager;
pub(super) mod argo_rollouts;
pub(super) mod callbacks;
pub(super) mod flagger;
pub(super) mod github;
pub(super) mod gitlab;
mod mapping;
pub(super) mod outgoing;
mod own;
pub(super) mod terraform;
mod waiting;

pub use mapping::{Adapters, Renamed};

/// How long a call may wait for the database in all: callers are promised an answer within 3 s.
pub(super) const WITHIN: Duration = Duration::from_millis(2_500);

/// Which decision an answer is made from, for callers whose wire has no place for it.
const DECISION: HeaderName = HeaderName::from_static("x-headroom-decision");

/// What an adapter understood of a call.
#[derive(Debug, Clone, Default)]
struct Question {
    /// The service, as the caller calls it.
    service: String,
    at: Whereabouts,
    version: Option<String>,
    commit: Option<String>,
    digest: Option<String>,
    identifier: Option<String>,
    /// What the deploy claims to be, where the caller can say it.
    kind: Option<Kind>,
    reason: Option<String>,
    /// Who deploys, where the caller knows.
    actor: Option<String>,
    /// Whether the version may not stand for all that is deployed: then it proves no rollback.
    is_partial: bool,
}

impl Question {
    /// The question as the gate is asked it.
    fn request(
        self,
        app: &App,
        mapping: &Mapping,
        snapshot: &Snapshot,
    ) -> Result<(Request, Option<String>), Problem> {
        let mut request = Request {
            service: mapping.service(self.service),
            environment: mapping.environment(self.at, &snapshot.declared),
            version: told(self.version),
            commit: told(self.commit),
            digest: told(self.digest),
            identifier: told(self.identifier),
            kind: self.kind.unwrap_or_default(),
            reason: told(self.reason),
        };
        check(&request)?;
        let found = place::declared(snapshot, &request.service, request.environment.as_deref())?;
        if let Some(found) = found {
            request.environment = Some(found.service.environment.to_string());
        }
        if self.kind.is_none() && !self.is_partial && goes_back(app, &request) {
            request.kind = Kind::Rollback;
        }
        Ok((request, self.actor))
    }
}

/// What stands there; callers send empty texts for what they do not know.
fn told(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

/// Whether a deploy of which nobody says what it is goes back to what ran before: these callers have
/// no word for a rollback, and one must never wait for a budget.
fn goes_back(app: &App, request: &Request) -> bool {
    let state = app.shared.gate.state();
    let environment = request.environment.as_deref().unwrap_or_default();
    let place = state.place(&request.service, environment);
    place.is_some_and(|place| {
        let proven = rollback(&place.deployments, request, app.now());
        matches!(proven, Rollback::Proven { .. }) && is_same_commit(&place.deployments, request)
    })
}

/// Anybody can call a branch as a version that ran: where a commit is known, it has to be the one that
/// ran.
fn is_same_commit(runs: &[Deployment], request: &Request) -> bool {
    let is_it = |run: &&Deployment| match &request.digest {
        Some(digest) => run.digest.as_ref() == Some(digest),
        None => Some(&run.version) == request.version.as_ref(),
    };
    let ran = runs.iter().rev().find(is_it).and_then(|run| run.commit.as_ref());
    request.digest.is_some() || request.commit.as_ref().is_none_or(|commit| ran == Some(commit))
}

/// Asks the gate; the decision is recorded.
async fn ask(
    app: &App,
    caller: &Caller,
    mapping: &Mapping,
    question: Question,
) -> Result<Answer, Problem> {
    let began = Instant::now();
    let snapshot = app.snapshot_of(&mapping.service(question.service.clone())).await?;
    let waited = caller.1 + began.elapsed();
    let (request, actor) = question.request(app, mapping, &snapshot)?;
    let principal = caller.0.name.clone();
    let asking = Asking { request, actor, principal, key: None, waited };
    ask_gate(app, caller, &snapshot, asking).await
}

/// What the gate would say; nothing is recorded.
async fn look(
    app: &App,
    caller: &Caller,
    mapping: &Mapping,
    question: Question,
) -> Result<Decision, Problem> {
    let snapshot = app.snapshot_of(&mapping.service(question.service.clone())).await?;
    let (request, _) = question.request(app, mapping, &snapshot)?;
    permit(caller, &request)?;
    let found = place::declared(&snapshot, &request.service, request.environment.as_deref())?;
    let decision = app.shared.gate.look(&snapshot, found, &request, app.now());
    app.metrics.peeked(decision.verdict);
    Ok(decision)
}

/// An answer in the words of a caller, whatever its status.
fn foreign(status: StatusCode, kind: &'static str, body: impl Into<Vec<u8>>) -> Response {
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static(kind))];
    let mut response = (status, kind, body.into()).into_response();
    response.extensions_mut().insert(Foreign);
    response
}

/// The same with the decision that it is made from.
fn of_decision(mut response: Response, decision: &Decision) -> Response {
    let id = decision.id.as_deref().and_then(|id| HeaderValue::try_from(id).ok());
    if let Some(id) = id {
        response.headers_mut().insert(DECISION, id);
    }
    response
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod signed;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod twin;
