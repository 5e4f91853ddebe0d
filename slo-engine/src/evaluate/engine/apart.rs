//! Subsets of SLOs' events: they are found while reading, get a ledger with the next commit, and groups
//! are looked at beside their SLO.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use slo_core::budget::Want;
use slo_core::calendar;
use slo_core::counter::OutcomeOf;
use slo_core::exclusion::Excluded;
use slo_core::ledger::Hour;
use slo_core::slo::Budgeting;
use slo_core::stretches::Stretches;
use slo_core::subset::{Cuts, Subset};
use slo_core::time::Minute;

use super::Engine;
use super::commit::Changed;
use super::load::Stored;
use crate::evaluate::exclusion::Acting;
use crate::evaluate::live::{Apart, Live, Place, config_of};
use crate::evaluate::reading;
use crate::evaluate::subset::{LiveSubset, Whole};
use crate::source::intake;
use crate::store::{Commit, Kept, PartOf, StoreError};

mod spenders;

/// Hours of one subset and their minutes.
type Hours = Vec<(i64, Hour)>;

impl Live {
    /// Tells its events apart from now on, as its SLO says.
    pub(super) fn tell_apart(&mut self) {
        let new = |cuts| Apart {
            cuts,
            ledger: 0,
            stretches: Stretches::default(),
            subsets: HashMap::new(),
        };
        self.apart = Cuts::of(self.account.slo()).map(|cuts| Box::new(new(cuts)));
    }

    /// What an intake must know to tell its events apart.
    pub(super) fn cuts(&self) -> Option<intake::Apart> {
        let Apart { cuts, subsets, .. } = self.apart.as_deref()?;
        let mut known: Vec<(&Arc<Subset>, &usize)> = subsets.iter().collect();
        known.sort_unstable_by_key(|(_, at)| **at);
        Some(intake::Apart {
            cuts: cuts.clone(),
            known: known.into_iter().map(|(subset, _)| subset.clone()).collect(),
            is_settled: false,
        })
    }
}

impl Engine {
    /// Whether events of any SLO are told apart.
    pub(super) fn tells_apart(&self) -> bool {
        self.slos.iter().any(|live| live.apart.is_some())
    }

    /// The ledgers that say where events have been told apart: the whole of each, and by what.
    fn cuts(&self) -> impl Iterator<Item = (u32, PartOf)> {
        let cut = |live: &Live| Some((live.ledger.id, PartOf::cuts(&live.apart.as_ref()?.cuts)));
        self.slos.iter().filter_map(cut)
    }

    /// Makes such ledgers where there are none yet.
    pub(super) async fn register_cuts(&self) -> Result<(), StoreError> {
        let cuts: Vec<(u32, PartOf)> = self.cuts().collect();
        self.store.register_parts(&cuts).await.map(drop)
    }

    /// Finds out where events have been told apart so far.
    pub(super) fn find_cuts(&mut self, kept: &[Kept]) {
        let kept: HashMap<(u32, &PartOf), &Kept> =
            kept.iter().map(|kept| ((kept.whole, &kept.part), kept)).collect();
        let cuts: Vec<(u32, PartOf)> = self.cuts().collect();
        let apart = self.slos.iter_mut().filter_map(|live| live.apart.as_mut());
        for (apart, (whole, part)) in apart.zip(&cuts) {
            let found = kept.get(&(*whole, part));
            apart.ledger = found.map_or(0, |kept| kept.ledger);
            apart.stretches = found.map(|kept| kept.stretches.clone()).unwrap_or_default();
        }
    }

