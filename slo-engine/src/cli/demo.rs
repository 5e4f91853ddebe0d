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

use stage::{Stage, Started};

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
        let mut started = Started::new()?;
        let ended = blocking(async {
            let ended = tokio::select! {
                // A story that a signal cut short is no failure, whatever it met at the same moment.
                biased;
                signal = asked_to_stop() => signal.map(Ended::Stopped),
                told = self.tell(&mut started) => told.map(Ended::Told),
            };
            started.end().await;
            ended
        })
        .flatten();
        // The runtime is gone by now: nobody writes into the folder any more.
        started.children.close()?;
        Ok(match ended? {
            Ended::Told(true) => ExitCode::SUCCESS,
            Ended::Told(false) => ExitCode::FAILURE,
            Ended::Stopped(code) => {
                super::output::complain("\nstopped; nothing is left running");
                ExitCode::from(code)
            }
        })
    }

    /// Whether the counts were equal.
    async fn tell(&self, started: &mut Started) -> anyhow::Result<bool> {
        let mut stage = Stage::build(started, self.source, self.rate).await?;
        let equal = story::tell(&mut stage).await?;
        if self.once {
            return Ok(equal);
        }
        story::stay(&stage)?;
        loop {
            stage.started.check()?;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

/// How a demo ends.
enum Ended {
    /// With its story; whether the counts were equal.
    Told(bool),
    /// By a signal; the exit code that says so.
    Stopped(u8),
}

/// Waits for Ctrl-C, the end of the terminal or a plain `kill`.
async fn asked_to_stop() -> anyhow::Result<u8> {
    let listen = |kind| signal(kind).context("cannot listen for signals");
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut hangup = listen(SignalKind::hangup())?;
    let mut terminate = listen(SignalKind::terminate())?;
    Ok(tokio::select! {
        _ = hangup.recv() => 129,
        _ = interrupt.recv() => 130,
        _ = terminate.recv() => 143,
    })
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
