//! Asks the engine, again and again until an answer is there or the time is over.

use std::time::Duration;

use budget_gate::harmless::harmless;
use reqwest::header::{ACCEPT, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use thiserror::Error;
use tokio::time::{Instant, sleep, timeout_at};

use super::args::{Engine, Subject};
use super::reply::{self, Reply};

/// Larger answers are not read.
const MAX_BYTES: usize = 1024 * 1024;
/// The first pause between two tries; each one doubles, up to the last.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(2)];

/// Why there is no answer.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// The engine says that the question is wrong.
    #[error("the engine does not accept the question: {0}")]
    WrongQuestion(String),
    /// The engine does not answer this caller.
    #[error("the engine refuses to answer: {0}")]
    Refused(String),
    /// No answer that can be relied on.
    #[error("no answer from the engine: {0}")]
    Unreachable(String),
}

/// One try that failed.
struct Failed {
    failure: Failure,
    again: Again,
}

/// Whether another try may help.
enum Again {
    No,
    Soon,
    After(Duration),
}

impl Failed {
    fn unreachable(why: impl Into<String>, again: Again) -> Self {
        Self { failure: Failure::Unreachable(why.into()), again }
    }
}

/// Asks about a deploy.
///
/// # Errors
/// Why there is no answer within the time.
pub(crate) async fn ask(engine: &Engine, subject: &Subject) -> Result<Reply, Failure> {
    let deadline = Instant::now() + engine.timeout;
    let request = request(engine, subject)?;
    let mut pause = PAUSES[0];
    let mut last: Option<Failure> = None;
    loop {
        let Ok(tried) = timeout_at(deadline, attempt(&request, subject)).await else {
            return Err(too_late(engine.timeout, last));
        };
        let failed = match tried {
            Ok(reply) => return Ok(reply),
            Err(failed) => failed,
        };
        let wait = match failed.again {
            Again::No => return Err(failed.failure),
            Again::Soon => pause,
            Again::After(wait) => wait.max(pause),
        };
        if Instant::now() + wait >= deadline {
            return Err(failed.failure);
        }
        last = Some(failed.failure);
        sleep(wait).await;
        pause = (pause * 2).min(PAUSES[1]);
    }
}

fn too_late(timeout: Duration, last: Option<Failure>) -> Failure {
    let within = format!("nothing came within {timeout:?}");
    Failure::Unreachable(match last {
        Some(Failure::Unreachable(before)) => format!("{within}; before that, {before}"),
        _ => within,
    })
}

fn request(engine: &Engine, subject: &Subject) -> Result<RequestBuilder, Failure> {
    let agent = concat!("budget-gate/", env!("CARGO_PKG_VERSION"));
    let client = Client::builder().redirect(Policy::none()).user_agent(agent).build();
    let client = client.map_err(|e| Failure::Unreachable(reasons(&e)))?;
    let mut request = client.get(address(&engine.url, subject)).header(ACCEPT, "application/json");
    if let Some(token) = engine.token.as_deref().map(str::trim).filter(|token| !token.is_empty()) {
        let bearer = HeaderValue::try_from(format!("Bearer {token}"));
        let mut bearer = bearer.map_err(|_| {
            Failure::WrongQuestion("the token holds letters that no token has".to_owned())
        })?;
        bearer.set_sensitive(true);
        request = request.header(reqwest::header::AUTHORIZATION, bearer);
    }
    Ok(request)
}

fn address(base: &Url, subject: &Subject) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(["v1", "gate", &subject.service]);
    }
    {
        let mut query = url.query_pairs_mut();
        query.append_pair("kind", subject.kind.as_str());
        for (key, value) in [("environment", &subject.environment), ("version", &subject.version)] {
            if let Some(value) = value {
                query.append_pair(key, value);
            }
        }
    }
    url
}

async fn attempt(request: &RequestBuilder, subject: &Subject) -> Result<Reply, Failed> {
    let unsent = || Failed::unreachable("the question cannot be sent twice", Again::No);
    let request = request.try_clone().ok_or_else(unsent)?;
    let response =
        request.send().await.map_err(|e| Failed::unreachable(reasons(&e), Again::Soon))?;
    let (status, headers) = (response.status(), response.headers().clone());
    if status.is_redirection() {
        let to = headers.get(LOCATION).and_then(|v| v.to_str().ok()).unwrap_or("nowhere");
        let why = format!("it redirects to {}, which is not followed", harmless(to));
        return Err(Failed::unreachable(why, Again::No));
    }
    let body = body(response).await?;
    if status == StatusCode::OK {
        let kind = headers.get(reqwest::header::CONTENT_TYPE);
        return reply::read(kind, &body, subject)
            .map_err(|why| Failed::unreachable(why, Again::No));
    }
    let pause = headers.get(RETRY_AFTER).and_then(|v| v.to_str().ok()?.parse().ok());
    Err(refusal(status, &reply::problem(status, &body), pause.map(Duration::from_secs)))
}

/// The whole body, when it is not too large.
async fn body(mut response: Response) -> Result<Vec<u8>, Failed> {
    let mut body = Vec::new();
    let broken = |e: reqwest::Error| {
        Failed::unreachable(format!("its answer broke off: {}", reasons(&e)), Again::Soon)
    };
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        if body.len() + chunk.len() > MAX_BYTES {
            return Err(Failed::unreachable("its answer is larger than 1 MiB", Again::No));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn refusal(status: StatusCode, said: &str, pause: Option<Duration>) -> Failed {
    let again = pause.map_or(Again::Soon, Again::After);
    match status.as_u16() {
        400 | 422 => Failed { failure: Failure::WrongQuestion(said.to_owned()), again: Again::No },
        401 => {
            let why = format!("{said}; set HEADROOM_TOKEN to a valid token");
            Failed { failure: Failure::Refused(why), again: Again::No }
        }
        403 => {
            let why = format!("{said}; the token may not ask this");
            Failed { failure: Failure::Refused(why), again: Again::No }
        }
        404 => {
            let why = format!("{said}; is HEADROOM_URL the engine's address?");
            Failed::unreachable(why, Again::No)
        }
        408 | 425 | 429 | 500.. => Failed::unreachable(said, again),
        _ => Failed::unreachable(said, Again::No),
    }
}

/// The causes of an error, which say more than itself.
fn reasons(error: &reqwest::Error) -> String {
    let mut said: Vec<String> = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !said.iter().any(|s| s.contains(&text)) {
            said.push(text);
        }
        cause = inner.source();
    }
    match said.as_slice() {
        [] => harmless(&error.to_string()),
        said => harmless(&said.join(": ")),
    }
}
