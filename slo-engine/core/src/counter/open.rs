//! The minutes that are still open: of all events of an SLO, and of subsets of them.

use std::sync::Arc;

use super::{Mark, Outcome, OutcomeOf};
use crate::bucket::Bucket;
use crate::subset::Subset;
use crate::time::Minute;

/// Buckets of consecutive minutes, and which of them changed.
#[derive(Debug, Clone)]
pub(super) struct Open {
    /// Minutes before this one are closed.
    from: Minute,
    buckets: Vec<Bucket>,
    dirty: Vec<bool>,
}

/// What is open of a subset. It knows nothing of which minutes are measured: those that are so for all events.
#[derive(Debug, Clone)]
pub(super) struct OpenOf {
    pub(super) subset: Arc<Subset>,
    pub(super) open: Open,
    /// The newest sample of the total, Unix milliseconds.
    pub(super) newest: Option<i64>,
}

impl Open {
    pub(super) const fn new(from: Minute) -> Self {
        Self { from, buckets: Vec::new(), dirty: Vec::new() }
    }

    pub(super) const fn from(&self) -> Minute {
        self.from
    }

    /// Room for the open minutes, no more: many counters are folded before one is closed.
    pub(super) fn make_room(&mut self, last: Minute) {
        let minutes = usize::try_from(last + 1 - self.from).unwrap_or(0);
        self.buckets.reserve_exact(minutes.saturating_sub(self.buckets.len()));
        self.dirty.reserve_exact(minutes.saturating_sub(self.dirty.len()));
    }

    /// Changes a minute, if it is open.
    pub(super) fn with(&mut self, minute: Minute, change: impl FnOnce(&mut Bucket)) {
        if let Some(ix) = self.place(minute) {
            change(&mut self.buckets[ix]);
            self.dirty[ix] = true;
        }
    }

    /// Marks minutes `from..=to` as measured.
    pub(super) fn measure(&mut self, from: Minute, to: Minute, outcome: &mut Outcome) {
        for minute in (from.0..=to.0).map(Minute) {
            match self.place(minute) {
                None => outcome.marks.push(Mark { minute, measured: true, partial: false }),
                Some(ix) => {
                    self.dirty[ix] |= !self.buckets[ix].measured;
                    self.buckets[ix].measured = true;
                }
            }
        }
    }

    /// Marks a minute as partial that has passed already.
    pub(super) fn mark_partial(&mut self, minute: Minute, outcome: &mut Outcome) {
        let ix = usize::try_from(minute - self.from).ok().filter(|ix| *ix < self.buckets.len());
        match ix {
            Some(ix) => (self.buckets[ix].partial, self.dirty[ix]) = (true, true),
            None => outcome.marks.push(Mark { minute, measured: false, partial: true }),
        }
    }

    /// Closes the minutes before `before`.
    pub(super) fn close(&mut self, before: Minute) {
        let gone = usize::try_from(before - self.from).unwrap_or(0).min(self.buckets.len());
        self.buckets.drain(..gone);
        self.dirty.drain(..gone);
        // The first read opens many minutes, a tick one or two.
        self.buckets.shrink_to(2);
        self.dirty.shrink_to(2);
        self.from = self.from.max(before);
    }

    /// What changed since the last call.
    pub(super) fn hand_out(&mut self) -> Vec<(Minute, Bucket)> {
        let mut changed = Vec::with_capacity(self.dirty.iter().filter(|dirty| **dirty).count());
        for (ix, dirty) in self.dirty.iter_mut().enumerate() {
            if std::mem::take(dirty) {
                let minute = self.from + i64::try_from(ix).unwrap_or(i64::MAX);
                changed.push((minute, self.buckets[ix]));
            }
        }
        changed
    }

    fn place(&mut self, minute: Minute) -> Option<usize> {
        let ix = usize::try_from(minute - self.from).ok()?;
        if ix >= self.buckets.len() {
            self.buckets.resize(ix + 1, Bucket::default());
            self.dirty.resize(ix + 1, false);
        }
        Some(ix)
    }
}

impl OpenOf {
    pub(super) const fn new(subset: Arc<Subset>, from: Minute) -> Self {
        Self { subset, open: Open::new(from), newest: None }
    }

    pub(super) fn hand_out(&mut self) -> OutcomeOf {
        let (subset, newest) = (self.subset.clone(), self.newest);
        OutcomeOf { subset, newest, buckets: self.open.hand_out(), more: Vec::new() }
    }
}
