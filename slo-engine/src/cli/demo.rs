//! `slo-engine demo`: a real service burns its error budget, and a deploy of it is refused.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

use super::budget::blocking;
use crate::config::{LogFormat, Telemetry};

mod children;
mod pipeline;
mod ship;
mod stage;
mod story;

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Stop at the end of the story instead of running on until Ctrl-C.
    #[arg(long)]
    once: bool,
    /// Where the engine reads: a Prometheus when one is on PATH, else the service's own page.
    #[arg(long, value_enum, default_value = "auto")]
    source: From,
    /// Requests a second.
    #[arg(long, default_value = "100", value_parser = clap::value_parser!(u32).range(20..=2_000))]
    rate: u32,
}

/// Where the demo's engine reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum From {
    /// A Prometheus when one is on PATH, else scrape.
    Auto,
    /// A Prometheus of its own.
    Prometheus,
    /// The service's /metrics page.
    Scrape,
}

impl Demo {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        super::serve::log(&Telemetry { log: LogFormat::Text, level: "error".to_owned() })?;
        blocking(async move {
            let mut interrupt =
                signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
            let mut terminate =
                signal(SignalKind::terminate()).context("cannot listen for signals")?;
            // Whatever ends first drops the stage, and with it everything that was started.
            tokio::select! {
                told = self.tell() => told,
                _ = interrupt.recv() => Ok(stopped()),
                _ = terminate.recv() => Ok(stopped()),
            }
        })?
    }

    async fn tell(&self) -> anyhow::Result<ExitCode> {
        let mut stage = stage::Stage::build(self.source, self.rate).await?;
        let equal = story::tell(&mut stage).await?;
        if self.once {
            stage.clear().await;
            return Ok(if equal { ExitCode::SUCCESS } else { ExitCode::from(1) });
        }
        story::stay(&stage)?;
        loop {
            stage.check()?;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

fn stopped() -> ExitCode {
    super::output::complain("\nstopped; nothing is left running");
    ExitCode::from(130)
}

/// A program that was built beside this one.
fn sibling(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("cannot tell where this program is")?;
    let path = own.with_file_name(name);
    if !path.exists() {
        bail!(
            "{} is missing; build everything with `make build`, or start the demo with `make demo`",
            path.display()
        );
    }
    Ok(path)
}
