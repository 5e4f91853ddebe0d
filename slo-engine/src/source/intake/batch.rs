//! What was taken since the last count: samples in one run, and which of them are whose.

use slo_core::counter::{Sample, SeriesBatch};

/// The samples of one series, for one SLO.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) slo: usize,
    pub(super) series: u32,
    pub(super) samples: Run,
    pub(super) created: Option<i64>,
    pub(super) tail: Option<i64>,
    pub(super) counts: bool,
}

/// An SLO, and the number that a series has among those that feed it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) slo: usize,
    pub(super) series: u32,
}

/// Where samples lie that follow each other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    from: usize,
    to: usize,
}

/// Samples, in the order in which they were taken.
#[derive(Debug, Default)]
pub(super) struct Samples(Vec<Sample>);

impl Samples {
    pub(super) fn push(&mut self, samples: &[Sample]) -> Run {
        let from = self.0.len();
        self.0.extend_from_slice(samples);
        Run { from, to: self.0.len() }
    }

    /// Adds the samples of a series, and a part of the batch for each SLO that it feeds.
    pub(super) fn take(
        &mut self,
        batch: &mut Vec<Part>,
        fed: &[Place],
        samples: &[Sample],
        created: Option<i64>,
    ) {
        let samples = self.push(samples);
        let part = |place: &Place| {
            let Place { slo, series } = *place;
            Part { slo, series, samples, created, tail: None, counts: true }
        };
        batch.extend(fed.iter().map(part));
    }

    pub(super) fn get(&self, run: Run) -> &[Sample] {
        &self.0[run.from..run.to]
    }
}

/// By SLO and series; runs of one series by time. A boundary that is spelled anew comes as a series of
/// its own and goes on as the old one, and servers give series in any order.
pub(super) fn in_order(batch: &mut [Part], samples: &Samples) {
    let begin = |part: &Part| samples.get(part.samples).first().map(|sample| sample.at);
    batch.sort_by(|a, b| {
        let by_series = (a.slo, a.series).cmp(&(b.slo, b.series));
        by_series.then_with(|| begin(a).cmp(&begin(b)))
    });
}

pub(super) fn series<'a>(parts: &[Part], samples: &'a Samples) -> Vec<SeriesBatch<'a>> {
    let part = |part: &Part| SeriesBatch {
        series: part.series,
        samples: samples.get(part.samples),
        created: part.created,
        tail: part.tail,
        counts: part.counts,
    };
    parts.iter().map(part).collect()
}
