//! The fields of each kind of log line, by the Elastic Common Schema with flat dotted keys.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use crate::SERVICE;

const ECS_VERSION: &str = "8.11.0";

/// What every line begins with.
#[derive(Debug, Serialize)]
pub(crate) struct Head {
    #[serde(rename = "@timestamp")]
    timestamp: String,
    #[serde(rename = "log.level")]
    level: &'static str,
    message: String,
    #[serde(rename = "ecs.version")]
    ecs_version: &'static str,
    #[serde(rename = "service.name")]
    service: &'static str,
    #[serde(rename = "event.dataset")]
    dataset: &'static str,
}

impl Head {
    pub(crate) fn info(now: DateTime<Utc>, dataset: &'static str, message: String) -> Self {
        Self {
            timestamp: now.to_rfc3339_opts(SecondsFormat::Micros, true),
            level: "info",
            message,
            ecs_version: ECS_VERSION,
            service: SERVICE,
            dataset,
        }
    }

    pub(crate) fn error(self) -> Self {
        Self { level: "error", ..self }
    }
}

/// One answered request.
#[derive(Debug, Serialize)]
pub(crate) struct AccessLine<'a> {
    #[serde(flatten)]
    pub(crate) head: Head,
    #[serde(rename = "http.request.method")]
    pub(crate) method: &'a str,
    #[serde(rename = "http.response.status_code")]
    pub(crate) code: u16,
    #[serde(rename = "url.path")]
    pub(crate) path: &'a str,
    #[serde(rename = "url.query", skip_serializing_if = "Option::is_none")]
    pub(crate) query: Option<&'a str>,
    #[serde(rename = "http.route", skip_serializing_if = "Option::is_none")]
    pub(crate) route: Option<&'a str>,
    /// Nanoseconds, as ECS has it.
    #[serde(rename = "event.duration")]
    pub(crate) duration: u64,
    #[serde(rename = "event.outcome")]
    pub(crate) outcome: &'static str,
    #[serde(rename = "http.request.id")]
    pub(crate) request_id: &'a str,
    #[serde(rename = "trace.id", skip_serializing_if = "Option::is_none")]
    pub(crate) trace_id: Option<&'a str>,
}

/// The process began or ended.
#[derive(Debug, Serialize)]
pub(crate) struct ServiceLine {
    #[serde(flatten)]
    pub(crate) head: Head,
    #[serde(rename = "event.action")]
    pub(crate) action: &'static str,
    #[serde(rename = "server.address", skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<String>,
    #[serde(rename = "server.port", skip_serializing_if = "Option::is_none")]
    pub(crate) port: Option<u16>,
}

/// A fault began or ended; `fault` is its truth.
#[derive(Debug, Serialize)]
pub(crate) struct FaultLine<'a> {
    #[serde(flatten)]
    pub(crate) head: Head,
    #[serde(rename = "event.action")]
    pub(crate) action: &'static str,
    pub(crate) fault: &'a crate::faults::Fault,
}
