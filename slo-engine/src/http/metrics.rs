//! `/metrics`: what the engine says of itself. Counters are counted where things happen; the rest is
//! read from the newest snapshot when asked, as old as it then is.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::extract::State;
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use budget_gate::Verdict;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::app::App;
use super::problem::Problem;
use super::query::Asked;
use super::{Nothing, Shared};
use crate::gate::Answer;
use watched::Watched;

mod watched;

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The route of requests whose path no route has.
const UNMATCHED: &str = "unmatched";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PeekLabels {
    verdict: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DecisionLabels {
    verdict: &'static str,
    computed: &'static str,
    kind: &'static str,
    overridden: &'static str,
    recorded: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallbackLabels {
    adapter: String,
    outcome: &'static str,
}

/// Seconds that a decision takes, its record included.
const LATENCIES: [f64; 9] = [0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.0];

/// The route of peeks.
const PEEK: &str = "/v1/gate/{service}";

const VERDICTS: [Verdict; 4] = [Verdict::Allow, Verdict::Warn, Verdict::Unknown, Verdict::Deny];

/// The counters, and the registry that writes them.
pub(super) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    /// By verdict, in the order of [`VERDICTS`].
    peeks: [Counter; 4],
    /// Requests that were answered with what is kept of peeks.
    peeked_again: Counter,
    decisions: Family<DecisionLabels, Counter>,
    latency: Histogram,
    callbacks: Family<CallbackLabels, Counter>,
}

impl Metrics {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let started = Gauge::<f64, AtomicU64>::default();
        started.set(shared.clock.now().timestamp_millis() as f64 / 1e3);
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        let requests = Family::<RequestLabels, Counter>::default();
        let verdicts = Family::<PeekLabels, Counter>::default();
        // All are there from the beginning, so that the first deny is a rise from 0.
        let peeks = VERDICTS.map(|verdict| {
            verdicts.get_or_create(&PeekLabels { verdict: verdict.as_str() }).clone()
        });
        let mut registry = Registry::default();
        let said = "When the process started, since the Unix epoch";
        registry.register_with_unit("process_start_time", said, Unit::Seconds, started);
        registry.register("headroom_build", "The engine's version", version);
        let said = "Requests answered";
        let peek = RequestLabels { method: "GET", route: PEEK.to_owned(), status: 200 };
        let peeked_again = requests.get_or_create(&peek).clone();
        registry.register("headroom_http_requests", said, Family::clone(&requests));
        let said = "Verdicts given without a record";
        registry.register("headroom_gate_peeks", said, verdicts);
        let decisions = Family::<DecisionLabels, Counter>::default();
        let said = "Verdicts given with a record; repeated ones are not counted again";
        registry.register("headroom_gate_decisions", said, Family::clone(&decisions));
        let latency = Histogram::new(LATENCIES);
        let said = "How long a decision took, its record included";
        registry.register_with_unit("headroom_gate_decision", said, Unit::Seconds, latency.clone());
        let callbacks = Family::<CallbackLabels, Counter>::default();
        let said = "Tries to answer by a call of our own";
        registry.register("headroom_callbacks", said, Family::clone(&callbacks));
        registry.register_collector(Box::new(Watched(shared)));
        Self { registry, requests, peeks, peeked_again, decisions, latency, callbacks }
    }

    pub(super) fn answered(&self, method: &Method, route: Option<&str>, status: u16) {
        let route = route.unwrap_or(UNMATCHED).to_owned();
        let labels = RequestLabels { method: known(method), route, status };
        self.requests.get_or_create(&labels).inc();
    }

    pub(super) fn peeked(&self, verdict: Verdict) {
        let count = VERDICTS.iter().zip(&self.peeks).find(|(one, _)| **one == verdict);
        if let Some((_, count)) = count {
            count.inc();
        }
    }

    /// Counts a peek, and the request that it is.
    pub(super) fn peeked_again(&self, verdict: Verdict) {
        self.peeked_again.inc();
        self.peeked(verdict);
    }

    /// Counts a decision that was made now.
    pub(super) fn decided(&self, answer: &Answer, took: Duration) {
        self.latency.observe(took.as_secs_f64());
        if answer.is_repeated {
            return;
        }
        let decision = &answer.decision;
        let said = |is: bool| if is { "true" } else { "false" };
        let labels = DecisionLabels {
            verdict: decision.verdict.as_str(),
            computed: decision.computed.as_str(),
            kind: decision.kind.as_str(),
            overridden: said(decision.overridden.is_some()),
            recorded: said(decision.recorded.is_some()),
        };
        self.decisions.get_or_create(&labels).inc();
    }

    pub(super) fn called_back(&self, adapter: &str, outcome: &'static str) {
        let labels = CallbackLabels { adapter: adapter.to_owned(), outcome };
        self.callbacks.get_or_create(&labels).inc();
    }

    fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// A method as a label; callers can invent any.
fn known(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

/// The engine's own metrics, as OpenMetrics text
#[utoipa::path(get, path = "/metrics", tag = "operation", operation_id = "metrics", responses(
    (status = 200, description = "Metrics", content_type = "application/openmetrics-text", body = String),
))]
pub(super) async fn metrics(
    State(app): State<Arc<App>>,
    _: Asked<Nothing>,
) -> Result<Response, Problem> {
    let text = app.metrics.text().map_err(|_| Problem::internal())?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response())
}

#[cfg(test)]
mod tests;
