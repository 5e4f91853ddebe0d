//! Programs that the demo starts. They end with it, however it ends.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::process::{Child, Command};

/// A running program.
pub(super) struct Running {
    pub(super) name: &'static str,
    child: Child,
    log: std::path::PathBuf,
}

impl Running {
    /// Starts a program with its output in a file.
    pub(super) fn start(
        name: &'static str,
        command: &mut Command,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let file = std::fs::File::create(&log)
            .with_context(|| format!("cannot write {}", log.display()))?;
        let errors = file.try_clone().context("cannot share a log file")?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(errors)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name, child, log })
    }

    /// Fails with its last words when it has ended.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait().context("cannot look after a program")? {
            let said = std::fs::read_to_string(&self.log).unwrap_or_default();
            let last: Vec<&str> = said.lines().rev().take(3).collect();
            bail!(
                "{} ended ({status}): {}",
                self.name,
                last.into_iter().rev().collect::<Vec<_>>().join(" / ")
            );
        }
        Ok(())
    }

    /// Ends it and waits until it is gone.
    pub(super) async fn end(&mut self) {
        // An error here means that it has ended already.
        let _ = self.child.kill().await;
    }
}

/// The wanted port when it is free, else a free one; says so.
pub(super) fn port(wanted: u16, what: &str) -> anyhow::Result<u16> {
    if TcpListener::bind((Ipv4Addr::LOCALHOST, wanted)).is_ok() {
        return Ok(wanted);
    }
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    let port = free.local_addr().context("a listener has no address")?.port();
    super::story::say(&format!("port {wanted} is taken, the {what} takes {port}"))?;
    Ok(port)
}

/// Waits until an address answers 200.
pub(super) async fn answers(
    client: &reqwest::Client,
    url: &str,
    child: &mut Running,
) -> anyhow::Result<()> {
    for _ in 0..100 {
        child.check()?;
        if client.get(url).send().await.is_ok_and(|r| r.status().is_success()) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bail!(
        "{} did not answer at {url} within 10 s; its output is in {}",
        child.name,
        child.log.display()
    )
}
