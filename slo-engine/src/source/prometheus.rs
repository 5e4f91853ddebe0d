//! Reads Prometheus and everything that speaks its HTTP API: Thanos, Mimir, VictoriaMetrics.
//!
//! Range selectors in instant queries give raw samples, so that differences are made here, exactly,
//! and not by `increase()`, which extrapolates.

use std::collections::HashMap;
use std::sync::Arc;

use slo_core::counter::{NewTarget, Rules, TargetKey};
use slo_core::histogram::Histogram;
use slo_core::labels::Labels;
use slo_core::plan::{Edges, Feeds};
use slo_core::selector::Selector;
use slo_core::time::Minute;

use super::config::SourceConfig;
use super::error::SourceError;
use super::intake::{Intake, RawRatio, Refused};
use super::reader::{Later, MetricSource, Read};

mod api;
pub mod history;
mod wire;

pub use api::{Answer, Api, Wanted};
pub use wire::{Row, Series};

/// One Prometheus.
#[derive(Debug, Clone)]
pub struct Prometheus {
    api: Api,
    config: SourceConfig,
}

impl Prometheus {
    /// A source as configured.
    ///
    /// # Errors
    /// What cannot be used.
    pub fn new(config: &SourceConfig) -> Result<Self, SourceError> {
        Ok(Self { api: Api::new(config)?, config: config.clone() })
    }

    /// Its configuration.
    #[must_use]
    pub const fn config(&self) -> &SourceConfig {
        &self.config
    }

    /// Its API.
    #[must_use]
    pub const fn api(&self) -> &Api {
        &self.api
    }

    /// Finds what tells of the thresholds of latency SLOs: classic buckets, or native histograms where
    /// no classic one is there now; instants in Unix milliseconds. Where there is neither, it stays
    /// without edges.
    ///
    /// # Errors
    /// Why the source could not be asked.
    pub async fn find_edges(
        &self,
        feeds: &mut Feeds,
        from: i64,
        to: i64,
    ) -> Result<(), SourceError> {
        let Feeds::Latency { histogram, under, edges } = feeds else { return Ok(()) };
        let name = format!("{}_bucket", histogram.metric().unwrap_or_default());
        let buckets = histogram.with_metric(&name).to_string();
        let les = self.api.label_values("le", &buckets, from, to).await?;
        let classic = Edges::around(*under, &les);
        if classic.is_some()
            && !self.api.query(&format!("count({buckets})"), to).await?.data.is_empty()
        {
            *edges = classic;
            return Ok(());
        }
        let names = self.api.label_values("__name__", &histogram.to_string(), from, to).await?;
        *edges = if names.is_empty() { classic } else { Some(Edges::and_native(classic)) };
        Ok(())
    }

    /// Reads the samples of `(from, to]` (Unix milliseconds) into the intake and counts them.
    ///
    /// # Errors
    /// Why nothing was counted.
    pub async fn read(&self, intake: &mut Intake, from: i64, to: i64) -> Result<Read, SourceError> {
        self.widen(intake, from, to).await;
        let read = self.read_whole(intake, from, to).await;
        intake.judge_widths(read.is_ok(), to);
        if read.is_err() {
            // The same samples are read again.
            intake.forget_batch();
        }
        read
    }

    /// Asks where lists of values are needed; where that cannot be told they stay.
    async fn widen(&self, intake: &mut Intake, from: i64, to: i64) {
        for (query, wide) in intake.lists(to) {
            let selector = wide.selector.to_string();
            let there = self.api.label_values(&wide.label, &selector, from, to).await;
            if let Err(error) = &there {
                tracing::debug!(%error, label = wide.label, "cannot ask for a label's values");
            }
            intake.widen(query, wide, there.ok().as_deref(), to);
        }
    }

