//! What every consumer reads: all views at one instant, swapped in whole.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use chrono::{DateTime, Utc};
use slo_core::slo::Service;
use slo_core::view::BudgetView;

use crate::declared::Declared;

/// All views at one instant.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// When it was made.
    pub at: DateTime<Utc>,
    /// What the files declare.
    pub declared: Arc<Declared>,
    /// Views by service, then environment, in the order of the files.
    pub views: BTreeMap<String, BTreeMap<String, Vec<Arc<BudgetView>>>>,
    /// Ledger numbers by service, SLO and environment, for histories.
    pub ledgers: Arc<BTreeMap<(String, String, String), u32>>,
    /// Why the last commit failed, when it did.
    pub store_error: Option<String>,
    /// Why changed files were not taken over, when they had errors.
    pub reload_error: Option<String>,
    /// Sources that could not be read, and why.
    pub source_errors: BTreeMap<String, String>,
}

impl Snapshot {
    /// The environments that a service is declared in.
    #[must_use]
    pub fn environments(&self, service: &str) -> Vec<&str> {
        let declared = self.declared.by_name().get(service);
        declared.into_iter().flat_map(BTreeMap::keys).map(String::as_str).collect()
    }

    /// A declared service.
    #[must_use]
    pub fn service(&self, service: &str, environment: &str) -> Option<&Arc<Service>> {
        self.declared.by_name().get(service)?.get(environment)
    }

    /// The views of a service in an environment.
    #[must_use]
    pub fn of(&self, service: &str, environment: &str) -> &[Arc<BudgetView>] {
        let views = self.views.get(service).and_then(|by| by.get(environment));
        views.map_or(&[], Vec::as_slice)
    }

    /// All views.
    pub fn all(&self) -> impl Iterator<Item = &Arc<BudgetView>> {
        self.views.values().flat_map(BTreeMap::values).flatten()
    }
}

/// Where the newest snapshot is found.
#[derive(Debug, Clone, Default)]
pub struct Latest(Arc<RwLock<Option<Arc<Snapshot>>>>);

impl Latest {
    /// The newest snapshot; `None` before the first.
    #[must_use]
    pub fn get(&self) -> Option<Arc<Snapshot>> {
        self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Swaps in a snapshot.
    pub fn publish(&self, snapshot: Snapshot) {
        let mut place = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        *place = Some(Arc::new(snapshot));
    }
}
