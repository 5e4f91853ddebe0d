//! The web metric of Argo Rollouts' analyses. A measurement whose answer is no 2xx is an error, and five
//! errors in a row end the analysis as badly as a denial would: so the status is 200 whatever the
//! verdict, and what is not known is said in the body.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use budget_gate::decision::Unblocks;
use budget_gate::{Decision, Kind, Verdict};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::flagger::kind_of;
use super::mapping::Whereabouts;
use super::{Question, ask, of_decision, told};
use crate::http::app::{App, json};
use crate::http::body::read;
use crate::http::caller::Caller;
use crate::http::openapi::NotFound;
use crate::http::problem::Problem;
use crate::http::query::Named;

/// What an analysis asks with, in the query or in a JSON body; what is left out or empty says nothing.
#[derive(Debug, Default, Deserialize, JsonSchema, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct RolloutQuestion {
    /// The environment; may be left out where the service is in one only.
    environment: Option<String>,
    /// The rollout's namespace: the environment where one is called so.
    namespace: Option<String>,
    /// The version to be deployed.
    version: Option<String>,
    /// Its commit.
    commit: Option<String>,
    /// The digest of its image.
    digest: Option<String>,
    /// Anything by which the caller knows the deploy.
    identifier: Option<String>,
    /// What the deploy claims to be: release, rollback, hotfix, security or config.
    kind: Option<String>,
    /// Why, where the kind wants a reason.
    reason: Option<String>,
}

/// A verdict as an analysis reads it: small, because each measurement keeps it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct RolloutVerdict {
    /// Whether the deploy may go.
    allow: bool,
    /// allow, warn, deny, or unknown where too little is known to say.
    verdict: Verdict,
    /// The decision's id; null where none could be made.
    id: Option<String>,
    /// When it was made.
    at: Option<DateTime<Utc>>,
    /// The service.
    service: String,
    /// The environment.
    environment: Option<String>,
    /// The version to be deployed.
    version: Option<String>,
    /// What the deploy was taken for; null where no decision could be made.
    kind: Option<Kind>,
    /// Why it is not allow, worst first.
    reasons: Vec<String>,
    /// The steps that led to the verdict.
    because: Vec<String>,
    /// What would open the gate; null when `allow` is true.
    unblocks: Option<Unblocks>,
    /// Where a person can read more.
    permalink: Option<String>,
}

impl From<&Decision> for RolloutVerdict {
    fn from(decision: &Decision) -> Self {
        Self {
            allow: decision.allow,
            verdict: decision.verdict,
            id: decision.id.clone(),
            at: Some(decision.at),
            service: decision.service.clone(),
            environment: decision.environment.clone(),
            version: decision.version.clone(),
            kind: Some(decision.kind),
            reasons: decision.reasons.clone(),
            because: decision.because.clone(),
            unblocks: decision.unblocks.clone(),
            permalink: decision.permalink.clone(),
        }
    }
}

/// The verdict where there is no decision.
fn unknown(service: &str, why: &str) -> RolloutVerdict {
    RolloutVerdict {
        allow: false,
        verdict: Verdict::Unknown,
        id: None,
        at: None,
        service: service.to_owned(),
        environment: None,
        version: None,
        kind: None,
        reasons: vec![why.to_owned()],
        because: Vec::new(),
        unblocks: None,
        permalink: None,
    }
}

impl RolloutQuestion {
    fn about(self, service: &str) -> Result<Question, Problem> {
        let kind = told(self.kind).map(|kind| kind_of(&kind)).transpose()?;
        Ok(Question {
            service: service.to_owned(),
            at: Whereabouts { named: told(self.environment), namespace: told(self.namespace) },
            version: self.version,
            commit: self.commit,
            digest: self.digest,
            identifier: self.identifier,
            kind,
            reason: self.reason,
            actor: None,
            is_partial: false,
        })
    }

    /// From the body where there is one, else from the query.
    async fn of(request: Request) -> Result<Self, Problem> {
        let uri: Uri = request.uri().clone();
        let body = Bytes::from_request(request, &()).await;
        let body = body.map_err(|refused| Problem::plain(refused.status()))?;
        if !body.trim_ascii().is_empty() {
            return read(&body);
        }
        let axum::extract::Query(asked) = axum::extract::Query::try_from_uri(&uri)
            .map_err(|e| Problem::bad("query", e.body_text()))?;
        Ok(asked)
    }
}

/// May this rollout go on? For the web metric of an analysis
///
/// Recorded as every decision is. The status is 200 whatever the verdict, also where none can be given:
/// then the verdict is unknown. With `successCondition: result.allow == true` and `failureCondition:
/// result.verdict == "deny"` an unknown verdict pauses the rollout.
#[utoipa::path(post, path = "/v1/adapters/argo-rollouts/{service}", tag = "adapters", operation_id = "argoRollouts",
    request_body(content = ref("#/components/schemas/RolloutQuestion"), content_type = "application/json"),
    params(("service" = String, Path, description = "The service's name")),
    responses((status = 200, description = "The verdict", body = ref("#/components/schemas/RolloutVerdict"))))]
