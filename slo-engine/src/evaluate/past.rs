//! SLOs as they were at instants of the past, from the ledger alone: no source is asked. Each history
//! is loaded once and its windows slide forward, so instants should be asked for in their order.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use slo_core::slo::{Slo, SloId};
use slo_core::time::{Minute, Span};
use slo_core::view::BudgetView;

use super::exclusion::{Acting, InForce, reach};
use super::reading;
use crate::source::config::SourceConfig;
use crate::store::{Store, StoreError};
use history::History;

mod history;
mod unsure;

/// SLOs of the past.
pub struct Past {
    store: Store,
    all: HashMap<SloId, History>,
    /// The minutes that any look can go by.
    reach: (Minute, Minute),
    in_force: Arc<[InForce]>,
    acting: Vec<Arc<Acting>>,
}

/// What the ledger knows of an SLO at an instant.
pub enum Look {
    /// How it was.
    Known(Was),
    /// The minutes that it went by are not known, or not any more; the sentence says which.
    Gone(String),
}

/// An SLO as it was.
pub struct Was {
    /// Its view.
    pub view: Arc<BudgetView>,
    /// The same at best and at worst, where only the sum is left of an hour that a window begins in.
    pub extremes: Option<[Arc<BudgetView>; 2]>,
}

impl Past {
    /// Loads what the database holds of some SLOs, for instants of a stretch of time. `burns` are the
    /// windows that policies ask for.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn open(
        store: &Store,
        sources: &[SourceConfig],
        (slos, burns): (&[Arc<Slo>], &[Span]),
        (from, to): (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<Self, StoreError> {
        let mut all: Vec<History> =
            slos.iter().map(|slo| History::new(slo, sources, burns)).collect();
        let oldest = slos.iter().map(|slo| reading::history_start(slo, Minute::of(from), burns));
        let oldest = oldest.min().unwrap_or(Minute::of(from)).hour() - MARGIN;
        let mut folds = store.folds(oldest).await?;
        let mut minutes = match store.folded_to().await? {
            Some(hour) => store.minutes_from(hour).await?,
            None => Default::default(),
        };
        let keys: Vec<_> = all.iter().map(History::key).collect();
        for (one, ledger) in all.iter_mut().zip(store.registered(&keys).await?) {
            let Some(ledger) = ledger else { continue };
            let hours = minutes.remove(&ledger.id).unwrap_or_default();
            one.load(&ledger, folds.remove(&ledger.id), hours);
        }
        let all = all.into_iter().map(|one| (one.id().clone(), one)).collect();
        let reach = (reach(slos, from).0, reach(slos, to).1);
        let (in_force, acting) = (Arc::default(), Vec::new());
        Ok(Self { store: store.clone(), all, reach, in_force, acting })
    }

    /// Says what is excluded at the looks from now on.
    pub fn exclude(&mut self, in_force: &Arc<[InForce]>) {
        if !Arc::ptr_eq(&self.in_force, in_force) {
            self.in_force = in_force.clone();
            self.acting = Acting::between(&**in_force, self.reach);
        }
    }

    /// Where an SLO is read; `None` for one that was not loaded.
    #[must_use]
    pub fn source(&self, slo: &SloId) -> Option<&SourceConfig> {
        self.all.get(slo).map(History::source)
    }

    /// How an SLO was at `now`, when its data had been read up to `until`; `None` when it had none.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn look(
        &mut self,
        slo: &SloId,
        until: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<Look, StoreError> {
        match self.all.get_mut(slo) {
            Some(history) => history.look((&self.store, &self.acting), until, now).await,
            None => Ok(Look::Gone(format!("{} was not looked for", slo.slo))),
        }
    }

    /// The least and the most that can have remained of a window's budget when the last look's data was
    /// read: of its newest minutes only a part may have been there. `None` without such a budget.
    #[must_use]
    pub fn range(&self, slo: &SloId, window: &str) -> Option<(f64, f64)> {
        self.all.get(slo)?.range(window)
    }
}

/// Hours that are loaded before the first window, for calendar windows of other lengths.
const MARGIN: i64 = 48;
