//! Adds up the shares of SLOs whose sides are apart, as far as they changed.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use slo_core::bucket::Bucket;
use slo_core::budget::end_of;
use slo_core::ledger::Ledger;
use slo_core::subset::Subset;
use slo_core::time::Minute;

use super::{Engine, RECENT};
use crate::evaluate::live::ShareOf;
use crate::evaluate::mix::{self, Counted, earlier, later};
use crate::evaluate::reading::Reading;

/// Hours that are added up before the memory of their minutes is given back.
const AT_ONCE: usize = 48;

impl Engine {
    /// Adds up what changed in the shares since the last commit, and what is known of them.
    pub(super) async fn mix(&mut self) {
        self.lacks_minutes = false;
        for at in self.mixed() {
            let shares = self.slos[at].shares.clone();
            let changed = shares.iter().flat_map(|share| {
                let dirty = self.slos[share.at].dirty.iter();
                dirty.flat_map(|hour| earlier(*hour, share.delay))
            });
            let mut hours: BTreeSet<i64> = changed.collect();
            let slo = self.slos[at].account.slo().clone();
            let known = mix::known(&slo, &self.counted(&shares));
            if let Some(known) = &known {
                hours.extend(self.known_since(at, &shares, known.start));
                hours.extend(self.known_until(at, known.end));
            }
            self.add_up_subsets(at, &shares, &hours, known.as_ref()).await;
            self.add_up(at, &shares, hours, known).await;
            let Reading { replaces, recount, exclusions, .. } =
                std::mem::take(&mut self.slos[at].reading);
            let reading = mix::read(&slo, &self.counted(&shares));
            self.slos[at].reading = Reading { replaces, recount, exclusions, ..reading };
        }
    }

    /// The hours that count only since more of the past is known of every share.
    fn known_since(&self, at: usize, shares: &[ShareOf], first: Minute) -> Range<i64> {
        let before = self.slos[at].account.events().first();
        if before.is_some_and(|before| before <= first) {
            return 0..0;
        }
        let hours = mix::hours(&self.counted(shares), first);
        hours.start..before.map_or(hours.end, |before| hours.end.min(before.hour() + 1))
    }

    /// The hours between where all shares ended before and where they end now.
    fn known_until(&self, at: usize, end: Minute) -> Range<i64> {
        if end == Minute(i64::MAX) {
            return 0..0;
        }
        let before = self.slos[at].reading.read_to.map_or(end - RECENT, end_of);
        before.min(end).hour()..before.max(end).hour() + 1
    }

    fn mixed(&self) -> Vec<usize> {
        (0..self.slos.len()).filter(|at| !self.slos[*at].shares.is_empty()).collect()
    }

    fn counted(&self, shares: &[ShareOf]) -> Vec<Counted<'_>> {
        let counted = |share: &ShareOf| {
            let live = &self.slos[share.at];
            Counted {
                role: share.role,
                delay: share.delay,
                events: live.account.events(),
                reading: &live.reading,
                source: live.source.map(|at| &self.sources[at].config),
                backfill: live.progress(),
                catches_up: mix::catches_up(self.feeds[share.at].as_deref()),
            }
        };
        shares.iter().map(counted).collect()
    }

    /// Adds up the subsets that the shares have seen, in these hours and where they changed.
    async fn add_up_subsets(
        &mut self,
        at: usize,
        shares: &[ShareOf],
        hours: &BTreeSet<i64>,
        known: Option<&Range<Minute>>,
    ) {
        if self.slos[at].apart.is_none() {
            return;
        }
        let places = |share: &ShareOf, subset: &Arc<Subset>| {
            self.slos[share.at].apart.as_ref()?.subsets.get(subset).copied()
        };
        let of = |share: &ShareOf| self.slos[share.at].apart.iter().flat_map(|a| a.subsets.keys());
        let all: BTreeSet<Arc<Subset>> = shares.iter().flat_map(of).cloned().collect();
        let all: Vec<(Arc<Subset>, Vec<Option<usize>>)> = all
            .into_iter()
            .map(|subset| {
                let places = shares.iter().map(|share| places(share, &subset)).collect();
                (subset, places)
            })
            .collect();
        for (subset, places) in all {
            let mut hours = hours.clone();
            for (share, place) in shares.iter().zip(&places) {
                let dirty = place.iter().flat_map(|place| &self.subsets[*place].dirty);
                hours.extend(dirty.flat_map(|hour| earlier(*hour, share.delay)));
            }
            let hours: Vec<i64> = hours.into_iter().collect();
            for hours in hours.chunks(AT_ONCE) {
                self.add_up_subset((at, &subset), (shares, &places), hours, known).await;
            }
        }
    }

    async fn add_up_subset(
        &mut self,
        (at, subset): (usize, &Arc<Subset>),
        (shares, places): (&[ShareOf], &[Option<usize>]),
        hours: &[i64],
        known: Option<&Range<Minute>>,
    ) {
        let target = self.subset_at(at, subset);
        self.load_subset_hours(&[(target, hours.to_vec())]).await;
        for (share, place) in shares.iter().zip(places) {
            let theirs: BTreeSet<i64> =
                hours.iter().flat_map(|hour| later(*hour, share.delay)).collect();
            let theirs: Vec<i64> = theirs.into_iter().collect();
            let place: Vec<_> = place.iter().map(|place| (*place, theirs.clone())).collect();
            self.load_hours(&[(share.at, theirs)]).await;
            self.load_subset_hours(&place).await;
        }
        let counted = self.counted(shares);
        let events: Vec<Option<&Ledger>> = places
            .iter()
            .map(|place| place.map(|place| self.subsets[place].account.events()))
            .collect();
        let minutes = hours.iter().flat_map(|hour| hour * 60..hour * 60 + 60).map(Minute);
        let sum = |minute| Some((minute, mix::bucket_of(&counted, &events, known, minute)?));
        let sums: Vec<(Minute, Bucket)> = minutes.filter_map(sum).collect();
        self.subsets[target].set(&sums);
    }

    async fn add_up(
        &mut self,
        at: usize,
        shares: &[ShareOf],
        hours: BTreeSet<i64>,
        known: Option<Range<Minute>>,
    ) {
        let hours: Vec<i64> = hours.into_iter().collect();
        for hours in hours.chunks(AT_ONCE) {
            let mut is_loaded = self.load_to_change(at, hours).await;
            for share in shares {
                let theirs: BTreeSet<i64> =
                    hours.iter().flat_map(|hour| later(*hour, share.delay)).collect();
                let theirs: Vec<i64> = theirs.into_iter().collect();
                is_loaded &= self.load_hours(&[(share.at, theirs)]).await;
            }
            if !is_loaded {
                self.lacks_minutes = true;
                return;
            }
            let counted = self.counted(shares);
            let minutes = hours.iter().flat_map(|hour| hour * 60..hour * 60 + 60).map(Minute);
            let sum = |minute| Some((minute, mix::bucket(&counted, known.as_ref(), minute)?));
            let sums: Vec<_> = minutes.filter_map(sum).collect();
            let live = &mut self.slos[at];
            for (minute, bucket) in sums {
                if live.account.events().bucket(minute).is_some_and(|known| known != bucket) {
                    live.replace(minute, &bucket);
                }
            }
            live.account.judge_filled();
        }
        if let Some(known) = known {
            self.slos[at].account.events_mut().set_first(known.start);
        }
    }
}
