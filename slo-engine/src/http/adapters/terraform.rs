//! Run tasks of HCP Terraform and Terraform Enterprise: the request is answered at once, the verdict is
//! told by a call to the task's own address within the ten minutes that Terraform waits.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use budget_gate::{Decision, text};
use chrono::TimeDelta;
use reqwest::Method;
use ring::hmac;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::callbacks::{Failed, Step, accept, read, written};
use super::mapping::{Mapping, Renamed, Whereabouts};
use super::{Question, ask, look, outgoing, own};
use crate::declared::Declared;
use crate::http::app::App;
use crate::http::body;
use crate::http::openapi::{NotFound, Unread};
use crate::http::problem::Problem;
use crate::source::config::Secret;
use crate::store::{Callback, NewCallback};

/// What the adapter is called.
pub(super) const NAME: &str = "terraform";

const SIGNATURE: &str = "x-tfc-task-signature";

/// While nothing has been evaluated yet the verdict waits for so long, then it is unknown.
const PATIENCE: TimeDelta = TimeDelta::minutes(8);
/// Terraform has stopped waiting by then.
const GIVE_UP: TimeDelta = TimeDelta::minutes(60);

/// The section `adapters.terraform`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Terraform {
    /// Where Terraform is: verdicts are told to addresses below it alone.
    pub url: String,
    /// The key of the run task; without one there is no such adapter.
    pub hmac_key: Option<Secret>,
    /// What workspaces call a service.
    pub services: Vec<Renamed>,
    /// What workspaces call an environment.
    pub environments: Vec<Renamed>,
}

impl Default for Terraform {
    fn default() -> Self {
        Self {
            url: "https://app.terraform.io".to_owned(),
            hmac_key: None,
            services: Vec::new(),
            environments: Vec::new(),
        }
    }
}

/// What Terraform sends; what else it sends is not read.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(in crate::http) struct RunTask {
    /// 1.
    payload_version: u64,
    /// What the answer is told with.
    access_token: String,
    /// Whether only a plan is made.
    #[serde(default)]
    is_speculative: bool,
    /// Which task it is.
    task_result_id: String,
    /// `mandatory`, `advisory`, or `test` when the task is set up.
    #[serde(default)]
    task_result_enforcement_level: String,
    /// Where the answer goes.
    task_result_callback_url: String,
    /// The run.
    #[serde(default)]
    run_id: String,
    /// Who started it.
    #[serde(default)]
    run_created_by: Option<String>,
    /// The workspace.
    workspace_name: String,
    /// The commit's page.
    #[serde(default)]
    vcs_commit_url: Option<String>,
}

/// What is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    status: String,
    message: String,
    url: Option<String>,
}

impl Terraform {
    /// Service and environment of a workspace. Without a rule one that is called as a service is it, and
    /// of one called `service-environment` both are known.
    fn place(&self, workspace: &str, declared: &Declared) -> (String, Whereabouts) {
        let mapping =
            Mapping { services: self.services.clone(), environments: self.environments.clone() };
        let at = Whereabouts { named: None, namespace: Some(workspace.to_owned()) };
        let named = mapping.environment(at, declared);
        let whole = mapping.service(workspace.to_owned());
        if whole != workspace || !declared.named(&whole).is_empty() {
            return (whole, Whereabouts { named, namespace: None });
        }
        let cuts =
            workspace.match_indices('-').map(|(at, _)| (&workspace[..at], &workspace[at + 1..]));
        let is_known = |(service, environment): &(&str, &str)| {
            !declared.named(service).is_empty() && declared.has_environment(environment)
        };
        match cuts.into_iter().find(is_known) {
            Some((service, environment)) => {
                let named = named.or_else(|| Some(environment.to_owned()));
                (service.to_owned(), Whereabouts { named, namespace: None })
            }
            None => (whole, Whereabouts { named, namespace: None }),
        }
    }
}

/// May this run go on? For a run task of Terraform
///
/// Answered at once; the verdict is told to the task's own address: passed for allow and warn, failed for
/// deny and unknown. Speculative runs are judged and not recorded.
#[utoipa::path(post, path = "/v1/adapters/terraform", tag = "adapters", operation_id = "terraform",
    request_body(content = ref("#/components/schemas/RunTask"), content_type = "application/json"),
    params(("x-tfc-task-signature" = String, Header, description = "HMAC-SHA-512 of the body")),
    responses((status = 200, description = "The question is taken"), Unread, NotFound))]
