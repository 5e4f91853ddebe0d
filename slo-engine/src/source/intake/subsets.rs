//! Series and documents of the subsets of an SLO's events: which ones are counted for themselves, and which
//! ones together with others.

use std::collections::HashMap;
use std::sync::Arc;

use slo_core::bucket::Bucket;
use slo_core::counter::{Counter, Kind, TargetKey, Weights};
use slo_core::labels::Labels;
use slo_core::subset::{Cuts, Subset};
use slo_core::time::Minute;

use super::layouts::edges;
use super::{Apart, Fed, Intake, Unit};

/// The subsets of one SLO.
#[derive(Debug)]
pub(super) struct Subsets {
    pub(super) cuts: Arc<Cuts>,
    /// Their numbers in the counter.
    numbers: HashMap<Arc<Subset>, u32>,
}

impl Subsets {
    fn new(apart: Apart, counter: &mut Counter) -> Self {
        let mut new = Self { cuts: apart.cuts, numbers: HashMap::new() };
        for subset in apart.known {
            new.number(counter, &subset);
        }
        new
    }

    /// The subset, or what its events go to when it is one too many.
    pub(super) fn settled(&mut self, counter: &mut Counter, subset: Subset) -> Arc<Subset> {
        let subset = Arc::new(subset);
        let is_free = self.numbers.contains_key(&subset) || self.has_room(&subset);
        let settled = if is_free { subset } else { Arc::new(subset.rest()) };
        self.number(counter, &settled);
        settled
    }

    /// What is known by now.
    pub(super) fn apart(&self) -> Apart {
        Apart {
            cuts: self.cuts.clone(),
            known: self.numbers.keys().cloned().collect(),
            is_settled: false,
        }
    }

    /// The number of a subset, or of what goes on where this one is one too many.
    fn find(&mut self, counter: &mut Counter, subset: Subset) -> u32 {
        let subset = self.settled(counter, subset);
        self.number(counter, &subset)
    }

    fn has_room(&self, subset: &Subset) -> bool {
        let rest = subset.rest();
        let same = self.numbers.keys().filter(|known| !known.is_rest() && known.rest() == rest);
        same.count() < self.cuts.most()
    }

    fn number(&mut self, counter: &mut Counter, subset: &Arc<Subset>) -> u32 {
        let new = || counter.add_subset(subset.clone());
        *self.numbers.entry(subset.clone()).or_insert_with(new)
    }
}

impl Unit {
    pub(super) fn new(Fed { feeds, rules, apart }: Fed, from: Minute) -> Self {
        let mut counter = Counter::new(rules, from);
        Self {
            shows_classic: edges(&feeds).is_some_and(slo_core::plan::Edges::has_classic),
            layouts: edges(&feeds).is_some_and(|e| e.mixed).then(Box::default),
            feeds,
            subsets: apart.map(|apart| Box::new(Subsets::new(apart, &mut counter))),
            counter,
            labels: std::collections::BTreeSet::new(),
            labelled: false,
            part_seen: false,
            recorded: None,
            native: None,
            newest: None,
            began: None,
            several: 0,
        }
    }

    /// Adds a series, and the subsets that its events belong to.
    pub(super) fn register(&mut self, labels: &Labels, weights: Weights, kind: Kind) -> u32 {
        let series = self.counter.register(&TargetKey::of(labels), weights, kind);
        if let Some(subsets) = &mut self.subsets {
            let found = subsets.cuts.subsets(|label| Some(labels.get(label)));
            let counter = &mut self.counter;
            let numbers = found.into_iter().map(|one| subsets.find(counter, one));
            let numbers = numbers.collect();
            self.counter.assign(series, numbers);
        }
        series
    }
}

impl Intake {
    /// Gives an open minute of a subset what was counted of it before a restart.
    pub fn resume_subset(
        &mut self,
        slo: usize,
        subset: &Arc<Subset>,
        minute: Minute,
        bucket: Bucket,
    ) {
        let Unit { subsets, counter, .. } = &mut self.slos[slo];
        if let Some(subsets) = subsets {
            let number = subsets.number(counter, subset);
            counter.resume_subset(number, minute, bucket);
        }
    }
}
