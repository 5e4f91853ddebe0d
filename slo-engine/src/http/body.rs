//! Reads JSON bodies, and the texts in them; what cannot be read is named in a [`Problem`].

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use budget_gate::harmless::acts;
use chrono::{DateTime, Datelike, Utc};
use serde::de::DeserializeOwned;
use slo_core::slo::Name;

use super::problem::Problem;

/// A JSON body. Keys that nobody knows are refused by its type.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::plain(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        let read = Bytes::from_request(request, state).await;
        let bytes = read.map_err(|refused| Problem::plain(refused.status()))?;
        self::read(&bytes).map(Self)
    }
}

/// Reads a JSON object.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // The library would read the fields of an object from a list, too.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(Problem::bad("body", "it is a list; send an object"));
    }
    serde_json::from_slice(bytes).map_err(|error| unread(&error))
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/json")
}

/// The library names keys in backquotes; the place is that in the text.
fn unread(error: &serde_json::Error) -> Problem {
    let said = error.to_string();
    let key = said.split('`').nth(1).filter(|_| said.contains("field `")).map(str::to_owned);
    Problem::bad(key.as_deref().unwrap_or("body"), said)
}

/// The most letters of a name or version.
const SHORT: usize = 200;
/// The most letters of a sentence.
const LONG: usize = 2_000;

/// What is wrong with the texts of a body, all of it at once.
#[derive(Default)]
pub(super) struct Checks(Option<Problem>);

impl Checks {
    /// A name as services and environments have it.
    pub(super) fn name(mut self, field: &str, text: &str) -> Self {
        if let Err(said) = Name::parse(text) {
            self.note(field, &said);
        }
        self
    }

    /// A name that may be left out.
    pub(super) fn maybe_name(self, field: &str, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.name(field, text),
            None => self,
        }
    }

    /// A short text, such as a version: one line that looks as it reads.
    pub(super) fn short(mut self, field: &str, text: Option<&str>) -> Self {
        if let Some(text) = text {
            self.text(field, text, SHORT, acts);
        }
        self
    }

    /// A sentence that must be there.
    pub(super) fn sentence(mut self, field: &str, text: &str) -> Self {
        self.text(field, text, LONG, |c| c.is_control() && c != '\n');
        self
    }

    /// A sentence that may be left out.
    pub(super) fn maybe_sentence(self, field: &str, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.sentence(field, text),
            None => self,
        }
    }

    /// An instant that is not in the future; clocks differ by a minute. Nothing ran before there were
    /// clocks that count from 1970.
    pub(super) fn past(
        mut self,
        field: &str,
        at: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Self {
        if at.is_some_and(|at| at > now + chrono::TimeDelta::minutes(1)) {
            self.note(field, "it is in the future");
        } else if at.is_some_and(|at| at < DateTime::UNIX_EPOCH) {
            self.note(field, "it is before 1970");
        }
        self
    }

    /// An instant that RFC 3339 can write: its years have four digits.
    pub(super) fn written(mut self, field: &str, at: DateTime<Utc>) -> Self {
        if !(0..=9_999).contains(&at.year()) {
            self.note(field, "its year does not have four digits");
        }
        self
    }

    /// Something that is missing.
    pub(super) fn lacks(mut self, field: &str, said: &str) -> Self {
        self.note(field, said);
        self
    }

    fn text(&mut self, field: &str, text: &str, most: usize, is_foreign: fn(char) -> bool) {
        if text.trim().is_empty() {
            self.note(field, "it is empty; say something, or leave it out");
        } else if text.chars().count() > most {
            self.note(field, &format!("it is longer than {most} letters"));
        } else if text.chars().any(is_foreign) {
            self.note(field, "it holds letters that cannot be shown");
        }
    }

    fn note(&mut self, field: &str, said: &str) {
        let problem = match self.0.take() {
            None => Problem::bad(field, said),
            Some(problem) => problem.and(field, said),
        };
        self.0 = Some(problem);
    }

    /// # Errors
    /// What was found.
    pub(super) fn done(self) -> Result<(), Problem> {
        self.0.map_or(Ok(()), Err)
    }
}