    /// Loads the subsets that had events in the longest window.
    pub(super) async fn load_subsets(&mut self, stored: Stored) -> Result<(), StoreError> {
        let Stored { mut folds, mut minutes, parts } = stored;
        if parts.is_empty() {
            return Ok(());
        }
        let places: HashMap<u32, usize> = self.places_of_wholes();
        for Kept { ledger, whole, part, first, .. } in parts {
            let (PartOf::Subset(subset), Some(first)) = (part, first) else { continue };
            let Some(of) = places.get(&whole).copied().filter(|of| self.makes(*of, &subset)) else {
                continue;
            };
            let mut live = self.new_subset(of, &subset);
            (live.ledger, live.first) = (Some(ledger), Some(first));
            let events = live.account.events_mut();
            if let Some(history) = folds.remove(&ledger) {
                events.load_history(history);
            }
            events.set_first(first);
            for (hour, minutes) in minutes.remove(&ledger).unwrap_or_default() {
                events.load_fold(hour, &minutes.sums(0, 60));
                events.load_minutes(hour, minutes);
            }
            if !self.is_over(&live) {
                self.add_subset(live);
            }
        }
        self.load_slices_of_groups().await
    }

    fn places_of_wholes(&self) -> HashMap<u32, usize> {
        let counted = self.slos.iter().enumerate().filter(|(_, live)| live.place != Place::Member);
        counted.map(|(at, live)| (live.ledger.id, at)).collect()
    }

    fn makes(&self, of: usize, subset: &Subset) -> bool {
        self.slos[of].apart.as_ref().is_some_and(|apart| apart.cuts.makes(subset))
    }

    /// Whether nothing of it lies in the longest window: another may take its place.
    fn is_over(&self, live: &LiveSubset) -> bool {
        let slo = self.slos[live.of].account.slo();
        let longest = slo.windows.iter().map(|w| calendar::longest(*w)).max().unwrap_or(0);
        let events = live.account.events();
        let end = Minute(events.hours().end * 60);
        let newest = self.slos[live.of].account.events().hours().end * 60;
        events.sums(Minute(newest - longest), end).total == 0
    }

    /// Forgets subsets without an event in the longest window. Others take their places when the source
    /// is opened the next time.
    pub(super) fn retire_subsets(&mut self) {
        for at in (0..self.subsets.len()).rev() {
            let live = &self.subsets[at];
            if !live.dirty.is_empty() || !self.is_over(live) {
                continue;
            }
            let gone = self.subsets.swap_remove(at);
            if let Some(apart) = &mut self.slos[gone.of].apart {
                apart.subsets.remove(&gone.subset);
            }
            if let Some(moved) = self.subsets.get(at)
                && let Some(apart) = &mut self.slos[moved.of].apart
            {
                apart.subsets.insert(moved.subset.clone(), at);
            }
        }
    }

    /// Slices of groups are judged anew by their minutes, like those of SLOs.
    async fn load_slices_of_groups(&mut self) -> Result<(), StoreError> {
        for of in 0..self.slos.len() {
            let Some(apart) = &self.slos[of].apart else { continue };
            if matches!(self.slos[of].account.slo().budgeting, Budgeting::Occurrences) {
                continue;
            }
            let groups = apart.subsets.iter().filter(|(subset, _)| subset.is_group());
            let lacking = |(_, at): (&Arc<Subset>, &usize)| {
                let events = self.subsets[*at].account.events();
                (*at, events.hours().filter(|hour| events.lacks(*hour)).collect())
            };
            let wanted: Vec<(usize, Vec<i64>)> = groups.map(lacking).collect();
            self.try_load_subsets(&wanted).await?;
        }
        Ok(())
    }

    fn new_subset(&self, of: usize, subset: &Arc<Subset>) -> LiveSubset {
        LiveSubset::new(of, &self.slos[of].account, subset.clone())
    }

    /// Adds a subset; what is excluded of its SLO is excluded of it.
    fn add_subset(&mut self, mut live: LiveSubset) -> usize {
        let whole = &mut self.slos[live.of];
        if !whole.reading.exclusions.is_empty() && live.subset.is_group() {
            live.account.exclude_in(&Acting::minutes(&whole.reading.exclusions), &whole.account);
        }
        let at = self.subsets.len();
        if let Some(apart) = &mut whole.apart {
            apart.subsets.insert(live.subset.clone(), at);
        }
        self.subsets.push(live);
        at
    }

