//! The one shape of every error answer: `application/problem+json` (RFC 9457).
//!
//! The body is written by the observing middleware, which knows the request's path (`instance`).

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What went wrong, as a closed set; each has an anchor in `/docs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemKind {
    Malformed,
    NotFound,
    MethodNotAllowed,
    Conflict,
    TooLarge,
    UnsupportedMediaType,
    Invalid,
    InjectedFault,
    Unavailable,
}

impl ProblemKind {
    pub(crate) const ALL: [Self; 9] = [
        Self::Malformed,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Conflict,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::Invalid,
        Self::InjectedFault,
        Self::Unavailable,
    ];

    /// Anchor, title and status.
    pub(crate) fn parts(self) -> (&'static str, &'static str, StatusCode) {
        match self {
            Self::Malformed => ("malformed", "The request cannot be read", StatusCode::BAD_REQUEST),
            Self::NotFound => ("not-found", "There is no such thing", StatusCode::NOT_FOUND),
            Self::MethodNotAllowed => (
                "method-not-allowed",
                "The method is not offered here",
                StatusCode::METHOD_NOT_ALLOWED,
            ),
            Self::Conflict => {
                ("conflict", "The request contradicts what is there", StatusCode::CONFLICT)
            }
            Self::TooLarge => ("too-large", "The body is too large", StatusCode::PAYLOAD_TOO_LARGE),
            Self::UnsupportedMediaType => (
                "unsupported-media-type",
                "The body must be application/json",
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ),
            Self::Invalid => {
                ("invalid", "The request is not valid", StatusCode::UNPROCESSABLE_ENTITY)
            }
            Self::InjectedFault => {
                ("injected-fault", "An injected fault answered", StatusCode::INTERNAL_SERVER_ERROR)
            }
            Self::Unavailable => {
                ("unavailable", "The storage does not answer", StatusCode::SERVICE_UNAVAILABLE)
            }
        }
    }
}

/// One field that is wrong, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    pub field: String,
    pub detail: String,
}

impl FieldError {
    pub(crate) fn new(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { field: field.into(), detail: detail.into() }
    }
}

/// An error answer before it is written.
#[derive(Debug, Clone)]
pub struct Problem {
    kind: ProblemKind,
    detail: String,
    errors: Vec<FieldError>,
}

impl Problem {
    pub(crate) fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), errors: Vec::new() }
    }

    /// A problem that names the fields; its detail repeats them for readers of one line.
    pub(crate) fn of_fields(kind: ProblemKind, errors: Vec<FieldError>) -> Self {
        let said: Vec<_> = errors.iter().map(|e| format!("{}: {}", e.field, e.detail)).collect();
        Self { kind, detail: said.join("; "), errors }
    }

    pub(crate) fn of_field(kind: ProblemKind, field: &str, detail: impl Into<String>) -> Self {
        Self::of_fields(kind, vec![FieldError::new(field, detail)])
    }

    /// The JSON body for the request at `path`.
    pub(crate) fn body(self, path: &str) -> Body {
        let (anchor, title, status) = self.kind.parts();
        let document = ProblemDocument {
            r#type: format!("/docs#{anchor}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: self.detail,
            instance: path.to_owned(),
            errors: self.errors,
        };
        serde_json::to_vec(&document).expect("texts and numbers serialize").into()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (_, _, status) = self.kind.parts();
        let mut response = status.into_response();
        let content_type = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
        response.extensions_mut().insert(self);
        response
    }
}

/// The body of every error answer.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDocument {
    pub r#type: String,
    pub title: String,
    pub status: u16,
    pub detail: String,
    pub instance: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}
