//! Graded faults: what share of requests fails or waits, for how long, and the truth about it.
//!
//! The n-th request that a fault sees is hit or spared by the seed and n alone.

mod form;
mod registry;

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::random::unit;

pub use form::FaultForm;
pub use registry::{FaultList, Faults, Injection, TooManyFaults};

/// What a hit request suffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum FaultKind {
    /// Answered with 500 instead of by the service.
    Errors,
    /// Answered by the service, but `latencyMs` later.
    Latency,
    /// Answered with 500, `latencyMs` later.
    Both,
}

/// A fault as it was asked for; valid by construction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FaultSpec {
    pub kind: FaultKind,
    /// Share of requests that are hit, 0 to 1.
    pub share: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<u64>,
    /// The one route concerned; all of the API when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    pub seconds: u64,
    pub seed: u64,
}

impl FaultSpec {
    /// Whether the request with this ordinal (from 0, among those the fault sees) is hit.
    pub fn hits(&self, ordinal: u64) -> bool {
        unit(self.seed, ordinal) < self.share
    }

    fn concerns(&self, route: &str) -> bool {
        self.route.as_deref().is_none_or(|own| own == route)
    }

    fn delay(&self) -> Duration {
        Duration::from_millis(self.latency_ms.unwrap_or(0))
    }

    fn fails(&self) -> bool {
        match self.kind {
            FaultKind::Errors | FaultKind::Both => true,
            FaultKind::Latency => false,
        }
    }
}

/// What ended a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum EndedBy {
    Time,
    Deletion,
    Shutdown,
}

/// A fault and its truth so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    pub id: u64,
    #[serde(flatten)]
    pub spec: FaultSpec,
    pub started_at: DateTime<Utc>,
    /// When it ended; while it is active, when it will end by itself.
    pub ends_at: DateTime<Utc>,
    /// Absent while it is active.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<EndedBy>,
    /// Requests that came to its route while it was active.
    pub requests_seen: u64,
    /// Requests among them that it made fail or wait.
    pub requests_hit: u64,
}
