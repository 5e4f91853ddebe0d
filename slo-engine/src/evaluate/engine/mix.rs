//! Adds up the shares of SLOs whose sides are apart, as far as they changed.

use std::collections::BTreeSet;

use slo_core::time::Minute;

use super::Engine;
use crate::evaluate::live::ShareOf;
use crate::evaluate::mix::{self, Counted, earlier, later};
use crate::evaluate::reading::Reading;

/// Hours that are added up before the memory of their minutes is given back.
const AT_ONCE: usize = 48;

impl Engine {
    /// Adds up what changed in the shares since the last commit, and what is known of them.
    pub(super) async fn mix(&mut self) {
        for at in self.mixed() {
            let shares = self.slos[at].shares.clone();
            let changed = shares.iter().flat_map(|share| {
                let dirty = self.slos[share.at].dirty.iter();
                dirty.flat_map(|hour| earlier(*hour, share.delay))
            });
            let hours: BTreeSet<i64> = changed.collect();
            self.add_up(at, &shares, hours).await;
            let slo = self.slos[at].account.slo().clone();
            let replaces = self.slos[at].reading.replaces;
            let reading = mix::read(&slo, &self.counted(&shares));
            self.slos[at].reading = Reading { replaces, ..reading };
        }
    }

    /// After a start, adds up what never was: an SLO whose sides were not apart before, or not so.
    pub(super) async fn mix_anew(&mut self) {
        for at in self.mixed() {
            let shares = self.slos[at].shares.clone();
            let known = self.slos[at].account.events().hours();
            let there = shares.iter().flat_map(|share| {
                let hours = self.slos[share.at].account.events().hours();
                hours.flat_map(|hour| earlier(hour, share.delay))
            });
            let hours: BTreeSet<i64> = there.filter(|hour| !known.contains(hour)).collect();
            self.add_up(at, &shares, hours).await;
        }
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
            }
        };
        shares.iter().map(counted).collect()
    }

    async fn add_up(&mut self, at: usize, shares: &[ShareOf], hours: BTreeSet<i64>) {
        let hours: Vec<i64> = hours.into_iter().collect();
        for hours in hours.chunks(AT_ONCE) {
            self.load_hours(&[at], hours).await;
            for share in shares {
                let theirs: BTreeSet<i64> =
                    hours.iter().flat_map(|hour| later(*hour, share.delay)).collect();
                let theirs: Vec<i64> = theirs.into_iter().collect();
                self.load_hours(&[share.at], &theirs).await;
            }
            let counted = self.counted(shares);
            let minutes = hours.iter().flat_map(|hour| hour * 60..hour * 60 + 60).map(Minute);
            let sums: Vec<_> = minutes.map(|at| (at, mix::bucket(&counted, at))).collect();
            let live = &mut self.slos[at];
            for (minute, bucket) in sums {
                if live.account.events().bucket(minute).is_some_and(|known| known != bucket) {
                    live.replace(minute, &bucket);
                }
            }
            live.account.judge_filled();
        }
    }
}
