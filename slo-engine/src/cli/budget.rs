//! `slo-engine budget`: budgets at an instant, straight from the sources.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use serde::Serialize;
use slo_core::slo::Slo;
use slo_core::view::BudgetView;

use super::progress::Progress;
use super::{declare, output, table};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::evaluate::oneshot::{self, Question};
use crate::source::agreement::Now;

/// Arguments of `budget`.
#[derive(Debug, Args)]
pub(super) struct Budget {
    /// Files and folders; those of the configuration when none is given
    paths: Vec<PathBuf>,
    /// The instant: 2026-11-21T10:00:00Z, Unix seconds, or now
    #[arg(long, default_value = "now", value_name = "T", value_parser = instant)]
    at: DateTime<Utc>,
    /// The groups of grouped SLOs, too
    #[arg(long)]
    groups: bool,
    /// Views as JSON: {"items": [...], "next": null}
    #[arg(long)]
    json: bool,
}

fn is_of(view: &BudgetView, slo: &Slo) -> bool {
    let id = &slo.id;
    (&*view.service, &*view.slo, &*view.environment)
        == (id.service.as_str(), id.slo.as_str(), id.environment.as_str())
}

/// A list as every route and command answers it.
#[derive(Debug, Serialize)]
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    pub(super) next: Option<String>,
}

impl Budget {
    pub(super) fn run(&self, config: &Config) -> anyhow::Result<ExitCode> {
        let declared = declare::read(&self.paths, config)?;
        let slos = declared.services.iter().flat_map(|service| &service.slos);
        let question = Question {
            sources: &config.sources,
            slos: slos.cloned().collect(),
            services: &declared.services,
            at: self.at,
            burns: &declared.burns,
            asks: &[],
            exclusions: &declared.exclusions,
            now: about_now(self.at),
        };
        let views = blocking(async {
            let progress = Progress::new("reading history");
            let mut all = oneshot::read(&question, &|share| progress.show(share)).await;
            let mut views = oneshot::views(&question, &mut all);
            if self.groups {
                views.extend(oneshot::groups(&question, &mut all));
                // Groups stand behind their SLO; the sort keeps all else in its order.
                let place = |view: &BudgetView| {
                    let same = |slo: &&Arc<Slo>| is_of(view, slo);
                    question.slos.iter().position(|slo| same(&slo))
                };
                views.sort_by_key(|view| (place(view), view.group.is_some()));
            }
            views
        })?;
        self.show(views)?;
        Ok(ExitCode::SUCCESS)
    }

    fn show(&self, views: Vec<BudgetView>) -> anyhow::Result<()> {
        if self.json {
            return output::json(&Page { items: views, next: None });
        }
        table::show(&views)
    }
}

/// Runs async work of a command to its end.
pub(super) fn blocking<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    Ok(runtime.context("cannot start the runtime")?.block_on(work))
}

/// The time, when it is so at `at`: ages in the answer then go by the sources' clocks, too.
pub(super) fn about_now(at: DateTime<Utc>) -> Option<Now> {
    let now = SystemClock.now();
    ((now - at).abs() < TimeDelta::minutes(1)).then(|| Now::new(now))
}

/// Reads `now`, RFC 3339 or Unix seconds.
pub(super) fn instant(text: &str) -> anyhow::Result<DateTime<Utc>> {
    if text == "now" {
        return Ok(SystemClock.now());
    }
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(at.with_timezone(&Utc));
    }
    let seconds = text.parse::<f64>().ok().filter(|s| s.is_finite() && s.abs() < 1e11);
    match seconds.and_then(|s| DateTime::from_timestamp_millis((s * 1e3).round() as i64)) {
        Some(at) => Ok(at),
        None => bail!(
            "`{text}` is not an instant; write it like 2026-11-21T10:00:00Z, as Unix seconds, or now"
        ),
    }
}
