//! Every route in one list: those of the API, which are counted, and those for operation.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::docs;
use crate::endpoints::{faults, health, metrics, products, search, unmatched};
use crate::metrics::UNMATCHED;
use crate::observe;

const MAX_BODY_BYTES: usize = 64 * 1024;

const DOCS: &str = "/docs";
const OPENAPI: &str = "/openapi.json";

/// Counted, and subject to faults.
fn api_routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(products::list, products::create))
        .routes(routes!(products::read, products::update, products::delete))
        .routes(routes!(search::search))
}

/// Neither counted nor subject to faults.
fn operation_routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(faults::list, faults::start))
        .routes(routes!(faults::end))
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(metrics::metrics))
}

/// The whole service.
pub fn router(app: Arc<App>) -> Router {
    let (operations, mut openapi) = operation_routes().split_for_parts();
    let (api, described) = api_routes().split_for_parts();
    openapi.merge(described);
    let openapi = OpenApiBuilder::from(openapi).info(info()).build();
    let (page, json) = (docs::page(&openapi), docs::json(&openapi));
    let api = api
        .route(DOCS, get(|| async { page }))
        .route(OPENAPI, get(|| async { json }))
        .fallback(unmatched::not_found)
        .method_not_allowed_fallback(unmatched::method_not_allowed)
        .layer(from_fn_with_state(Arc::clone(&app), observe::api));
    let operations = operations
        .method_not_allowed_fallback(unmatched::method_not_allowed)
        .layer(from_fn_with_state(Arc::clone(&app), observe::operations));
    api.merge(operations).layer(DefaultBodyLimit::max(MAX_BODY_BYTES)).with_state(app)
}

/// The values that the label `route` can take, which are those a fault can be asked for.
pub(crate) fn counted_routes() -> Vec<String> {
    let described: OpenApi = api_routes().into_openapi();
    let paths = described.paths.paths.into_keys();
    paths.chain([DOCS, OPENAPI, UNMATCHED].map(str::to_owned)).collect()
}

fn info() -> utoipa::openapi::Info {
    InfoBuilder::new()
        .title("Shop catalogue")
        .description(Some("Products of the shop, and faults on demand."))
        .version(env!("CARGO_PKG_VERSION"))
        .build()
}
