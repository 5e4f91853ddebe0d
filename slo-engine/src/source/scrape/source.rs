//! `/metrics` pages as a source of series: what there is now, and no past.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::join_all;
use reqwest::Client;
use slo_core::counter::{Sample, TargetKey};
use slo_core::plan::{Edges, Feeds};
use slo_core::selector::Selector;

use super::attempt::{Attempt, attempt};
use super::fetch::{self, Limits};
use super::target::Target;
use super::text::Row;
use crate::source::client;
use crate::source::config::{SourceConfig, TargetConfig};
use crate::source::error::{SourceError, chain};
use crate::source::intake::Intake;
use crate::source::reader::{Later, MetricSource, Read, Trouble};

/// Targets that did not answer, and why.
type Problems = Vec<(TargetKey, String)>;

fn joined<'a>(problems: impl Iterator<Item = &'a (TargetKey, String)>) -> String {
    problems.map(|(_, reason)| reason.as_str()).collect::<Vec<_>>().join("; ")
}

const START: &str = "process_start_time_seconds";

/// The targets of one source.
#[derive(Debug, Clone)]
pub struct Scrape {
    client: Client,
    targets: Vec<Target>,
    limits: Limits,
}

impl Scrape {
    /// A source as configured.
    ///
    /// # Errors
    /// What cannot be used: no target, an address.
    pub fn new(config: &SourceConfig) -> Result<Self, SourceError> {
        let setup = |reason: String| SourceError::Setup { name: config.name.clone(), reason };
        let target = |target: &TargetConfig| match target {
            TargetConfig::Address(url) => Target::parse(url, &config.name),
            TargetConfig::Named { url, job } => Target::parse(url, job),
        };
        let targets: Result<Vec<Target>, _> = config.targets.iter().map(target).collect();
        let client = fetch::client(client::builder(config).map_err(setup)?);
        let client = client.map_err(|e| setup(chain(&e)))?;
        let timeout = Duration::from_millis(config.timeout.as_millis().unsigned_abs());
        let limits = Limits { timeout, ..Limits::default() };
        Ok(Self { client, targets: targets.map_err(|e| setup(chain(&e)))?, limits })
    }

    /// Scrapes all targets at once; rows of the wanted metrics, and what went wrong.
    async fn pages(&self, at: i64, wanted: impl Fn(&str) -> bool) -> (Vec<Row>, Problems) {
        let now = DateTime::<Utc>::from_timestamp_millis(at).unwrap_or_default();
        let one = |target| attempt(&self.client, target, self.limits, now, &wanted);
        let (mut rows, mut problems) = (Vec::new(), Problems::new());
        let attempts = join_all(self.targets.iter().map(one)).await;
        for (target, Attempt { outcome, .. }) in self.targets.iter().zip(attempts) {
            match outcome {
                Ok(scrape) => rows.extend(scrape.rows),
                Err(error) => problems.push((target.key(), chain(&error))),
            }
        }
        (rows, problems)
    }

    /// Asks every target once: its clock, if it tells it, or why it does not answer.
    pub async fn probe(&self, now: DateTime<Utc>) -> Vec<Result<Option<DateTime<Utc>>, String>> {
        let none = |_: &str| false;
        let one = |target| attempt(&self.client, target, self.limits, now, none);
        let all = join_all(self.targets.iter().map(one)).await;
        all.into_iter().map(|a| a.outcome.map(|s| s.date).map_err(|e| chain(&e))).collect()
    }

    async fn scrape(&self, intake: &mut Intake, at: i64) -> Read {
        let selectors: Vec<Selector> = intake.queries().map(|q| q.selector.clone()).collect();
        let named = |name: &str| {
            let names =
                selectors.iter().flat_map(|s| s.matchers.iter().filter(|m| m.label == "__name__"));
            name == START || names.into_iter().any(|m| m.matches(name))
        };
        let (rows, problems) = self.pages(at, named).await;
        let samples = rows.len();
        let mut starts: HashMap<TargetKey, i64> = HashMap::new();
        for row in rows {
            if row.labels.metric() == START {
                starts.insert(TargetKey::of(&row.labels), (row.value * 1e3).round() as i64);
            }
            let sample = Sample { at: row.millis.unwrap_or(at), value: row.value };
            let created = row.created.filter(|created| *created <= sample.at);
            for (query, selector) in selectors.iter().enumerate() {
                if selector.matches(&row.labels) {
                    intake.take(query, &row.labels, &[sample], created);
                }
            }
        }
        let start_of = |target: &TargetKey, _: i64| starts.get(target).copied();
        let outcomes = intake.settle(&start_of, at);
        let problem = (!problems.is_empty()).then(|| joined(problems.iter()));
        let concerns = Some(self.concerns(intake, &problems));
        Read { outcomes, samples, problem, concerns, ..Read::default() }
    }

    /// Whom targets concern that did not answer: the SLOs that they feed, and of those that never did all.
    fn concerns(&self, intake: &Intake, problems: &Problems) -> HashMap<usize, Trouble> {
        if problems.is_empty() {
            return HashMap::new();
        }
        let answers = |key: &TargetKey| problems.iter().all(|(failed, _)| failed != key);
        let of_slo = |slo| intake.targets(slo).collect::<HashSet<&TargetKey>>();
        let known: Vec<HashSet<&TargetKey>> = (0..intake.count()).map(of_slo).collect();
        let all: HashSet<&TargetKey> = known.iter().flatten().copied().collect();
        let configured: Vec<TargetKey> = self.targets.iter().map(Target::key).collect();
        let trouble = |(slo, own): (usize, &HashSet<&TargetKey>)| {
            let concerns = |key: &TargetKey| own.contains(key) || !all.contains(key);
            let mine = problems.iter().filter(|(key, _)| concerns(key)).collect::<Vec<_>>();
            let feeds = |key: &&TargetKey| own.is_empty() || own.contains(key);
            let is_all = !configured.iter().filter(feeds).any(answers);
            let reason = joined(mine.iter().copied());
            (!mine.is_empty()).then_some((slo, Trouble { reason, is_all }))
        };
        known.iter().enumerate().filter_map(trouble).collect()
    }

    /// A target that does not answer has no histogram yet; reading says that it does not.
    async fn find_edges(&self, feeds: &mut Feeds, at: i64) {
        let Feeds::Latency { histogram, under, edges } = feeds else { return };
        let name = format!("{}_bucket", histogram.metric().unwrap_or_default());
        let buckets = histogram.with_metric(&name);
        let (rows, _) = self.pages(at, |metric| metric == name).await;
        let mut les: Vec<String> = rows
            .iter()
            .filter(|row| buckets.matches(&row.labels))
            .map(|row| row.labels.get("le").to_owned())
            .collect();
        les.sort();
        les.dedup();
        // The pages are read whole anyway: a process that comes with other buckets costs nothing more.
        *edges = Edges::around(*under, &les).map(|edges| Edges { mixed: true, ..edges });
    }
}

impl MetricSource for Scrape {
    fn prepare<'a>(&'a self, feeds: &'a mut Feeds, _: i64, to: i64) -> Later<'a, ()> {
        Box::pin(async move {
            self.find_edges(feeds, to).await;
            Ok(())
        })
    }

    fn read<'a>(&'a self, intake: &'a mut Intake, _: i64, to: i64) -> Later<'a, Read> {
        Box::pin(async move { Ok(self.scrape(intake, to).await) })
    }
}