    /// The place of a subset of an SLO; one that was not seen before gets a new one.
    pub(super) fn subset_at(&mut self, of: usize, subset: &Arc<Subset>) -> usize {
        let known = self.place_of(of, subset);
        known.unwrap_or_else(|| self.add_subset(self.new_subset(of, subset)))
    }

    fn place_of(&self, of: usize, subset: &Arc<Subset>) -> Option<usize> {
        self.slos[of].apart.as_ref()?.subsets.get(subset).copied()
    }

    /// Finds the places of an SLO's subsets that a read changed, and loads the hours that change.
    pub(super) async fn place_subsets<'a>(
        &mut self,
        of: usize,
        outcomes: &'a [OutcomeOf],
        placed: &mut Vec<(usize, &'a OutcomeOf)>,
    ) {
        let mut next = 0;
        for outcome in outcomes {
            let changed = || outcome.buckets.iter().chain(&outcome.more);
            // Most come in the order of their places.
            let is_next =
                |live: &LiveSubset| live.of == of && Arc::ptr_eq(&live.subset, &outcome.subset);
            let known = self.subsets.get(next).is_some_and(is_next).then_some(next);
            let at = match known.or_else(|| self.place_of(of, &outcome.subset)) {
                Some(at) => at,
                // What has no events is no group, also while its series are there.
                None if changed().all(|(_, bucket)| bucket.is_empty()) => continue,
                None => self.add_subset(self.new_subset(of, &outcome.subset)),
            };
            next = at + 1;
            let changed = changed();
            let mut hours: Vec<i64> = changed.map(|(minute, _)| minute.hour()).collect();
            hours.dedup();
            let hours = self.subsets[at].account.judged_with(&hours);
            if hours.iter().any(|hour| self.subsets[at].account.events().lacks(*hour)) {
                self.load_subset_hours(&[(at, hours)]).await;
            }
            placed.push((at, outcome));
        }
    }

    /// Takes what a read changed of subsets, on all cores.
    pub(super) fn take_subsets(&mut self, mut changed: Vec<(usize, &OutcomeOf)>) {
        changed.sort_by_key(|(at, _)| *at);
        let share = super::share(self.subsets.len());
        let take = |(part, subsets): (usize, &mut [LiveSubset])| {
            let first = part * share;
            let from = changed.partition_point(|(at, _)| *at < first);
            for (at, outcome) in &changed[from..] {
                let Some(live) = subsets.get_mut(at - first) else { break };
                live.take(outcome);
            }
        };
        super::on_all_cores(self.subsets.chunks_mut(share).enumerate(), take);
    }

    /// Takes what a slice of the past holds of an SLO's subsets. Where there is no room for one more, it
    /// goes to the others.
    pub(super) async fn fill_subsets(
        &mut self,
        of: usize,
        found: Vec<(Arc<Subset>, Hours)>,
        (from, until): (Minute, Minute),
    ) {
        let Some(apart) = &self.slos[of].apart else { return };
        let unread = apart.stretches.missing(from, until);
        let mut sums: BTreeMap<Arc<Subset>, BTreeMap<i64, Hour>> = BTreeMap::new();
        for (subset, hours) in found {
            let subset = self.settled(of, subset, &sums);
            let sum = sums.entry(subset).or_default();
            for (hour, minutes) in hours {
                let known = sum.remove(&hour);
                sum.insert(hour, known.map_or(minutes.clone(), |known| known.plus(&minutes)));
            }
        }
        let mut filled = Vec::new();
        for (subset, hours) in sums {
            let at = self.subset_at(of, &subset);
            let hours: Hours = hours.into_iter().collect();
            let lacking: Vec<i64> = hours.iter().map(|(hour, _)| *hour).collect();
            let lacking = self.subsets[at].account.judged_with(&lacking);
            self.load_subset_hours(&[(at, lacking)]).await;
            self.subsets[at].fill(&hours, &unread);
            filled.push(at);
        }
        for at in filled {
            self.subsets[at].account.judge_filled_in(&self.slos[of].account);
        }
    }

