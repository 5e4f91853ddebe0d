//! Starts everything, serves until told to stop, and ends what it started.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::clock::Clock;
use crate::config::Config;
use crate::faults::Faults;
use crate::log::{Head, Log, ServiceLine, output};
use crate::metrics::Metrics;
use crate::repository::{MemoryRepository, Repository, RepositoryError, seed};
use crate::request_id::RequestIds;
use crate::router::{counted_routes, router};

/// How long requests in flight may take to end after the stop.
const GRACE: Duration = Duration::from_secs(4);

/// What the handlers share.
pub struct App {
    pub(crate) repository: Arc<dyn Repository>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) metrics: Metrics,
    pub(crate) log: Log,
    pub(crate) clock: Clock,
    pub(crate) request_ids: RequestIds,
    pub(crate) counted_routes: Vec<String>,
}

impl App {
    pub fn new(
        repository: Arc<dyn Repository>,
        metrics: Metrics,
        log: Log,
        clock: Clock,
    ) -> Arc<Self> {
        Arc::new(Self {
            repository,
            faults: Faults::new(clock, log.clone()),
            metrics,
            log,
            clock,
            request_ids: RequestIds::new(clock.now().timestamp_micros().cast_unsigned()),
            counted_routes: counted_routes(),
        })
    }

    fn tell(&self, action: &'static str, listener: Option<&TcpListener>) {
        let address = listener.and_then(|listener| listener.local_addr().ok());
        let message = match address {
            Some(address) => format!("listening on http://{address}"),
            None => "stopped".to_owned(),
        };
        self.log.write(&ServiceLine {
            head: Head::info(self.clock.now(), "catalog.service", message),
            action,
            address: address.map(|address| address.ip().to_string()),
            port: address.map(|address| address.port()),
        });
    }
}

/// Why the service could not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("cannot open the log file {}", path.display())]
    OpenLog { path: PathBuf, source: io::Error },
    #[error("cannot put the first products into the repository")]
    Seed(#[source] RepositoryError),
    #[error("the server failed")]
    Serve(#[source] io::Error),
}

/// Serves on `listener` until `stop`, then ends faults, requests and the log in this order.
pub async fn run(
    config: Config,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), RunError> {
    let clock = Clock::System;
    let metrics = Metrics::new(clock.now());
    let output = output(config.log_file.as_deref()).map_err(|source| {
        let path = config.log_file.unwrap_or_else(|| PathBuf::from("standard output"));
        RunError::OpenLog { path, source }
    })?;
    let repository = Arc::new(MemoryRepository::new(config.max_products));
    seed(repository.as_ref(), clock.now()).await.map_err(RunError::Seed)?;
    let (log, writer) = Log::start(output, metrics.log_lines_dropped());
    let app = App::new(repository, metrics, log, clock);
    app.tell("started", Some(&listener));
    let served = serve(Arc::clone(&app), listener, stop).await;
    app.faults.shut_down();
    app.tell("stopped", None);
    writer.close().await;
    served.map_err(RunError::Serve)
}

async fn serve(
    app: Arc<App>,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let listener = listener.tap_io(|stream| {
        // without it small answers wait for acknowledgements; a socket that refuses still works
        let _ = stream.set_nodelay(true);
    });
    let (stopping, stopped) = oneshot::channel();
    let told = async move {
        stop.await;
        let _ = stopping.send(());
    };
    let overdue = async move {
        match stopped.await {
            Ok(()) => sleep(GRACE).await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        served = axum::serve(listener, router(app)).with_graceful_shutdown(told) => served,
        () = overdue => Ok(()),
    }
}
