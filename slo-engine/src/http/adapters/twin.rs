//! A system that is told verdicts: it answers what a test lays ready, and remembers what it was told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::http::world::serve;

/// One call.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

/// What the twin says to a call; `None` where a test lays nothing ready.
type Says = Box<dyn Fn(&Call) -> Option<(u16, Value)> + Send>;

#[derive(Default)]
struct Known {
    calls: Vec<Call>,
    /// Answers for the next calls that are no reads, before all others.
    next: VecDeque<(u16, Value)>,
    says: Option<Says>,
}

/// The twin.
#[derive(Clone)]
pub(super) struct Twin {
    pub(super) url: String,
    known: Arc<Mutex<Known>>,
}

impl Twin {
    /// It answers as `says` does, else 204.
    pub(super) async fn saying(
        says: impl Fn(&Call) -> Option<(u16, Value)> + Send + 'static,
    ) -> Self {
        let known = Known { says: Some(Box::new(says)), ..Known::default() };
        let known = Arc::new(Mutex::new(known));
        let routes = Router::new().fallback(answer).with_state(known.clone());
        Self { url: serve(routes).await, known }
    }

    /// What it answers to the next call that is no read.
    pub(super) fn next(&self, status: u16, body: Value) {
        self.known.lock().unwrap().next.push_back((status, body));
    }

    /// The calls so far that are no reads, at paths that end so.
    pub(super) fn told(&self, end: &str) -> Vec<Call> {
        let known = self.known.lock().unwrap();
        let is_it = |call: &&Call| call.method != "GET" && call.path.ends_with(end);
        known.calls.iter().filter(is_it).cloned().collect()
    }

    /// Waits for so many of them.
    pub(super) async fn until_told(&self, end: &str, count: usize) -> Vec<Call> {
        let begun = Instant::now();
        loop {
            let told = self.told(end);
            if told.len() >= count {
                return told;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "told {told:#?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn answer(State(known): State<Arc<Mutex<Known>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let call = Call {
        method: parts.method.to_string(),
        path: parts.uri.to_string(),
        headers: parts.headers,
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    };
    let mut known = known.lock().unwrap();
    known.calls.push(call.clone());
    let laid = (call.method != "GET").then(|| known.next.pop_front()).flatten();
    let said = laid.or_else(|| known.says.as_ref().and_then(|says| says(&call)));
    let (status, body) = said.unwrap_or((204, Value::Null));
    let status = StatusCode::from_u16(status).unwrap();
    if body.is_null() { status.into_response() } else { (status, axum::Json(body)).into_response() }
}
