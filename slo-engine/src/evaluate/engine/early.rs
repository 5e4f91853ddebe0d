//! Verdicts before the whole is loaded. What a verdict on one service goes by is looked up alone, as the
//! whole will load it: same code, same instant, same numbers. Nothing is changed, and no source is asked.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use slo_core::plan::Feeds;
use slo_core::sli::Indicator;
use slo_core::slo::{Name, Service};
use tokio::sync::Semaphore;

use super::exclude::Exclusions;
use super::open::{self, Opened, Sources};
use crate::config::Config;
use crate::declared::Declared;
use crate::evaluate::exclusion::InForce;
use crate::evaluate::snapshot::{Latest, Snapshot};
use crate::source::config::SourceConfig;
use crate::source::error::SourceError;
use crate::source::intake::Intake;
use crate::source::reader::{Later, MetricSource, Read};
use crate::store::Store;

/// Who looks up single services. What [`super::Engine::start`] is given at the same instant is given here.
#[derive(Debug)]
pub struct Early {
    sources: Vec<SourceConfig>,
    declared: Arc<Declared>,
    store: Store,
    requested: Arc<[InForce]>,
    now: DateTime<Utc>,
    /// One at a time, so that the whole goes on being loaded.
    turn: Semaphore,
}

impl Early {
    /// Of a start at `now`.
    #[must_use]
    pub fn new(
        config: &Config,
        declared: Arc<Declared>,
        store: Store,
        requested: Arc<[InForce]>,
        now: DateTime<Utc>,
    ) -> Self {
        let (sources, turn) = (config.sources.clone(), Semaphore::new(1));
        Self { sources, declared, store, requested, now, turn }
    }

    /// When the start began: what is looked up is as of then.
    #[must_use]
    pub const fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// What the files declare.
    #[must_use]
    pub const fn declared(&self) -> &Arc<Declared> {
        &self.declared
    }

    /// The part of the first snapshot that verdicts on a service go by. Of other services it has no views:
    /// it must be asked for none of them.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn snapshot_of(&self, service: &str) -> anyhow::Result<Snapshot> {
        let _turn = self.turn.acquire().await?;
        let sources = Sources { configured: &self.sources, open: unasked };
        let (store, declared) = (self.store.clone(), self.declared.clone());
        let services = goes_by(&declared, service);
        let mut engine = open::open(sources, declared, &services, store, Latest::default())?;
        engine.exclusions = Exclusions::requested(self.requested.clone());
        engine.look_up(self.now).await?;
        engine.add_members();
        engine.apply_exclusions(self.now).await?;
        engine.settle(self.now).await;
        match engine.store_error.take() {
            Some(error) => anyhow::bail!(error),
            None => Ok(engine.look(self.now)),
        }
    }
}

/// The services that verdicts on one go by, in the order of the files: itself in all its environments, what
/// it depends on, and those of the members of all their composites.
fn goes_by(declared: &Declared, service: &str) -> Vec<Arc<Service>> {
    let all = &declared.services;
    let find = |name: &Name, environment: &Name| {
        let mut named = declared.named(name.as_str()).iter().copied();
        named.find(|at| all[*at].environment == *environment)
    };
    let mut found: BTreeSet<usize> = declared.named(service).iter().copied().collect();
    let depends = found.iter().flat_map(|at| {
        let Service { depends_on, environment, .. } = &*all[*at];
        depends_on.iter().filter_map(|name| find(name, environment))
    });
    let mut new: Vec<usize> = found.iter().copied().chain(depends.collect::<Vec<_>>()).collect();
    while let Some(at) = new.pop() {
        found.insert(at);
        for slo in &all[at].slos {
            let Indicator::Composite(members) = &slo.indicator else { continue };
            let members = members.iter().map(|member| member.slo.id(&slo.id.environment));
            let members = members.filter_map(|id| find(&id.service, &id.environment));
            new.extend(members.filter(|member| !found.contains(member)));
        }
    }
    found.into_iter().map(|at| all[at].clone()).collect()
}

fn unasked(config: &SourceConfig) -> anyhow::Result<Opened> {
    Ok((Arc::new(Unasked(config.name.clone())), None))
}

/// Stands for a source that nobody asks.
#[derive(Debug)]
struct Unasked(String);

impl Unasked {
    fn refusal(&self) -> SourceError {
        let reason = "it is not asked before the ledger is loaded".to_owned();
        SourceError::Setup { name: self.0.clone(), reason }
    }
}

impl MetricSource for Unasked {
    fn prepare<'a>(&'a self, _: &'a mut Feeds, _: i64, _: i64) -> Later<'a, ()> {
        Box::pin(async { Err(self.refusal()) })
    }

    fn read<'a>(&'a self, _: &'a mut Intake, _: i64, _: i64) -> Later<'a, Read> {
        Box::pin(async { Err(self.refusal()) })
    }
}

#[cfg(test)]
mod tests;
