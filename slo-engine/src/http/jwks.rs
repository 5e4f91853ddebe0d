//! `/.well-known/jwks.json`: the keys by which anybody can check a signed verdict.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::Nothing;
use super::app::{App, json};
use super::problem::Problem;
use super::query::Asked;

/// Long enough to spare the engine, and short enough that who adds a key waits minutes only.
const CACHE: &str = "public, max-age=300";

/// The public keys of signed verdicts
///
/// Every key that lies in `signing.keys`, newest first, also one whose time to sign has yet to come.
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "gate", operation_id = "verdictKeys", responses(
    (status = 200, description = "A JWKS (RFC 7517)", body = ref("#/components/schemas/Jwks")),
))]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    _: Asked<Nothing>,
) -> Result<Response, Problem> {
    let body = json(&app.shared.verdicts.jwks())?;
    Ok(([(header::CACHE_CONTROL, CACHE)], body).into_response())
}

#[cfg(test)]
mod tests;
