//! Flagger's webhooks. Flagger takes a status above 202 for a refusal, shows the body as the reason, and
//! tries again after 429 and 5xx, which loses the reason: so the gate says 200 or 403, in one line of
//! text.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use budget_gate::{Kind, text};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error as WordError;

use super::mapping::Whereabouts;
use super::{Question, ask, foreign, of_decision, told};
use crate::http::app::App;
use crate::http::body::Body;
use crate::http::caller::Caller;
use crate::http::gate::watch;
use crate::http::openapi::NotFound;
use crate::http::problem::Problem;

const TEXT: &str = "text/plain; charset=utf-8";

/// The most letters of a reason: Kubernetes cuts the messages of events at 1,024.
const MOST: usize = 900;

/// What Flagger sends; what else it sends is not read.
#[derive(Debug, Deserialize, JsonSchema)]
pub(in crate::http) struct FlaggerHook {
    /// The canary's name: the service, unless `metadata.service` names it.
    name: String,
    /// Its namespace: the environment where one is called so, unless `metadata.environment` names it.
    #[serde(default)]
    namespace: String,
    /// Which revision of the canary it is.
    #[serde(default)]
    checksum: Option<String>,
    /// What the canary says with this webhook: `service`, `environment`, `version`, `commit`, `digest`,
    /// `kind` and `reason` as a decision has them, and `hook`, the type of the webhook.
    #[serde(default)]
    metadata: Option<BTreeMap<String, String>>,
}

/// Types of webhooks, as far as their answers differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hook {
    /// A success lets the canary go on.
    Confirm,
    /// A success rolls the canary back.
    Rollback,
    /// Nothing is asked.
    Tells,
}

/// The types that Flagger has.
const HOOKS: [(&str, Hook); 8] = [
    ("confirm-rollout", Hook::Confirm),
    ("pre-rollout", Hook::Confirm),
    ("rollout", Hook::Confirm),
    ("confirm-traffic-increase", Hook::Confirm),
    ("confirm-promotion", Hook::Confirm),
    ("post-rollout", Hook::Tells),
    ("event", Hook::Tells),
    ("rollback", Hook::Rollback),
];

impl FlaggerHook {
    fn said(&self, key: &str) -> Option<String> {
        told(self.metadata.as_ref()?.get(key).cloned())
    }

    /// Flagger does not say of which type a webhook is, but that events bring a message.
    fn hook(&self) -> Result<Hook, Problem> {
        let Some(named) = self.said("hook") else {
            let is_event = self.said("eventMessage").is_some() && self.said("eventType").is_some();
            return Ok(if is_event { Hook::Tells } else { Hook::Confirm });
        };
        let found = HOOKS.iter().find(|(name, _)| *name == named);
        found.map(|(_, hook)| *hook).ok_or_else(|| {
            let known = HOOKS.map(|(name, _)| name).join(", ");
            Problem::bad("metadata.hook", format!("no webhook is of this type; there are {known}"))
        })
    }

    fn question(self) -> Result<Question, Problem> {
        let kind = self.said("kind").map(|kind| kind_of(&kind)).transpose()?;
        let version = self.said("version");
        // A canary that names no version is told apart from its next revision.
        let identifier = self.checksum.clone().filter(|_| version.is_none());
        Ok(Question {
            service: self.said("service").unwrap_or_else(|| self.name.clone()),
            at: self.at(),
            version,
            commit: self.said("commit"),
            digest: self.said("digest"),
            identifier,
            kind,
            reason: self.said("reason"),
            actor: None,
            is_partial: false,
        })
    }

    fn at(&self) -> Whereabouts {
        let namespace = told(Some(self.namespace.clone()));
        Whereabouts { named: self.said("environment"), namespace }
    }
}

/// A kind as callers write it.
pub(super) fn kind_of(text: &str) -> Result<Kind, Problem> {
    use serde::Deserialize as _;
    let read = Kind::deserialize(IntoDeserializer::<WordError>::into_deserializer(text));
    read.map_err(|_| {
        let known = Kind::ALL.map(Kind::as_str).join(", ");
        Problem::bad("kind", format!("there is no such kind; there are {known}"))
    })
}

/// May this canary go on? For Flagger's webhooks
///
/// 200 when it may, 403 with the reason when it may not or when too little is known. With `hook: rollback`
/// in the webhook's metadata 200 means that the policy's watch rule says to roll back, and 403 that it does
/// not. Webhooks of type `event` and `post-rollout` are answered 200 and ask nothing.
#[utoipa::path(post, path = "/v1/adapters/flagger", tag = "adapters", operation_id = "flagger",
    request_body(content = ref("#/components/schemas/FlaggerHook"), content_type = "application/json"),
    responses(
        (status = 200, description = "It may go on; of a rollback webhook: roll back", content_type = "text/plain", body = String),
        (status = 400, description = "The webhook cannot be read", content_type = "text/plain", body = String),
        (status = 403, description = "It may not, and why; of a rollback webhook: do not roll back", content_type = "text/plain", body = String),
        (status = 413, description = "The body is larger than 1 MiB", content_type = "text/plain", body = String),
        (status = 415, description = "The body is not application/json", content_type = "text/plain", body = String),
    ))]
