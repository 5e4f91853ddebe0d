//! Reads bodies, path segments and query strings, and says in a `Problem` what could not be read.

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;

use crate::problem::{FieldError, Problem, ProblemKind};

/// A JSON body. Text that is not JSON is malformed; a field of the wrong type is named.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            let detail = "send the header content-type: application/json";
            return Err(Problem::new(ProblemKind::UnsupportedMediaType, detail));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| {
            let kind = match rejection.status() {
                StatusCode::PAYLOAD_TOO_LARGE => ProblemKind::TooLarge,
                _ => ProblemKind::Malformed,
            };
            Problem::new(kind, rejection.body_text())
        })?;
        parse(&bytes).map(Self)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = given.and_then(|value| value.split(';').next()).unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let parsed = serde_path_to_error::deserialize(&mut deserializer).map_err(unreadable)?;
    deserializer.end().map_err(|error| Problem::new(ProblemKind::Malformed, error.to_string()))?;
    Ok(parsed)
}

fn unreadable(error: serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let path = error.path().to_string();
    let cause = error.into_inner();
    if !cause.is_data() {
        return Problem::new(ProblemKind::Malformed, cause.to_string());
    }
    let field = if path == "." { named_in(&cause.to_string()).unwrap_or(path) } else { path };
    Problem::of_fields(ProblemKind::Invalid, vec![FieldError::new(field, cause.to_string())])
}

/// An unknown key has no path; serde's sentence has it between the first backticks.
fn named_in(sentence: &str) -> Option<String> {
    let rest = sentence.strip_prefix("unknown field `")?;
    Some(rest.split('`').next()?.to_owned())
}

/// The `{id}` of a path.
pub(crate) struct Id(pub(crate) u64);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let malformed = |detail: String| Problem::of_field(ProblemKind::Malformed, "id", detail);
        let axum::extract::Path(text) =
            axum::extract::Path::<String>::from_request_parts(parts, state)
                .await
                .map_err(|rejection| malformed(rejection.body_text()))?;
        let id = text.parse().map_err(|_| malformed(format!("{text:?} is not a whole number")))?;
        Ok(Self(id))
    }
}

/// A query string whose values are still texts, so that the one that cannot be read is named.
pub(crate) struct QueryString<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for QueryString<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = Query::<T>::from_request_parts(parts, state).await;
        let malformed =
            |rejection: QueryRejection| Problem::new(ProblemKind::Malformed, rejection.body_text());
        read.map(|Query(value)| Self(value)).map_err(malformed)
    }
}
