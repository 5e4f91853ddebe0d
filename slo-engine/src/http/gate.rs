//! `/v1/gate/{service}`: the verdict from memory. Nothing here waits for anything, but before the first
//! snapshot for the service's part of it.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use budget_gate::{Kind, Request};
use serde::Deserialize;
use utoipa::IntoParams;

use super::app::{App, unwritten, written};
use super::openapi::KindKey;
use super::place;
use super::problem::Problem;
use super::query::{Asked, Named};

pub(super) mod decisions;
pub(super) mod overrides;
pub(super) mod watch;

/// What is to be deployed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Peek {
    /// Where to; may be left out where the service is in one environment only.
    environment: Option<String>,
    /// The version to be deployed.
    version: Option<String>,
    /// Its commit.
    commit: Option<String>,
    /// The digest of its image.
    digest: Option<String>,
    /// What the deploy claims to be; a release when nothing is said.
    #[serde(default)]
    #[param(value_type = KindKey, required = false)]
    kind: Kind,
}

/// May this be deployed now?
///
/// A peek: nothing is recorded, so id, recorded, permalink and token are null. The status is 200
/// whatever the verdict; `allow` is the only field that a script must read. A service that is not
/// declared gets what the policy's `noSlo` says; one that cannot be a name is refused.
#[utoipa::path(get, path = "/v1/gate/{service}", tag = "gate", operation_id = "peek", responses(
    (status = 200, description = "The verdict", body = ref("#/components/schemas/Decision")),
), params(("service" = String, Path, description = "The service's name"), Peek))]
pub(super) async fn peek(
    State(app): State<Arc<App>>,
    Named(service): Named<String>,
    Asked(asked): Asked<Peek>,
) -> Result<Response, Problem> {
    let request = Request {
        environment: asked.environment,
        version: asked.version,
        commit: asked.commit,
        digest: asked.digest,
        kind: asked.kind,
        ..Request::of(&service)
    };
    decisions::check_of_peek(&request).done()?;
    let (newest, mut early) = (app.shared.latest.look(), None);
    let snapshot = match newest.as_ref() {
        Some(newest) => newest,
        None => early.insert(app.snapshot_of(&service).await?),
    };
    let found = place::declared(snapshot, &service, request.environment.as_deref())?;
    let peek = app.shared.gate.peek(snapshot, found, &request, app.now());
    let (verdict, text) = peek.map_err(|error| unwritten(&error))?;
    app.metrics.peeked(verdict);
    Ok(written(text))
}

#[cfg(test)]
mod tests;
