//! What the engine answered: only a decision that answers the question is one.

use budget_gate::Decision;
use budget_gate::decision::Request;
use budget_gate::harmless::harmless;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::client::Answer;

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
pub(crate) fn read(answer: &Answer, asked: &Request) -> Result<Reply, String> {
    let reply = any(answer)?;
    match is_answer(&reply.decision, asked) {
        true => Ok(reply),
        false => Err("its answer is one to another question, or contradicts itself".to_owned()),
    }
}

/// Reads any decision.
///
/// # Errors
/// Why it is none.
pub(crate) fn any(answer: &Answer) -> Result<Reply, String> {
    let json = json(answer)?;
    Ok(Reply { decision: shape(&json, "decision")?, json })
}

/// Reads JSON of a shape that is called so.
///
/// # Errors
/// Why it is none.
pub(crate) fn of_shape<T: DeserializeOwned>(answer: &Answer, name: &str) -> Result<T, String> {
    shape(&json(answer)?, name)
}

fn json(answer: &Answer) -> Result<Value, String> {
    let kind = answer.kind.split(';').next().unwrap_or_default();
    if !kind.trim().eq_ignore_ascii_case("application/json") {
        return Err(format!("it sent {} instead of JSON", harmless(&answer.kind)));
    }
    serde_json::from_slice(&answer.body).map_err(|e| format!("its JSON is broken: {e}"))
}

fn shape<'a, T: Deserialize<'a>>(json: &'a Value, name: &str) -> Result<T, String> {
    T::deserialize(json).map_err(|e| format!("its JSON is no {name}: {}", harmless(&e.to_string())))
}

fn is_answer(decision: &Decision, asked: &Request) -> bool {
    let environment = asked.environment.is_none() || decision.environment == asked.environment;
    decision.service == asked.service
        && environment
        && decision.version == asked.version
        && decision.kind == asked.kind
        && decision.allow == decision.verdict.allows()
}
