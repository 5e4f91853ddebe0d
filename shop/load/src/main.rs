//! Parses arguments, runs the load until its end, SIGTERM or Ctrl-C, and prints the counts.

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use shop_load::{Config, Load, clock, output};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    start(Config::parse()).await.unwrap_or_else(|error| {
        output::say(&format!("{error:#}"));
        ExitCode::FAILURE
    })
}

async fn start(config: Config) -> anyhow::Result<ExitCode> {
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let listener = match config.listen {
        Some(address) => Some(
            TcpListener::bind(address)
                .await
                .with_context(|| format!("cannot listen on {address}"))?,
        ),
        None => None,
    };
    if let Some(listener) = &listener {
        output::say(&format!("counts at http://{}/counts", listener.local_addr()?));
    }
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    let out = config.out.clone();
    let load = Load::new(config, clock::now());
    let report = load.run(listener, stop, output::line).await?;
    output::line(&report);
    if let Some(path) = out {
        output::file(&path, &report).with_context(|| format!("cannot write {}", path.display()))?;
    }
    if report.sent > 0 && report.answered == 0 {
        output::say(&format!("none of {} requests was answered", report.sent));
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}
