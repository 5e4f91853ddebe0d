//! What is excluded while the server runs. When that changes, the minutes that are touched are loaded
//! from the database, some SLOs at a time; an SLO keeps its numbers until its own are whole.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use slo_core::budget::Want;
use slo_core::exclusion::Excluded;
use slo_core::time::Minute;

use super::Engine;
use crate::evaluate::exclusion::{Acting, InForce, reach};
use crate::evaluate::live::Live;
use crate::store::StoreError;

/// SLOs whose minutes are in memory at once: as many as a row of the database holds.
pub(super) const TOGETHER: usize = 64;
/// Minutes are worked out this much further than views reach, so that it need not be done each tick.
const AHEAD: i64 = 1_440;

/// What is excluded.
#[derive(Debug, Default)]
pub(super) struct Exclusions {
    /// Those that were asked for and are in force.
    requested: Arc<[InForce]>,
    /// All that the numbers go by, those of files too.
    pub(super) in_force: Arc<[InForce]>,
    /// The minutes for which they have been worked out; `None` when that has to be done anew.
    reach: Option<(Minute, Minute)>,
}

/// The exclusions of one SLO that are to act from now on.
struct Change {
    at: usize,
    acting: Vec<Arc<Acting>>,
    minutes: Excluded,
}

impl Exclusions {
    pub(super) fn requested(requested: Arc<[InForce]>) -> Self {
        Self { requested, ..Self::default() }
    }
}

impl Engine {
    /// Takes the exclusions that were asked for and are in force; from the next tick on they act.
    pub fn exclude(&mut self, requested: &Arc<[InForce]>) {
        let known = &mut self.exclusions;
        if !Arc::ptr_eq(&known.requested, requested) && known.requested != *requested {
            known.reach = None;
        }
        known.requested = requested.clone();
    }

    /// Leaves out what is excluded now, where that is not what has been left out so far.
    ///
    /// # Errors
    /// When minutes cannot be loaded; it is tried again at the next tick.
    pub(super) async fn apply_exclusions(&mut self, now: DateTime<Utc>) -> Result<(), StoreError> {
        let Exclusions { requested, in_force, .. } = &self.exclusions;
        let files = &self.declared.exclusions;
        if files.is_empty() && requested.is_empty() && in_force.is_empty() {
            return Ok(());
        }
        let slos = self.declared.services.iter().flat_map(|service| &service.slos);
        let (from, to) = reach(slos, now);
        if self.exclusions.reach.is_some_and(|(_, known)| to <= known) {
            return Ok(());
        }
        // What has been worked out of the past is not forgotten: it would seem to count again.
        let reach = (self.exclusions.reach.map_or(from, |(known, _)| known.min(from)), to + AHEAD);
        let files = files.iter().map(InForce::declared);
        let in_force: Vec<InForce> = files.chain(requested.iter().cloned()).collect();
        let acting = Acting::between(&in_force, reach);
        for changes in self.changes(&acting).chunks(TOGETHER) {
            self.apply(changes).await?;
        }
        self.exclusions.in_force = in_force.into();
        self.exclusions.reach = Some(reach);
        Ok(())
    }

    /// The SLOs that other exclusions are to act on, as the database keeps them.
    fn changes(&self, acting: &[Arc<Acting>]) -> Vec<Change> {
        let of = |live: &Live| Acting::on(acting, &live.account.slo().id);
        let mut all: Vec<Vec<Arc<Acting>>> = self.slos.iter().map(of).collect();
        let mut changes = Vec::new();
        for (at, live) in self.slos.iter().enumerate() {
            let mine = std::mem::take(&mut all[at]);
            // Members come after their composite.
            for member in &live.members {
                Acting::join(&mut all[member.at], &mine);
            }
            if mine != live.reading.exclusions {
                let minutes = Acting::minutes(&mine);
                changes.push(Change { at, acting: mine, minutes });
            }
        }
        changes.sort_by_key(|change| self.slos[change.at].ledger.id);
        changes
    }

    async fn apply(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let wants: Vec<Vec<Want>> = changes
            .iter()
            .map(|change| self.slos[change.at].account.exclude_wants(&change.minutes))
            .collect();
        let hours: BTreeSet<i64> = wants.iter().flatten().map(|want| want.0).collect();
        let hours: Vec<i64> = hours.into_iter().collect();
        let ledgers: Vec<u32> = changes.iter().map(|c| self.slos[c.at].ledger.id).collect();
        let found = self.store.minutes_in(&ledgers, &hours).await?;
        for (change, wants) in changes.iter().zip(wants) {
            let live = &mut self.slos[change.at];
            // A composite's look at an SLO shares its ledger.
            for (hour, minutes) in found.get(&live.ledger.id).into_iter().flatten() {
                if wants.contains(&Want(*hour)) {
                    live.account.load_minutes(*hour, minutes.clone());
                }
            }
            live.account.exclude(&change.minutes);
            live.reading.exclusions.clone_from(&change.acting);
            self.exclude_of_groups(change.at, &change.minutes).await?;
            self.slos[change.at].account.unload(&wants);
        }
        Ok(())
    }
}
