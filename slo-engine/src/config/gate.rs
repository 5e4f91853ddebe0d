//! The section `gate`.

use serde::{Deserialize, Serialize};
use slo_core::time::Span;

use crate::source::config::span_text;

/// The section `gate`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Gate {
    /// How often one machine token may ask.
    pub rate_limit: RateLimit,
    /// When an incident that nothing confirms closes by itself.
    #[serde(with = "span_text")]
    pub incidents_close_after: Span,
}

/// How often one may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RateLimit {
    /// Requests a second; 0 is no limit.
    pub per_second: u32,
    /// So many at once; at least one.
    pub burst: u32,
}

impl Default for Gate {
    fn default() -> Self {
        Self { rate_limit: RateLimit::default(), incidents_close_after: Span::minutes(240) }
    }
}

impl Default for RateLimit {
    fn default() -> Self {
        Self { per_second: 50, burst: 200 }
    }
}
