//! GitHub's deployment protection rules. A webhook is answered at once; the verdict is told by a call as
//! an installation of a GitHub App. GitHub does not send a lost webhook again, so what waits in the
//! configured repositories is looked for as well.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use budget_gate::deployment::is_version;
use budget_gate::{Verdict, text};
use chrono::{DateTime, TimeDelta, Utc};
use ring::hmac;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::callbacks::{Failed, Step, accept, read, written};
use super::mapping::{Renamed, Whereabouts, renamed};
use super::waiting::{FRESH, MOST, OnDeny, judged};
use super::{Question, own};
use crate::http::app::App;
use crate::http::body;
use crate::http::openapi::{NotFound, Unread};
use crate::http::problem::Problem;
use crate::source::config::Secret;
use crate::store::{Callback, NewCallback};

mod access;
mod lost;

pub(in crate::http) use access::Access;
pub(super) use lost::find_lost;

/// What the adapter is called.
pub(super) const NAME: &str = "github";

const EVENT: &str = "deployment_protection_rule";

/// GitHub takes so many reports of one deployment.
const REPORTS: u32 = 10;
/// GitHub ends what waits for longer.
const GIVE_UP: TimeDelta = TimeDelta::days(31);

/// The section `adapters.github`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct GitHub {
    /// GitHub's API; that of an enterprise server ends with `/api/v3`.
    pub url: String,
    /// The id of the GitHub App.
    pub app_id: Option<u64>,
    /// Its private key, PEM.
    pub private_key: Option<Secret>,
    /// The secret of its webhook; without one there is no such adapter.
    pub webhook_secret: Option<Secret>,
    /// What a refusal does.
    pub on_deny: OnDeny,
    /// Repositories that are looked through for deployments whose webhook was lost.
    pub repositories: Vec<String>,
    /// What repositories call a service.
    pub services: Vec<Renamed>,
    /// What GitHub's environments are called here.
    pub environments: Vec<Renamed>,
}

impl Default for GitHub {
    fn default() -> Self {
        Self {
            url: "https://api.github.com".to_owned(),
            app_id: None,
            private_key: None,
            webhook_secret: None,
            on_deny: OnDeny::Wait,
            repositories: Vec::new(),
            services: Vec::new(),
            environments: Vec::new(),
        }
    }
}

/// What GitHub sends; what else it sends is not read.
#[derive(Debug, Deserialize, JsonSchema)]
pub(in crate::http) struct ProtectionRule {
    /// `requested`.
    action: String,
    /// The environment.
    #[serde(default)]
    environment: Option<String>,
    /// Where the answer goes.
    #[serde(default)]
    deployment_callback_url: Option<String>,
    /// What is deployed.
    #[serde(default)]
    deployment: Option<GitHubDeployment>,
    /// The repository.
    repository: Repository,
    /// The App's installation.
    #[serde(default)]
    installation: Option<Installation>,
    /// Who started it.
    #[serde(default)]
    sender: Option<User>,
}

/// What is deployed.
#[derive(Debug, Deserialize, JsonSchema)]
pub(in crate::http) struct GitHubDeployment {
    /// The commit.
    #[serde(default)]
    sha: Option<String>,
    /// The branch or tag.
    #[serde(default, rename = "ref")]
    reference: Option<String>,
}

/// A repository.
#[derive(Debug, Deserialize, JsonSchema)]
pub(in crate::http) struct Repository {
    /// `owner/name`.
    full_name: String,
}

/// An installation of the App.
#[derive(Debug, Deserialize, JsonSchema)]
pub(in crate::http) struct Installation {
    /// Its id.
    id: u64,
}

/// Somebody.
#[derive(Debug, Deserialize, JsonSchema)]
pub(in crate::http) struct User {
    /// The name.
    login: String,
}

/// A deployment that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Waiting {
    /// `owner/name`.
    repository: String,
    run: u64,
    environment: String,
    sha: Option<String>,
    reference: Option<String>,
    installation: Option<u64>,
    actor: Option<String>,
}

/// How far it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Progress {
    /// The last verdict that was recorded, or that there was none.
    verdict: Option<Verdict>,
    /// How many reports were told.
    reports: u32,
    /// The answer, once there is one, and since when.
    answer: Option<Review>,
    #[serde(default)]
    since: Option<DateTime<Utc>>,
}

/// What GitHub is told; without a state it is a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Review {
    environment_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    comment: String,
}

/// May this job deploy? For a deployment protection rule of GitHub
///
/// Answered at once; the verdict is told by a call: approved for allow and warn. A refusal waits with a
/// report until the gate opens, or is rejected, as `adapters.github.onDeny` says. Other events of the App
/// are answered 200 and ask nothing.
#[utoipa::path(post, path = "/v1/adapters/github", tag = "adapters", operation_id = "github",
    request_body(content = ref("#/components/schemas/ProtectionRule"), content_type = "application/json"),
    params(
        ("x-hub-signature-256" = String, Header, description = "sha256= and the HMAC-SHA-256 of the body"),
        ("x-github-event" = String, Header, description = "deployment_protection_rule"),
        ("x-github-delivery" = String, Header, description = "The id of the message"),
    ),
    responses((status = 200, description = "The question is taken"), Unread, NotFound))]