pub(in crate::http) async fn call(
    State(app): State<Arc<App>>,
    caller: Result<Caller, Problem>,
    hook: Result<Body<FlaggerHook>, Problem>,
) -> Response {
    let caller = match caller {
        Ok(caller) => caller,
        Err(problem) => return refused(problem),
    };
    let asked = async {
        let Body(hook) = hook?;
        match hook.hook()? {
            Hook::Tells => Ok(said(StatusCode::OK, "noted; nothing is asked with this webhook")),
            Hook::Rollback => back(&app, &caller, &hook).await,
            Hook::Confirm => {
                let answer =
                    ask(&app, &caller, &app.shared.adapters.kubernetes, hook.question()?).await?;
                let decision = &answer.decision;
                let status = if decision.allow { StatusCode::OK } else { StatusCode::FORBIDDEN };
                Ok(of_decision(said(status, &text::one_line(decision, MOST)), decision))
            }
        }
    };
    let answered: Result<Response, Problem> = asked.await;
    answered.unwrap_or_else(refused)
}

/// The same for a canary whose webhook has its secret in the address
#[utoipa::path(post, path = "/v1/adapters/flagger/t/{secret}", tag = "adapters", operation_id = "flaggerBySecret",
    request_body(content = ref("#/components/schemas/FlaggerHook"), content_type = "application/json"),
    params(("secret" = String, Path, description = "A token with the scope adapter")),
    responses(
        (status = 200, description = "It may go on; of a rollback webhook: roll back", content_type = "text/plain", body = String),
        (status = 400, description = "The webhook cannot be read", content_type = "text/plain", body = String),
        (status = 403, description = "It may not, and why; of a rollback webhook: do not roll back", content_type = "text/plain", body = String),
        NotFound,
        (status = 413, description = "The body is larger than 1 MiB", content_type = "text/plain", body = String),
        (status = 415, description = "The body is not application/json", content_type = "text/plain", body = String),
    ))]
pub(in crate::http) async fn call_by_secret(
    app: State<Arc<App>>,
    caller: Result<Caller, Problem>,
    hook: Result<Body<FlaggerHook>, Problem>,
) -> Response {
    call(app, caller, hook).await
}

/// Whether the canary is to be rolled back at once. Not knowing is no reason to.
async fn back(app: &App, caller: &Caller, hook: &FlaggerHook) -> Result<Response, Problem> {
    app.wait_for_start().await;
    let (snapshot, mapping) = (app.snapshot()?, &app.shared.adapters.kubernetes);
    let service = mapping.service(hook.said("service").unwrap_or_else(|| hook.name.clone()));
    let environment = mapping.environment(hook.at(), &snapshot.declared);
    caller.needs(crate::token::Scope::Decide, &service, environment.as_deref())?;
    let watched = watch::judged(app, &service, environment.as_deref());
    let late = |_| Problem::unavailable("the minutes cannot be read now");
    let watched = match tokio::time::timeout(caller.left(), watched).await.map_err(late)? {
        Ok(watched) => watched,
        Err(none) => {
            return Ok(said(StatusCode::FORBIDDEN, &format!("no rollback: {}", none.detail())));
        }
    };
    let why = watched.reasons().join("; ");
    Ok(match watched.says_rollback() {
        true => said(StatusCode::OK, &format!("ROLL BACK {service}: {why}")),
        false if why.is_empty() => said(StatusCode::FORBIDDEN, "no rollback: nothing says so"),
        false => said(StatusCode::FORBIDDEN, &format!("no rollback: {why}")),
    })
}

fn said(status: StatusCode, line: &str) -> Response {
    let line = budget_gate::harmless::harmless(line);
    foreign(status, TEXT, text::shortened(&line, MOST) + "\n")
}

/// What kept the gate from answering: to Flagger a refusal, never a reason to try again. Who has no
/// valid token learns no more here than on any other path.
fn refused(problem: Problem) -> Response {
    let status = match problem.status() {
        StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND => return problem.into_response(),
        StatusCode::TOO_MANY_REQUESTS => StatusCode::FORBIDDEN,
        status if status.is_server_error() => StatusCode::FORBIDDEN,
        status => status,
    };
    said(status, &format!("UNKNOWN: {}", problem.detail()))
}

#[cfg(test)]
mod tests;
