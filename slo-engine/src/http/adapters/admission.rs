//! Kubernetes' validating webhook (AdmissionReview v1). A change of an image asks the gate; whatever
//! else happens to a workload passes. The status is 200 as soon as there is a review to answer: what
//! keeps the gate from deciding is a refusal with its reason, not an error that a `failurePolicy`
//! might let through.

use std::sync::Arc;

use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use budget_gate::harmless::harmless;
use budget_gate::{Decision, Verdict, text};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Question, ask, look, of_decision};
use crate::http::app::{App, json};
use crate::http::body::Body;
use crate::http::caller::Caller;
use crate::http::openapi::{NotFound, UnreadReview};
use crate::http::problem::Problem;
use workload::Change;

mod workload;

const VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";

/// The most letters of a message; an API server shows it to whoever changed the workload.
const MOST: usize = 2_000;
/// The most letters of a warning: more may be cut.
const WARNING: usize = 120;
/// The most warnings: all of them may have 4,096 letters.
const WARNINGS: usize = 8;

/// What an API server asks; what else it sends is not read.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct AdmissionReview {
    /// `admission.k8s.io/v1`.
    api_version: String,
    /// `AdmissionReview`.
    kind: String,
    /// What is to happen.
    request: AdmissionRequest,
}

/// What is to happen to an object.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct AdmissionRequest {
    /// The answer names it.
    uid: String,
    /// Of what kind the object is.
    #[serde(default)]
    kind: GroupKind,
    /// A part of the object that alone is changed, such as `scale`.
    #[serde(default)]
    sub_resource: Option<String>,
    /// The object's name.
    #[serde(default)]
    name: Option<String>,
    /// Its namespace.
    #[serde(default)]
    namespace: Option<String>,
    /// CREATE, UPDATE, DELETE or CONNECT.
    operation: String,
    /// Who does it.
    #[serde(default)]
    user_info: Option<UserInfo>,
    /// The object as it is to be.
    #[serde(default)]
    object: Option<Value>,
    /// The object as it is.
    #[serde(default)]
    old_object: Option<Value>,
    /// Whether nothing is to come of it.
    #[serde(default)]
    dry_run: Option<bool>,
}

/// Of what kind an object is.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(in crate::http) struct GroupKind {
    /// The name of the kind.
    #[serde(default)]
    kind: String,
}

/// Who changes an object.
#[derive(Debug, Deserialize, JsonSchema)]
pub(in crate::http) struct UserInfo {
    /// The name.
    #[serde(default)]
    username: Option<String>,
}

/// The answer.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct AdmissionAnswer {
    api_version: &'static str,
    kind: &'static str,
    response: AdmissionResponse,
}

/// Whether it may happen.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct AdmissionResponse {
    /// That of the question.
    uid: String,
    /// Whether it may.
    allowed: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<AdmissionStatus>,
    /// What whoever changed the workload should know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    /// The decision, for the API server's own audit.
    #[serde(skip_serializing_if = "Option::is_none")]
    audit_annotations: Option<AuditAnnotations>,
}

/// Why it may not happen.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct AdmissionStatus {
    /// 403.
    code: u16,
    /// The verdict, the reasons, and when the gate opens.
    message: String,
}

/// What the API server writes down.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct AuditAnnotations {
    /// The decision's id; a dry run has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<String>,
    /// The verdict.
    verdict: &'static str,
}

impl AdmissionResponse {
    fn passes(uid: String) -> Self {
        Self { uid, allowed: true, status: None, warnings: Vec::new(), audit_annotations: None }
    }

    fn refused(uid: String, message: &str) -> Self {
        let message = text::shortened(&harmless(message), MOST);
        let status = Some(AdmissionStatus { code: 403, message });
        Self { allowed: false, status, ..Self::passes(uid) }
    }

    fn of(uid: String, decision: &Decision) -> Self {
        let mut response = match decision.allow {
            true => Self { warnings: warnings(decision), ..Self::passes(uid) },
            false => Self::refused(uid, &text::one_line(decision, MOST)),
        };
        let (decision, verdict) = (decision.id.clone(), decision.verdict.as_str());
        response.audit_annotations = Some(AuditAnnotations { decision, verdict });
        response
    }
}

/// What stands behind a warning.
fn warnings(decision: &Decision) -> Vec<String> {
    if decision.verdict != Verdict::Warn {
        return Vec::new();
    }
    let told = decision.because.iter().chain(&decision.reasons);
    let told = std::iter::once(text::headline(decision)).chain(told.cloned());
    let told = told.map(|line| text::shortened(&format!("Headroom: {}", harmless(&line)), WARNING));
    told.take(WARNINGS).collect()
}

