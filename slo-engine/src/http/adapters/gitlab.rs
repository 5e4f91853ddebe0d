//! GitLab's external status checks of merge requests, and approvals of blocked deployments. A check is
//! answered at once and its status told by a call; for a blocked deployment GitLab sends no message that
//! names it, so the configured projects are looked through.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use budget_gate::Verdict;
use budget_gate::deployment::is_version;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Method;
use ring::hmac;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::callbacks::{Failed, Step, accept, read, written};
use super::mapping::{Mapping, Renamed, Whereabouts, renamed};
use super::outgoing::{self, Reply};
use super::waiting::{FRESH, Judged, OnDeny, judged};
use super::{Question, own};
use crate::http::app::App;
use crate::http::body;
use crate::http::openapi::{NotFound, Unread};
use crate::http::problem::Problem;
use crate::source::config::Secret;
use crate::store::{Callback, NewCallback};

mod blocked;

pub(super) use blocked::find_blocked;

/// What the adapter is called.
pub(super) const NAME: &str = "gitlab";

const SIGNATURE: &str = "x-gitlab-signature";

/// What nobody decided for so long is not looked at any more.
const GIVE_UP: TimeDelta = TimeDelta::days(31);

/// The section `adapters.gitlab`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct GitLab {
    /// Where GitLab is.
    pub url: String,
    /// An access token with the scope api.
    pub token: Option<Secret>,
    /// The shared secret of the status checks; without one none is accepted.
    pub secret: Option<Secret>,
    /// What a refusal of a deployment does.
    pub on_deny: OnDeny,
    /// Projects whose blocked deployments are approved.
    pub projects: Vec<String>,
    /// What projects call a service.
    pub services: Vec<Renamed>,
    /// What GitLab's environments, and target branches of merge requests, are called here.
    pub environments: Vec<Renamed>,
}

impl Default for GitLab {
    fn default() -> Self {
        Self {
            url: "https://gitlab.com".to_owned(),
            token: None,
            secret: None,
            on_deny: OnDeny::Wait,
            projects: Vec::new(),
            services: Vec::new(),
            environments: Vec::new(),
        }
    }
}

/// What GitLab sends; what else it sends is not read.
#[derive(Debug, Deserialize, JsonSchema)]
pub(in crate::http) struct StatusCheck {
    /// The project.
    project: Project,
    /// The merge request.
    object_attributes: MergeRequest,
    /// The check; other messages have none.
    #[serde(default)]
    external_approval_rule: Option<CheckRule>,
    /// Who changed the merge request.
    #[serde(default)]
    user: Option<GitLabUser>,
}

/// A project.
#[derive(Debug, Deserialize, JsonSchema)]
pub(in crate::http) struct Project {
    /// Its id.
    id: u64,
    /// `group/name`.
    path_with_namespace: String,
}

/// A merge request.
#[derive(Debug, Deserialize, JsonSchema)]
pub(in crate::http) struct MergeRequest {
    /// Its number in the project.
    iid: u64,
    /// Where it is merged to.
    #[serde(default)]
    target_branch: Option<String>,
    /// Its newest commit.
    last_commit: Commit,
}

/// A commit.
#[derive(Debug, Deserialize, JsonSchema)]
pub(in crate::http) struct Commit {
    /// Its hash.
    id: String,
}

/// A status check.
#[derive(Debug, Deserialize, JsonSchema)]
pub(in crate::http) struct CheckRule {
    /// Its id.
    id: u64,
}

/// Somebody.
#[derive(Debug, Deserialize, JsonSchema)]
pub(in crate::http) struct GitLabUser {
    /// The name.
    #[serde(default)]
    username: Option<String>,
}

/// What waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Waiting {
    project: u64,
    path: String,
    what: What,
    sha: Option<String>,
    reference: Option<String>,
    actor: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum What {
    Check { merge_request: u64, check: u64 },
    Deployment { id: u64, environment: String },
}

