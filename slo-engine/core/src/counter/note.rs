//! What was seen of each series, kept on request: for people who ask where numbers come from.

use super::{Counter, NEVER, Weights};
use crate::time::Minute;

/// What was seen of one series since the counter's first minute; samples before it only make tails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Note {
    /// The first sample, Unix milliseconds.
    pub first: i64,
    /// The newest sample, Unix milliseconds.
    pub last: i64,
    /// How many samples there were.
    pub samples: u64,
    /// How often the value fell, so that it counted in full again.
    pub resets: u32,
    /// What the series added to the total.
    pub total: i64,
    /// What it added to the good ones; taken away where it counts bad events of another metric.
    pub good: i64,
}

impl Default for Note {
    fn default() -> Self {
        Self { first: NEVER, last: NEVER, samples: 0, resets: 0, total: 0, good: 0 }
    }
}

impl Note {
    fn saw(&mut self, at: i64) {
        if self.samples == 0 {
            self.first = at;
        }
        self.last = at;
        self.samples += 1;
    }

    const fn counted(&mut self, events: i64, weights: Weights) {
        self.total += events * weights.total as i64;
        self.good += events * weights.good as i64;
    }
}

impl Counter {
    /// Keeps a [`Note`] of every series from now on.
    pub fn keep_notes(&mut self) {
        self.notes = Some(vec![Note::default(); self.series.len()]);
    }

    /// What was seen of a series; `None` when no notes are kept or nothing was seen.
    #[must_use]
    pub fn note(&self, series: u32) -> Option<Note> {
        let note = *self.notes.as_ref()?.get(series as usize)?;
        (note.samples > 0).then_some(note)
    }

    /// What a series' events count as.
    #[must_use]
    pub fn weights(&self, series: u32) -> Option<Weights> {
        self.series.get(series as usize).map(|track| track.weights)
    }

    pub(super) fn note_sample(&mut self, series: u32, at: i64) {
        if at >= self.open.from().start_millis() {
            self.with_note(series, |note| note.saw(at));
        }
    }

    pub(super) fn note_reset(&mut self, series: u32, at: i64) {
        if at >= self.open.from().start_millis() {
            self.with_note(series, |note| note.resets += 1);
        }
    }

    pub(super) fn note_counted(
        &mut self,
        series: u32,
        minute: Minute,
        events: i64,
        weights: Weights,
    ) {
        if minute >= self.open.from() {
            self.with_note(series, |note| note.counted(events, weights));
        }
    }

    fn with_note(&mut self, series: u32, change: impl FnOnce(&mut Note)) {
        if let Some(note) = self.notes.as_mut().and_then(|n| n.get_mut(series as usize)) {
            change(note);
        }
    }
}
