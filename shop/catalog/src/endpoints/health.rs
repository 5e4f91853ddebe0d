//! `/healthz`: the process answers; `/readyz`: its storage answers too.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::app::App;
use crate::problem::{Problem, ProblemDocument};

/// Alive: the process answers
#[utoipa::path(get, path = "/healthz", responses((status = 200)))]
pub(crate) async fn alive() -> Json<Value> {
    Json(json!({"status": "alive"}))
}

/// Ready: the storage answers
#[utoipa::path(get, path = "/readyz", responses(
    (status = 200),
    (status = 503, body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(crate) async fn ready(State(app): State<Arc<App>>) -> Result<Json<Value>, Problem> {
    app.repository.ready().await?;
    Ok(Json(json!({"status": "ready"})))
}
