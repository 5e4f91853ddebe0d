//! Sends a call to the engine, again and again until an answer is there or the time is over.

use std::time::Duration;

use budget_gate::harmless::harmless;
use reqwest::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use reqwest::{RequestBuilder, Response, StatusCode};
use thiserror::Error;
use tokio::time::{Instant, sleep, timeout_at};

use super::args::Engine;
use super::call::{Call, Repeat};
use super::job::token;
use super::problem::Problem;

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
    /// The engine cannot do it as things are; nothing of the kind is there, for example.
    #[error("the engine declines: {0}")]
    Declined(String),
    /// No answer that can be relied on.
    #[error("no answer from the engine: {0}")]
    Unreachable(String),
}

/// The body of an answer and what it says it is.
pub(crate) struct Answer {
    pub(crate) kind: String,
    pub(crate) body: Vec<u8>,
}

/// One try that failed.
struct Failed {
    failure: Failure,
    again: Again,
    /// Whether the engine may have done what was asked for.
    done: bool,
}

/// Whether another try may help.
enum Again {
    No,
    Soon,
    After(Duration),
}

impl Failed {
    fn unreachable(why: impl Into<String>, again: Again) -> Self {
        Self { failure: Failure::Unreachable(why.into()), again, done: true }
    }
}

/// Sends a call and reads its answer.
///
/// # Errors
/// Why there is no answer within the time.
pub(crate) async fn ask<T>(
    engine: &Engine,
    call: &Call,
    read: impl Fn(&Answer) -> Result<T, String>,
) -> Result<T, Failure> {
    let deadline = Instant::now() + engine.timeout;
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let token = timeout_at(deadline, token(engine, &variable)).await;
    let token = token.map_err(|_| too_late(engine.timeout, None, Repeat::Always))??;
    let request = call.request(token.as_deref())?;
    let mut pause = PAUSES[0];
    let mut last: Option<Failure> = None;
    loop {
        let Ok(tried) = timeout_at(deadline, attempt(&request, &read)).await else {
            return Err(too_late(engine.timeout, last, call.repeat));
        };
        let failed = match tried {
            Ok(answer) => return Ok(answer),
            Err(failed) => failed,
        };
        if failed.done && call.repeat == Repeat::IfNotDone {
            return Err(perhaps_done(failed.failure));
        }
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

fn too_late(timeout: Duration, last: Option<Failure>, repeat: Repeat) -> Failure {
    let within = format!("nothing came within {timeout:?}");
    let failure = Failure::Unreachable(match last {
        Some(Failure::Unreachable(before)) => format!("{within}; before that, {before}"),
        _ => within,
    });
    match repeat {
        Repeat::Always => failure,
        Repeat::IfNotDone => perhaps_done(failure),
    }
}

/// What a person must know who would repeat it.
fn perhaps_done(failure: Failure) -> Failure {
    match failure {
        Failure::Unreachable(why) => Failure::Unreachable(format!(
            "{why}; it may be done all the same: look before you repeat it"
        )),
        other => other,
    }
}

async fn attempt<T>(
    request: &RequestBuilder,
    read: &impl Fn(&Answer) -> Result<T, String>,
) -> Result<T, Failed> {
    let unsent = || Failed::unreachable("the question cannot be sent twice", Again::No);
    let request = request.try_clone().ok_or_else(unsent)?;
    let response = request.send().await.map_err(|e| Failed {
        done: !e.is_connect(),
        ..Failed::unreachable(reasons(&e), Again::Soon)
    })?;
    let (status, headers) = (response.status(), response.headers().clone());
    if status.is_redirection() {
        let to = headers.get(LOCATION).and_then(|v| v.to_str().ok()).unwrap_or("nowhere");
        let why = format!("it redirects to {}, which is not followed", harmless(to));
        return Err(Failed { done: false, ..Failed::unreachable(why, Again::No) });
    }
    let kind = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("no type");
    let answer = Answer { kind: kind.to_owned(), body: body(response).await? };
    if status == StatusCode::OK || status == StatusCode::CREATED {
        return read(&answer).map_err(|why| Failed::unreachable(why, Again::No));
    }
    let pause = headers.get(RETRY_AFTER).and_then(|v| v.to_str().ok()?.parse().ok());
    Err(refusal(status, &Problem::read(&answer), pause.map(Duration::from_secs)))
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

fn refusal(status: StatusCode, problem: &Problem, pause: Option<Duration>) -> Failed {
    let said = problem.said(status);
    let again = pause.map_or(Again::Soon, Again::After);
    let finally = |failure| Failed { failure, again: Again::No, done: false };
    match status.as_u16() {
        400 | 422 => finally(Failure::WrongQuestion(said)),
        401 => finally(Failure::Refused(format!("{said}; set HEADROOM_TOKEN to a valid token"))),
        403 => finally(Failure::Refused(format!(
            "{said}; the token may not ask this: `slo-engine token list` shows what it may"
        ))),
        408 | 425 | 429 | 503 => Failed { done: false, ..Failed::unreachable(said, again) },
        500.. => Failed::unreachable(said, again),
        404 if !problem.is_one() => {
            finally(Failure::Declined(format!("{said}; is HEADROOM_URL the engine's address?")))
        }
        400.. => finally(Failure::Declined(said)),
        _ => Failed::unreachable(said, Again::No),
    }
}

/// The causes of an error, which say more than itself.
pub(crate) fn reasons(error: &reqwest::Error) -> String {
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
