//! `/metrics`: what the service counted, as OpenMetrics text.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use crate::app::App;
use crate::metrics::CONTENT_TYPE;

/// Metrics as OpenMetrics text
#[utoipa::path(get, path = "/metrics", responses(
    (status = 200, content_type = "application/openmetrics-text", body = String),
))]
pub(crate) async fn metrics(State(app): State<Arc<App>>) -> impl IntoResponse {
    let text = app.metrics.encode().expect("writing to a String does not fail");
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], text)
}
