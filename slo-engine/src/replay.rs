//! What a proposed policy would have said of decisions that are recorded: each is asked again with what
//! was known at its instant, as far as records and ledger still tell. Nothing is written, and no source
//! is asked. What happened is taken as it happened: a deploy that the policy would have refused ran.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use slo_core::slo::{Gate, Name, Service, Slo};
use slo_core::time::Span;

use crate::declared::Declared;
use crate::evaluate::past::Past;
use crate::source::config::SourceConfig;
use crate::store::{Store, StoreError};
use compared::Compared;
use scene::Scene;
use timeline::{Asked, Timeline};

mod compared;
mod item;
mod scene;
mod seen;
mod summary;
mod timeline;

pub use item::{Item, LedgerChange, Outcome};
pub use summary::{Counts, OfService, Summary, Transition};

/// What is replayed.
#[derive(Clone, Copy)]
pub struct Replay<'a> {
    /// The database.
    pub store: &'a Store,
    /// The sources of the configuration; they are not asked.
    pub sources: &'a [SourceConfig],
    /// When an incident that nothing confirms closes by itself.
    pub incidents_close_after: Span,
    /// What the files declare.
    pub loaded: &'a Declared,
    /// The same with the proposed policies.
    pub proposed: &'a Declared,
    /// The first instant, and the first after the last.
    pub between: (DateTime<Utc>, DateTime<Utc>),
    /// Decisions on this service only.
    pub service: Option<&'a str>,
    /// Decisions in this environment only.
    pub environment: Option<&'a str>,
}

impl<'a> Replay<'a> {
    /// Asks again, in the order of time. `each` is given every decision that there is something to say
    /// about; memory does not grow with their number.
    ///
    /// # Errors
    /// When the database cannot be read, or `each` fails.
    pub async fn run(
        &self,
        each: &mut dyn FnMut(&Item) -> anyhow::Result<()>,
        progress: &dyn Fn(f64),
    ) -> anyhow::Result<Summary> {
        let mut timeline = Timeline::open(self).await?;
        let mut past = self.past().await?;
        let mut summary = Summary::new(self.between);
        while let Some(asked) = timeline.next().await? {
            let item = self.item(&mut past, &timeline, &asked).await?;
            summary.add(&item);
            if item.is_worth_a_word() {
                each(&item)?;
            }
            progress(self.share(asked.decision.at));
            timeline.pass(asked);
        }
        Ok(summary)
    }

    async fn item(
        &self,
        past: &mut Past,
        timeline: &Timeline,
        asked: &Asked,
    ) -> Result<Item, StoreError> {
        past.exclude(timeline.excluded());
        let scene = Scene::build(self, past, &asked.decision).await?;
        let mut item = Item::of(&asked.decision);
        item.ledger_changed.clone_from(&scene.changes);
        match &scene.gone {
            Some(gone) => item.is_not_known(gone),
            None => {
                let compared = Compared { replay: self, scene: &scene, timeline, asked };
                compared.judge(&mut item);
            }
        }
        Ok(item)
    }

    /// The SLOs that gate, of services that decisions may be about and of what these depend on.
    async fn past(&self) -> Result<Past, StoreError> {
        let services = &self.loaded.services;
        let is_asked = |service: &&Arc<Service>| {
            self.service.is_none_or(|name| service.name.as_str() == name)
                && self.environment.is_none_or(|name| service.environment.as_str() == name)
        };
        let mut names = BTreeSet::new();
        for service in services.iter().filter(is_asked) {
            let others = self.dependencies(Some(service));
            let all = others.chain([service.name.as_str()]);
            names.extend(all.map(|name| (name, service.environment.as_str())));
        }
        let is_needed =
            |s: &&Arc<Service>| names.contains(&(s.name.as_str(), s.environment.as_str()));
        let needed = services.iter().filter(is_needed);
        let slos: Vec<Arc<Slo>> = needed.flat_map(|s| gating(s)).cloned().collect();
        let mut burns = [&self.loaded.burns[..], &self.proposed.burns].concat();
        burns.sort_unstable();
        burns.dedup();
        Past::open(self.store, self.sources, (&slos, &burns), self.between).await
    }

    fn service(&self, name: &str, environment: Option<&str>) -> Option<&'a Arc<Service>> {
        let loaded = self.loaded;
        let mut all = loaded.named(name).iter().map(|at| &loaded.services[*at]);
        all.find(|service| Some(service.environment.as_str()) == environment)
    }

    /// The services whose budgets a decision on this one may go by.
    fn dependencies(&self, service: Option<&'a Arc<Service>>) -> impl Iterator<Item = &'a str> {
        let is_asked = self.loaded.asks_for_dependencies() || self.proposed.asks_for_dependencies();
        let service = service.filter(|_| is_asked);
        service.into_iter().flat_map(|service| &service.depends_on).map(Name::as_str)
    }

    fn share(&self, at: DateTime<Utc>) -> f64 {
        let (from, to) = self.between;
        let whole = (to - from).num_milliseconds().max(1);
        (at - from).num_milliseconds() as f64 / whole as f64
    }
}

/// The SLOs of a service that decide.
fn gating(service: &Service) -> impl Iterator<Item = &Arc<Slo>> {
    service.slos.iter().filter(|slo| slo.gate != Gate::Informs)
}

#[cfg(test)]
mod tests;
