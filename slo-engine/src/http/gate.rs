//! `/v1/gate/{service}`: the verdict from memory. Nothing here waits for anything.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use budget_gate::{Kind, Request, decide};
use serde::Deserialize;
use utoipa::IntoParams;

use super::app::{App, json};
use super::openapi::{BadRequest, KindKey, Unavailable};
use super::place;
use super::problem::Problem;
use super::query::{Asked, Named};

/// What is to be deployed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Peek {
    /// Where to; may be left out where the service is in one environment only.
    environment: Option<String>,
    /// The version to be deployed.
    version: Option<String>,
    /// What the deploy claims to be; a release when nothing is said.
    #[serde(default)]
    #[param(value_type = KindKey, required = false)]
    kind: Kind,
}

/// May this be deployed now?
///
/// A peek: nothing is recorded, so id, recorded, permalink and token are null. The status is 200
/// whatever the verdict; `allow` is the only field that a script must read. A service that is not
/// declared gets what the policy's `noSlo` says.
#[utoipa::path(get, path = "/v1/gate/{service}", tag = "gate", operation_id = "peek", responses(
    (status = 200, description = "The verdict", body = ref("#/components/schemas/Decision")),
    BadRequest,
    Unavailable,
), params(("service" = String, Path, description = "The service's name"), Peek))]
pub(super) async fn peek(
    State(app): State<Arc<App>>,
    Named(service): Named<String>,
    Asked(asked): Asked<Peek>,
) -> Result<Response, Problem> {
    let snapshot = app.snapshot()?;
    let found = place::declared(&snapshot, &service, asked.environment.as_deref())?;
    let request = Request {
        environment: asked.environment,
        version: asked.version,
        kind: asked.kind,
        ..Request::of(&service)
    };
    let policies = &snapshot.declared.policies;
    let (service, views) = found.map_or((None, &[][..]), |f| (Some(f.service.as_ref()), f.views));
    let decision = decide(&request, service, views, policies, app.now());
    app.metrics.peeked(decision.verdict);
    json(&decision)
}

#[cfg(test)]
mod tests;
