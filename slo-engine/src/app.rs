//! Starts everything and stops it again. The listener and the stop signal come from the caller.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Context;
use chrono::{DateTime, Utc};
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
use crate::evaluate::engine::early::Early;
use crate::evaluate::exclusion::InForce;
use crate::evaluate::snapshot::Latest;
use crate::gate::Gate;
use crate::http::{self, Certificate};
use crate::nightly::Nightly;
use crate::oidc::Verifier;
use crate::record::Recorder;
use crate::record::verdicts::Verdicts;
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
    // What cannot be used is said before anything is written.
    Engine::can_use(&config.sources)?;
    let certificate = Certificate::read(&config.server.tls)?;
    let store = Store::open(&config.store.url).await?;
    let _only = store.lock()?;
    let latest = Latest::default();
    let at = listener.local_addr().context("the listener has no address")?;
    let (shared, recorder) = share(&config, &store, &clock, latest.clone(), at).await?;
    let (tokens, gate) = (shared.tokens.clone(), shared.gate.clone());
    let renewed = Renewed { certificate: certificate.clone(), verdicts: shared.verdicts.clone() };
    let (requested, now) = (excluded(&gate), clock.now());
    let lookup = Early::new(&config, declared.clone(), store.clone(), requested.clone(), now);
    latest.starts(lookup);
    let (router, callbacks) = http::start(Arc::new(shared));
    tracing::info!("listening on {}://{at}", scheme(&config));
    if at.ip().is_unspecified() && config.server.public_url.is_none() {
        tracing::warn!("links to decisions lead nowhere until server.publicUrl is set");
    }
    let server = tokio::spawn(http::serve(listener, router, certificate, stop.clone()));
    let calling = tokio::spawn(callbacks.run(stop.clone()));
    let engine =
        Engine::start(&config, declared, store.clone(), latest.clone(), requested, now).await?;
    let (filling, nightly) = (None, Nightly::default());
    let mut running =
        Running { config, clock, store, latest, gate, engine, filling, nightly, renewed };
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
    let (base, now) = (base.trim_end_matches('/').to_owned(), clock.now());
    let verdicts = Verdicts::open(&config.signing, store.path(), base.clone(), now)?;
    let after = config.gate.incidents_close_after;
    let gate = Gate::open(recorder.clone(), store.clone(), after, base, now);
    let shared = http::Shared {
        latest,
        store: store.clone(),
        clock: clock.clone(),
        gate: Arc::new(gate.await?),
        tokens: Tokens::start(store.clone(), config.gate.rate_limit).await?,
        oidc: Verifier::new(&config.oidc, config.gate.rate_limit),
        verdicts: Arc::new(verdicts),
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
    renewed: Renewed,
}

/// What is read again from files that declare nothing.
struct Renewed {
    certificate: Option<Certificate>,
    verdicts: Arc<Verdicts>,
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
        let mut seen = self.seen();
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
        let now = self.seen();
        if now != *before {
            *before = now;
            self.reload().await;
        }
    }

    /// Reads the files again: those that declare, the certificate, and the keys of verdicts. What has
    /// an error changes nothing, and does not hold up the others.
    async fn reload(&mut self) {
        let mut failed: Vec<String> = self.declare().await.err().into_iter().collect();
        failed.extend(self.renewed.read_again(self.clock.now()));
        let has_failed = !failed.is_empty();
        self.engine.note_reload(has_failed.then(|| failed.join("\n\n")));
        if has_failed {
            self.engine.publish(self.clock.now()).await;
        }
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

impl Renewed {
    /// Reads both again; what was wrong with them.
    fn read_again(&self, now: DateTime<Utc>) -> Vec<String> {
        let certificate = self.certificate.as_ref().map_or(Ok(()), Certificate::read_again);
        let certificate = certificate.map_err(|e| format!("{e}; the old certificate stays"));
        let verdicts = self.verdicts.read_again(now);
        let verdicts = verdicts.map_err(|e| format!("{e}; the old keys of verdicts stay"));
        let failed: Vec<String> =
            [certificate, verdicts].into_iter().filter_map(Result::err).collect();
        failed.iter().for_each(|why| tracing::error!("{why}"));
        failed
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

impl Running {
    fn seen(&self) -> Seen {
        let (mut all, tls) = (Vec::new(), &self.config.server.tls);
        let mut files = crate::files::list(&paths(&self.config));
        files.extend(tls.cert_file.iter().chain(&tls.key_file).cloned());
        files.extend(self.renewed.verdicts.files());
        for file in files {
            if let Ok(data) = std::fs::metadata(&file) {
                all.push((file, data.len(), data.modified().ok()));
            }
        }
        all
    }
}

/// How long a stop may take before the process is ended all the same.
pub const STOP_WITHIN: Span = Span::seconds(5);
