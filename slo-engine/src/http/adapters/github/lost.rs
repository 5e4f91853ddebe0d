//! Deployments whose webhook was lost: what waits in the configured repositories.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use super::{Waiting, access};
use crate::http::adapters::callbacks::{Failed, accept, look_through};
use crate::http::adapters::own;
use crate::http::app::App;

/// How often it is looked for them.
const EVERY: Duration = Duration::from_secs(60);

/// Looks for them as long as it runs.
pub(in crate::http::adapters) async fn find_lost(app: Arc<App>) {
    let repositories = app.shared.adapters.github.repositories.clone();
    let find = |repository: String| {
        let app = app.clone();
        async move { find(&app, &repository).await }
    };
    look_through(super::NAME, repositories, EVERY, find).await;
}

async fn find(app: &App, repository: &str) -> Result<(), Failed> {
    own::path_of(repository).ok_or_else(|| Failed("it is no owner/name".to_owned()))?;
    let installation = access::installed(app, repository).await?;
    let get = async |path: String| {
        let reply =
            access::ask(app, installation, access::request(app, Method::GET, &path)).await?;
        if reply.is_taken() { reply.json() } else { Err(Failed(reply.said())) }
    };
    let runs = get(format!("/repos/{repository}/actions/runs?status=waiting&per_page=100")).await?;
    for run in runs["workflow_runs"].as_array().into_iter().flatten() {
        let Some(id) = run["id"].as_u64() else { continue };
        let path = format!("/repos/{repository}/actions/runs/{id}/pending_deployments");
        let pending = get(path).await?;
        for one in pending.as_array().into_iter().flatten() {
            let Some(environment) = one["environment"]["name"].as_str() else { continue };
            let text = |value: &Value| value.as_str().map(str::to_owned);
            let waiting = Waiting {
                repository: repository.to_owned(),
                run: id,
                environment: environment.to_owned(),
                sha: text(&run["head_sha"]),
                reference: text(&run["head_branch"]),
                installation: Some(installation),
                actor: text(&run["actor"]["login"]),
            };
            // What was told is not told again, unless the run was begun anew.
            let attempt = run["run_attempt"].as_u64().unwrap_or(1);
            let word = if attempt > 1 { "attempt" } else { "found" };
            let new = waiting.kept(format!("{word}:{attempt}"));
            let kept = accept(app, new).await.map_err(|p| Failed(p.detail().to_owned()))?;
            if kept {
                tracing::info!(repository, run = id, environment, "found a deployment that waits");
            }
        }
    }
    Ok(())
}
