//! Everything the story needs: the service, its load, a source, the engine.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use slo_core::time::Span;
use slo_core::view::BudgetView;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::children::{Children, port};
use super::ship::Cluster;
use super::{From, sibling, story};
use crate::app::{self, Reload};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::source::config::{SourceConfig, SourceKind, TargetConfig};

/// What was started, and ends whatever becomes of the story.
pub(super) struct Started {
    pub(super) children: Children,
    /// A search cluster that the log is shipped to.
    pub(super) cluster: Option<Cluster>,
    client: reqwest::Client,
    shipping: JoinSet<()>,
    engine: Option<Engine>,
}

/// The engine within this process.
struct Engine {
    stop: watch::Sender<bool>,
    work: JoinHandle<anyhow::Result<()>>,
}

impl Started {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            client: reqwest::Client::builder().timeout(Duration::from_secs(5)).build()?,
            children: Children::guarded()?,
            cluster: Cluster::at_hand(),
            shipping: JoinSet::new(),
            engine: None,
        })
    }

    /// Ends everything in order.
    pub(super) async fn end(&mut self) {
        if let Some(mut engine) = self.engine.take() {
            engine.stop.send_replace(true);
            let _ = tokio::time::timeout(Duration::from_secs(5), &mut engine.work).await;
        }
        self.children.end().await;
        self.shipping.shutdown().await;
        if let Some(cluster) = &self.cluster {
            cluster.clear(&self.client).await;
        }
    }

    /// Fails when something has ended that should run.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        if self.engine.as_ref().is_some_and(|engine| engine.work.is_finished()) {
            anyhow::bail!("the engine ended");
        }
        self.children.check()
    }

    /// Starts the engine; its address.
    async fn engine(&mut self, store: &str, source: SourceConfig) -> anyhow::Result<String> {
        let folder = &self.children.folder;
        let specs = folder.join("slos");
        std::fs::create_dir_all(&specs)?;
        let searched = self.cluster.as_ref().map(Cluster::slo).unwrap_or_default();
        std::fs::write(specs.join("catalog.yaml"), format!("{SLO}{searched}"))?;
        std::fs::write(specs.join("policy.yaml"), POLICY)?;
        let logs = SourceConfig {
            name: "logs".to_owned(),
            kind: SourceKind::Jsonlog,
            files: vec![log_of(folder).display().to_string()],
            ..SourceConfig::default()
        };
        let mut sources = vec![source, logs];
        sources.extend(self.cluster.as_ref().map(Cluster::source));
        let mut config = Config { sources, ..Config::default() };
        config.schedule.tick = Span::seconds(1);
        config.specs.paths = vec![specs];
        config.store.url = store.to_owned();
        let listener = TcpListener::bind(("127.0.0.1", port(8080, "engine")?)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (stop, stopped) = watch::channel(false);
        let (_, reload) = Reload::channel();
        let work = tokio::spawn(app::run(config, Arc::new(SystemClock), listener, reload, stopped));
        self.engine = Some(Engine { stop, work });
        Ok(url)
    }
}

/// What the story goes by.
pub(super) struct Stage<'a> {
    pub(super) client: reqwest::Client,
    pub(super) catalog: String,
    pub(super) engine: String,
    /// The address of its database.
    pub(super) store: String,
    pub(super) counts: String,
    pub(super) prometheus: Option<String>,
    pub(super) started: &'a mut Started,
    rate: u32,
}

const SLO: &str = include_str!("../../../policies/demo-slo.yaml");
const POLICY: &str = include_str!("../../../policies/demo.yaml");

impl<'a> Stage<'a> {
    /// Starts the service, the source and the engine; the load comes with [`Self::load`].
    pub(super) async fn build(
        started: &'a mut Started,
        from: From,
        rate: u32,
    ) -> anyhow::Result<Self> {
        let client = started.client.clone();
        let children = &mut started.children;
        let log = log_of(&children.folder);
        let catalog_port = port(8082, "catalog")?;
        let catalog = format!("http://127.0.0.1:{catalog_port}");
        let mut command = Command::new(sibling("shop-catalog")?);
        command.args(["--listen", &format!("127.0.0.1:{catalog_port}")]);
        command.arg("--log-file").arg(&log);
        children.start("shop-catalog", &mut command)?;
        children.answers(&client, &format!("{catalog}/healthz")).await?;
        let (source, prometheus) = source(from, catalog_port, &client, children).await?;
        let store = format!("sqlite://{}", children.folder.join("headroom.db").display());
        if let Some(cluster) = &started.cluster {
            story::say(&format!("the catalog's log is shipped to {}, too", cluster.url))?;
            cluster.prepare(&client).await?;
            started.shipping.spawn(cluster.clone().ship(client.clone(), log));
        }
        let engine = started.engine(&store, source).await?;
        let counts = format!("127.0.0.1:{}", port(8083, "load generator's counts")?);
        Ok(Self { client, catalog, engine, store, counts, prometheus, started, rate })
    }

