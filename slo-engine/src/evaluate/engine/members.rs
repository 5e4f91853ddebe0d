//! Composites: each of their members is looked at once more, over the composite's windows. Such a
//! look follows the member's ledger and has none of its own.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use slo_core::composite::{self, Known, as_member};
use slo_core::plan::Role;
use slo_core::sli::Indicator;
use slo_core::slo::{Slo, SloId};

use super::Engine;
use super::open::new_live;
use crate::evaluate::live::{Live, MemberOf, Place, ShareOf};

impl Engine {
    /// Adds the members of all composites, once the ledgers that they follow are loaded.
    pub(super) fn add_members(&mut self) {
        let shown = self.slos.iter().enumerate().filter(|(_, live)| live.place == Place::Shown);
        let places: HashMap<SloId, usize> =
            shown.map(|(at, live)| (live.account.slo().id.clone(), at)).collect();
        for at in 0..self.slos.len() {
            self.add_members_of(at, &places);
        }
    }

    fn add_members_of(&mut self, at: usize, places: &HashMap<SloId, usize>) {
        let slo = self.slos[at].account.slo().clone();
        let Indicator::Composite(members) = &slo.indicator else { return };
        for member in members {
            let Some(found) = places.get(&member.slo.id(&slo.id.environment)) else { continue };
            let live = self.follow(*found, &slo);
            let new = self.slos.len();
            self.slos.push(live);
            self.feeds.push(None);
            self.slos[at].members.push(MemberOf {
                at: new,
                member: member.clone(),
                data_until: None,
            });
            self.add_members_of(new, places);
        }
    }

    /// A look at an SLO for a composite.
    fn follow(&self, found: usize, composite: &Slo) -> Live {
        let shown = &self.slos[found];
        let slo = Arc::new(as_member(composite, shown.account.slo()));
        let is_composite = matches!(slo.indicator, Indicator::Composite(_));
        let mut live = Live { place: Place::Member, ..new_live(&self.declared, &slo) };
        if !is_composite {
            live.account = shown.account.following(slo, &self.declared.burns);
            live.ledger.id = shown.ledger.id;
            live.shares.push(ShareOf { at: found, role: Role::Whole, delay: 0 });
        }
        live
    }

    /// Says up to when each member has data, and lets all of them end where the newest does.
    pub(super) fn align_members(&mut self) {
        for at in 0..self.slos.len() {
            let ends: Vec<Option<DateTime<Utc>>> =
                self.slos[at].members.iter().map(|member| self.end(member.at)).collect();
            let end = composite::end(ends.iter().copied());
            for (place, until) in ends.into_iter().enumerate() {
                let member = &mut self.slos[at].members[place];
                member.data_until = until;
                let member = member.at;
                self.slos[member].reading.ends = end;
            }
        }
    }

    /// Up to when an SLO or all of its members have data.
    fn end(&self, at: usize) -> Option<DateTime<Utc>> {
        let live = &self.slos[at];
        match &live.members[..] {
            [] => live.reading.read_to,
            members => composite::end(members.iter().map(|member| self.end(member.at))),
        }
    }

    /// Makes the views of composites; those inside others come first.
    pub(super) fn view_composites(&mut self, now: DateTime<Utc>) {
        for at in (0..self.slos.len()).rev() {
            let live = &self.slos[at];
            if live.members.is_empty() {
                continue;
            }
            let known: Vec<Known<'_>> = live
                .members
                .iter()
                .filter_map(|MemberOf { at, member, data_until }| {
                    let view = self.slos[*at].view.as_deref()?;
                    Some(Known { member, view, data_until: *data_until })
                })
                .collect();
            let (slo, before) = (live.account.slo(), live.view.as_deref());
            let view = composite::view(slo, now, &known, &self.declared.asks, before);
            self.slos[at].view = Some(Arc::new(view));
        }
    }
}