/// How far it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Progress {
    /// The last verdict.
    verdict: Option<Verdict>,
    /// What is being told, and since when.
    answer: Option<Value>,
    #[serde(default)]
    since: Option<DateTime<Utc>>,
}

/// May this be merged? For an external status check of GitLab
///
/// Answered at once; the status is told by a call: passed for allow and warn, failed for deny and unknown,
/// and passed later when the gate opens. Messages that are no status checks are answered 200 and ask
/// nothing.
#[utoipa::path(post, path = "/v1/adapters/gitlab", tag = "adapters", operation_id = "gitlab",
    request_body(content = ref("#/components/schemas/StatusCheck"), content_type = "application/json"),
    params(("x-gitlab-signature" = String, Header, description = "HMAC-SHA-256 of the body")),
    responses((status = 200, description = "The question is taken"), Unread, NotFound))]
pub(in crate::http) async fn call(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, Problem> {
    let key = own::secret(app.shared.adapters.gitlab.secret.as_ref())?;
    let signature = headers.get(SIGNATURE).and_then(|value| value.to_str().ok());
    let signature = signature.map(|text| text.strip_prefix("sha256=").unwrap_or(text));
    own::signed(hmac::HMAC_SHA256, &key, &bytes, signature)?;
    let check: StatusCheck = body::read(&bytes)?;
    let Some(rule) = check.external_approval_rule else {
        return Ok(StatusCode::OK.into_response());
    };
    let waiting = Waiting {
        project: check.project.id,
        path: check.project.path_with_namespace,
        what: What::Check { merge_request: check.object_attributes.iid, check: rule.id },
        sha: Some(check.object_attributes.last_commit.id),
        reference: check.object_attributes.target_branch,
        actor: check.user.and_then(|user| user.username),
    };
    // GitLab's retry of a check sends the same message: whoever asks anew is answered anew.
    let delivery = headers.get("x-gitlab-event-uuid").and_then(|value| value.to_str().ok());
    accept(&app, waiting.kept(delivery.unwrap_or_default())).await?;
    Ok(StatusCode::OK.into_response())
}

impl Waiting {
    fn kept(&self, delivery: &str) -> NewCallback {
        let key = match &self.what {
            What::Check { merge_request, check } => {
                let sha = self.sha.as_deref().unwrap_or_default();
                format!("{}/merge_requests/{merge_request}/{check}/{sha}", self.project)
            }
            What::Deployment { id, .. } => format!("{}/deployments/{id}", self.project),
        };
        NewCallback {
            id: String::new(),
            adapter: NAME,
            key,
            target: format!("{NAME}:{}", self.project),
            delivery: delivery.to_owned(),
            call: written(self),
        }
    }

    fn question(&self, app: &App, config: &GitLab) -> Result<Question, Failed> {
        let declared = app.declared().map_err(|problem| Failed(problem.detail().to_owned()))?;
        let name = self.path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        let service = renamed(&config.services, self.path.clone());
        let service = if service == self.path { name } else { service };
        let mapping = Mapping { environments: config.environments.clone(), ..Mapping::default() };
        let (at, reference) = match &self.what {
            What::Check { .. } => {
                (Whereabouts { named: None, namespace: self.reference.clone() }, None)
            }
            What::Deployment { environment, .. } => (
                Whereabouts { named: Some(environment.clone()), namespace: None },
                self.reference.clone(),
            ),
        };
        let named = mapping.environment(at, &declared);
        Ok(Question {
            service,
            at: Whereabouts { named: named.map(|name| name.to_ascii_lowercase()), namespace: None },
            version: reference.filter(|tag| is_version(tag)),
            commit: self.sha.clone(),
            actor: self.actor.clone(),
            ..Question::default()
        })
    }

    /// What GitLab is told of a verdict; `None` where nothing is.
    fn answer(&self, judged: &Judged, on_deny: OnDeny) -> Option<Value> {
        let goes = judged.verdict.allows();
        match &self.what {
            What::Check { check, .. } => Some(json!({
                "sha": self.sha, "external_status_check_id": check,
                "status": if goes { "passed" } else { "failed" },
            })),
            What::Deployment { .. } if !goes && on_deny == OnDeny::Wait => None,
            What::Deployment { .. } => Some(json!({
                "status": if goes { "approved" } else { "rejected" }, "comment": judged.comment,
            })),
        }
    }

    /// Whether an answer is the last word.
    fn ends_with(&self, answer: &Value) -> bool {
        answer["status"] != "failed"
    }

    async fn tell(&self, app: &App, answer: &Value) -> Result<Reply, Failed> {
        let project = self.project;
        let path = match &self.what {
            What::Check { merge_request, .. } => {
                format!(
                    "/api/v4/projects/{project}/merge_requests/{merge_request}/status_check_responses"
                )
            }
            What::Deployment { id, .. } => {
                format!("/api/v4/projects/{project}/deployments/{id}/approval")
            }
        };
        outgoing::send(request(app, Method::POST, &path)?.json(answer)).await
    }
}

/// A request to GitLab.
fn request(app: &App, method: Method, path: &str) -> Result<reqwest::RequestBuilder, Failed> {
    let config = &app.shared.adapters.gitlab;
    let token = config.token.as_ref();
    let token = token.ok_or_else(|| Failed("adapters.gitlab.token is not set".to_owned()))?;
    let token = token.reveal().map_err(|why| Failed(format!("adapters.gitlab.token: {why}")))?;
    let request = outgoing::request(&app.outgoing, method, &config.url, path);
    Ok(request.header("private-token", token))
}

/// One try to judge what waits, and to tell what came of it.
pub(super) async fn step(app: &App, one: &Callback) -> Result<Step, Failed> {
    let now = app.now();
    if now - one.created_at > GIVE_UP {
        return Ok(Step::Done("given up: it waited for too long".to_owned()));
    }
    let (waiting, config): (Waiting, _) = (read(&one.call)?, &app.shared.adapters.gitlab);
    let mut before = read::<Option<Progress>>(&one.progress)?.unwrap_or_default();
    if before.since.is_some_and(|since| now - since >= FRESH) {
        before = Progress::default();
    }
    if let Some(answer) = &before.answer {
        return told(app, &waiting, answer, &before, now).await;
    }
    let judged = judged(app, NAME, waiting.question(app, config)?, before.verdict).await?;
    let again = judged.again(now);
    if before.verdict.is_some_and(|verdict| verdict.allows() == judged.verdict.allows()) {
        let progress = Progress { verdict: Some(judged.verdict), ..Progress::default() };
        return Ok(Step::Later { at: again, progress: written(&progress) });
    }
    let answer = waiting.answer(&judged, config.on_deny);
    let since = answer.is_some().then_some(now);
    let progress = Progress { verdict: Some(judged.verdict), answer, since };
    let Some(answer) = &progress.answer else {
        return Ok(Step::Later { at: again, progress: written(&progress) });
    };
    // Whoever goes on after a kill tells the same.
    app.shared.store.keep_callback(&one.id, &written(&progress), one.attempts, now).await?;
    told(app, &waiting, answer, &progress, again).await
}

async fn told(
    app: &App,
    waiting: &Waiting,
    answer: &Value,
    progress: &Progress,
    again: DateTime<Utc>,
) -> Result<Step, Failed> {
    let reply = waiting.tell(app, answer).await?;
    let status = answer["status"].as_str().unwrap_or_default();
    match reply.status {
        _ if reply.is_passing() => Err(Failed(reply.said())),
        _ if !reply.is_taken() => {
            Ok(Step::Done(format!("{status}; it no longer waits: {}", reply.said())))
        }
        _ if waiting.ends_with(answer) => Ok(Step::Done(status.to_owned())),
        _ => {
            let kept = Progress { answer: None, since: None, ..progress.clone() };
            Ok(Step::Later { at: again, progress: written(&kept) })
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
