//! Each night a sample of SLOs is counted anew from their sources, beside the ticks, and compared with
//! the ledger. What differs is said in the log, in metrics and in the SLO's view.

use chrono::{DateTime, Timelike, Utc};
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::evaluate::engine::Engine;
use crate::evaluate::recount::{Asked, Recount, recount, sample};
use crate::evaluate::snapshot::Latest;
use crate::store::{Store, StoreError};

/// The hour of the day, in UTC, at which it begins.
const HOUR: u32 = 2;

/// SLOs of one night.
const SAMPLE: usize = 20;

/// The recount of the night.
#[derive(Debug, Default)]
pub(crate) struct Nightly {
    /// The last day, counted since 1970, on which it began.
    day: Option<i64>,
    task: Option<JoinHandle<Result<Vec<Recount>, StoreError>>>,
}

impl Nightly {
    /// Begins when it is time, and hands over what was found once it is done.
    pub(crate) async fn step(
        &mut self,
        engine: &mut Engine,
        (config, store, latest): (&Config, &Store, &Latest),
        now: DateTime<Utc>,
    ) {
        if self.task.as_ref().is_some_and(JoinHandle::is_finished)
            && let Some(task) = self.task.take()
        {
            match task.await {
                Ok(Ok(found)) => tell(engine, found),
                Ok(Err(error)) => tracing::warn!(%error, "cannot count anew"),
                Err(error) => tracing::error!(%error, "the nightly recount broke off"),
            }
        }
        let day = now.timestamp().div_euclid(86_400);
        if self.task.is_none() && now.hour() == HOUR && self.day != Some(day) {
            self.day = Some(day);
            self.task = latest.get().map(|snapshot| {
                let (store, sources) = (store.clone(), config.sources.clone());
                tokio::spawn(async move {
                    let services = &snapshot.declared.services;
                    let slos = sample(services, &sources, SAMPLE, day);
                    let asked = Asked { sources: &sources, services, slos: &slos };
                    recount(&store, asked, now, &|_| {}).await
                })
            });
        }
    }
}

fn tell(engine: &mut Engine, found: Vec<Recount>) {
    for one in &found {
        let Recount { slo, ledger, source, .. } = one;
        match &one.problem {
            Some(problem) => tracing::warn!(slo, problem, "cannot count anew"),
            None if one.is_alarming() => {
                tracing::error!(slo, ?ledger, ?source, "the source says otherwise than the ledger");
            }
            None => {}
        }
    }
    tracing::info!(slos = found.len(), "counted anew");
    engine.note_recounts(found);
}

impl Drop for Nightly {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

#[cfg(test)]
mod tests;