    async fn read_whole(
        &self,
        intake: &mut Intake,
        from: i64,
        to: i64,
    ) -> Result<Read, SourceError> {
        let mut refused = Refused::new();
        let Asked { samples, shows_late, natives } =
            self.ask_all(intake, (from, to), &mut refused).await?;
        take_natives(intake, natives);
        intake.leave_out(&refused)?;
        let mixed = intake.mixed();
        if !mixed.is_empty() {
            return Err(SourceError::Mixed { slos: mixed });
        }
        let starts = self.starts(&intake.new_targets()).await?;
        let ratios = self.ratios(intake, (from, to), &mut refused).await?;
        // From here on nothing fails: what is counted once is not handed out again.
        let start_of = |target: &TargetKey, at: i64| {
            starts.get(target)?.iter().rev().find(|(seen, _)| *seen <= at).map(|(_, start)| *start)
        };
        let mut outcomes = intake.settle(&start_of, to);
        outcomes.retain(|(slo, _)| !refused.contains_key(slo));
        for (raw, found) in ratios {
            intake.note_series(&raw, found.len());
            let values = found.first().map(|s| s.samples.as_slice()).unwrap_or_default();
            outcomes.push((raw.slo, intake.take_ratio(&raw, values)));
        }
        let failed = refused.into_iter().collect();
        Ok(Read { outcomes, samples, shows_late, failed, ..Read::default() })
    }

