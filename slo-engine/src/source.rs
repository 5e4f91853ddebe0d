//! Where events come from. A source hands out whole buckets of minutes, never increments.

pub mod agreement;
mod client;
pub mod config;
#[cfg(feature = "elastic")]
pub mod elastic;
pub mod error;
pub mod intake;
pub mod jsonlog;
pub mod prometheus;
pub mod reader;
pub mod scrape;

use std::sync::Arc;

use prometheus::Prometheus;

/// A source that can be asked about the past.
#[derive(Debug, Clone)]
pub enum Past {
    /// The Prometheus HTTP API.
    Prometheus(Arc<Prometheus>),
    /// A search cluster.
    #[cfg(feature = "elastic")]
    Elastic(Arc<elastic::Elastic>),
}

impl Past {
    /// Whether it is the same source as another.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Prometheus(one), Self::Prometheus(other)) => Arc::ptr_eq(one, other),
            #[cfg(feature = "elastic")]
            (Self::Elastic(one), Self::Elastic(other)) => Arc::ptr_eq(one, other),
            #[cfg(feature = "elastic")]
            _ => false,
        }
    }
}
