//! Budgets at an instant straight from the sources: no database, no server.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use slo_core::budget::{Account, end_of};
use slo_core::counter::{Outcome, Rules};
use slo_core::plan::{Feeds, feeds};
use slo_core::slo::Slo;
use slo_core::time::{Minute, Span};
use slo_core::view::{Ask, BudgetView};

use crate::evaluate::reading::{self, Reading};
use crate::source::config::{SourceConfig, SourceKind};
use crate::source::intake::{Feeding, Intake};
use crate::source::prometheus::Prometheus;
use crate::source::prometheus::history::{self, Stretch};

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    /// The sources.
    pub sources: &'a [SourceConfig],
    /// The SLOs.
    pub slos: Vec<Arc<Slo>>,
    /// The instant.
    pub at: DateTime<Utc>,
    /// Burn windows that policies need.
    pub burns: &'a [Span],
    /// What policies ask about the future.
    pub asks: &'a [Ask],
}

/// One SLO while it is read.
#[derive(Debug)]
pub struct One {
    /// Its history and windows.
    pub account: Account,
    /// How it was read.
    pub reading: Reading,
    /// What feeds it, when metrics do.
    pub feeds: Option<Feeds>,
    /// The series that fed it.
    pub series: Vec<Feeding>,
    /// Where they were read.
    pub source: SourceConfig,
    /// The first minute that was counted.
    pub from: Option<Minute>,
}

/// Reads everything that the views at `at` need. A source that fails leaves its SLOs without data
/// and with the reason in `sources[].lastError`.
pub async fn read(question: &Question<'_>, progress: &(dyn Fn(f64) + Sync)) -> Vec<One> {
    let mut all: Vec<One> = question.slos.iter().map(|slo| open(question, slo)).collect();
    for config in question.sources {
        let mine: Vec<usize> = (0..all.len())
            .filter(|at| all[*at].feeds.is_some() && all[*at].source.name == config.name)
            .collect();
        if mine.is_empty() {
            continue;
        }
        if let Err(reason) = read_source(question, config, &mut all, &mine, progress).await {
            for at in mine {
                all[at].reading.last_error = Some(reason.clone());
            }
        }
    }
    all
}

/// The views at the question's instant.
pub fn views(question: &Question<'_>, all: &mut [One]) -> Vec<BudgetView> {
    let view = |one: &mut One| {
        reading::view(
            &mut one.account,
            &one.reading,
            &one.source,
            question.at,
            question.asks,
            None,
            None,
        )
    };
    all.iter_mut().map(view).collect()
}

/// The source that an SLO names, or the default one.
///
/// # Errors
/// A sentence when there is none.
pub fn source_of<'a>(
    sources: &'a [SourceConfig],
    name: Option<&str>,
) -> Result<&'a SourceConfig, String> {
    let default = |s: &&SourceConfig| matches!(s.kind, SourceKind::Prometheus | SourceKind::Scrape);
    match name {
        None => sources
            .iter()
            .find(default)
            .ok_or_else(|| "no source of kind prometheus or scrape is configured".to_owned()),
        Some(name) => sources.iter().find(|s| s.name == name).ok_or_else(|| {
            let known: Vec<&str> = sources.iter().map(|s| s.name.as_str()).collect();
            format!("no source is called `{name}`; the configuration has {}", known.join(", "))
        }),
    }
}

fn open(question: &Question<'_>, slo: &Arc<Slo>) -> One {
    let mut one = One {
        account: Account::new(slo.clone(), question.burns),
        reading: Reading::default(),
        feeds: None,
        series: Vec::new(),
        from: None,
        source: SourceConfig::default(),
    };
    match feeds(slo) {
        Err(unfed) => one.reading.unfed = Some(unfed),
        Ok((name, feeds)) => match source_of(question.sources, name) {
            Err(reason) => one.reading.last_error = Some(reason),
            Ok(source) => {
                one.reading.source.clone_from(&source.name);
                one.source = source.clone();
                one.feeds = Some(feeds);
            }
        },
    }
    one
}

async fn read_source(
    question: &Question<'_>,
    config: &SourceConfig,
    all: &mut [One],
    mine: &[usize],
    progress: &(dyn Fn(f64) + Sync),
) -> Result<(), String> {
    if config.kind != SourceKind::Prometheus {
        return Err(format!(
            "source `{}` has no past to ask; run the server and ask it",
            config.name
        ));
    }
    let source = Prometheus::new(config).map_err(|e| e.to_string())?;
    let to = question.at.timestamp_millis() - config.lag.as_millis();
    let end = end_of(DateTime::from_timestamp_millis(to).unwrap_or(question.at));
    let from = mine
        .iter()
        .map(|at| reading::history_start(all[*at].account.slo(), end, question.burns))
        .min();
    let stretch = Stretch { from: from.unwrap_or(end), to };
    let mut slos: Vec<(Feeds, Rules)> = Vec::with_capacity(mine.len());
    for at in mine {
        let one = &mut all[*at];
        let Some(feeds) = &mut one.feeds else { continue };
        source
            .find_edges(feeds, stretch.from.start_millis(), to)
            .await
            .map_err(|e| e.to_string())?;
        one.reading.between = reading::between(feeds);
        slos.push((feeds.clone(), reading::rules(one.account.slo(), config)));
    }
    let mut each = |slo: usize, outcome: Outcome| take(&mut all[mine[slo]], &outcome);
    let groups = history::replay(&source, &slos, stretch, &mut each, progress).await;
    for group in groups.map_err(|e| e.to_string())? {
        for (place, slo) in group.slos.iter().enumerate() {
            all[mine[*slo]].was_read(&group.intake, place, stretch);
        }
    }
    Ok(())
}

impl One {
    fn was_read(&mut self, intake: &Intake, place: usize, stretch: Stretch) {
        (self.series, self.from) = (intake.feeding(place), Some(stretch.from));
        self.reading.read_to = DateTime::from_timestamp_millis(stretch.to);
        self.reading.newest = intake.newest(place);
        self.reading.oddity = intake.oddity(place);
        let queries = intake.queries().filter(|q| q.slos.contains(&place));
        self.reading.queries = queries.map(|q| q.selector.to_string()).collect();
    }
}

fn take(one: &mut One, outcome: &Outcome) {
    for (minute, bucket) in &outcome.buckets {
        one.account.replace(*minute, bucket);
    }
    let first = one.account.events().first();
    for mark in outcome.marks.iter().filter(|m| first.is_some_and(|f| m.minute >= f)) {
        one.account.mark(mark.minute, mark.measured, mark.partial);
    }
    one.reading.dip = outcome.dips.last().copied().or(one.reading.dip);
}
