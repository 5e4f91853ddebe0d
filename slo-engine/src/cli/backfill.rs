//! `slo-engine backfill`: reads the past that the ledger lacks. A running server does so by itself.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use clap::Args;
use slo_core::slo::Reference;

use super::budget::blocking;
use super::progress::Progress;
use super::{declare, output};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::declared::Declared;
use crate::evaluate::backfill;
use crate::evaluate::engine::Engine;
use crate::evaluate::snapshot::Latest;
use crate::store::Store;

/// Arguments of `backfill`.
#[derive(Debug, Args)]
pub(super) struct Backfill {
    /// SERVICE/SLO[@ENVIRONMENT]; all SLOs when none is given.
    #[arg(value_name = "SERVICE/SLO", value_parser = Reference::parse)]
    slo: Option<Reference>,
}

impl Backfill {
    pub(super) fn run(&self, config: &Config) -> anyhow::Result<ExitCode> {
        super::serve::log(&config.telemetry)?;
        blocking(self.fill(config))?
    }

    async fn fill(&self, config: &Config) -> anyhow::Result<ExitCode> {
        let declared = Arc::new(declare::read(&[], config)?);
        self.check(&declared)?;
        let (store, latest, clock) =
            (Store::open(&config.store.url).await?, Latest::default(), SystemClock);
        // What is filled in is the same whatever is excluded.
        let (requested, now) = (Arc::default(), clock.now());
        let mut engine =
            Engine::start(config, declared, store.clone(), latest.clone(), requested, now).await?;
        engine.tick(clock.now()).await;
        if let Some((source, error)) = latest
            .get()
            .and_then(|s| s.source_errors.iter().next().map(|(s, e)| (s.clone(), e.clone())))
        {
            bail!("source `{source}`: {error}");
        }
        let (mut filled, mut left) = (0, self.jobs(&mut engine, clock.now()));
        while !left.is_empty() {
            let read = self.take(&mut engine, left, &clock).await?;
            left = self.jobs(&mut engine, clock.now());
            filled += read;
            if read == 0 {
                break;
            }
        }
        store.close().await;
        output::text(&match filled {
            0 if left.is_empty() => "nothing is missing\n".to_owned(),
            _ => format!("read {:.1} SLO-days of the past\n", days(filled)),
        })?;
        if left.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        let minutes: i64 = left.iter().map(backfill::Job::minutes).sum();
        bail!(
            "{:.1} SLO-days could not be read, for the reasons above; run it again",
            days(minutes)
        )
    }

    /// That there is what was asked for.
    fn check(&self, declared: &Declared) -> anyhow::Result<()> {
        let mut slos = declared.services.iter().flat_map(|service| &service.slos);
        if let Some(asked) = &self.slo
            && !slos.any(|slo| self.wants(&slo.id))
        {
            let (service, slo) = (&asked.service, &asked.slo);
            bail!("no file declares {service}/{slo}; `slo-engine budget` lists the SLOs");
        }
        Ok(())
    }

    /// What is missing of the SLOs that were asked for.
    fn jobs(&self, engine: &mut Engine, now: DateTime<Utc>) -> Vec<backfill::Job> {
        let mut jobs = engine.jobs(now);
        for job in &mut jobs {
            job.slos.retain(|member| self.wants(engine.id(member.at)));
        }
        jobs.retain(|job| !job.slos.is_empty());
        jobs
    }

    async fn take(
        &self,
        engine: &mut Engine,
        jobs: Vec<backfill::Job>,
        clock: &SystemClock,
    ) -> anyhow::Result<i64> {
        let progress = Progress::new("reading the past");
        let minutes: i64 = jobs.iter().map(backfill::Job::minutes).sum();
        let (sender, mut results) = tokio::sync::mpsc::channel(1);
        let task = tokio::spawn(backfill::run(jobs, sender));
        let mut done = 0;
        while let Some(slice) = results.recv().await {
            done += slice.minutes();
            engine.filled(slice, clock.now()).await;
            progress.show(done as f64 / minutes.max(1) as f64);
        }
        task.await.context("the reading of the past broke off")?;
        Ok(done)
    }

    fn wants(&self, id: &slo_core::slo::SloId) -> bool {
        self.slo.as_ref().is_none_or(|slo| {
            slo.service == id.service
                && slo.slo == id.slo
                && slo.environment.as_ref().is_none_or(|e| *e == id.environment)
        })
    }
}

fn days(minutes: i64) -> f64 {
    minutes as f64 / 1_440.0
}
