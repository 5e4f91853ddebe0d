//! `/search?q=`: products whose texts contain the words asked for.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::paging::{PageQuery, ProductPage};
use crate::app::App;
use crate::checks::Checks;
use crate::extract::QueryString;
use crate::problem::{Problem, ProblemDocument};

const MAX_QUERY_LENGTH: usize = 100;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct SearchQuery {
    /// 1 to 100 characters, looked for in sku, name, category and description
    #[param(value_type = String, required = true)]
    q: Option<String>,
    /// From 1, which is the default
    #[param(value_type = Option<u32>)]
    page: Option<String>,
    /// 1 to 100; 20 when absent
    #[param(value_type = Option<u32>)]
    per_page: Option<String>,
}

/// Search products by text, whatever its case
#[utoipa::path(get, path = "/search", params(SearchQuery), responses(
    (status = 200, body = ProductPage),
    (status = 400, body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(crate) async fn search(
    State(app): State<Arc<App>>,
    QueryString(query): QueryString<SearchQuery>,
) -> Result<Json<ProductPage>, Problem> {
    let mut checks = Checks::default();
    let text = checks.given("q", query.q).trim().to_owned();
    let length = text.chars().count();
    let rule = format!("is 1 to {MAX_QUERY_LENGTH} characters long");
    checks.require((1..=MAX_QUERY_LENGTH).contains(&length), "q", rule);
    let page = PageQuery { page: query.page, per_page: query.per_page }.check(checks)?;
    let slice = app.repository.search(&text, page.range()).await?;
    Ok(Json(ProductPage::new(page, slice)))
}