pub(in crate::http) async fn call(
    State(app): State<Arc<App>>,
    Named(service): Named<String>,
    caller: Result<Caller, Problem>,
    request: Request,
) -> Response {
    answered(&app, &service, caller, request).await
}

/// May this rollout go on? For a web metric without a body
#[utoipa::path(get, path = "/v1/adapters/argo-rollouts/{service}", tag = "adapters", operation_id = "argoRolloutsGet",
    params(("service" = String, Path, description = "The service's name"), RolloutQuestion),
    responses((status = 200, description = "The verdict", body = ref("#/components/schemas/RolloutVerdict"))))]
pub(in crate::http) async fn get(
    app: State<Arc<App>>,
    service: Named<String>,
    caller: Result<Caller, Problem>,
    request: Request,
) -> Response {
    call(app, service, caller, request).await
}

/// May this rollout go on? For a web metric that puts its body
#[utoipa::path(put, path = "/v1/adapters/argo-rollouts/{service}", tag = "adapters", operation_id = "argoRolloutsPut",
    request_body(content = ref("#/components/schemas/RolloutQuestion"), content_type = "application/json"),
    params(("service" = String, Path, description = "The service's name")),
    responses((status = 200, description = "The verdict", body = ref("#/components/schemas/RolloutVerdict"))))]
pub(in crate::http) async fn put(
    app: State<Arc<App>>,
    service: Named<String>,
    caller: Result<Caller, Problem>,
    request: Request,
) -> Response {
    call(app, service, caller, request).await
}

/// May this rollout go on? For a web metric whose secret is in the address
#[utoipa::path(post, path = "/v1/adapters/argo-rollouts/{service}/t/{secret}", tag = "adapters", operation_id = "argoRolloutsBySecret",
    request_body(content = ref("#/components/schemas/RolloutQuestion"), content_type = "application/json"),
    params(("service" = String, Path, description = "The service's name"), ("secret" = String, Path, description = "A token with the scope adapter")),
    responses((status = 200, description = "The verdict", body = ref("#/components/schemas/RolloutVerdict")), NotFound))]
pub(in crate::http) async fn call_by_secret(
    State(app): State<Arc<App>>,
    Named((service, _)): Named<(String, String)>,
    caller: Result<Caller, Problem>,
    request: Request,
) -> Response {
    answered(&app, &service, caller, request).await
}

/// May this rollout go on? For a web metric without a body whose secret is in the address
#[utoipa::path(get, path = "/v1/adapters/argo-rollouts/{service}/t/{secret}", tag = "adapters", operation_id = "argoRolloutsGetBySecret",
    params(("service" = String, Path, description = "The service's name"), ("secret" = String, Path, description = "A token with the scope adapter"), RolloutQuestion),
    responses((status = 200, description = "The verdict", body = ref("#/components/schemas/RolloutVerdict")), NotFound))]
pub(in crate::http) async fn get_by_secret(
    app: State<Arc<App>>,
    names: Named<(String, String)>,
    caller: Result<Caller, Problem>,
    request: Request,
) -> Response {
    call_by_secret(app, names, caller, request).await
}

/// May this rollout go on? For a web metric that puts its body, and whose secret is in the address
#[utoipa::path(put, path = "/v1/adapters/argo-rollouts/{service}/t/{secret}", tag = "adapters", operation_id = "argoRolloutsPutBySecret",
    request_body(content = ref("#/components/schemas/RolloutQuestion"), content_type = "application/json"),
    params(("service" = String, Path, description = "The service's name"), ("secret" = String, Path, description = "A token with the scope adapter")),
    responses((status = 200, description = "The verdict", body = ref("#/components/schemas/RolloutVerdict")), NotFound))]
pub(in crate::http) async fn put_by_secret(
    app: State<Arc<App>>,
    names: Named<(String, String)>,
    caller: Result<Caller, Problem>,
    request: Request,
) -> Response {
    call_by_secret(app, names, caller, request).await
}

/// Who has no valid token is told so; every other failure is a verdict.
async fn answered(
    app: &App,
    service: &str,
    caller: Result<Caller, Problem>,
    request: Request,
) -> Response {
    let asked = async {
        let (caller, asked) = (caller?, RolloutQuestion::of(request).await?);
        let answer =
            ask(app, &caller, &app.shared.adapters.kubernetes, asked.about(service)?).await?;
        let told = json(&RolloutVerdict::from(&*answer.decision))?;
        Ok(of_decision(told, &answer.decision))
    };
    let answered: Result<Response, Problem> = asked.await;
    answered.unwrap_or_else(|problem| match problem.status() {
        StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND => problem.into_response(),
        _ => json(&unknown(service, problem.detail())).into_response(),
    })
}

#[cfg(test)]
mod tests;
