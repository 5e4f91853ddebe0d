//! What every consumer reads: all views at one instant, swapped in whole.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use chrono::{DateTime, Utc};
use slo_core::slo::{Service, SloId};
use slo_core::view::BudgetView;

use super::exclusion::InForce;
use super::recount::Recount;
use crate::declared::Declared;

/// All views at one instant.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// When it was made.
    pub at: DateTime<Utc>,
    /// What the files declare.
    pub declared: Arc<Declared>,
    /// Views by the place of their service in `declared`, in the order of the files.
    pub views: Vec<Vec<Arc<BudgetView>>>,
    /// The same of the groups of grouped SLOs.
    pub groups: Vec<Vec<Arc<BudgetView>>>,
    /// Ledger numbers of SLOs, for histories.
    pub ledgers: Arc<BTreeMap<SloId, u32>>,
    /// The exclusions that the views go by.
    pub exclusions: Arc<[InForce]>,
    /// Why the last commit failed, when it did.
    pub store_error: Option<String>,
    /// Why changed files were not taken over, when they had errors.
    pub reload_error: Option<String>,
    /// What the last recount found.
    pub recounts: Arc<[Recount]>,
    /// Sources that could not be read, and why.
    pub source_errors: BTreeMap<String, String>,
}

/// A declared service and what is known of it.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// The service.
    pub service: &'a Arc<Service>,
    /// Its views.
    pub views: &'a [Arc<BudgetView>],
    /// Those of the groups of its grouped SLOs.
    pub groups: &'a [Arc<BudgetView>],
}

impl Snapshot {
    /// Adds a view of a declared service; the place of the service.
    pub fn add(&mut self, view: Arc<BudgetView>) -> Option<usize> {
        let services = &self.declared.services;
        for views in [&mut self.views, &mut self.groups] {
            views.resize_with(services.len(), Vec::new);
        }
        let mut named = self.declared.named(&view.service).iter().copied();
        let at = named.find(|at| *services[*at].environment.as_str() == *view.environment)?;
        if view.group.is_some() {
            self.groups[at].push(view);
        } else {
            // There are thousands of services, most with few SLOs.
            let left = services[at].slos.len().saturating_sub(self.views[at].len());
            self.views[at].reserve_exact(left);
            self.views[at].push(view);
        }
        Some(at)
    }

    /// A declared service, once for each environment that it is in.
    pub fn named(&self, service: &str) -> impl ExactSizeIterator<Item = Found<'_>> {
        self.declared.named(service).iter().map(|at| self.found(*at))
    }

    /// The services by name and environment, from a name on.
    pub fn sorted_from(&self, service: &str) -> impl Iterator<Item = Found<'_>> {
        self.declared.sorted_from(service).iter().map(|at| self.found(*at))
    }

    fn found(&self, at: usize) -> Found<'_> {
        let views = self.views.get(at).map_or(&[][..], Vec::as_slice);
        let groups = self.groups.get(at).map_or(&[][..], Vec::as_slice);
        Found { service: &self.declared.services[at], views, groups }
    }

    /// All views.
    pub fn all(&self) -> impl Iterator<Item = &Arc<BudgetView>> {
        self.views.iter().flatten()
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
        let new = Some(Arc::new(snapshot));
        let mut place = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let old = std::mem::replace(&mut *place, new);
        // Readers do not wait until all old views are let go.
        drop(place);
        drop(old);
    }
}