pub(in crate::http) async fn call(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, Problem> {
    let config = &app.shared.adapters.terraform;
    let key = own::secret(config.hmac_key.as_ref())?;
    let signature = headers.get(SIGNATURE).and_then(|value| value.to_str().ok());
    own::signed(hmac::HMAC_SHA512, &key, &bytes, signature)?;
    let task: RunTask = body::read(&bytes)?;
    if task.payload_version != 1 {
        return Err(Problem::bad("payload_version", "only version 1 is known"));
    }
    // Terraform tries a task when it is set up.
    if task.task_result_enforcement_level == "test" {
        return Ok(StatusCode::OK.into_response());
    }
    let Some(path) = own::below(&config.url, &task.task_result_callback_url) else {
        let said = format!("it is not below {}, which adapters.terraform.url names", config.url);
        return Err(Problem::bad("task_result_callback_url", said));
    };
    let new = NewCallback {
        id: String::new(),
        adapter: NAME,
        key: task.task_result_id.clone(),
        target: format!("{NAME}:{}", task.workspace_name),
        delivery: task.task_result_id.clone(),
        call: written(&RunTask { task_result_callback_url: path, ..task }),
    };
    accept(&app, new).await?;
    Ok(StatusCode::OK.into_response())
}

/// One try to tell a verdict.
pub(super) async fn step(app: &App, one: &Callback) -> Result<Step, Failed> {
    let age = app.now() - one.created_at;
    if age > GIVE_UP {
        return Ok(Step::Done("given up: nobody waits for it any more".to_owned()));
    }
    let task: RunTask = read(&one.call)?;
    let told = match read::<Option<Told>>(&one.progress)? {
        Some(told) => told,
        None => {
            let told = verdict(app, &task, age > PATIENCE).await?;
            // Whoever goes on after a kill tells the same.
            app.shared
                .store
                .keep_callback(&one.id, &written(&told), one.attempts, app.now())
                .await?;
            told
        }
    };
    let config = &app.shared.adapters.terraform;
    let request = outgoing::request(
        &app.outgoing,
        Method::PATCH,
        &config.url,
        &task.task_result_callback_url,
    );
    let body = json!({"data": {"type": "task-results", "attributes": told}});
    let request = request.bearer_auth(&task.access_token).body(body.to_string());
    let reply = outgoing::send(request.header("content-type", "application/vnd.api+json")).await?;
    match reply.status {
        _ if reply.is_taken() => Ok(Step::Done(told.status)),
        408 | 429 | 500.. => Err(Failed(reply.said())),
        _ => Ok(Step::Done(format!("not taken: {}", reply.said()))),
    }
}

async fn verdict(app: &App, task: &RunTask, is_late: bool) -> Result<Told, Failed> {
    let asked = judged(app, task).await;
    let problem = match asked {
        Ok(decision) => return Ok(Told::of(&decision)),
        Err(problem) => problem,
    };
    if problem.status().is_server_error() && !is_late {
        return Err(Failed(problem.detail().to_owned()));
    }
    let message = format!("UNKNOWN: {}", problem.detail());
    Ok(Told { status: "failed".to_owned(), message, url: None })
}

async fn judged(app: &App, task: &RunTask) -> Result<Arc<Decision>, Problem> {
    let config = &app.shared.adapters.terraform;
    let (service, at) = config.place(&task.workspace_name, &*app.declared()?);
    let commit = task.vcs_commit_url.as_deref().and_then(|url| url.rsplit('/').next());
    let commit =
        commit.filter(|hash| hash.len() >= 7 && hash.bytes().all(|b| b.is_ascii_hexdigit()));
    let question = Question {
        service,
        at,
        commit: commit.map(str::to_owned),
        actor: task.run_created_by.clone(),
        identifier: super::told(Some(task.run_id.clone())),
        ..Question::default()
    };
    let (caller, mapping) = (own::caller(NAME), Mapping::default());
    if task.is_speculative {
        return look(app, &caller, &mapping, question).await.map(Arc::new);
    }
    Ok(ask(app, &caller, &mapping, question).await?.decision)
}

impl Told {
    fn of(decision: &Decision) -> Self {
        let status = if decision.allow { "passed" } else { "failed" };
        Self {
            status: status.to_owned(),
            message: text::one_line(decision, 1_000),
            url: decision.permalink.clone(),
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
