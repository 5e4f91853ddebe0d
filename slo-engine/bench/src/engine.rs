//! The engine's binary, asked as a user asks it.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use anyhow::{Context, bail};
use chrono::{DateTime, SecondsFormat};
use serde::Deserialize;
use slo_core::view::BudgetView;

/// The binary and the configuration it is given.
#[derive(Debug, Clone)]
pub struct Engine {
    binary: PathBuf,
    environment: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Page {
    items: Vec<BudgetView>,
}

impl Engine {
    /// A binary.
    #[must_use]
    pub const fn new(binary: PathBuf) -> Self {
        Self { binary, environment: BTreeMap::new() }
    }

    /// The same, reading a Prometheus.
    #[must_use]
    pub fn reading(&self, url: &str) -> Self {
        self.with("HEADROOM__SOURCES__0__URL", url)
    }

    /// The same with one more configuration key.
    #[must_use]
    pub fn with(&self, key: &str, value: &str) -> Self {
        let mut engine = self.clone();
        engine.environment.insert(key.to_owned(), value.to_owned());
        engine
    }

    /// `budget --at T --json`, T in Unix milliseconds.
    ///
    /// # Errors
    /// What the engine says when it fails, or how its answer differs from the promised JSON.
    pub fn budget(&self, specs: &Path, at: i64) -> anyhow::Result<Vec<BudgetView>> {
        let instant = DateTime::from_timestamp_millis(at).context("no such instant")?;
        let instant = instant.to_rfc3339_opts(SecondsFormat::Millis, true);
        let mut command = Command::new(&self.binary);
        command.env_clear().envs(&self.environment);
        command.arg("budget").arg(specs).args(["--at", &instant, "--json"]);
        let remedy = "build it, or name it with --engine";
        let output = command
            .output()
            .with_context(|| format!("start {}; {remedy}", self.binary.display()))?;
        if !output.status.success() {
            bail!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let page: Page = serde_json::from_slice(&output.stdout).context("read the views")?;
        Ok(page.items)
    }

    /// Any command, working in a folder.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run(&self, folder: &Path, arguments: &[&str]) -> anyhow::Result<Output> {
        let mut command = Command::new(&self.binary);
        command.env_clear().envs(&self.environment).args(arguments).current_dir(folder);
        command.output().with_context(|| format!("start {}", self.binary.display()))
    }

    /// `serve` on a free port, working in a folder that holds `slos/`; what it says goes to
    /// `serve.log` there. It is killed when its guard goes.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn serve(&self, folder: &Path) -> anyhow::Result<Serving> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let address = format!("127.0.0.1:{port}");
        let log = File::create(folder.join("serve.log")).context("make serve.log")?;
        let mut command = Command::new(&self.binary);
        command.env_clear().envs(&self.environment).env("HEADROOM__SERVER__LISTEN", &address);
        command.arg("serve").current_dir(folder).stdin(Stdio::null());
        command.stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| format!("start {}", self.binary.display()))?;
        Ok(Serving { child, url: format!("http://{address}") })
    }
}

/// A server that runs.
#[derive(Debug)]
pub struct Serving {
    child: Child,
    /// Its address.
    pub url: String,
}

impl Serving {
    /// The process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Serving {
    /// Ends it as `kill -9` does.
    pub fn kill(&mut self) {
        // An error here means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.kill();
    }
}
