//! What the engine answered: only a decision that answers the question is one.

use budget_gate::Decision;
use budget_gate::harmless::harmless;
use reqwest::StatusCode;
use reqwest::header::HeaderValue;
use serde::Deserialize;
use serde_json::Value;

use super::args::Subject;

/// A decision, and the JSON that it came as.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) decision: Decision,
    pub(crate) json: Value,
}

/// Reads the answer to a question.
///
/// # Errors
/// Why it is no answer to it.
pub(crate) fn read(
    kind: Option<&HeaderValue>,
    body: &[u8],
    subject: &Subject,
) -> Result<Reply, String> {
    let kind = kind.and_then(|k| k.to_str().ok()).unwrap_or("no type");
    if !kind.split(';').next().is_some_and(|k| k.trim().eq_ignore_ascii_case("application/json")) {
        return Err(format!("it sent {} instead of JSON", harmless(kind)));
    }
    let json: Value =
        serde_json::from_slice(body).map_err(|e| format!("its JSON is broken: {e}"))?;
    let decision = Decision::deserialize(&json)
        .map_err(|e| format!("its JSON is no decision: {}", harmless(&e.to_string())))?;
    match is_answer(&decision, subject) {
        true => Ok(Reply { decision, json }),
        false => Err("its answer is one to another question, or contradicts itself".to_owned()),
    }
}

fn is_answer(decision: &Decision, subject: &Subject) -> bool {
    let environment = subject.environment.is_none() || decision.environment == subject.environment;
    decision.service == subject.service
        && environment
        && decision.version == subject.version
        && decision.kind == subject.kind
        && decision.allow == decision.verdict.allows()
}

#[derive(Deserialize)]
struct Problem {
    title: Option<String>,
    detail: Option<String>,
}

/// What an answer that is no decision says, in one line.
pub(crate) fn problem(status: StatusCode, body: &[u8]) -> String {
    let code = status.as_u16();
    let problem: Option<Problem> = serde_json::from_slice(body).ok();
    let said = problem.and_then(|p| p.detail.or(p.title)).or_else(|| {
        let reason = status.canonical_reason();
        reason.map(str::to_owned)
    });
    match said {
        Some(said) => format!("{} ({code})", harmless(said.trim_end_matches('.'))),
        None => format!("status {code}"),
    }
}