    /// Sends all queries and hands their series to the intake, but for native histograms.
    async fn ask_all(
        &self,
        intake: &mut Intake,
        (from, to): (i64, i64),
        refused: &mut Refused,
    ) -> Result<Asked, SourceError> {
        let selectors = intake.selectors();
        let mut asked = Asked::default();
        for (query, selector) in selectors.iter().enumerate() {
            let answer = match self.api.ask(&format!("{selector}[{}ms]", to - from), to).await {
                Ok(answer) => answer,
                Err(error) if error.is_of_query() && intake.lapses() => {
                    intake.refuse(intake.asked_by(query), error, refused)?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            if let Some(now) = &intake.now {
                now.agrees(answer.date, self.api.url())?;
            }
            asked.shows_late |= answer.shows_late;
            let wanted = Wanted { kind: "matrix", from, to };
            asked.samples +=
                self.take(intake, query, (&answer.data, wanted), &mut asked.natives)?;
            self.api.take_back(answer.data);
        }
        Ok(asked)
    }

    /// Hands the series of an answer to the intake; how much they hold. Native histograms come later.
    fn take(
        &self,
        intake: &mut Intake,
        query: usize,
        (body, wanted): (&[u8], Wanted),
        natives: &mut Vec<Native>,
    ) -> Result<usize, SourceError> {
        let mut samples = 0;
        self.api.each(body, wanted, |row| {
            samples += size(&row);
            intake.take_written(query, row.metric.0, row.samples, || row.metric.labels())?;
            if !row.histograms.is_empty() {
                natives.push((query, row.metric.labels()?, row.histograms));
            }
            Ok(())
        })?;
        Ok(samples)
    }

    /// Asks for raw ratios at the ends of the slices that ended in `(from, to]`.
    async fn ratios(
        &self,
        intake: &Intake,
        (from, to): (i64, i64),
        refused: &mut Refused,
    ) -> Result<Vec<(RawRatio, Vec<Series>)>, SourceError> {
        let mut all = Vec::new();
        'raws: for raw in intake.raws() {
            let step = raw.size * 60_000;
            let (mut first, last) =
                ((from.div_euclid(step) + 1) * step, to.div_euclid(step) * step);
            let expression = own_samples(&raw.expression, raw.size);
            let mut parts = Vec::new();
            while first <= last {
                // The API gives at most 11,000 points at once.
                let end = last.min(first + 10_000 * step);
                match self.api.query_range(&expression, first, end, step).await {
                    Ok(found) => parts.push((raw.clone(), found.data)),
                    Err(error) if error.is_of_expression() => {
                        intake.refuse(&[raw.slo], error, refused)?;
                        continue 'raws;
                    }
                    Err(error) => return Err(error),
                }
                first = end + step;
            }
            all.append(&mut parts);
        }
        Ok(all)
    }

    /// Which of some SLOs have a sample of their total in `(from, to]` (Unix milliseconds).
    ///
    /// # Errors
    /// Why the source could not be asked.
    pub async fn has_samples(
        &self,
        slos: Vec<(Arc<Feeds>, Rules)>,
        from: i64,
        to: i64,
    ) -> Result<Vec<bool>, SourceError> {
        let count = slos.len();
        let mut intake = Intake::new(slos, Minute::of_millis(to), self.config.max_query_bytes);
        let selectors: Vec<String> = intake.queries().map(|q| q.selector.to_string()).collect();
        let mut natives = Vec::new();
        for (query, selector) in selectors.iter().enumerate() {
            let newest = format!("last_over_time({selector}[{}ms])", to - from);
            let answer = self.api.ask(&newest, to).await?;
            let wanted = Wanted { kind: "vector", from, to };
            self.take(&mut intake, query, (&answer.data, wanted), &mut natives)?;
        }
        take_natives(&mut intake, natives);
        intake.settle(&|_, _| None, to);
        Ok((0..count).map(|slo| intake.newest(slo).is_some()).collect())
    }

    /// When the processes of new targets began: by target, (seen at, began), both Unix milliseconds.
    async fn starts(
        &self,
        targets: &[NewTarget],
    ) -> Result<HashMap<TargetKey, Vec<(i64, i64)>>, SourceError> {
        let mut starts: HashMap<TargetKey, Vec<(i64, i64)>> = HashMap::new();
        let named =
            targets.iter().filter(|t| !(t.target.job.is_empty() && t.target.instance.is_empty()));
        for part in named.collect::<Vec<_>>().chunks(200) {
            let from = part.iter().map(|t| t.at).min().unwrap_or_default() - 1;
            let to = part.iter().map(|t| t.at).max().unwrap_or_default();
            let jobs = slo_core::plan::any_of("job", part.iter().map(|t| &*t.target.job));
            let instances =
                slo_core::plan::any_of("instance", part.iter().map(|t| &*t.target.instance));
            let expression =
                format!("process_start_time_seconds{{{jobs},{instances}}}[{}ms]", to - from);
            for series in self.api.query(&expression, to).await?.data {
                let began = series.samples.iter().map(|s| (s.at, (s.value * 1e3).round() as i64));
                starts.entry(TargetKey::of(&series.labels)).or_default().extend(began);
            }
        }
        Ok(starts)
    }
}

/// What all queries brought.
#[derive(Default)]
struct Asked {
    samples: usize,
    shows_late: bool,
    natives: Vec<Native>,
}

/// A series of native histograms that a query showed.
type Native = (usize, Labels, Vec<(i64, Histogram)>);

/// Hands them to the intake, after all classic ones.
fn take_natives(intake: &mut Intake, natives: Vec<Native>) {
    for (query, labels, histograms) in natives {
        if let Some((newest, _)) = histograms.last() {
            intake.note_native(query, &labels, *newest);
        }
        intake.take_histograms(query, &labels, histograms);
    }
}

/// How much a series holds, in samples; a bucket of a native histogram weighs as much as one.
fn size(row: &Row<'_>) -> usize {
    row.samples.len() + row.histograms.iter().map(|(_, h)| 1 + h.buckets.len()).sum::<usize>()
}

/// A plain selector would show its last sample for five minutes more; only a sample of the slice itself
/// may speak for it.
fn own_samples(expression: &str, minutes: i64) -> String {
    match Selector::parse(expression) {
        Ok(selector) if selector.is_named() => format!("last_over_time({selector}[{minutes}m])"),
        _ => expression.to_owned(),
    }
}

impl MetricSource for Prometheus {
    fn prepare<'a>(&'a self, feeds: &'a mut Feeds, from: i64, to: i64) -> Later<'a, ()> {
        Box::pin(self.find_edges(feeds, from, to))
    }

    fn read<'a>(&'a self, intake: &'a mut Intake, from: i64, to: i64) -> Later<'a, Read> {
        Box::pin(Self::read(self, intake, from, to))
    }
}