    /// The subset, or the others when there is no room for it.
    fn settled(
        &self,
        of: usize,
        subset: Arc<Subset>,
        new: &BTreeMap<Arc<Subset>, BTreeMap<i64, Hour>>,
    ) -> Arc<Subset> {
        let Some(apart) = &self.slos[of].apart else { return subset };
        if subset.is_rest() || apart.subsets.contains_key(&subset) || new.contains_key(&subset) {
            return subset;
        }
        let rest = subset.rest();
        let same = |known: &&Arc<Subset>| !known.is_rest() && known.rest() == rest;
        let added = new.keys().filter(|one| !apart.subsets.contains_key(*one)).filter(same).count();
        let count = apart.subsets.keys().filter(same).count() + added;
        if count < apart.cuts.most() { subset } else { Arc::new(rest) }
    }

    /// Excludes of an SLO's groups what is excluded of it. Its minutes must be in memory.
    pub(super) async fn exclude_of_groups(
        &mut self,
        of: usize,
        minutes: &Excluded,
    ) -> Result<(), StoreError> {
        let subsets = self.slos[of].apart.iter().flat_map(|apart| &apart.subsets);
        let groups = subsets.filter(|(subset, _)| subset.is_group());
        let groups: Vec<usize> = groups.map(|(_, at)| *at).collect();
        for part in groups.chunks(super::exclude::TOGETHER) {
            let wants = |at: &usize| self.subsets[*at].account.exclude_wants(minutes);
            let wants: Vec<Vec<Want>> = part.iter().map(wants).collect();
            let hours = |wants: &Vec<Want>| wants.iter().map(|want| want.0).collect();
            let wanted: Vec<_> = part.iter().copied().zip(wants.iter().map(hours)).collect();
            self.try_load_subsets(&wanted).await?;
            for (at, wants) in part.iter().zip(wants) {
                let account = &mut self.subsets[*at].account;
                account.exclude_in(minutes, &self.slos[of].account);
                account.unload(&wants);
            }
        }
        Ok(())
    }

    /// Empties the open minutes of an SLO's subsets that the last run left.
    pub(super) fn reopen_subsets(&mut self, of: usize, mark: Minute) {
        let places = self.slos[of].apart.iter().flat_map(|apart| apart.subsets.values());
        for at in places.copied().collect::<Vec<_>>() {
            self.subsets[at].reopen(mark);
        }
    }

    /// Makes the views of all groups, on all cores. Those of their SLOs come first.
    pub(super) fn view_groups(&mut self, now: DateTime<Utc>) {
        let (sources, asks) = (&self.sources, &self.declared.asks);
        let wholes = self.slos.iter().map(|live| Whole::of(live, sources, asks, now));
        let wholes: Vec<Option<Whole<'_>>> = wholes.collect();
        let look = |live: &mut LiveSubset| {
            if let Some(whole) = &wholes[live.of] {
                live.look(whole);
            }
        };
        let share = super::share(self.subsets.len());
        super::on_all_cores(self.subsets.chunks_mut(share), |part| part.iter_mut().for_each(look));
    }

