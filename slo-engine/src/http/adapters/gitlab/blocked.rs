//! Deployments that wait for an approval, in the configured projects.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use super::{Waiting, What, request};
use crate::http::adapters::callbacks::{Failed, accept, look_through};
use crate::http::adapters::outgoing;
use crate::http::app::App;

/// How often it is looked for them.
const EVERY: Duration = Duration::from_secs(30);

/// Looks for them as long as it runs.
pub(in crate::http::adapters) async fn find_blocked(app: Arc<App>) {
    let projects = app.shared.adapters.gitlab.projects.clone();
    let find = |project: String| {
        let app = app.clone();
        async move { find(&app, &project).await }
    };
    look_through(super::NAME, projects, EVERY, find).await;
}

async fn find(app: &App, project: &str) -> Result<(), Failed> {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"/-_.".contains(&b);
    if project.is_empty() || !project.bytes().all(is_plain) {
        return Err(Failed("it is no group/name".to_owned()));
    }
    let base = format!("/api/v4/projects/{}", project.replace('/', "%2F"));
    let get = async |path: &str| {
        let reply = outgoing::send(request(app, Method::GET, path)?).await?;
        if reply.is_taken() { reply.json() } else { Err(Failed(reply.said())) }
    };
    let id = get(&base).await?["id"].as_u64();
    let id = id.ok_or_else(|| Failed("the project has no id".to_owned()))?;
    let path = format!("{base}/deployments?status=blocked&order_by=id&sort=desc&per_page=100");
    for one in get(&path).await?.as_array().into_iter().flatten() {
        let (Some(deployment), Some(environment)) =
            (one["id"].as_u64(), one["environment"]["name"].as_str())
        else {
            continue;
        };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let waiting = Waiting {
            project: id,
            path: project.to_owned(),
            what: What::Deployment { id: deployment, environment: environment.to_owned() },
            sha: text(&one["sha"]),
            reference: text(&one["ref"]),
            actor: text(&one["user"]["username"]),
        };
        // Several approvals may be wanted: ours is given once. One that was not taken is tried again.
        let tenth = app.now().timestamp() / 600;
        let kept = accept(app, waiting.kept(&format!("found:{tenth}"))).await;
        if kept.map_err(|problem| Failed(problem.detail().to_owned()))? {
            tracing::info!(project, deployment, environment, "found a deployment that is blocked");
        }
    }
    Ok(())
}
