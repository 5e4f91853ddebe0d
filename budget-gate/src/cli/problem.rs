//! An error answer of the engine (`application/problem+json`), or of something before it.

use budget_gate::harmless::harmless;
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::client::Answer;

/// As many single faults are told.
const MAX_ERRORS: usize = 20;

/// What an answer that is no success says.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Problem {
    title: Option<String>,
    detail: Option<String>,
    #[serde(default)]
    errors: Vec<Value>,
}

impl Problem {
    pub(crate) fn read(answer: &Answer) -> Self {
        serde_json::from_slice(&answer.body).unwrap_or_default()
    }

    /// Whether the answer said anything as a problem does.
    pub(crate) fn is_one(&self) -> bool {
        self.title.is_some() || self.detail.is_some()
    }

    /// What it says, in one line.
    pub(crate) fn said(&self, status: StatusCode) -> String {
        let code = status.as_u16();
        let reason = status.canonical_reason();
        let said = self.detail.as_deref().or(self.title.as_deref()).or(reason);
        let mut line = match said {
            Some(said) => format!("{} ({code})", harmless(said.trim_end_matches('.'))),
            None => format!("status {code}"),
        };
        for error in self.errors.iter().filter_map(single).take(MAX_ERRORS) {
            if !line.contains(&error) {
                line.push_str("; ");
                line.push_str(&error);
            }
        }
        line
    }
}

/// `until: longer than the policy allows`
fn single(error: &Value) -> Option<String> {
    let said = |key: &str| error.get(key).and_then(Value::as_str);
    let detail = error.as_str().or_else(|| said("detail")).or_else(|| said("message"))?;
    let line = match said("field") {
        Some(field) => format!("{field}: {detail}"),
        None => detail.to_owned(),
    };
    Some(harmless(&line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, body: &str) -> String {
        let answer = Answer { kind: String::new(), body: body.into() };
        Problem::read(&answer).said(StatusCode::from_u16(status).unwrap())
    }

    #[test]
    fn detail_and_single_errors_are_told_once_each() {
        let body = r#"{"title": "No", "detail": "until: too long.", "errors": [
            {"field": "until", "detail": "too long"}, {"field": "reason", "detail": "empty\u001b"},
            "and more", 3]}"#;
        assert_eq!(said(422, body), "until: too long (422); reason: empty�; and more");
    }

    #[test]
    fn what_is_no_problem_is_told_by_its_status() {
        assert_eq!(said(404, "<html>"), "Not Found (404)");
        assert_eq!(said(599, ""), "status 599");
        assert_eq!(said(403, r#"{"title": "Forbidden here"}"#), "Forbidden here (403)");
    }
}
