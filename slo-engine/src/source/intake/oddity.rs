//! What is odd about the series of an SLO.

use slo_core::plan::Feeds;

use super::Intake;

/// A series that has been counted again for so long holds numbers again, milliseconds.
const LOOKBACK: i64 = 5 * 60_000;

/// Why the counts of an SLO must not be trusted, or should be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Oddity {
    /// A refinement names labels that no series of the total has; these exist.
    MissingLabels {
        /// The labels that are missing.
        missing: Vec<String>,
        /// The labels that exist.
        existing: Vec<String>,
    },
    /// The refinement has not matched any series.
    NeverMatched,
    /// Series that should hold numbers hold native histograms.
    NativeHistogram,
    /// A raw ratio gave so many series instead of one.
    SeveralSeries(usize),
    /// A recording rule's series, of this name, is among those that are counted.
    Recorded(String),
    /// The newest samples of the gauge are not numbers.
    NotANumber,
}

impl Oddity {
    /// Whether what is counted cannot be what is meant.
    #[must_use]
    pub const fn is_fault(&self) -> bool {
        !matches!(self, Self::NeverMatched | Self::NotANumber)
    }
}

impl Intake {
    /// What is odd about an SLO's series.
    #[must_use]
    pub fn oddity(&self, slo: usize) -> Option<Oddity> {
        let unit = &self.slos[slo];
        if unit.several > 1 {
            return Some(Oddity::SeveralSeries(unit.several));
        }
        if let Some(name) = &unit.recorded {
            return Some(Oddity::Recorded(name.clone()));
        }
        let newest = self.newest(slo);
        if unit.native.is_some_and(|at| newest.is_none_or(|newest| newest < at + LOOKBACK)) {
            return Some(Oddity::NativeHistogram);
        }
        let is_newer = |at: i64| newest.is_none_or(|newest| newest < at - LOOKBACK);
        if unit.counter.unknown().is_some_and(is_newer) {
            return Some(Oddity::NotANumber);
        }
        if !unit.labelled {
            if unit.labels.is_empty() {
                return None;
            }
            let missing = unit.feeds.missing_labels(|label| unit.labels.contains(label));
            let missing = missing.into_iter().map(str::to_owned).collect();
            let existing = unit.labels.iter().filter(|l| *l != "__name__").cloned().collect();
            return Some(Oddity::MissingLabels { missing, existing });
        }
        let refines = matches!(&*unit.feeds, Feeds::Ratio { parts, .. } if !parts.is_empty());
        (refines && !unit.part_seen).then_some(Oddity::NeverMatched)
    }
}