    /// The hours under the edges of groups' windows that the next step needs.
    pub(super) async fn load_edges_of_groups(&mut self, now: DateTime<Utc>) {
        let placed = |live: &Live| {
            live.apart.as_ref()?;
            let config = config_of(&self.sources, live.source);
            let to = reading::end(live.account.slo(), &live.reading, config, now);
            Some((to, live.account.place(to)))
        };
        let placed: Vec<_> = self.slos.iter().map(placed).collect();
        let wants = |live: &LiveSubset| {
            let (to, placed) = placed[live.of].as_ref().filter(|_| live.subset.is_group())?;
            let wants = live.account.wants_at(*to, placed).into_iter();
            (wants.len() > 0).then(|| wants.map(|want| want.0).collect::<Vec<i64>>())
        };
        let share = super::share(self.subsets.len());
        let look = |(part, subsets): (usize, &[LiveSubset])| {
            let places = (part * share..).zip(subsets);
            places.filter_map(|(at, live)| Some((at, wants(live)?))).collect::<Vec<_>>()
        };
        let wanted = super::on_all_cores(self.subsets.chunks(share).enumerate(), look).concat();
        self.load_subset_hours(&wanted).await;
    }

    pub(super) async fn load_subset_hours(&mut self, wanted: &[(usize, Vec<i64>)]) {
        if let Err(error) = self.try_load_subsets(wanted).await {
            tracing::error!(%error, "cannot load minutes of groups");
            self.store_error = Some(error.to_string());
        }
    }

    /// Each subset gets the minutes of its own hours alone, as SLOs do.
    async fn try_load_subsets(&mut self, wanted: &[(usize, Vec<i64>)]) -> Result<(), StoreError> {
        let lacks = |(at, hours): &&(usize, Vec<i64>)| {
            hours.iter().any(|hour| self.subsets[*at].account.events().lacks(*hour))
        };
        let lacking: Vec<&(usize, Vec<i64>)> = wanted.iter().filter(lacks).collect();
        if lacking.is_empty() {
            return Ok(());
        }
        let ids: Vec<u32> = lacking.iter().filter_map(|(at, _)| self.subsets[*at].ledger).collect();
        let found = self.store.minutes_in(&ids, &super::all_hours(&lacking)).await?;
        for (at, hours) in lacking {
            let live = &mut self.subsets[*at];
            let found = live.ledger.and_then(|ledger| found.get(&ledger)).into_iter().flatten();
            let own: BTreeSet<i64> = hours.iter().copied().collect();
            for (hour, minutes) in found.filter(|(hour, _)| own.contains(hour)) {
                live.account.load_minutes(*hour, minutes.clone());
            }
        }
        Ok(())
    }

    /// Gives ledgers to subsets that have none yet.
    pub(super) async fn register_subsets(&mut self) -> Result<(), StoreError> {
        let new = self.subsets.iter().enumerate().filter(|(_, live)| live.ledger.is_none());
        let new: Vec<usize> = new.map(|(at, _)| at).collect();
        let part = |at: &usize| {
            let live = &self.subsets[*at];
            (self.slos[live.of].ledger.id, PartOf::Subset(live.subset.clone()))
        };
        let parts: Vec<(u32, PartOf)> = new.iter().map(part).collect();
        for (at, ledger) in new.into_iter().zip(self.store.register_parts(&parts).await?) {
            self.subsets[at].ledger = Some(ledger);
        }
        Ok(())
    }

    /// Adds what changed of subsets to a commit.
    pub(super) fn gather_subsets(&self, commit: &mut Commit, folded_to: i64) {
        let gather = |part: &[LiveSubset]| {
            let mut commit = Commit::default();
            for live in part {
                let Some(ledger) = live.ledger else { continue };
                let (events, dirty, first) = (live.account.events(), &live.dirty, live.first);
                let changed = Changed { ledger, events, dirty, first };
                changed.add_to(&mut commit, self.folded_to..folded_to);
            }
            commit
        };
        let share = super::share(self.subsets.len());
        for part in super::on_all_cores(self.subsets.chunks(share), gather) {
            commit.hours.extend(part.hours);
            commit.folds.extend(part.folds);
            commit.firsts.extend(part.firsts);
        }
        if self.stretches_changed {
            for apart in self.slos.iter().filter_map(|live| live.apart.as_deref()) {
                commit.stretches.insert(apart.ledger, apart.stretches.runs().to_vec());
            }
        }
    }
}
