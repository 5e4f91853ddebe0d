//! Around every route: a request id, a trace, a time limit, a size limit, no panic that ends a
//! connection, errors as problems, and a count.

use std::any::Any;
use std::convert::Infallible;
use std::hash::BuildHasher;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::HttpBody;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::time::timeout;
use tower::Service;
use tracing::Instrument;

use super::LARGEST_BODY;
use super::app::App;
use super::caller;
use super::problem::{self, Problem};

/// How long an answer may take, and how large a body may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) time: Duration,
    pub(super) body: usize,
}

/// Those of the server; a route may take larger bodies.
pub(super) const LIMITS: Limits = Limits { time: Duration::from_secs(30), body: 1 << 20 };

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Routes with everything that is around them. One layer does all of it: each more would cost every
/// request another copy of the service, and one made of a function two.
pub(super) fn layered(routes: Router<Arc<App>>, around: &Arc<Around>) -> Router<Arc<App>> {
    routes.layer(Layer(Arc::clone(around)))
}

pub(super) struct Around {
    pub(super) app: Arc<App>,
    limits: Limits,
    ids: Numbered,
}

impl Around {
    pub(super) fn new(app: &Arc<App>, limits: Limits) -> Arc<Self> {
        Arc::new(Self { app: Arc::clone(app), limits, ids: Numbered::default() })
    }

    /// The id that a request brings, or a new one.
    pub(super) fn id_of(&self, headers: &HeaderMap) -> HeaderValue {
        headers.get(REQUEST_ID).cloned().unwrap_or_else(|| self.ids.next())
    }

    /// Says whose answer it is, and that nothing here may be kept or guessed at.
    pub(super) fn stamp(&self, response: &mut Response, id: HeaderValue) {
        let headers = response.headers_mut();
        let value = HeaderValue::from_static;
        headers.entry(header::CACHE_CONTROL).or_insert(value("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, value("nosniff"));
        headers.insert(REQUEST_ID, id);
    }
}

#[derive(Clone)]
struct Layer(Arc<Around>);

impl<S> tower::Layer<S> for Layer {
    type Service = Observed<S>;

    fn layer(&self, inner: S) -> Observed<S> {
        Observed { inner, around: Arc::clone(&self.0) }
    }
}

#[derive(Clone)]
struct Observed<S> {
    inner: S,
    around: Arc<Around>,
}

impl<S> Service<Request> for Observed<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // The one that is ready answers; its copy need not be.
        let copy = self.inner.clone();
        let mut next = std::mem::replace(&mut self.inner, copy);
        let around = Arc::clone(&self.around);
        Box::pin(async move { Ok(observe(&around, request, |request| next.call(request)).await) })
    }
}

/// Ids for requests that bring none: a number of the process, and which request it is.
struct Numbered {
    process: [u8; 16],
    last: AtomicU64,
}

impl Default for Numbered {
    fn default() -> Self {
        let random = std::hash::RandomState::new().hash_one(std::process::id());
        Self { process: hex(random), last: AtomicU64::default() }
    }
}

impl Numbered {
    fn next(&self) -> HeaderValue {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let mut text = [b'-'; 33];
        text[..16].copy_from_slice(&self.process);
        text[17..].copy_from_slice(&hex(number));
        HeaderValue::from_bytes(&text).expect("hexadecimal digits can stand in a header")
    }
}

fn hex(number: u64) -> [u8; 16] {
    std::array::from_fn(|at| b"0123456789abcdef"[(number >> (60 - 4 * at)) as usize & 15])
}

/// Lets a request be answered, completes problems, and counts.
async fn observe<F>(
    around: &Around,
    mut request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response
where
    F: Future<Output = Result<Response, Infallible>>,
{
    if !request.body().is_end_stream() {
        DefaultBodyLimit::max(around.limits.body).apply(&mut request);
    }
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map(MatchedPath::as_str);
    let id = around.id_of(request.headers());
    // The route, not the path: paths may hold what is nobody's business.
    let shown = id.to_str().unwrap_or_default();
    let span = tracing::debug_span!("request", %method, route, id = shown);
    let answer = async {
        match announced(&request) > LARGEST_BODY {
            true => Problem::plain(StatusCode::PAYLOAD_TOO_LARGE).into_response(),
            false => {
                if !answers_early(route) {
                    around.app.wait_for_start().await;
                }
                next(request).await.unwrap_or_else(|never| match never {})
            }
        }
    };
    let answer = AssertUnwindSafe(answer).catch_unwind();
    let response = match timeout(around.limits.time, answer).instrument(span.clone()).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => panicked(&*panic, route, shown),
        Err(_) => Problem::plain(StatusCode::SERVICE_UNAVAILABLE).into_response(),
    };
    let mut response = problem::complete(response, || caller::shown(uri.path()));
    let status = response.status().as_u16();
    span.in_scope(|| tracing::debug!(status, "answered"));
    around.app.metrics.answered(&method, route, status);
    around.stamp(&mut response, id);
    response
}

/// Routes that have answers before everything is loaded: verdicts are looked up one by one, and the rest
/// goes by no snapshot.
const EARLY: [&str; 7] = [
    "/v1/gate/{service}",
    "/v1/gate/decisions",
    "/healthz",
    "/readyz",
    "/openapi.json",
    "/docs",
    "/.well-known/jwks.json",
];

fn answers_early(route: Option<&str>) -> bool {
    let is_early = |route: &str| EARLY.contains(&route) || route.starts_with("/v1/adapters/");
    route.is_none_or(is_early)
}

/// The length of a body, where it is said before.
fn announced(request: &Request) -> usize {
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|said| said.to_str().ok());
    length.and_then(|length| length.parse().ok()).unwrap_or(0)
}

/// The log has what the answer says nothing of.
fn panicked(panic: &(dyn Any + Send), route: Option<&str>, id: &str) -> Response {
    tracing::error!(panic = words(panic), route, id, "a handler panicked");
    Problem::internal().into_response()
}

/// What a panic said.
pub(super) fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no words")
}

#[cfg(test)]
mod tests;