pub(in crate::http) async fn call(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, Problem> {
    let config = &app.shared.adapters.github;
    let key = own::secret(config.webhook_secret.as_ref())?;
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let signature = text("x-hub-signature-256").and_then(|text| text.strip_prefix("sha256="));
    own::signed(hmac::HMAC_SHA256, &key, &bytes, signature)?;
    if text("x-github-event") != Some(EVENT) {
        return Ok(StatusCode::OK.into_response());
    }
    let rule: ProtectionRule = body::read(&bytes)?;
    if rule.action != "requested" {
        return Ok(StatusCode::OK.into_response());
    }
    let delivery = text("x-github-delivery").unwrap_or_default().to_owned();
    accept(&app, Waiting::of(rule, &config.url)?.kept(delivery)).await?;
    Ok(StatusCode::OK.into_response())
}

impl Waiting {
    fn of(rule: ProtectionRule, url: &str) -> Result<Self, Problem> {
        let repository = rule.repository.full_name;
        own::path_of(&repository)
            .ok_or_else(|| Problem::bad("repository.full_name", "it is no owner/name"))?;
        let address = rule.deployment_callback_url.as_deref().unwrap_or_default();
        let run = own::below(url, address).and_then(|path| {
            let rest = path.strip_prefix(&format!("/repos/{repository}/actions/runs/"))?;
            rest.strip_suffix("/deployment_protection_rule")?.parse().ok()
        });
        let said = || format!("it is not that of a run of {repository} below {url}");
        let run = run.ok_or_else(|| Problem::bad("deployment_callback_url", said()))?;
        let environment = rule.environment.filter(|name| !name.is_empty());
        let environment =
            environment.ok_or_else(|| Problem::bad("environment", "it is missing"))?;
        let (sha, reference) = rule.deployment.map_or((None, None), |one| (one.sha, one.reference));
        Ok(Self {
            repository,
            run,
            environment,
            sha,
            reference,
            installation: rule.installation.map(|one| one.id),
            actor: rule.sender.map(|user| user.login),
        })
    }

    fn kept(&self, delivery: String) -> NewCallback {
        NewCallback {
            id: String::new(),
            adapter: NAME,
            key: format!("{}/{}/{}", self.repository, self.run, self.environment),
            target: format!("{NAME}:{}", self.repository),
            delivery,
            call: written(self),
        }
    }

    fn question(&self, config: &GitHub) -> Question {
        let name = self.repository.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        let service = renamed(&config.services, self.repository.clone());
        let service = if service == self.repository { name } else { service };
        let environment = renamed(&config.environments, self.environment.clone());
        let tag = self.reference.as_deref().map(|r| r.strip_prefix("refs/tags/").unwrap_or(r));
        Question {
            service,
            at: Whereabouts { named: Some(environment.to_ascii_lowercase()), namespace: None },
            version: tag.filter(|tag| is_version(tag)).map(str::to_owned),
            commit: self.sha.clone(),
            actor: self.actor.clone(),
            ..Question::default()
        }
    }

    fn review(&self, state: Option<&str>, comment: &str) -> Review {
        let (state, comment) = (state.map(str::to_owned), text::shortened(comment, MOST));
        Review { environment_name: self.environment.clone(), state, comment }
    }
}

/// One try to judge a deployment that waits, and to tell what came of it.
pub(super) async fn step(app: &App, one: &Callback) -> Result<Step, Failed> {
    let now = app.now();
    if now - one.created_at > GIVE_UP {
        return Ok(Step::Done("given up: it waited for too long".to_owned()));
    }
    let waiting: Waiting = read(&one.call)?;
    let mut before = read::<Option<Progress>>(&one.progress)?.unwrap_or_default();
    if before.since.is_some_and(|since| now - since >= FRESH) {
        (before.answer, before.since) = (None, None);
    }
    if let Some(answer) = &before.answer {
        return answered(app, &waiting, answer).await;
    }
    let question = waiting.question(&app.shared.adapters.github);
    let judged = judged(app, NAME, question, before.verdict).await?;
    let (verdict, comment) = (&judged.verdict, &judged.comment);
    let state = match (verdict.allows(), app.shared.adapters.github.on_deny) {
        (true, _) => Some("approved"),
        (false, OnDeny::Reject) => Some("rejected"),
        (false, OnDeny::Wait) => None,
    };
    let review = waiting.review(state, comment);
    let mut progress = Progress { verdict: Some(*verdict), ..before.clone() };
    if state.is_some() {
        (progress.answer, progress.since) = (Some(review.clone()), Some(now));
        // Whoever goes on after a kill tells the same.
        app.shared.store.keep_callback(&one.id, &written(&progress), one.attempts, now).await?;
        return answered(app, &waiting, &review).await;
    }
    if before.verdict != Some(*verdict) && before.reports < REPORTS {
        let reply = access::tell(app, &waiting, &review).await?;
        match reply.status {
            _ if reply.is_taken() => progress.reports += 1,
            _ if reply.is_passing() => return Err(Failed(reply.said())),
            404 => return Ok(Step::Done(format!("it no longer waits: {}", reply.said()))),
            // A report that is not taken is no reason not to approve it later.
            _ => progress.reports = REPORTS,
        }
    }
    Ok(Step::Later { at: judged.again(now), progress: written(&progress) })
}

async fn answered(app: &App, waiting: &Waiting, answer: &Review) -> Result<Step, Failed> {
    let reply = access::tell(app, waiting, answer).await?;
    let state = answer.state.clone().unwrap_or_default();
    match reply.status {
        _ if reply.is_taken() => Ok(Step::Done(state)),
        _ if reply.is_passing() => Err(Failed(reply.said())),
        // Answered before, by a try of which we do not know, or ended meanwhile.
        _ => Ok(Step::Done(format!("{state}; it no longer waits: {}", reply.said()))),
    }
}

#[cfg(test)]
pub(super) mod tests;
