//! Calls as an installation of the GitHub App: a token of an hour, got with a text that the App's private
//! key signs.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{Method, RequestBuilder};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};

use super::{GitHub, Review, Waiting};
use crate::http::adapters::callbacks::Failed;
use crate::http::adapters::outgoing::{self, Reply};
use crate::http::app::App;

/// Tokens of installations, as long as they hold.
#[derive(Debug, Default)]
pub(in crate::http) struct Access(Mutex<HashMap<u64, Held>>);

#[derive(Clone)]
struct Held {
    token: String,
    until: DateTime<Utc>,
}

/// Without the token.
impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Held until {}", self.until)
    }
}

/// A token that holds for less is not used any more.
const LEAST: TimeDelta = TimeDelta::minutes(5);

/// Tells GitHub what was decided, or reports why it waits.
pub(super) async fn tell(app: &App, waiting: &Waiting, review: &Review) -> Result<Reply, Failed> {
    let Waiting { repository, run, installation, .. } = waiting;
    let installation = match installation {
        Some(id) => *id,
        None => installed(app, repository).await?,
    };
    let path = format!("/repos/{repository}/actions/runs/{run}/deployment_protection_rule");
    let request = request(app, Method::POST, &path).json(review);
    ask(app, installation, request).await
}

/// The answer to a request that is made as an installation.
pub(super) async fn ask(
    app: &App,
    installation: u64,
    request: RequestBuilder,
) -> Result<Reply, Failed> {
    let token = token(app, installation).await?;
    let reply = outgoing::send(request.bearer_auth(token)).await?;
    if reply.status == 401 {
        // It may have been revoked; the next try gets another one.
        app.github.held().remove(&installation);
    }
    Ok(reply)
}

/// A request to GitHub.
pub(super) fn request(app: &App, method: Method, path: &str) -> RequestBuilder {
    let request = outgoing::request(&app.outgoing, method, &app.shared.adapters.github.url, path);
    request
        .header("accept", "application/vnd.github+json")
        .header("x-github-api-version", "2022-11-28")
}

/// The App's installation in a repository.
pub(super) async fn installed(app: &App, repository: &str) -> Result<u64, Failed> {
    let request = request(app, Method::GET, &format!("/repos/{repository}/installation"));
    let jwt = jwt(&app.shared.adapters.github, app.now())?;
    let reply = outgoing::send(request.bearer_auth(jwt)).await?;
    let id = reply.is_taken().then(|| reply.json()).transpose()?;
    let id = id.and_then(|found| found["id"].as_u64());
    id.ok_or_else(|| Failed(format!("the App is not installed in {repository}: {}", reply.said())))
}

impl Access {
    fn held(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn token(app: &App, installation: u64) -> Result<String, Failed> {
    let now = app.now();
    let held = app.github.held().get(&installation).cloned();
    if let Some(held) = held.filter(|held| held.until - now > LEAST) {
        return Ok(held.token);
    }
    let path = format!("/app/installations/{installation}/access_tokens");
    let jwt = jwt(&app.shared.adapters.github, now)?;
    let request = request(app, Method::POST, &path).json(&json!({}));
    let reply = outgoing::send(request.bearer_auth(jwt)).await?;
    if !reply.is_taken() {
        return Err(Failed(format!("no token of the installation: {}", reply.said())));
    }
    let found = reply.json()?;
    let (token, until) = (found["token"].as_str(), found["expires_at"].as_str());
    let until = until.and_then(|text| text.parse::<DateTime<Utc>>().ok());
    let (Some(token), Some(until)) = (token, until) else {
        return Err(Failed("the token of the installation lacks its parts".to_owned()));
    };
    let held = Held { token: token.to_owned(), until };
    app.github.held().insert(installation, held);
    Ok(token.to_owned())
}

/// What shows that we are the App: ten minutes at most, begun a minute ago because clocks differ.
fn jwt(config: &GitHub, now: DateTime<Utc>) -> Result<String, Failed> {
    let lacks = |key: &str| Failed(format!("adapters.github.{key} is not set"));
    let id = config.app_id.ok_or_else(|| lacks("appId"))?;
    let key = config.private_key.as_ref().ok_or_else(|| lacks("privateKey"))?;
    let pem = key.reveal().map_err(|why| Failed(format!("adapters.github.privateKey: {why}")))?;
    let key = rsa(pem.as_bytes())?;
    let claims = json!({"iat": now.timestamp() - 60, "exp": now.timestamp() + 540, "iss": id});
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(&json!({"alg": "RS256", "typ": "JWT"})), part(&claims));
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
        .map_err(|_| Failed("the private key does not sign".to_owned()))?;
    Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

pub(super) fn rsa(pem: &[u8]) -> Result<RsaKeyPair, Failed> {
    let wrong = |why: String| Failed(format!("adapters.github.privateKey is no RSA key: {why}"));
    let key = match PrivateKeyDer::from_pem_slice(pem).map_err(|e| wrong(e.to_string()))? {
        PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
        PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
        _ => return Err(wrong("it is of another kind".to_owned())),
    };
    key.map_err(|rejected| wrong(rejected.to_string()))
}
