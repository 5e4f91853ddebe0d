//! What the engine needs of a source.

use std::collections::HashMap;
use std::pin::Pin;

use slo_core::counter::Outcome;
use slo_core::plan::Feeds;

use super::error::SourceError;
use super::intake::Intake;
use super::jsonlog::Positions;

/// What one read gave.
#[derive(Debug, Default)]
pub struct Read {
    /// By position of the SLO in the intake.
    pub outcomes: Vec<(usize, Outcome)>,
    /// How many samples were read.
    pub samples: usize,
    /// Whether the source shows samples much later than it takes them.
    pub shows_late: bool,
    /// What could not be read although the rest was.
    pub problem: Option<String>,
    /// Whom the problem concerns, by position of the SLO; everybody where the source cannot tell.
    pub concerns: Option<HashMap<usize, Trouble>>,
    /// SLOs of which nothing was read, by position, and why.
    pub failed: Vec<(usize, String)>,
}

/// What could not be read of an SLO.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Why.
    pub reason: String,
    /// Whether nothing was read of it.
    pub is_all: bool,
}

/// Work that ends later.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = Result<T, SourceError>> + Send + 'a>>;

/// A source of events: Prometheus, `/metrics` pages read directly, a search cluster, files of logs.
pub trait MetricSource: std::fmt::Debug + Send + Sync {
    /// Finds out what must be known before reading: the buckets around latency thresholds.
    fn prepare<'a>(&'a self, feeds: &'a mut Feeds, from: i64, to: i64) -> Later<'a, ()>;

    /// Reads the samples or documents of `(from, to]` (Unix milliseconds) into the intake and counts
    /// them. A source without a past gives what came since it was read last.
    fn read<'a>(&'a self, intake: &'a mut Intake, from: i64, to: i64) -> Later<'a, Read>;

    /// Where files have been read to, of a source of files: to be kept with what was counted.
    fn positions(&self) -> Option<Positions> {
        None
    }

    /// Goes on from there.
    fn resume(&self, _: Positions) {}
}