    /// One request, so that the counter is there before the engine looks; then steady load.
    pub(super) async fn load(&mut self) -> anyhow::Result<()> {
        let first = format!("{}/products", self.catalog);
        self.client.get(first).send().await.context("the catalog did not answer")?;
        self.until("the engine sees the service", |view| view.data_until.is_some()).await?;
        let mut command = Command::new(sibling("shop-load")?);
        command.args([
            "--url",
            &self.catalog,
            "--rate",
            &self.rate.to_string(),
            "--listen",
            &self.counts,
        ]);
        self.started.children.start("shop-load", &mut command)?;
        let counts = format!("http://{}/counts", self.counts);
        self.started.children.answers(&self.client, &counts).await
    }

    /// An SLO of the catalog as the engine serves it.
    pub(super) async fn view_of(&self, slo: &str) -> anyhow::Result<BudgetView> {
        let url = format!("{}/v1/slos/catalog/{slo}", self.engine);
        let answer = self.client.get(url).send().await.context("the engine did not answer")?;
        answer.json().await.context("the engine's answer is no budget")
    }

    /// Waits until the SLO of the story is as wanted.
    pub(super) async fn until(
        &mut self,
        what: &str,
        holds: impl Fn(&BudgetView) -> bool,
    ) -> anyhow::Result<BudgetView> {
        self.until_of("availability", what, holds).await
    }

    /// Waits until an SLO of the catalog is as wanted.
    pub(super) async fn until_of(
        &mut self,
        slo: &str,
        what: &str,
        holds: impl Fn(&BudgetView) -> bool,
    ) -> anyhow::Result<BudgetView> {
        for _ in 0..600 {
            self.started.check()?;
            if let Ok(view) = self.view_of(slo).await
                && holds(&view)
            {
                return Ok(view);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::bail!("after a minute still not: {what}")
    }
}

/// Where the catalog writes what it answered.
fn log_of(folder: &Path) -> PathBuf {
    folder.join("catalog.json")
}

async fn source(
    from: From,
    catalog: u16,
    client: &reqwest::Client,
    children: &mut Children,
) -> anyhow::Result<(SourceConfig, Option<String>)> {
    let second = SourceConfig { scrape_interval: Span::seconds(1), ..SourceConfig::default() };
    match (from, on_path("prometheus")) {
        (From::Scrape, _) | (From::Auto, None) => {
            story::say(
                "no Prometheus is needed: the engine reads the catalog's /metrics itself, every second",
            )?;
            let target = TargetConfig::Address(format!("http://127.0.0.1:{catalog}/metrics"));
            let (name, kind) = ("scrape".to_owned(), SourceKind::Scrape);
            Ok((SourceConfig { name, kind, targets: vec![target], ..second }, None))
        }
        (From::Prometheus, None) => {
            anyhow::bail!("there is no prometheus on PATH; try --source scrape")
        }
        (_, Some(binary)) => {
            story::say(&format!(
                "found {}: the engine reads this Prometheus, which scrapes the catalog every second",
                binary.display()
            ))?;
            let url = prometheus(&binary, catalog, children)?;
            children.answers(client, &format!("{url}/-/ready")).await?;
            Ok((SourceConfig { url: url.clone(), ..second }, Some(url)))
        }
    }
}

fn prometheus(binary: &Path, catalog: u16, children: &mut Children) -> anyhow::Result<String> {
    let port = port(9090, "Prometheus")?;
    let folder = &children.folder;
    let file = folder.join("prometheus.yml");
    std::fs::write(&file, scrape_config(catalog))?;
    let mut command = Command::new(binary);
    command
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.tsdb.path={}", folder.join("prometheus").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"));
    children.start("prometheus", &mut command)?;
    Ok(format!("http://127.0.0.1:{port}"))
}

fn scrape_config(catalog: u16) -> String {
    format!(
        "scrape_configs:\n  - job_name: catalog\n    scrape_interval: 1s\n    static_configs:\n      - targets: ['127.0.0.1:{catalog}']\n"
    )
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}
