//! What budgets were when a decision was made, rebuilt from the ledger.

use std::sync::Arc;

use budget_gate::Decision;
use chrono::{DateTime, Utc};
use slo_core::slo::{Service, SloId};
use slo_core::view::{BudgetView, WindowView};

use super::item::LedgerChange;
use super::seen::Seen;
use super::{Replay, gating};
use crate::evaluate::past::{Look, Past, Was};
use crate::store::StoreError;

/// Budgets at an instant.
pub(super) struct Scene<'a> {
    pub(super) service: Option<&'a Arc<Service>>,
    own: Vec<Was>,
    /// Of the services that it depends on; empty where no policy asks for them.
    others: Vec<(&'a str, Vec<Was>)>,
    /// Where what was recorded differs from what the ledger says now.
    pub(super) changes: Vec<LedgerChange>,
    /// What the decision went by that is not known any more.
    pub(super) gone: Option<String>,
}

/// One way in which the scene may have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// As far as the ledger tells.
    Likely,
    Best,
    Worst,
}

/// The views of the service, and of those that it depends on.
pub(super) type Views<'a> = (Vec<Arc<BudgetView>>, Vec<(&'a str, Vec<Arc<BudgetView>>)>);

impl<'a> Scene<'a> {
    pub(super) async fn build(
        replay: &Replay<'a>,
        past: &mut Past,
        decision: &Decision,
    ) -> Result<Self, StoreError> {
        let environment = decision.environment.as_deref();
        let service = replay.service(&decision.service, environment);
        let seen = Seen::of(decision, service.map(Arc::as_ref), past);
        let gone = seen.undeclared(service.map(Arc::as_ref));
        let mut scene =
            Self { service, own: Vec::new(), others: Vec::new(), changes: Vec::new(), gone };
        for slo in service.into_iter().flat_map(|service| gating(service)) {
            let until = seen.until(slo, past);
            if let Some(was) = scene.look(past, &slo.id, until, decision.at).await? {
                scene.changes.extend(changes(&seen, past, &slo.id, &was.view));
                scene.own.push(was);
            }
        }
        for name in replay.dependencies(service) {
            let Some(other) = replay.service(name, environment) else { continue };
            let mut all = Vec::new();
            for slo in gating(other) {
                let until = seen.usual(slo, past);
                all.extend(scene.look(past, &slo.id, Some(until), decision.at).await?);
            }
            scene.others.push((name, all));
        }
        Ok(scene)
    }

    async fn look(
        &mut self,
        past: &mut Past,
        slo: &SloId,
        until: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<Option<Was>, StoreError> {
        match past.look(slo, until, now).await? {
            Look::Known(was) => Ok(Some(was)),
            Look::Gone(reason) => {
                self.gone.get_or_insert(reason);
                Ok(None)
            }
        }
    }

    /// Whether something in it is known within bounds only.
    pub(super) fn has_extremes(&self) -> bool {
        let others = self.others.iter().flat_map(|(_, all)| all);
        self.own.iter().chain(others).any(|was| was.extremes.is_some())
    }

    pub(super) fn views(&self, way: Way) -> Views<'a> {
        let view = |was: &Was| match (&was.extremes, way) {
            (None, _) | (_, Way::Likely) => was.view.clone(),
            (Some([best, _]), Way::Best) => best.clone(),
            (Some([_, worst]), Way::Worst) => worst.clone(),
        };
        let own = self.own.iter().map(view).collect();
        let others =
            self.others.iter().map(|(name, all)| (*name, all.iter().map(view).collect())).collect();
        (own, others)
    }
}

/// Shares that differ by less are the same.
const SAME: f64 = 1e-9;

/// Budgets that were recorded and are not what the ledger says now, nor what it can have said while its
/// newest minutes were open.
fn changes(seen: &Seen<'_>, past: &Past, slo: &SloId, view: &BudgetView) -> Vec<LedgerChange> {
    let mut changes = Vec::new();
    for (window, recorded) in seen.budgets(slo.slo.as_str()) {
        let now = view.windows.iter().find(|one| *one.window == *window);
        let rebuilt = now.and_then(WindowView::deciding_remaining);
        let is_same = |share: f64| (share - recorded).abs() <= SAME;
        if now.is_none() || rebuilt.is_some_and(is_same) {
            continue;
        }
        let range = past.range(slo, window);
        if range.is_none_or(|(least, most)| recorded < least - SAME || recorded > most + SAME) {
            let (slo, window) = (slo.slo.to_string(), window.to_owned());
            changes.push(LedgerChange { slo, window, recorded, rebuilt });
        }
    }
    changes
}
