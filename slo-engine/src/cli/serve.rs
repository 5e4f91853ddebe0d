//! `slo-engine serve`: the server.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

use super::budget::blocking;
use crate::app::{self, Reload};
use crate::clock::SystemClock;
use crate::config::{self, Config, LogFormat, Telemetry};

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Address and port, instead of server.listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
}

impl Serve {
    pub(super) fn run(self, mut config: Config) -> anyhow::Result<ExitCode> {
        log(&config.telemetry)?;
        if let Some(listen) = self.listen {
            config::listen(&listen).map_err(|why| anyhow::anyhow!("--listen: {why}"))?;
            config.server.listen = listen;
        }
        blocking(serve(config))??;
        Ok(ExitCode::SUCCESS)
    }
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let address = config.server.listen.clone();
    let listener = TcpListener::bind(&address).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => anyhow::anyhow!(
            "cannot listen on {address}: another program does; stop it, or set server.listen"
        ),
        _ => anyhow::anyhow!("cannot listen on {address}: {error}; look at server.listen"),
    })?;
    let (reload, asked) = Reload::channel();
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(signals(stop, reload)?);
    app::run(config, Arc::new(SystemClock), listener, asked, stopped).await
}

/// SIGTERM and Ctrl-C stop, SIGHUP reloads; from now on, whenever what is handed out is run.
fn signals(
    stop: watch::Sender<bool>,
    reload: Reload,
) -> anyhow::Result<impl Future<Output = ()> + Send> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hangup.recv() => reload.ask(),
            }
        }
        tracing::info!("stopping");
        stop.send_replace(true);
        let limit = app::STOP_WITHIN.as_millis().unsigned_abs();
        tokio::time::sleep(std::time::Duration::from_millis(limit - 500)).await;
        tracing::warn!("stopping took too long, the open work is abandoned");
        std::process::exit(0)
    })
}

/// Sends logs to stderr in the configured form.
pub(super) fn log(telemetry: &Telemetry) -> anyhow::Result<()> {
    // The scheduler tells of its own start, which helps nobody.
    let level = format!("tokio_cron_scheduler=warn,{}", telemetry.level);
    let filter = EnvFilter::try_new(level)
        .with_context(|| format!("telemetry.level `{}` is no log filter", telemetry.level))?;
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let set = match telemetry.log {
        LogFormat::Text => builder.with_ansi(colours).with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    set.map_err(|e| anyhow::anyhow!("cannot set up logs: {e}"))
}
