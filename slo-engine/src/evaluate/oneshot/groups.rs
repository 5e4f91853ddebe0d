//! The groups of SLOs that are read once.

use std::collections::BTreeMap;
use std::sync::Arc;

use slo_core::bucket::Bucket;
use slo_core::budget::Account;
use slo_core::counter::OutcomeOf;
use slo_core::ledger::Ledger;
use slo_core::subset::{Cuts, Subset};
use slo_core::time::Minute;
use slo_core::view::BudgetView;

use super::{One, OneShare, Question};
use crate::evaluate::exclusion::Acting;
use crate::evaluate::mix::{self, Counted};
use crate::evaluate::reading;
use crate::evaluate::subset;
use crate::source::intake::Apart;
use crate::source::intake::logs::newest_of;

/// One group.
#[derive(Debug)]
pub(super) struct OneGroup {
    account: Account,
    /// Its newest sample or document, Unix milliseconds.
    newest: Option<i64>,
}

/// By subset.
pub(super) type Groups = BTreeMap<Arc<Subset>, OneGroup>;

/// The views of all groups at the question's instant. Those of the SLOs come first.
pub fn groups(question: &Question<'_>, all: &mut [One]) -> Vec<BudgetView> {
    all.iter_mut().flat_map(|one| one.groups_at(question)).collect()
}

impl One {
    /// By what its events are told apart, when it has groups.
    pub(super) fn apart(&self) -> Option<Apart> {
        let cuts = Cuts::of(self.account.slo()).filter(|cuts| cuts.groups())?;
        Some(Apart { cuts, known: self.groups.keys().cloned().collect(), is_settled: false })
    }

    /// Takes what a read gave for a subset.
    pub(super) fn take_subset(&mut self, of: &OutcomeOf) {
        self.put(&of.subset, of.newest, &of.buckets);
    }

    pub(super) fn put(
        &mut self,
        of: &Arc<Subset>,
        newest: Option<i64>,
        found: &[(Minute, Bucket)],
    ) {
        if !of.is_group() {
            return;
        }
        let new = || OneGroup { account: self.account.of_group(), newest: None };
        if !self.groups.contains_key(of) {
            let group = new();
            self.groups.insert(of.clone(), group);
        }
        let Some(group) = self.groups.get_mut(of) else { return };
        group.newest = group.newest.max(newest);
        for (minute, bucket) in found {
            group.account.replace(*minute, bucket);
        }
    }

    /// Puts what all lines gave for subsets in minutes before `end`; where there are too many, what belongs
    /// to the last ones goes to the rest.
    pub(super) fn put_all(&mut self, all: Vec<(Subset, BTreeMap<Minute, Bucket>)>, end: Minute) {
        let Some(apart) = self.apart() else { return };
        let mut all: Vec<_> = all.into_iter().filter(|(subset, _)| subset.is_group()).collect();
        // Who was seen first has a place.
        all.sort_by_key(|(_, buckets)| buckets.keys().next().copied());
        let mut sums: BTreeMap<Arc<Subset>, BTreeMap<Minute, Bucket>> = BTreeMap::new();
        for (subset, buckets) in all {
            let room = sums.keys().filter(|known| !known.is_rest()).count() < apart.cuts.most();
            let place = if room || subset.is_rest() { subset } else { subset.rest() };
            let sum = sums.entry(Arc::new(place)).or_default();
            for (minute, bucket) in buckets.range(..end) {
                let known = sum.entry(*minute).or_default();
                *known = known.plus(bucket);
            }
        }
        for (subset, buckets) in sums {
            let newest = newest_of(&buckets);
            self.put(&subset, newest, &buckets.into_iter().collect::<Vec<_>>());
        }
    }

    /// Adds up the groups that its shares have counted, in minutes `from..to`.
    pub(super) fn add_up_groups(&mut self) {
        if self.apart().is_none() {
            return;
        }
        let counted: Vec<Counted<'_>> = self.shares.iter().map(OneShare::counted).collect();
        let known = mix::known(self.account.slo(), &counted);
        let hours = known.as_ref().map_or(0..0, |known| mix::hours(&counted, known.start));
        let mut all: Vec<Arc<Subset>> =
            self.shares.iter().flat_map(|share| share.one.groups.keys().cloned()).collect();
        all.sort_unstable();
        all.dedup();
        let mut sums = Vec::new();
        for subset in all {
            let groups = self.shares.iter().map(|share| share.one.groups.get(&subset));
            let events: Vec<Option<&Ledger>> =
                groups.map(|group| group.map(|group| group.account.events())).collect();
            let minutes = (hours.start * 60..hours.end * 60).map(Minute);
            let sum = |at| Some((at, mix::bucket_of(&counted, &events, known.as_ref(), at)?));
            let sum: Vec<(Minute, Bucket)> = minutes.filter_map(sum).collect();
            let newest = self.shares.iter().filter_map(|one| one.one.groups.get(&subset)?.newest);
            let newest = newest.max();
            sums.push((subset, newest, sum));
        }
        for (subset, newest, sum) in sums {
            self.put(&subset, newest, &sum);
        }
    }

    fn groups_at(&mut self, question: &Question<'_>) -> Vec<BudgetView> {
        let to = self.end(question);
        let excluded = Acting::minutes(&self.reading.exclusions);
        let (now, asks) = (question.at, question.asks);
        let asked = || reading::Asked { now, asks, ..reading::Asked::default() };
        let beside = self.account.beside(to);
        let mut views = Vec::with_capacity(self.groups.len());
        for (of, group) in &mut self.groups {
            let Some(named) = subset::group(of) else { continue };
            group.account.exclude_in(&excluded, &self.account);
            group.account.advance_in(&beside);
            let facts = reading::facts(&group.account, &self.reading, &self.source, asked());
            let view = group.account.view(facts);
            views.push(subset::of_group(view, named, (self.reading.newest, group.newest)));
        }
        views
    }
}
