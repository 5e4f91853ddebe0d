//! Starts everything and stops it again. The listener and the stop signal come from the caller.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Context;
use slo_core::spec::SpecError;
use slo_core::time::Span;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::config::Config;
use crate::declared::{self, Declared};
use crate::evaluate::backfill::{self, Filled};
use crate::evaluate::engine::Engine;
use crate::evaluate::exclusion::InForce;
use crate::evaluate::snapshot::Latest;
use crate::gate::Gate;
use crate::http::{self, Certificate};
use crate::nightly::Nightly;
use crate::record::Recorder;
use crate::schedule::Ticks;
use crate::store::Store;
use crate::token::Tokens;

/// Asks a running server to read its files again.
#[derive(Debug, Clone)]
pub struct Reload(mpsc::Sender<()>);

impl Reload {
    /// A handle and the end that [`run`] listens to.
    #[must_use]
    pub fn channel() -> (Self, mpsc::Receiver<()>) {
        let (sender, receiver) = mpsc::channel(1);
        (Self(sender), receiver)
    }

    /// Asks; a request that is waiting already is enough.
    pub fn ask(&self) {
        let _ = self.0.try_send(());
    }
}

/// Serves until `stop` is set.
///
/// # Errors
/// What kept it from starting, with the remedy.
pub async fn run(
    config: Config,
    clock: Arc<dyn Clock>,
    listener: TcpListener,
    mut reload: mpsc::Receiver<()>,
    stop: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let declared = read(&config).map_err(|errors| told(&errors))?;
    let certificate = Certificate::read(&config.server.tls)?;
    let store = Store::open(&config.store.url).await?;
    let _only = store.lock()?;
    let latest = Latest::default();
    let at = listener.local_addr().context("the listener has no address")?;
    let (shared, recorder) = share(&config, &store, &clock, latest.clone(), at).await?;
    let (tokens, gate) = (shared.tokens.clone(), shared.gate.clone());
    let (requested, now) = (excluded(&gate), clock.now());
    let engine =
        Engine::start(&config, declared, store.clone(), latest.clone(), requested, now).await?;
    let (router, callbacks) = http::start(Arc::new(shared));
    tracing::info!("listening on {}://{at}", scheme(&config));
    if at.ip().is_unspecified() && config.server.public_url.is_none() {
        tracing::warn!("links to decisions lead nowhere until server.publicUrl is set");
    }
    let server = tokio::spawn(http::serve(listener, router, certificate.clone(), stop.clone()));
    let calling = tokio::spawn(callbacks.run(stop.clone()));
    let (filling, nightly) = (None, Nightly::default());
    let mut running =
        Running { config, clock, store, latest, gate, engine, filling, nightly, certificate };
    running.work(&mut reload, stop).await?;
    running.stop_filling();
    // Connections that stay open do not hold up the end.
    let _ = tokio::time::timeout(std::time::Duration::from_secs(3), server).await;
    let _ = tokio::time::timeout(std::time::Duration::from_secs(1), calling).await;
    recorder.stop().await;
    if let Err(error) = tokens.flush().await {
        tracing::warn!(%error, "cannot write when tokens were used last");
    }
    running.store.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// What the routes answer from, and who writes the records.
async fn share(
    config: &Config,
    store: &Store,
    clock: &Arc<dyn Clock>,
    latest: Latest,
    at: SocketAddr,
) -> anyhow::Result<(http::Shared, Recorder)> {
    let key = config.signing.key(store)?;
    let recorder = Recorder::start(store.clone(), clock.clone(), key).await?;
    let base =
        config.server.public_url.clone().unwrap_or_else(|| format!("{}://{at}", scheme(config)));
    let gate = Gate::open(
        recorder.clone(),
        store.clone(),
        config.gate.incidents_close_after,
        base.trim_end_matches('/').to_owned(),
        clock.now(),
    );
    let shared = http::Shared {
        latest,
        store: store.clone(),
        clock: clock.clone(),
        gate: Arc::new(gate.await?),
        tokens: Tokens::start(store.clone(), config.gate.rate_limit).await?,
        reads_are_open: at.ip().is_loopback() && config.server.public_url.is_none(),
        adapters: config.adapters.clone(),
        tick: config.schedule.tick,
    };
    Ok((shared, recorder))
}

const fn scheme(config: &Config) -> &'static str {
    if config.server.tls.cert_file.is_some() { "https" } else { "http" }
}

/// The exclusions that were asked for and are in force.
fn excluded(gate: &Gate) -> Arc<[InForce]> {
    gate.state().exclusions.in_force().clone()
}

/// Waits until a stop is asked for, or nobody can ask any more.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

fn paths(config: &Config) -> Vec<PathBuf> {
    config.specs.paths.iter().chain(&config.policies.paths).cloned().collect()
}

fn read(config: &Config) -> Result<Arc<Declared>, Vec<SpecError>> {
    let interval = config.sources.first().map(|s| s.scrape_interval);
    let declared = declared::read(&paths(config), interval)?;
    for warning in &declared.warnings {
        tracing::warn!("{warning}");
    }
    if declared.is_shipped {
        tracing::info!("no policy was found, the shipped one decides");
    }
    Ok(Arc::new(declared))
}

fn told(errors: &[SpecError]) -> anyhow::Error {
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    anyhow::anyhow!("the SLO files have errors:\n{}", texts.join("\n\n"))
}

