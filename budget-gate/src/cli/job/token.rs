//! The token by which a job of GitHub Actions shows who it is, where no other is given. GitLab CI puts its
//! own into a variable that the pipeline names: HEADROOM_TOKEN.

use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use serde::Deserialize;

use super::Lookup;
use crate::cli::args::Engine;
use crate::cli::client::{Failure, reasons};

/// What GitHub answers.
#[derive(Deserialize)]
struct Given {
    value: String,
}

/// The token to send: the one that is given, else the job's own where the job may have one.
///
/// # Errors
/// When the job should get one and does not.
pub(crate) async fn token(engine: &Engine, lookup: Lookup<'_>) -> Result<Option<String>, Failure> {
    let given = engine.token.as_deref().map(str::trim).filter(|token| !token.is_empty());
    if let Some(token) = given {
        return Ok(Some(token.to_owned()));
    }
    let asked = lookup("ACTIONS_ID_TOKEN_REQUEST_URL");
    let Some((url, secret)) = asked.zip(lookup("ACTIONS_ID_TOKEN_REQUEST_TOKEN")) else {
        return Ok(None);
    };
    let failed = |why: String| Failure::Unreachable(format!("GitHub gives no job token: {why}"));
    let mut url = Url::parse(&url).map_err(|e| failed(e.to_string()))?;
    url.query_pairs_mut().append_pair("audience", &engine.origin());
    let client = Client::builder().redirect(Policy::none()).timeout(engine.timeout).build();
    let sent = client.map_err(|e| failed(reasons(&e)))?.get(url).bearer_auth(secret).send().await;
    let answer = sent.and_then(reqwest::Response::error_for_status);
    let answer = answer.map_err(|e| failed(reasons(&e.without_url())))?;
    let given: Given = answer.json().await.map_err(|e| failed(reasons(&e.without_url())))?;
    Ok(Some(given.value))
}