/// May this change of a workload happen? For a ValidatingWebhookConfiguration
///
/// A new image asks: when a workload is created with it, or changed to it. Restarts, scaling, labels and
/// whatever else leaves the images alone pass, and so does a rollback to a version that is known to have
/// run. Nothing is recorded for a dry run.
#[utoipa::path(post, path = "/v1/adapters/admission", tag = "adapters", operation_id = "admission",
    request_body(content = ref("#/components/schemas/AdmissionReview"), content_type = "application/json"),
    responses((status = 200, description = "The review with its response", body = ref("#/components/schemas/AdmissionAnswer")), UnreadReview))]
pub(in crate::http) async fn call(
    State(app): State<Arc<App>>,
    caller: Result<Caller, Problem>,
    request: Request,
) -> Result<Response, Problem> {
    // Who asks too often is refused as a review, not as an error.
    let caller = match caller {
        Err(problem) if problem.status() != StatusCode::TOO_MANY_REQUESTS => return Err(problem),
        caller => caller,
    };
    // Nobody else may make the engine read so much.
    let Body(review) = Body::<AdmissionReview>::from_request(request, &()).await?;
    if (review.api_version.as_str(), review.kind.as_str()) != (VERSION, KIND) {
        let said = format!("this is no {KIND} of {VERSION}; set admissionReviewVersions: [v1]");
        return Err(Problem::bad("apiVersion", said));
    }
    let (uid, is_dry) = (review.request.uid.clone(), review.request.dry_run == Some(true));
    let (response, decision) = match judged(&app, caller, review.request, is_dry).await {
        Ok(None) => (AdmissionResponse::passes(uid), None),
        Ok(Some(decision)) => (AdmissionResponse::of(uid, &decision), Some(decision)),
        Err(problem) => (AdmissionResponse::refused(uid, problem.detail()), None),
    };
    let answer = json(&AdmissionAnswer { api_version: VERSION, kind: KIND, response })?;
    Ok(match decision {
        Some(decision) => of_decision(answer, &decision),
        None => answer,
    })
}

/// The same for an API server that has its secret in the address
#[utoipa::path(post, path = "/v1/adapters/admission/t/{secret}", tag = "adapters", operation_id = "admissionBySecret",
    request_body(content = ref("#/components/schemas/AdmissionReview"), content_type = "application/json"),
    params(("secret" = String, Path, description = "A token with the scope adapter")),
    responses((status = 200, description = "The review with its response", body = ref("#/components/schemas/AdmissionAnswer")), UnreadReview, NotFound))]
pub(in crate::http) async fn call_by_secret(
    app: State<Arc<App>>,
    caller: Result<Caller, Problem>,
    request: Request,
) -> Result<Response, Problem> {
    call(app, caller, request).await
}

/// The decision on a change; `None` where it changes no image.
async fn judged(
    app: &App,
    caller: Result<Caller, Problem>,
    request: AdmissionRequest,
    is_dry: bool,
) -> Result<Option<Arc<Decision>>, Problem> {
    let Some(question) = question(request)? else { return Ok(None) };
    let (caller, mapping) = (&caller?, &app.shared.adapters.kubernetes);
    mapping.agrees(&question.at, &*app.declared()?)?;
    if is_dry {
        return look(app, caller, mapping, question).await.map(|decision| Some(Arc::new(decision)));
    }
    Ok(Some(ask(app, caller, mapping, question).await?.decision))
}

fn question(request: AdmissionRequest) -> Result<Option<Question>, Problem> {
    // What is not the object itself holds no image: its scale, its status.
    if request.sub_resource.as_deref().is_some_and(|part| !part.is_empty()) {
        return Ok(None);
    }
    let object = match (request.operation.as_str(), request.object) {
        ("DELETE" | "CONNECT", _) => return Ok(None),
        ("CREATE" | "UPDATE", Some(object)) => object,
        (operation, _) => {
            let said = format!("{operation:.20} without an object is nothing that can be judged");
            return Err(Problem::bad("operation", said));
        }
    };
    let old = request.old_object.filter(|_| request.operation == "UPDATE");
    let Some(change) = Change::of(&object, old.as_ref(), &request.kind.kind)? else {
        return Ok(None);
    };
    let actor = request.user_info.and_then(|user| user.username);
    let question = change.question(request.name, request.namespace)?;
    Ok(Some(Question { actor, ..question }))
}

#[cfg(test)]
mod tests;
