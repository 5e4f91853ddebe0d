//! Around every route: a request id, a trace, a time limit, a size limit, no panic that ends a
//! connection, errors as problems, and a count.

use std::any::Any;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::request_id::{
    MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer,
};
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;
use tracing::Span;

use super::app::App;
use super::caller;
use super::problem::{self, Problem};

/// How long an answer may take, and how large a body may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) time: Duration,
    pub(super) body: usize,
}

/// Those of the server.
pub(super) const LIMITS: Limits =
    Limits { time: Duration::from_secs(30), body: super::LARGEST_BODY };

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Routes with everything that is around them; the first layer is the outermost.
pub(super) fn layered(
    routes: Router<Arc<App>>,
    app: &Arc<App>,
    limits: Limits,
) -> Router<Arc<App>> {
    routes.layer((
        SetRequestIdLayer::new(REQUEST_ID, Numbered::default()),
        PropagateRequestIdLayer::new(REQUEST_ID),
        TraceLayer::new_for_http().make_span_with(span).on_failure(()),
        from_fn_with_state(Arc::clone(app), observe),
        CatchPanicLayer::custom(panicked),
        TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, limits.time),
        RequestBodyLimitLayer::new(limits.body),
    ))
}

/// Ids for requests that bring none: a number of the process, and which request it is.
#[derive(Clone)]
struct Numbered {
    process: Arc<str>,
    last: Arc<AtomicU64>,
}

impl Default for Numbered {
    fn default() -> Self {
        let random = std::hash::RandomState::new().hash_one(std::process::id());
        Self { process: format!("{random:016x}").into(), last: Arc::default() }
    }
}

impl MakeRequestId for Numbered {
    fn make_request_id<B>(&mut self, _: &axum::http::Request<B>) -> Option<RequestId> {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let id = HeaderValue::try_from(format!("{}-{number}", self.process)).ok()?;
        Some(RequestId::new(id))
    }
}

/// Names the route, not the path: paths may hold what is nobody's business.
fn span<B>(request: &axum::http::Request<B>) -> Span {
    let route = request.extensions().get().map_or("unmatched", MatchedPath::as_str);
    let id = request.extensions().get::<RequestId>();
    let id = id.and_then(|id| id.header_value().to_str().ok()).unwrap_or_default();
    tracing::debug_span!("request", method = %request.method(), route, id)
}

/// Completes problems, counts, and says that nothing here may be kept or guessed at.
async fn observe(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), caller::shown(request.uri().path()));
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = problem::complete(next.run(request).await, &path);
    let route = route.as_ref().map(MatchedPath::as_str);
    app.metrics.answered(&method, route, response.status().as_u16());
    let headers = response.headers_mut();
    let value = HeaderValue::from_static;
    headers.entry(header::CACHE_CONTROL).or_insert(value("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, value("nosniff"));
    response
}

#[expect(clippy::needless_pass_by_value, reason = "the layer hands it over")]
fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no words");
    tracing::error!(panic = text, "a handler panicked");
    Problem::internal().into_response()
}

#[cfg(test)]
mod tests;
