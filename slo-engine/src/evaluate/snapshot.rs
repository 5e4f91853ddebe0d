//! What every consumer reads: all views at one instant, swapped in whole.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockWriteGuard};

use arc_swap::{ArcSwapOption, Guard};
use chrono::{DateTime, Utc};
use slo_core::slo::{Service, SloId};
use slo_core::view::BudgetView;
use tokio::sync::watch;

use super::engine::early::Early;
use super::exclusion::InForce;
use super::peeks::Peeks;
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
    /// What was answered from it to peeks.
    pub peeks: Peeks,
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

/// Where the newest snapshot is found; until there is one, parts of it may be looked up.
#[derive(Debug, Clone, Default)]
pub struct Latest {
    newest: Arc<ArcSwapOption<Snapshot>>,
    /// Whether there is one.
    begun: Arc<watch::Sender<bool>>,
    early: Arc<RwLock<Option<Arc<Early>>>>,
    next: Arc<OnceLock<Prepare>>,
}

/// What is done with a snapshot, given the one before, until it is shown.
struct Prepare(Box<Preparing>);

type Preparing = dyn Fn(&Snapshot, &Snapshot) + Send + Sync;

impl fmt::Debug for Prepare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Prepare")
    }
}

impl Latest {
    /// The newest snapshot; `None` before the first.
    #[must_use]
    pub fn get(&self) -> Option<Arc<Snapshot>> {
        self.newest.load_full()
    }

    /// The same for a moment: nothing is written that another core must see.
    #[must_use]
    pub fn look(&self) -> Guard<Option<Arc<Snapshot>>> {
        self.newest.load()
    }

    /// Swaps in a snapshot.
    pub fn publish(&self, snapshot: Snapshot) {
        if let (Some(Prepare(prepare)), Some(before)) = (self.next.get(), self.get()) {
            prepare(&before, &snapshot);
        }
        // Readers do not wait until all old views are let go: that is done here, behind the swap.
        let before = self.newest.swap(Some(Arc::new(snapshot)));
        self.begun.send_replace(true);
        drop(before);
        drop(self.place_of_early().take());
    }

    /// Says what is done with each snapshot, given the one before, until it is shown. The first to say so
    /// is heard.
    pub fn prepares(&self, prepare: impl Fn(&Snapshot, &Snapshot) + Send + Sync + 'static) {
        drop(self.next.set(Prepare(Box::new(prepare))));
    }

    /// Says who looks up parts until the first snapshot is published.
    pub fn starts(&self, early: Early) {
        *self.place_of_early() = Some(Arc::new(early));
    }

    /// Who does that, while the first snapshot is being made.
    #[must_use]
    pub fn early(&self) -> Option<Arc<Early>> {
        self.early.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The newest snapshot; the first one is waited for while it is being made.
    pub async fn whole(&self) -> Option<Arc<Snapshot>> {
        if self.early().is_some() {
            let mut begun = self.begun.subscribe();
            drop(begun.wait_for(|begun| *begun).await);
        }
        self.get()
    }

    /// The newest snapshot; before the first, the part of it that verdicts on a service go by.
    pub async fn of(&self, service: &str) -> Option<Arc<Snapshot>> {
        let Some(early) = self.early() else { return self.get() };
        let part = async {
            match early.snapshot_of(service).await {
                Ok(part) => Arc::new(part),
                Err(error) => {
                    tracing::warn!(service, "cannot look up a service alone: {error:#}");
                    std::future::pending().await
                }
            }
        };
        tokio::select! {
            biased;
            whole = self.whole() => whole,
            // What was read while ticks began to write may be of two instants.
            part = part => self.get().or(Some(part)),
        }
    }

    /// What the files declare; `None` before that is known.
    #[must_use]
    pub fn declared(&self) -> Option<Arc<Declared>> {
        let newest = self.get().map(|snapshot| snapshot.declared.clone());
        newest.or_else(|| self.early().map(|early| early.declared().clone()))
    }

    fn place_of_early(&self) -> RwLockWriteGuard<'_, Option<Arc<Early>>> {
        self.early.write().unwrap_or_else(PoisonError::into_inner)
    }
}
