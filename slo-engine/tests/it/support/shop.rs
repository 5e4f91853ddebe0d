//! An engine and a gate that live through a past: what they read, decided and recorded.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use budget_gate::Request;
use chrono::{DateTime, Utc};
use slo_core::time::Span;
use slo_engine::clock::FixedClock;
use slo_engine::config::Config;
use slo_engine::declared::{self, Declared};
use slo_engine::evaluate::backfill;
use slo_engine::evaluate::engine::Engine;
use slo_engine::evaluate::snapshot::Latest;
use slo_engine::gate::{Asking, Gate};
use slo_engine::record::Recorder;
use slo_engine::record::signing::Signing;
use slo_engine::replay::{Item, Replay, Summary};
use slo_engine::store::Store;

/// An engine and a gate over a database, at instants of the past.
pub(crate) struct Shop {
    config: Config,
    declared: Arc<Declared>,
    pub(crate) store: Store,
    pub(crate) latest: Latest,
    pub(crate) engine: Engine,
    gate: Gate,
}

impl Shop {
    /// Where a server that is started in the folder would be.
    pub(crate) async fn open(folder: &Path, url: &str, now: DateTime<Utc>) -> Self {
        let mut config = Config::default();
        config.sources[0].url = url.to_owned();
        config.store.url = format!("sqlite://{}/data/headroom.db", folder.display());
        let declared = Arc::new(declared::read(&[folder.join("slos")], None).unwrap());
        let (store, latest) = (Store::open(&config.store.url).await.unwrap(), Latest::default());
        let key = Signing::default().key(&store).unwrap();
        let clock = Arc::new(FixedClock::at(now));
        let recorder = Recorder::start(store.clone(), clock, key).await.unwrap();
        let (after, base) = (Span::minutes(240), String::new());
        let gate = Gate::open(recorder, store.clone(), after, base, now).await.unwrap();
        let requested = gate.state().exclusions.in_force().clone();
        let (files, database) = (declared.clone(), store.clone());
        let engine = Engine::start(&config, files, database, latest.clone(), requested, now);
        let engine = engine.await.unwrap().without_clock_check();
        gate.note_declared(&declared.exclusions, now).await.unwrap();
        Self { config, declared, store, latest, engine, gate }
    }

    pub(crate) async fn close(self) {
        self.gate.recorder().stop().await;
        self.store.close().await;
    }

    pub(crate) async fn fill(&mut self, now: DateTime<Utc>) {
        let jobs = self.engine.jobs(now);
        let (sender, mut results) = tokio::sync::mpsc::channel(1);
        let task = tokio::spawn(backfill::run(jobs, sender));
        while let Some(filled) = results.recv().await {
            self.engine.filled(filled, now).await;
        }
        task.await.unwrap();
        self.engine.publish(now).await;
    }

    pub(crate) async fn decide(&self, version: &str, now: DateTime<Utc>) {
        let snapshot = self.latest.get().unwrap();
        let request = Request {
            environment: Some("production".to_owned()),
            version: Some(version.to_owned()),
            ..Request::of("orders")
        };
        let principal = "token:ci".to_owned();
        let waited = Duration::ZERO;
        let asking = Asking { request, actor: None, principal, key: None, waited };
        let found = snapshot.named("orders").next();
        self.gate.decide(&snapshot, found, asking, now).await.unwrap();
    }

    pub(crate) async fn replay(
        &self,
        policy: &Path,
        between: (DateTime<Utc>, DateTime<Utc>),
    ) -> (Vec<Item>, Summary) {
        let loaded = (*self.declared).clone();
        let proposed = declared::with_policies_of(loaded, &[policy.to_owned()]).unwrap();
        let replay = Replay {
            store: &self.store,
            sources: &self.config.sources,
            incidents_close_after: Span::minutes(240),
            loaded: &self.declared,
            proposed: &proposed,
            between,
            service: None,
            environment: None,
        };
        let mut items = Vec::new();
        let mut each = |item: &Item| {
            items.push(item.clone());
            Ok(())
        };
        let summary = replay.run(&mut each, &|_| {}).await.unwrap();
        (items, summary)
    }
}
