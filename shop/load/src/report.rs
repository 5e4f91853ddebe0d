//! The shape of the counts as JSON: on stdout, in the file of `--out`, and at `GET /counts`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// `scheduled` = `sent` + `notSent`, and `sent` = `answered` + `transportErrors` + `inFlight`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// False while the load runs.
    pub finished: bool,
    pub url: String,
    pub rate_per_second: f64,
    pub seed: u64,
    pub started_at: DateTime<Utc>,
    pub at: DateTime<Utc>,
    pub elapsed_seconds: f64,
    /// Arrivals so far.
    pub scheduled: u64,
    pub sent: u64,
    /// Arrivals that found `--max-in-flight` requests unanswered.
    pub not_sent: u64,
    pub answered: u64,
    /// Sent, and neither answered nor failed yet.
    pub in_flight: u64,
    pub most_in_flight: u64,
    pub transport_errors: TransportErrors,
    /// Answers with a status of 500 to 599.
    pub bad: u64,
    pub codes: BTreeMap<u16, u64>,
    /// From the instant a request was due to the end of its answer; null without answers.
    pub latency_ms: Option<LatencyMs>,
    pub routes: Vec<RouteReport>,
}

/// Requests without a whole answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransportErrors {
    pub connect: u64,
    pub timeout: u64,
    pub other: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LatencyMs {
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub max: f64,
}

/// One method and route, named as the catalogue's metrics name them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteReport {
    pub method: String,
    pub route: String,
    pub sent: u64,
    pub not_sent: u64,
    pub answered: u64,
    pub transport_errors: TransportErrors,
    pub codes: BTreeMap<u16, u64>,
    pub latency_ms: Option<LatencyMs>,
}

/// What was counted, before it is placed in time.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) in_flight: u64,
    pub(crate) most_in_flight: u64,
    pub(crate) latency_ms: Option<LatencyMs>,
    pub(crate) routes: Vec<RouteReport>,
}

impl TransportErrors {
    pub fn total(&self) -> u64 {
        self.connect + self.timeout + self.other
    }
}

impl Tally {
    pub(crate) fn sum(&self, of: impl Fn(&RouteReport) -> u64) -> u64 {
        self.routes.iter().map(of).sum()
    }

    pub(crate) fn transport_errors(&self) -> TransportErrors {
        TransportErrors {
            connect: self.sum(|route| route.transport_errors.connect),
            timeout: self.sum(|route| route.transport_errors.timeout),
            other: self.sum(|route| route.transport_errors.other),
        }
    }

    pub(crate) fn codes(&self) -> BTreeMap<u16, u64> {
        let mut codes = BTreeMap::new();
        for (code, count) in self.routes.iter().flat_map(|route| &route.codes) {
            *codes.entry(*code).or_default() += count;
        }
        codes
    }
}
