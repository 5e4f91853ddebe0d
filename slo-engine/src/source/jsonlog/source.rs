//! Files of JSON lines as a source: each line is handed out once, and where reading stands is
//! committed with what was counted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Index, Jsonlog, OfSubsets, Polled, Positions, Query};
use crate::source::config::SourceConfig;
use crate::source::error::SourceError;
use crate::source::intake::Intake;
use crate::source::intake::logs::{Found, LogFeed, OfCounts};
use crate::source::reader::{Later, MetricSource, Read};
use slo_core::counter::Outcome;
use slo_core::plan::{Feeds, LogCount};
use slo_core::subset::{Cuts, Subset};

/// About so many bytes are read at once: one or two seconds of work.
const AT_ONCE: u64 = 256 * 1024 * 1024;

/// Files, and where they have been read to.
#[derive(Debug)]
pub struct Files {
    name: String,
    reader: Jsonlog,
    stand: Mutex<Stand>,
}

/// Where reading stands.
#[derive(Debug, Clone, Default)]
struct Stand {
    positions: Positions,
    /// It goes on where another process left it, and there may be SLOs that were not asked for then.
    was_resumed: bool,
}

impl Files {
    /// A source as configured.
    ///
    /// # Errors
    /// What cannot be used: no file, a pattern, a time field.
    pub fn new(config: &SourceConfig) -> Result<Self, SourceError> {
        let reader = Jsonlog::new(&config.files, &config.time_field);
        let setup = |reason| SourceError::Setup { name: config.name.clone(), reason };
        let (name, stand) = (config.name.clone(), Mutex::default());
        Ok(Self { name, reader: reader.map_err(setup)?, stand })
    }

    async fn read_lines(&self, intake: &mut Intake, to: i64) -> Result<Read, SourceError> {
        let mut read = Read::default();
        let Stand { mut positions, was_resumed } = self.lock().clone();
        let (mut known, mut new) = (Asked::default(), Asked::default());
        for feed in intake.logs() {
            let is_new = was_resumed && intake.knows_nothing_of(feed.slo);
            let asked = if is_new { &mut new } else { &mut known };
            let cuts = feed.apart.as_ref().map(|apart| &apart.cuts);
            match queries(feed.counts(), cuts) {
                Err(reason) => read.failed.push((feed.slo, reason)),
                Ok(queries) => asked.add(feed, queries),
            }
        }
        let (reader, queries) = (self.reader.clone(), std::mem::take(&mut known.queries));
        let polled = tokio::task::spawn_blocking(move || {
            let polled = reader.poll(&mut positions, &queries, AT_ONCE, to);
            (polled, positions)
        });
        let (polled, positions) = polled.await.expect("reading files does not panic");
        let past = if new.feeds.is_empty() {
            Polled::default()
        } else {
            self.read_again(std::mem::take(&mut new.queries), &positions, to).await
        };
        self.tell(&polled);
        // From here on nothing waits: what is counted and where reading stands change together.
        read.samples = usize::try_from(polled.lines + past.lines).unwrap_or(usize::MAX);
        read.problem = problem(&polled);
        // While older lines are still to come, nobody knows what lies between.
        let is_behind = polled.is_behind;
        let missed = past.problems.first().cloned();
        *self.lock() = Stand { positions, was_resumed: missed.is_some() };
        read.outcomes = known.outcomes(intake, polled, is_behind);
        match missed {
            None => read.outcomes.extend(new.outcomes(intake, past, is_behind)),
            Some(why) => read.failed.extend(new.feeds.iter().map(|feed| (feed.slo, why.clone()))),
        }
        Ok(read)
    }

    /// What lies before the positions, for SLOs that were not asked for when it was read.
    async fn read_again(&self, queries: Vec<Query>, until: &Positions, now: i64) -> Polled {
        let (queries, until) = (Arc::new(queries), Arc::new(until.clone()));
        let (mut done, mut whole) = (until.unread(), None::<Polled>);
        loop {
            let (reader, queries, until) = (self.reader.clone(), queries.clone(), until.clone());
            let polled = tokio::task::spawn_blocking(move || {
                let polled = reader.again(&mut done, &until, &queries, AT_ONCE, now);
                (polled, done)
            });
            let polled = polled.await.expect("reading files does not panic");
            done = polled.1;
            let polled = match whole {
                Some(before) => polled.0.after(before),
                None => polled.0,
            };
            if !polled.is_behind {
                return polled;
            }
            whole = Some(polled);
        }
    }

    fn tell(&self, polled: &Polled) {
        if let Some(first) = &polled.first_refused {
            let (source, lines) = (&self.name, polled.refused);
            tracing::warn!(source, lines, first, "lines that cannot be counted");
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Stand> {
        self.stand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// SLOs with their queries.
#[derive(Default)]
struct Asked {
    feeds: Vec<LogFeed>,
    queries: Vec<Query>,
}

impl Asked {
    fn add(&mut self, feed: LogFeed, queries: Vec<Query>) {
        self.feeds.push(feed);
        self.queries.extend(queries);
    }

    /// What the lines gave for each SLO.
    fn outcomes(
        &self,
        intake: &mut Intake,
        polled: Polled,
        is_behind: bool,
    ) -> Vec<(usize, Outcome)> {
        let mut answers = polled.counts.into_iter().zip(polled.newest);
        let mut apart = polled.subsets.into_iter();
        let mut outcome = |feed: &LogFeed| {
            let queries = feed.counts().len();
            let (counts, newest): (Vec<_>, Vec<Option<i64>>) =
                answers.by_ref().take(queries).unzip();
            let subsets = of_subsets(apart.by_ref().take(queries).collect());
            let newest: Option<Vec<i64>> = newest.into_iter().collect();
            let newest = newest.and_then(|all| all.into_iter().min()).filter(|_| !is_behind);
            (feed.slo, intake.add_logs(feed, &Found { counts, newest, subsets }))
        };
        self.feeds.iter().map(&mut outcome).collect()
    }
}

/// The queries of an SLO's counts.
///
/// # Errors
/// Why files cannot be asked so.
pub fn queries(counts: &[LogCount], cuts: Option<&Arc<Cuts>>) -> Result<Vec<Query>, String> {
    let query = |count: &LogCount| match (&count.kql, &count.dsl[..]) {
        (Some(what), []) => Ok(Query {
            index: count.index.as_deref().map(Index::parse).transpose()?,
            what: what.clone(),
            heartbeat: count.heartbeat.clone(),
            cuts: cuts.cloned(),
        }),
        _ => Err("`dsl` is a language of Elasticsearch; files are asked in KQL".to_owned()),
    };
    counts.iter().map(query).collect()
}

/// What each query found of each subset.
#[must_use]
pub fn of_subsets(queries: Vec<OfSubsets>) -> Vec<(Subset, OfCounts)> {
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
        Some(self.lock().positions.clone())
    }

    fn resume(&self, positions: Positions) {
        let was_resumed = !positions.rows().is_empty();
        *self.lock() = Stand { positions, was_resumed };
    }
}
