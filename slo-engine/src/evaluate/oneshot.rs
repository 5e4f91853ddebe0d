//! Budgets at an instant straight from the sources: no database, no server.

use std::sync::Arc;

use budget_gate::exclusion::Exclusion;
use chrono::{DateTime, Utc};
use slo_core::budget::{Account, end_of};
use slo_core::counter::{Outcome, Rules};
use slo_core::plan::{Feeds, feeds};
use slo_core::slo::Slo;
use slo_core::time::{Minute, Span};
use slo_core::view::{Ask, BudgetView};

use crate::evaluate::exclusion::{Acting, InForce, reach};
use crate::evaluate::reading::{self, Reading};
use crate::source::config::{SourceConfig, SourceKind};
use crate::source::error::SourceError;
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
    /// What is excluded.
    pub exclusions: &'a [Exclusion],
}

/// One SLO while it is read.
#[derive(Debug)]
pub struct One {
    /// Its history and windows.
    pub account: Account,
    /// How it was read.
    pub reading: Reading,
    /// What feeds it, when metrics do.
    pub feeds: Option<Arc<Feeds>>,
    /// The queries that were sent for it.
    pub queries: Vec<String>,
    /// The series that fed it.
    pub series: Vec<Feeding>,
    /// Where they were read.
    pub source: SourceConfig,
    /// The first minute that was counted.
    pub from: Option<Minute>,
}

impl One {
    fn start(&self, end: Minute, burns: &[Span]) -> Minute {
        reading::history_start(self.account.slo(), end, burns)
    }

    fn end(&self, question: &Question<'_>) -> Minute {
        reading::end(self.account.slo(), &self.reading, &self.source, question.at)
    }

    fn forget(&mut self, burns: &[Span]) {
        self.account = Account::new(self.account.slo().clone(), burns);
        (self.reading.read_to, self.reading.newest) = (None, None);
    }

    fn was_read(&mut self, intake: &Intake, place: usize, stretch: Stretch) {
        self.series = intake.feeding(place);
        self.reading.read_to = DateTime::from_timestamp_millis(stretch.to);
        self.reading.newest = intake.newest(place);
        self.reading.oddity = intake.oddity(place);
        self.reading.saw(intake.around(place));
        self.queries = intake.queries_of(place);
        if let Some(feeds) = &self.feeds {
            self.reading.reads(feeds);
        }
    }

    fn take(&mut self, outcome: &Outcome) {
        for (minute, bucket) in &outcome.buckets {
            self.account.replace(*minute, bucket);
        }
        for mark in
            outcome.marks.iter().filter(|mark| self.from.is_some_and(|from| mark.minute >= from))
        {
            self.account.mark(mark.minute, mark.measured, mark.partial);
        }
        self.reading.dip = outcome.dips.last().copied().or(self.reading.dip);
    }
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
                // Whatever was counted before the failure is no answer.
                all[at].forget(question.burns);
                all[at].reading.last_error = Some(reason.clone());
            }
        }
    }
    all
}

/// The views at the question's instant.
pub fn views(question: &Question<'_>, all: &mut [One]) -> Vec<BudgetView> {
    let in_force: Vec<InForce> = question.exclusions.iter().map(InForce::declared).collect();
    let acting = Acting::between(&in_force, reach(&question.slos, question.at));
    let view = |one: &mut One| {
        one.reading.exclusions = Acting::on(&acting, &one.account.slo().id);
        one.account.exclude(&Acting::minutes(&one.reading.exclusions));
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
        queries: Vec::new(),
        series: Vec::new(),
        from: None,
        source: SourceConfig::default(),
    };
    match feeds(slo) {
        Err(unfed) => one.reading.unfed = Some(unfed),
        Ok((name, feeds)) => match source_of(question.sources, name) {
            Err(reason) => one.reading.last_error = Some(reason),
            Ok(source) => {
                one.reading.source = source.name.as_str().into();
                one.source = source.clone();
                one.feeds = Some(Arc::new(feeds));
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
    let read = read_windows(question, &source, all, mine, progress).await;
    read.map_err(|e| e.to_string())
}

async fn read_windows(
    question: &Question<'_>,
    source: &Prometheus,
    all: &mut [One],
    mine: &[usize],
    progress: &(dyn Fn(f64) + Sync),
) -> Result<(), SourceError> {
    let to = question.at.timestamp_millis() - source.config().lag.as_millis();
    let end = end_of(DateTime::from_timestamp_millis(to).unwrap_or(question.at));
    let mut waiting = mine.to_vec();
    let mut from = mine.iter().map(|at| all[*at].start(end, question.burns)).min().unwrap_or(end);
    for at in mine {
        let one = &mut all[*at];
        let Some(feeds) = &mut one.feeds else { continue };
        source.find_edges(Arc::make_mut(feeds), from.start_millis(), to).await?;
        one.reading.between = reading::between(feeds);
    }
    while !waiting.is_empty() {
        read_stretch(source, all, &waiting, Stretch { from, to }, progress).await?;
        // Where the data ended before `to`, the windows end and so begin earlier.
        let begin = |at: usize| all[at].start(all[at].end(question), question.burns);
        waiting.retain(|at| begin(*at) < from);
        from = waiting.iter().map(|at| begin(*at)).min().unwrap_or(from);
        for at in &waiting {
            all[*at].forget(question.burns);
        }
    }
    Ok(())
}

async fn read_stretch(
    source: &Prometheus,
    all: &mut [One],
    mine: &[usize],
    stretch: Stretch,
    progress: &(dyn Fn(f64) + Sync),
) -> Result<(), SourceError> {
    let mut slos: Vec<(Arc<Feeds>, Rules)> = Vec::with_capacity(mine.len());
    for at in mine {
        let one = &mut all[*at];
        one.from = Some(stretch.from);
        let Some(feeds) = &one.feeds else { continue };
        slos.push((feeds.clone(), reading::rules(one.account.slo(), source.config())));
    }
    let mut each = |slo: usize, outcome: Outcome| all[mine[slo]].take(&outcome);
    for group in history::replay(source, &slos, stretch, &mut each, progress).await? {
        for (place, slo) in group.slos.iter().enumerate() {
            let one = &mut all[mine[*slo]];
            one.was_read(&group.intake, place, stretch);
            if group.older[place] {
                one.account.events_mut().set_first(stretch.from);
            }
        }
    }
    find_older(source, all, mine, stretch).await
}

/// A window that begins in a hole looks like the window of a young service: tells the two apart.
async fn find_older(
    source: &Prometheus,
    all: &mut [One],
    mine: &[usize],
    stretch: Stretch,
) -> Result<(), SourceError> {
    let late = |at: &&usize| all[**at].account.events().first().is_some_and(|f| f > stretch.from);
    let late: Vec<usize> = mine.iter().filter(late).copied().collect();
    let fed = |at: &usize| {
        let one = &all[*at];
        Some((one.feeds.clone()?, reading::rules(one.account.slo(), source.config())))
    };
    let slos: Vec<(Arc<Feeds>, Rules)> = late.iter().filter_map(fed).collect();
    let begin = stretch.from.start_millis();
    let older = source.has_samples(slos, 2 * begin - stretch.to, begin - 1).await?;
    for (at, older) in late.into_iter().zip(older) {
        if older {
            all[at].account.events_mut().set_first(stretch.from);
        }
    }
    Ok(())
}
