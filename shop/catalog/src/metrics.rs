//! What the service counts, by the OpenTelemetry HTTP semantic conventions, as OpenMetrics text.
//!
//! Label values come from closed sets: known methods, matched routes, status codes.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::http::Method;
use chrono::{DateTime, Utc};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::SERVICE;

/// The buckets that the semantic conventions advise for `http.server.request.duration`.
const DURATION_BUCKETS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// The route of every request whose path no route matches.
pub(crate) const UNMATCHED: &str = "unmatched";

pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    service: &'static str,
    method: &'static str,
    route: String,
    code: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DurationLabels {
    service: &'static str,
    http_request_method: &'static str,
    http_route: String,
    http_response_status_code: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ActiveLabels {
    service: &'static str,
    http_request_method: &'static str,
}

/// The service's counters and the registry that writes them.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Family<DurationLabels, Histogram, fn() -> Histogram>,
    active: Family<ActiveLabels, Gauge>,
    log_lines_dropped: Counter,
}

impl Metrics {
    /// Metrics of a process that started at `started`.
    pub fn new(started: DateTime<Utc>) -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            requests: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(DURATION_BUCKETS)),
            active: Family::default(),
            log_lines_dropped: Counter::default(),
        };
        metrics.register(started);
        metrics
    }

    fn register(&mut self, started: DateTime<Utc>) {
        let start_time = Gauge::<f64, AtomicU64>::default();
        start_time.set(started.timestamp_micros() as f64 / 1e6);
        let registry = &mut self.registry;
        registry.register("http_requests", "Requests answered", self.requests.clone());
        registry.register_with_unit(
            "http_server_request_duration",
            "Time from the request's head to the answer's head",
            Unit::Seconds,
            self.durations.clone(),
        );
        registry.register("http_server_active_requests", "Requests in flight", self.active.clone());
        registry.register(
            "log_lines_dropped",
            "Log lines lost because the output did not keep up or failed",
            self.log_lines_dropped.clone(),
        );
        registry.register_with_unit(
            "process_start_time",
            "When the process started, since the Unix epoch",
            Unit::Seconds,
            start_time,
        );
    }

    pub(crate) fn began(&self, method: &'static str) {
        self.active.get_or_create(&active(method)).inc();
    }

    pub(crate) fn ended(&self, method: &'static str, route: &str, code: u16, took: Duration) {
        self.active.get_or_create(&active(method)).dec();
        let labels = RequestLabels { service: SERVICE, method, route: route.to_owned(), code };
        self.requests.get_or_create(&labels).inc();
        let labels = DurationLabels {
            service: SERVICE,
            http_request_method: method,
            http_route: route.to_owned(),
            http_response_status_code: code,
        };
        self.durations.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// The counter that the log raises for each line it loses.
    pub fn log_lines_dropped(&self) -> Counter {
        self.log_lines_dropped.clone()
    }

    pub(crate) fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

fn active(method: &'static str) -> ActiveLabels {
    ActiveLabels { service: SERVICE, http_request_method: method }
}

/// The method as a label: the conventions' known ones, anything else is `_OTHER`.
pub(crate) fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        "TRACE" => "TRACE",
        "CONNECT" => "CONNECT",
        _ => "_OTHER",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_the_names_and_labels_that_slos_are_written_against() {
        let metrics = Metrics::new(DateTime::from_timestamp(1_700_000_000, 500_000_000).unwrap());
        metrics.began("GET");
        metrics.ended("GET", "/products/{id}", 200, Duration::from_millis(30));
        let text = metrics.encode().unwrap();
        let duration = r#"service="catalog",http_request_method="GET",http_route="/products/{id}",http_response_status_code="200""#;
        for line in [
            r#"http_requests_total{service="catalog",method="GET",route="/products/{id}",code="200"} 1"#.to_owned(),
            format!(r#"http_server_request_duration_seconds_bucket{{le="0.025",{duration}}} 0"#),
            format!(r#"http_server_request_duration_seconds_bucket{{le="0.05",{duration}}} 1"#),
            format!(r#"http_server_request_duration_seconds_count{{{duration}}} 1"#),
            r#"http_server_active_requests{service="catalog",http_request_method="GET"} 0"#.to_owned(),
            "process_start_time_seconds 1700000000.5".to_owned(),
            "# TYPE http_requests counter".to_owned(),
        ] {
            assert!(text.lines().any(|other| other == line), "{line}\nnot in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}
