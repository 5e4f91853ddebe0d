//! The middleware around every route: ids, injected faults, metrics and one log line a request.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::{Instant, sleep};

use crate::app::App;
use crate::log::{AccessLine, Head};
use crate::metrics::{UNMATCHED, method_label};
use crate::problem::{Problem, ProblemKind};
use crate::request_id::{HEADER, trace_id};

/// nginx's code for a client that left before its answer; it is never sent.
const CLIENT_LEFT: u16 = 499;

/// Around the API: counted, and subject to faults.
pub(crate) async fn api(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let exchange = Exchange::begin(app, &request, Traffic::Api);
    let injection = exchange.app.faults.decide(exchange.route());
    if !injection.delay.is_zero() {
        sleep(injection.delay).await;
    }
    let response = match injection.error {
        Some(fault) => {
            let detail = format!("fault {fault} answered in the service's place");
            Problem::new(ProblemKind::InjectedFault, detail).into_response()
        }
        None => next.run(request).await,
    };
    exchange.finish(response)
}

/// Around what operators and machines ask: neither counted nor subject to faults.
pub(crate) async fn operations(
    State(app): State<Arc<App>>,
    request: Request,
    next: Next,
) -> Response {
    let exchange = Exchange::begin(app, &request, Traffic::Operations);
    let response = next.run(request).await;
    exchange.finish(response)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Traffic {
    Api,
    Operations,
}

/// One request and its answer. Dropped without an answer, it counts as one whose client left.
struct Exchange {
    app: Arc<App>,
    traffic: Traffic,
    method: Method,
    uri: Uri,
    route: Option<MatchedPath>,
    request_id: String,
    trace_id: Option<String>,
    began: Instant,
    answered: Option<u16>,
}

impl Exchange {
    fn begin(app: Arc<App>, request: &Request, traffic: Traffic) -> Self {
        let exchange = Self {
            traffic,
            method: request.method().clone(),
            uri: request.uri().clone(),
            route: request.extensions().get().cloned(),
            request_id: app.request_ids.of(request.headers()),
            trace_id: trace_id(request.headers()),
            began: Instant::now(),
            answered: None,
            app,
        };
        if traffic == Traffic::Api {
            exchange.app.metrics.began(method_label(&exchange.method));
        }
        exchange
    }

    fn route(&self) -> &str {
        self.route.as_ref().map_or(UNMATCHED, MatchedPath::as_str)
    }

    /// Writes the problem's body, names the request, and lets the drop count it.
    fn finish(mut self, mut response: Response) -> Response {
        if let Some(problem) = response.extensions_mut().remove::<Problem>() {
            *response.body_mut() = problem.body(self.uri.path());
        }
        if let Ok(id) = HeaderValue::from_str(&self.request_id) {
            response.headers_mut().insert(HEADER, id);
        }
        self.answered = Some(response.status().as_u16());
        response
    }

    fn log(&self, code: u16, duration: u64) {
        let (method, path) = (self.method.as_str(), self.uri.path());
        let dataset = match self.traffic {
            Traffic::Api => "catalog.access",
            Traffic::Operations => "catalog.operations",
        };
        let head = Head::info(self.app.clock.now(), dataset, format!("{method} {path} {code}"));
        self.app.log.write(&AccessLine {
            head: if code >= 500 { head.error() } else { head },
            method,
            code,
            path,
            query: self.uri.query(),
            route: self.route.as_ref().map(MatchedPath::as_str),
            duration,
            outcome: outcome(code),
            request_id: &self.request_id,
            trace_id: self.trace_id.as_deref(),
        });
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let took = self.began.elapsed();
        let code = self.answered.unwrap_or(CLIENT_LEFT);
        if self.traffic == Traffic::Api {
            self.app.metrics.ended(method_label(&self.method), self.route(), code, took);
        }
        self.log(code, u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }
}

/// From the service's side: a refused request is a success, one without an answer is unknown.
fn outcome(code: u16) -> &'static str {
    match code {
        CLIENT_LEFT => "unknown",
        500.. => "failure",
        _ => "success",
    }
}
