//! An engine over a search node, at instants that the row chooses.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, Utc};
use slo_core::time::Span;
use slo_core::view::BudgetView;
use slo_engine::config::Config;
use slo_engine::declared;
use slo_engine::evaluate::backfill;
use slo_engine::evaluate::engine::Engine;
use slo_engine::evaluate::snapshot::Latest;
use slo_engine::source::config::{SourceConfig, SourceKind};
use slo_engine::store::Store;
use tokio::runtime::Runtime;

/// How long reading the past may take.
const PATIENCE: Duration = Duration::from_hours(1);

/// The engine with all that it needs.
pub(super) struct Played {
    runtime: Runtime,
    engine: Engine,
    latest: Latest,
}

impl Played {
    /// Starts it in an empty folder, with SLOs that are read from the source `logs`.
    pub(super) fn start(
        folder: &Path,
        specs: &str,
        url: &str,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Self> {
        let path = folder.join("slos.yaml");
        std::fs::write(&path, specs).with_context(|| format!("write {}", path.display()))?;
        let declared = declared::read(&[path], None).map_err(|e| anyhow::anyhow!("{}", e[0]))?;
        let sources = vec![SourceConfig {
            name: "logs".to_owned(),
            kind: SourceKind::Elasticsearch,
            url: url.to_owned(),
            timeout: Span::minutes(5),
            ..SourceConfig::default()
        }];
        let mut config = Config { sources, ..Config::default() };
        config.store.url = format!("sqlite://{}", folder.join("headroom.db").display());
        let runtime = Runtime::new().context("start the runtime")?;
        let latest = Latest::default();
        let engine = runtime.block_on(async {
            let store = Store::open(&config.store.url).await?;
            Engine::start(&config, Arc::new(declared), store, latest.clone(), Arc::default(), now)
                .await
        })?;
        Ok(Self { runtime, engine: engine.without_clock_check(), latest })
    }

    pub(super) fn tick(&mut self, now: DateTime<Utc>) {
        self.runtime.block_on(self.engine.tick(now));
    }

    /// Reads all of the past that the windows want.
    pub(super) fn fill(&mut self, now: DateTime<Utc>) -> anyhow::Result<()> {
        let Self { runtime, engine, .. } = self;
        let reading = async { tokio::time::timeout(PATIENCE, read_past(engine, now)).await };
        let whole = runtime.block_on(reading).context("the past is not read")??;
        anyhow::ensure!(whole, "parts of the past are not read");
        Ok(())
    }

    pub(super) fn views(&self) -> anyhow::Result<Vec<Arc<BudgetView>>> {
        let snapshot = self.latest.get().context("no snapshot")?;
        Ok(snapshot.all().cloned().collect())
    }
}

/// Whether nothing is missing afterwards.
async fn read_past(engine: &mut Engine, now: DateTime<Utc>) -> anyhow::Result<bool> {
    let (sender, mut results) = tokio::sync::mpsc::channel(1);
    let reading = tokio::spawn(backfill::run(engine.jobs(now), sender));
    while let Some(filled) = results.recv().await {
        engine.filled(filled, now).await;
    }
    reading.await.context("read the past")?;
    engine.publish(now).await;
    Ok(engine.jobs(now).is_empty())
}
