//! `/products` and `/products/{id}`: list, create, read, update, delete.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;

use super::paging::{PageQuery, ProductPage};
use crate::app::App;
use crate::checks::Checks;
use crate::extract::{Id, JsonBody, QueryString};
use crate::problem::{Problem, ProblemDocument};
use crate::product::{Product, ProductForm};

/// List products in the order of their ids
#[utoipa::path(get, path = "/products", params(PageQuery), responses(
    (status = 200, body = ProductPage),
    (status = 400, body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    QueryString(query): QueryString<PageQuery>,
) -> Result<Json<ProductPage>, Problem> {
    let page = query.check(Checks::default())?;
    let slice = app.repository.list(page.range()).await?;
    Ok(Json(ProductPage::new(page, slice)))
}

/// Create a product
#[utoipa::path(post, path = "/products", request_body = ProductForm, responses(
    (status = 201, body = Product, headers(("location" = String))),
    (status = 409, body = ProblemDocument, content_type = "application/problem+json"),
    (status = 422, body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    JsonBody(form): JsonBody<ProductForm>,
) -> Result<impl IntoResponse, Problem> {
    let product = app.repository.create(form.check()?, app.clock.now()).await?;
    let location = format!("/products/{}", product.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(product)))
}

/// Read one product
#[utoipa::path(get, path = "/products/{id}", params(("id" = u64, Path)), responses(
    (status = 200, body = Product),
    (status = 400, body = ProblemDocument, content_type = "application/problem+json"),
    (status = 404, body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(crate) async fn read(
    State(app): State<Arc<App>>,
    Id(id): Id,
) -> Result<Json<Product>, Problem> {
    Ok(Json(app.repository.get(id).await?))
}

/// Replace one product
#[utoipa::path(put, path = "/products/{id}", params(("id" = u64, Path)),
    request_body = ProductForm, responses(
    (status = 200, body = Product),
    (status = 404, body = ProblemDocument, content_type = "application/problem+json"),
    (status = 409, body = ProblemDocument, content_type = "application/problem+json"),
    (status = 422, body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(crate) async fn update(
    State(app): State<Arc<App>>,
    Id(id): Id,
    JsonBody(form): JsonBody<ProductForm>,
) -> Result<Json<Product>, Problem> {
    Ok(Json(app.repository.update(id, form.check()?, app.clock.now()).await?))
}

/// Delete one product
#[utoipa::path(delete, path = "/products/{id}", params(("id" = u64, Path)), responses(
    (status = 204),
    (status = 404, body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(crate) async fn delete(State(app): State<Arc<App>>, Id(id): Id) -> Result<StatusCode, Problem> {
    app.repository.delete(id).await?;
    Ok(StatusCode::NO_CONTENT)
}
