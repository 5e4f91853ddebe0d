//! Reads paths and query strings; what cannot be read is named in a [`Problem`].

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// A query string. Keys that nobody knows are refused, so that a misspelt filter filters.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Query(asked) = Query::try_from_uri(&parts.uri).map_err(|e| unread(&e.body_text()))?;
        Ok(Self(asked))
    }
}

/// The named parts of a path.
pub(super) struct Named<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = Path::from_request_parts(parts, state).await;
        let Path(named) = read.map_err(|e| Problem::bad("path", e.body_text()))?;
        Ok(Self(named))
    }
}

/// What the library says, with the key taken out of its sentence: it writes `key: sentence`, and of
/// an unknown key "unknown field `key`, expected one of ...".
fn unread(said: &str) -> Problem {
    let said = said.strip_prefix("Failed to deserialize query string: ").unwrap_or(said);
    for (before, about) in [
        ("unknown field `", "there is no such key"),
        ("duplicate field `", "the key is there twice"),
    ] {
        let Some((_, rest)) = said.split_once(before) else { continue };
        let (key, rest) = rest.split_once('`').unwrap_or((rest, ""));
        let known = rest
            .strip_prefix(", expected ")
            .map_or_else(String::new, |k| format!("; known: {}", k.trim_start_matches("one of ")));
        return Problem::bad(key, format!("{about}{known}"));
    }
    let (key, sentence) = said.split_once(": ").unwrap_or(("query", said));
    Problem::bad(key, sentence)
}
