//! `slo-engine explain`: where the numbers of one SLO come from, step by step.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;
use slo_core::slo::{Reference, Slo};
use slo_core::spec::nearest;
use slo_core::view::{BudgetView, Finding, State};

use super::budget::{about_now, blocking, instant};
use super::progress::Progress;
use super::{declare, output};
use crate::config::Config;
use crate::declared::Declared;
use crate::evaluate::oneshot::{self, One, Question};

mod arithmetic;
mod burn;
mod conditions;
mod counting;
mod text;

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The SLO; with @ENVIRONMENT where there are several
    #[arg(value_name = "SERVICE/SLO", value_parser = Reference::parse)]
    slo: Reference,
    /// Files and folders; those of the configuration when none is given
    paths: Vec<PathBuf>,
    /// The instant: 2026-11-21T10:00:00Z, Unix seconds, or now
    #[arg(long, default_value = "now", value_name = "T", value_parser = instant)]
    at: DateTime<Utc>,
    /// The same as JSON
    #[arg(long)]
    json: bool,
}

/// Where the numbers of one SLO come from.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Explanation {
    slo: String,
    description: Option<String>,
    objective: f64,
    at: DateTime<Utc>,
    state: State,
    /// Why the state is what it is.
    why: String,
    counted: Vec<counting::Side>,
    asked: counting::Asked,
    series: Vec<counting::Series>,
    /// Null where documents are counted beside series.
    together: Option<counting::Together>,
    windows: Vec<arithmetic::Window>,
    burn: Vec<burn::Burn>,
    alerts: Vec<burn::Alert>,
    findings: Vec<Finding>,
    conditions: Vec<conditions::Condition>,
}

impl Explain {
    pub(super) fn run(&self, config: &Config) -> anyhow::Result<ExitCode> {
        let declared = declare::read(&self.paths, config)?;
        let slo = self.slo(&declared)?;
        let question = Question {
            sources: &config.sources,
            slos: vec![slo.clone()],
            services: &declared.services,
            at: self.at,
            burns: &declared.burns,
            asks: &[],
            exclusions: &declared.exclusions,
            now: about_now(self.at),
        };
        let (mut all, mut views) = blocking(async {
            let progress = Progress::new("reading history");
            let mut all = oneshot::read(&question, &|share| progress.show(share)).await;
            let views = oneshot::views(&question, &mut all);
            (all, views)
        })?;
        let (Some(one), Some(view)) = (all.pop(), views.pop()) else { bail!("nothing was read") };
        self.show(&Explanation::of(slo, &one, &view))
    }

    fn slo<'a>(&self, declared: &'a Declared) -> anyhow::Result<&'a Arc<Slo>> {
        let all = declared.services.iter().flat_map(|service| &service.slos);
        let named = all.clone().filter(|slo| {
            (&slo.id.service, &slo.id.slo) == (&self.slo.service, &self.slo.slo)
                && self.slo.environment.as_ref().is_none_or(|e| *e == slo.id.environment)
        });
        match named.collect::<Vec<_>>()[..] {
            [only] => Ok(only),
            [] => {
                let wanted = self.wanted();
                let known: Vec<String> = all.map(|slo| self.as_asked(slo)).collect();
                match nearest(&wanted, known.iter().map(String::as_str)) {
                    Some(meant) => bail!("no file declares {wanted}; did you mean {meant}?"),
                    None => bail!("no file declares {wanted}; `slo-engine budget` lists the SLOs"),
                }
            }
            ref several => {
                let all: Vec<String> = several.iter().map(|slo| slo.id.to_string()).collect();
                bail!("there are several; say which: {}", all.join(", or "))
            }
        }
    }

    /// An SLO's name, with the environment if one was asked for.
    fn as_asked(&self, slo: &Slo) -> String {
        match self.slo.environment {
            Some(_) => slo.id.to_string(),
            None => format!("{}/{}", slo.id.service, slo.id.slo),
        }
    }

    fn wanted(&self) -> String {
        let environment = self.slo.environment.as_ref();
        let at = environment.map_or_else(String::new, |environment| format!("@{environment}"));
        format!("{}/{}{at}", self.slo.service, self.slo.slo)
    }

    fn show(&self, explanation: &Explanation) -> anyhow::Result<ExitCode> {
        if self.json {
            output::json(explanation)?;
        } else {
            output::text(&text::text(explanation))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Explanation {
    fn of(slo: &Slo, one: &One, view: &BudgetView) -> Self {
        let conditions = conditions::conditions(view);
        Self {
            slo: slo.id.to_string(),
            description: slo.description.clone(),
            objective: view.objective,
            at: view.evaluated_at,
            state: view.state,
            why: conditions::why(view, &conditions),
            counted: counting::sides(one),
            asked: counting::Asked::of(one, view),
            series: counting::series(one),
            together: counting::together(one),
            windows: arithmetic::windows(slo, one, view),
            burn: burn::burns(slo, one, view),
            alerts: burn::alerts(slo, one, view),
            findings: view.findings.clone(),
            conditions,
        }
    }
}
