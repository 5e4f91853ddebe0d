//! A server that is killed with `kill -9` again and again.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use headroom_bench::engine::{Engine, Serving};
use slo_core::view::BudgetView;

use crate::http::Http;

/// The server and when it dies next.
pub(super) struct Victim {
    pub(super) engine: Engine,
    pub(super) kills: u32,
    folder: PathBuf,
    serving: Option<Serving>,
    dies: Instant,
}

impl Victim {
    /// Starts it in an empty folder, for a first life.
    pub(super) fn start(
        engine: Engine,
        folder: PathBuf,
        specs: &str,
        lives: Duration,
    ) -> anyhow::Result<Self> {
        let slos = folder.join("slos");
        fs::create_dir_all(&slos).with_context(|| format!("make {}", slos.display()))?;
        fs::write(slos.join("slos.yaml"), specs).context("write SLOs")?;
        let serving = Some(engine.serve(&folder)?);
        Ok(Self { engine, kills: 0, folder, serving, dies: Instant::now() + lives })
    }

    /// The folder of its SLOs.
    pub(super) fn slos(&self) -> PathBuf {
        self.folder.join("slos")
    }

    /// Whether its time has come.
    pub(super) fn is_due(&self) -> bool {
        self.dies <= Instant::now()
    }

    /// Ends the process and starts the next.
    pub(super) fn kill(&mut self, lives: Duration) -> anyhow::Result<()> {
        drop(self.serving.take());
        self.kills += 1;
        self.serving = Some(self.engine.serve(&self.folder)?);
        self.dies = Instant::now() + lives;
        Ok(())
    }

    /// What it says of its SLOs.
    pub(super) fn views(&self, http: &Http) -> anyhow::Result<Vec<BudgetView>> {
        let serving = self.serving.as_ref().context("no server runs")?;
        let body = http.get(&format!("{}/v1/slos?limit=500", serving.url))?;
        let page: serde_json::Value = serde_json::from_str(&body)?;
        serde_json::from_value(page["items"].clone()).context("read the views")
    }
}
