//! The one shape of every error answer: `application/problem+json` (RFC 9457).
//!
//! The body is written by [`complete`], which knows the request's path (`instance`) and also gives a
//! body to the errors of the libraries below.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The content type of problems.
pub(super) const CONTENT_TYPE: &str = "application/problem+json";

/// An error answer before it is written.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: String,
    errors: Vec<FieldError>,
    /// Seconds after which it makes sense to ask again.
    retry_after: Option<u64>,
}

/// Marks an error answer whose body is already what its caller expects.
#[derive(Debug, Clone, Copy)]
pub(super) struct Foreign;

/// One thing that is wrong, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct FieldError {
    /// The query key, part of the path or part of the engine that it is about.
    pub(crate) field: String,
    /// A sentence.
    pub(crate) detail: String,
}

/// The body of every answer that is no success.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(crate) struct ProblemDocument {
    /// The kind of problem, an address below `/docs`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// What problems of this kind have in common.
    pub(crate) title: String,
    /// The HTTP status.
    pub(crate) status: u16,
    /// What is wrong with this request.
    pub(crate) detail: String,
    /// The path that was asked.
    pub(crate) instance: String,
    /// The single things that are wrong; may be empty.
    pub(crate) errors: Vec<FieldError>,
}

/// A kind of problem: status, anchor in `/docs`, title, what else to say when nothing is known.
pub(super) type Kind = (u16, &'static str, &'static str, &'static str);

/// All kinds.
pub(super) const KINDS: [Kind; 12] = [
    (400, "bad-request", "The question cannot be answered as it is asked", "see /docs"),
    (401, "unauthorized", "It is not known who asks", "send a machine token"),
    (403, "forbidden", "The caller may not do this", "ask for a token with the scope it needs"),
    (404, "not-found", "There is no such thing", "no route has this path; /docs lists them"),
    (405, "method-not-allowed", "The method is not offered here", "the header Allow names those"),
    (409, "conflict", "This cannot be done as things are now", "look at how they are"),
    (413, "too-large", "The body is too large", "a body may have 1 MiB; of an admission 4 MiB"),
    (415, "unsupported-media-type", "The body's type is not read here", "send application/json"),
    (422, "unprocessable", "The body contradicts what is known", "see the detail"),
    (429, "too-many-requests", "Too many requests", "ask again after Retry-After"),
    (500, "internal", "The engine failed", "its log says more, under the answer's x-request-id"),
    (503, "unavailable", "There is no answer yet", "there was no answer in time; ask again"),
];

impl Problem {
    fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), errors: Vec::new(), retry_after: None }
    }

    /// A question that cannot be answered as it is asked, because of one part of it.
    pub(super) fn bad(field: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self::new(StatusCode::BAD_REQUEST, format!("{field}: {detail}")).and(field, detail)
    }

    /// There is no such thing.
    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// It is not known who asks.
    pub(super) fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, detail)
    }

    /// The caller may not do this.
    pub(super) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    /// It cannot be done as things are now.
    pub(super) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    /// The body contradicts what is known.
    pub(super) fn unprocessable(field: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, format!("{field}: {detail}"));
        problem.and(field, detail)
    }

    /// The caller asks too often.
    pub(super) fn too_many(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, detail)
    }

    /// There is no answer yet.
    pub(super) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    /// A failure that is logged where it was seen; callers learn nothing of its cause.
    pub(super) fn internal() -> Self {
        Self::plain(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// A problem of which the status is all that is known.
    pub(super) fn plain(status: StatusCode) -> Self {
        Self::new(status, kind(status).3)
    }

    /// The status.
    pub(super) const fn status(&self) -> StatusCode {
        self.status
    }

    /// What is wrong, as a sentence.
    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    /// The same with one more thing that is wrong.
    pub(super) fn and(mut self, field: &str, detail: impl Into<String>) -> Self {
        self.errors.push(FieldError { field: field.to_owned(), detail: detail.into() });
        self
    }

    /// The same with when to ask again.
    pub(super) fn again_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds.max(1));
        self
    }

    fn document(self, path: String) -> ProblemDocument {
        let (_, anchor, title, _) = kind(self.status);
        ProblemDocument {
            kind: format!("/docs#{anchor}"),
            title: title.to_owned(),
            status: self.status.as_u16(),
            detail: self.detail,
            instance: path,
            errors: self.errors,
        }
    }
}

fn kind(status: StatusCode) -> Kind {
    let known = KINDS.into_iter().find(|(code, ..)| *code == status.as_u16());
    let reason = status.canonical_reason().unwrap_or("Error");
    known.unwrap_or((status.as_u16(), "problems", reason, "see /docs"))
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer realm=\"headroom\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes the body of a problem, also where a library answered with a bare status or a plain text.
pub(super) fn complete(mut response: Response, path: impl FnOnce() -> String) -> Response {
    if response.extensions_mut().remove::<Foreign>().is_some() {
        return response;
    }
    let status = response.status();
    let problem = match response.extensions_mut().remove::<Problem>() {
        Some(problem) => problem,
        None if status.is_client_error() || status.is_server_error() => Problem::plain(status),
        None => return response,
    };
    let text = serde_json::to_vec(&problem.document(path())).expect("texts and numbers serialise");
    *response.body_mut() = text.into();
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    response
}

#[cfg(test)]
mod tests;
