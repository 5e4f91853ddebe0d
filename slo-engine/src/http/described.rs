//! `/openapi.json` and `/docs`: the same description for machines and for people.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::Nothing;
use super::app::App;
use super::query::Asked;

mod page;

pub(super) use page::page;

/// The page holds its style, and needs nothing else from anywhere.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

/// This description, as OpenAPI 3.1
#[utoipa::path(get, path = "/openapi.json", tag = "operation", operation_id = "openapi", responses(
    (status = 200, description = "An OpenAPI document", content_type = "application/json", body = Object),
))]
pub(super) async fn openapi(State(app): State<Arc<App>>, _: Asked<Nothing>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], app.openapi.clone()).into_response()
}

/// This description, as a page
#[utoipa::path(get, path = "/docs", tag = "operation", operation_id = "docs", responses(
    (status = 200, description = "A page", content_type = "text/html", body = String),
))]
pub(super) async fn docs(State(app): State<Arc<App>>, _: Asked<Nothing>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
    ];
    (headers, app.docs.clone()).into_response()
}

#[cfg(test)]
mod tests;