struct Running {
    config: Config,
    clock: Arc<dyn Clock>,
    store: Store,
    latest: Latest,
    gate: Arc<Gate>,
    engine: Engine,
    filling: Option<Filling>,
    nightly: Nightly,
    certificate: Option<Certificate>,
}

/// The reading of the past, beside the ticks.
struct Filling {
    results: mpsc::Receiver<Filled>,
    task: JoinHandle<()>,
}

impl Running {
    async fn work(
        &mut self,
        reload: &mut mpsc::Receiver<()>,
        mut stop: watch::Receiver<bool>,
    ) -> anyhow::Result<()> {
        let mut cut = stop.clone();
        let mut ticks = Ticks::start(self.config.schedule.tick).await?;
        let mut seen = seen(&self.config);
        loop {
            tokio::select! {
                biased;
                () = stopped(&mut stop) => break,
                Some(()) = reload.recv() => self.reload().await,
                filled = next(&mut self.filling) => self.take(filled).await,
                () = ticks.wait() => {
                    if !ticks.is_due(self.clock.now()) {
                        continue;
                    }
                    let now = self.clock.now();
                    self.engine.exclude(&excluded(&self.gate));
                    tokio::select! {
                        // A tick that is cut off is abandoned whole: the next run reads it again.
                        () = stopped(&mut cut) => break,
                        () = self.engine.tick(now) => {}
                    }
                    self.fill();
                    let places = (&self.config, &self.store, &self.latest);
                    self.nightly.step(&mut self.engine, places, now).await;
                    self.reload_changed(&mut seen).await;
                    self.note_exclusions().await;
                }
            }
        }
        Ok(())
    }

    /// What the files exclude is part of the record; what cannot be recorded is tried after each tick.
    async fn note_exclusions(&self) {
        let Some(snapshot) = self.latest.get() else { return };
        let noted = self.gate.note_declared(&snapshot.declared.exclusions, self.clock.now()).await;
        if let Err(why) = noted {
            tracing::warn!(%why, "cannot record which exclusions the files declare");
        }
    }

    /// Starts reading the past that is missing, unless that is under way.
    fn fill(&mut self) {
        if self.filling.is_some() {
            return;
        }
        let jobs = self.engine.jobs(self.clock.now());
        if jobs.is_empty() {
            return;
        }
        let (sender, results) = mpsc::channel(1);
        self.filling = Some(Filling { results, task: tokio::spawn(backfill::run(jobs, sender)) });
    }

    async fn take(&mut self, filled: Option<Filled>) {
        match filled {
            Some(filled) => self.engine.filled(filled, self.clock.now()).await,
            None => {
                self.filling = None;
                self.engine.publish(self.clock.now()).await;
            }
        }
    }

    fn stop_filling(&mut self) {
        if let Some(filling) = self.filling.take() {
            filling.task.abort();
        }
    }

    async fn reload_changed(&mut self, before: &mut Seen) {
        if !self.config.specs.watch {
            return;
        }
        let now = seen(&self.config);
        if now != *before {
            *before = now;
            self.reload().await;
        }
    }

    /// Reads the files again: those that declare, and the certificate. What has an error changes
    /// nothing, and does not hold up the other.
    async fn reload(&mut self) {
        let failed = [self.declare().await.err(), self.renew().err()];
        let failed: Vec<String> = failed.into_iter().flatten().collect();
        self.engine.note_reload((!failed.is_empty()).then(|| failed.join("\n\n")));
    }

    fn renew(&self) -> Result<(), String> {
        let again = self.certificate.as_ref().map_or(Ok(()), Certificate::read_again);
        again.map_err(|error| {
            tracing::error!("{error}; the old certificate stays");
            error.to_string()
        })
    }

    async fn declare(&mut self) -> Result<(), String> {
        let declared = read(&self.config).map_err(|errors| {
            for error in &errors {
                tracing::error!("{error}");
            }
            let count = errors.len();
            tracing::error!(count, "the changed files have errors, the old set stays");
            told(&errors).to_string()
        })?;
        self.stop_filling();
        let (store, latest) = (self.store.clone(), self.latest.clone());
        let (requested, now) = (excluded(&self.gate), self.clock.now());
        match Engine::start(&self.config, declared, store, latest, requested, now).await {
            Ok(engine) => {
                self.engine = engine;
                self.note_exclusions().await;
                tracing::info!("the files were read again");
                Ok(())
            }
            Err(error) => {
                tracing::error!("cannot use the changed files, the old set stays: {error:#}");
                Err(format!("{error:#}"))
            }
        }
    }
}

async fn next(filling: &mut Option<Filling>) -> Option<Filled> {
    match filling {
        Some(filling) => filling.results.recv().await,
        None => std::future::pending().await,
    }
}

/// Names, sizes and times of files: when they differ, something changed.
type Seen = Vec<(PathBuf, u64, Option<SystemTime>)>;

fn seen(config: &Config) -> Seen {
    let (mut all, tls) = (Vec::new(), &config.server.tls);
    let of_tls = tls.cert_file.iter().chain(&tls.key_file).cloned();
    for file in crate::files::list(&paths(config)).into_iter().chain(of_tls) {
        if let Ok(data) = std::fs::metadata(&file) {
            all.push((file, data.len(), data.modified().ok()));
        }
    }
    all
}

/// How long a stop may take before the process is ended all the same.
pub const STOP_WITHIN: Span = Span::seconds(5);
