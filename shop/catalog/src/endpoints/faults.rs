//! `/faults`: start a graded fault, read the truth about all of them, end one early.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;

use crate::app::App;
use crate::extract::{Id, JsonBody};
use crate::faults::{EndedBy, Fault, FaultForm, FaultList};
use crate::problem::{Problem, ProblemDocument, ProblemKind};

/// List active and past faults with their truth
#[utoipa::path(get, path = "/faults", responses((status = 200, body = FaultList)))]
pub(crate) async fn list(State(app): State<Arc<App>>) -> Json<FaultList> {
    Json(app.faults.list())
}

/// Start a fault that ends by itself
#[utoipa::path(post, path = "/faults", request_body = FaultForm, responses(
    (status = 201, body = Fault, headers(("location" = String))),
    (status = 409, body = ProblemDocument, content_type = "application/problem+json"),
    (status = 422, body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(crate) async fn start(
    State(app): State<Arc<App>>,
    JsonBody(form): JsonBody<FaultForm>,
) -> Result<impl IntoResponse, Problem> {
    let spec = form.check(&app.counted_routes)?;
    let too_many = |error| Problem::new(ProblemKind::Conflict, format!("{error}"));
    let fault = app.faults.start(spec).map_err(too_many)?;
    let location = format!("/faults/{}", fault.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(fault)))
}

/// End a fault and read its truth; one that is over stays as it ended
#[utoipa::path(delete, path = "/faults/{id}", params(("id" = u64, Path)), responses(
    (status = 200, body = Fault),
    (status = 404, body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(crate) async fn end(State(app): State<Arc<App>>, Id(id): Id) -> Result<Json<Fault>, Problem> {
    let unknown = || Problem::new(ProblemKind::NotFound, format!("there is no fault {id}"));
    app.faults.end(id, EndedBy::Deletion).map(Json).ok_or_else(unknown)
}
