//! The HTTP server.

use std::sync::Arc;

use slo_core::time::Span;

use crate::clock::Clock;
use crate::evaluate::snapshot::Latest;
use crate::store::Store;

/// What handlers share.
pub struct Shared {
    /// The newest snapshot.
    pub latest: Latest,
    /// The database.
    pub store: Store,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// How often sources are read.
    pub tick: Span,
}

/// All routes.
pub fn router(_shared: Arc<Shared>) -> axum::Router {
    axum::Router::new()
}
