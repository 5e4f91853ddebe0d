//! Files of JSON lines as a source: each line is handed out once, and where reading stands is
//! committed with what was counted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Jsonlog, OfSubsets, Polled, Positions, Query};
use crate::source::config::SourceConfig;
use crate::source::error::SourceError;
use crate::source::intake::Intake;
use crate::source::intake::logs::{Found, LogFeed, OfCounts};
use crate::source::reader::{Later, MetricSource, Read};
use slo_core::plan::{Feeds, LogCount};
use slo_core::subset::{Cuts, Subset};

/// About so many bytes are read at once: one or two seconds of work.
const AT_ONCE: u64 = 256 * 1024 * 1024;

/// Files, and where they have been read to.
#[derive(Debug)]
pub struct Files {
    name: String,
    reader: Jsonlog,
    positions: Mutex<Positions>,
}

impl Files {
    /// A source as configured.
    ///
    /// # Errors
    /// What cannot be used: no file, a pattern, a time field.
    pub fn new(config: &SourceConfig) -> Result<Self, SourceError> {
        let reader = Jsonlog::new(&config.files, &config.time_field);
        let setup = |reason| SourceError::Setup { name: config.name.clone(), reason };
        let (name, positions) = (config.name.clone(), Mutex::default());
        Ok(Self { name, reader: reader.map_err(setup)?, positions })
    }

    async fn read_lines(&self, intake: &mut Intake, to: i64) -> Result<Read, SourceError> {
        let mut read = Read::default();
        let feeds: Vec<LogFeed> = intake.logs();
        let (mut asked, mut queries) = (Vec::new(), Vec::new());
        for feed in feeds {
            let cuts = feed.apart.as_ref().map(|apart| &apart.cuts);
            match self::queries(feed.counts(), cuts) {
                Err(reason) => read.failed.push((feed.slo, reason)),
                Ok(mine) => {
                    queries.extend(mine);
                    asked.push(feed);
                }
            }
        }
        let mut positions = self.lock().clone();
        let reader = self.reader.clone();
        let polled = tokio::task::spawn_blocking(move || {
            let polled = reader.poll(&mut positions, &queries, AT_ONCE, to);
            (polled, positions)
        });
        let (polled, positions) = polled.await.expect("reading files does not panic");
        self.tell(&polled);
        // From here on nothing waits: what is counted and where reading stands change together.
        *self.lock() = positions;
        read.samples = usize::try_from(polled.lines).unwrap_or(usize::MAX);
        read.problem = problem(&polled);
        let is_behind = polled.is_behind;
        let mut answers = polled.counts.into_iter().zip(polled.newest);
        let mut apart = polled.subsets.into_iter();
        for feed in asked {
            let queries = feed.counts().len();
            let (counts, newest): (Vec<_>, Vec<Option<i64>>) =
                answers.by_ref().take(queries).unzip();
            let subsets = of_subsets(apart.by_ref().take(queries).collect());
            let newest: Option<Vec<i64>> = newest.into_iter().collect();
            // While older lines are still to come, nobody knows what lies between.
            let newest = newest.and_then(|all| all.into_iter().min()).filter(|_| !is_behind);
            let outcome = intake.add_logs(&feed, &Found { counts, newest, subsets });
            read.outcomes.push((feed.slo, outcome));
        }
        Ok(read)
    }

    fn tell(&self, polled: &Polled) {
        if let Some(first) = &polled.first_refused {
            let (source, lines) = (&self.name, polled.refused);
            tracing::warn!(source, lines, first, "lines that cannot be counted");
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Positions> {
        self.positions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The queries of an SLO's counts.
///
/// # Errors
/// Why files cannot be asked so.
pub fn queries(counts: &[LogCount], cuts: Option<&Arc<Cuts>>) -> Result<Vec<Query>, String> {
    let query = |count: &LogCount| match (&count.kql, &count.dsl[..]) {
        (Some(what), []) => Ok(Query {
            index: count.index.clone(),
            what: what.clone(),
            heartbeat: count.heartbeat.clone(),
            cuts: cuts.cloned(),
        }),
        _ => Err("`dsl` is a language of Elasticsearch; files are asked in KQL".to_owned()),
    };
    counts.iter().map(query).collect()
}

/// What each query found of each subset.
fn of_subsets(queries: Vec<OfSubsets>) -> Vec<(Subset, OfCounts)> {
    let mut all: BTreeMap<Subset, OfCounts> = BTreeMap::new();
    let count = queries.len();
    for (place, found) in queries.into_iter().enumerate() {
        for (subset, minutes) in found {
            let counts = all.entry(subset).or_insert_with(|| vec![Vec::new(); count]);
            counts[place] = minutes.into_iter().collect();
        }
    }
    all.into_iter().collect()
}

fn problem(polled: &Polled) -> Option<String> {
    let behind = polled
        .is_behind
        .then(|| "older lines are still being read; until then the data ends there".to_owned());
    let mut all: Vec<String> = polled.problems.iter().cloned().chain(behind).collect();
    all.dedup();
    (!all.is_empty()).then(|| all.join("; "))
}

impl MetricSource for Files {
    fn prepare<'a>(&'a self, _: &'a mut Feeds, _: i64, _: i64) -> Later<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn read<'a>(&'a self, intake: &'a mut Intake, _: i64, to: i64) -> Later<'a, Read> {
        Box::pin(self.read_lines(intake, to))
    }

    fn positions(&self) -> Option<Positions> {
        Some(self.lock().clone())
    }

    fn resume(&self, positions: Positions) {
        *self.lock() = positions;
    }
}
