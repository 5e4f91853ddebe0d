//! The load itself: due times in, requests out, counts kept; answers hold nothing up.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, sleep_until};

use crate::arrivals::Arrivals;
use crate::client::Client;
use crate::config::Config;
use crate::counts::Counts;
use crate::mix::Operation;
use crate::plan::Planner;
use crate::random::Random;
use crate::report::Report;
use crate::status;

/// One load, from its start to its report.
#[derive(Debug, Clone)]
pub struct Load {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: Config,
    client: Client,
    counts: Counts,
    planner: Planner,
    started_at: DateTime<Utc>,
    started: Instant,
}

/// Why a load could not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("the status endpoint failed")]
    Status(#[source] io::Error),
}

impl Load {
    /// A load that starts now; `started_at` is now's time of day, and marks the products it makes.
    pub fn new(config: Config, started_at: DateTime<Utc>) -> Self {
        let run = format!("{:x}", started_at.timestamp_micros());
        let shared = Shared {
            client: Client::new(config.timeout, config.max_in_flight as usize),
            counts: Counts::new(config.max_in_flight),
            planner: Planner::new(&config.url, config.products, run),
            started_at,
            started: Instant::now(),
            config,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Sends until the configured end or `stop`, waits for what is in flight, and reports.
    pub async fn run(
        &self,
        status: Option<TcpListener>,
        stop: impl Future<Output = ()>,
        tell: impl Fn(&Report) + Send + 'static,
    ) -> Result<Report, RunError> {
        let reporter = self.report_regularly(tell);
        let send = async {
            self.send_all(stop).await;
            self.drain().await;
        };
        let result = match status {
            Some(listener) => tokio::select! {
                () = send => Ok(()),
                served = status::serve(listener, self.clone()) => served,
            },
            None => {
                send.await;
                Ok(())
            }
        };
        if let Some(reporter) = reporter {
            reporter.abort();
        }
        result.map_err(RunError::Status)?;
        Ok(Report { finished: true, ..self.report() })
    }

    async fn send_all(&self, stop: impl Future<Output = ()>) {
        let Config { rate, day_length, spacing, seed, seconds, mix, .. } = self.shared.config;
        let curve = self.shared.config.day_curve.unwrap_or_default();
        let day = day_length.as_secs_f64();
        let mut random = Random::new(!seed);
        let mut stop = std::pin::pin!(stop);
        for (ordinal, due) in Arrivals::new(rate, curve, day, spacing, seed).enumerate() {
            let end = seconds.filter(|end| due > *end);
            let due = self.shared.started + end.unwrap_or(due);
            tokio::select! {
                biased;
                () = &mut stop => return,
                () = sleep_until(due) => {}
            }
            if end.is_some() {
                return;
            }
            // drawn for arrivals that are not sent too: what is asked for never depends on answers
            let (operation, draw) = (mix.pick(&mut random), random.draw());
            if self.shared.counts.begin(operation) {
                let request = self.shared.planner.request(operation, ordinal as u64, draw);
                self.send(operation, request, due);
            }
        }
    }

    fn send(&self, operation: Operation, request: Request<Body>, due: Instant) {
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            let outcome = shared.client.send(request).await;
            if let Some(id) = outcome.ok().and_then(|answer| answer.created) {
                shared.planner.note_created(id);
            }
            shared.counts.end(operation, due.elapsed(), outcome);
        });
    }

    async fn drain(&self) {
        let deadline = Instant::now() + self.shared.config.drain;
        while self.shared.counts.in_flight() > 0 && Instant::now() < deadline {
            sleep(Duration::from_millis(5)).await;
        }
    }

    fn report_regularly(&self, tell: impl Fn(&Report) + Send + 'static) -> Option<JoinHandle<()>> {
        let every = self.shared.config.report_every?;
        let load = self.clone();
        Some(tokio::spawn(async move {
            let mut ticks = interval_at(Instant::now() + every, every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            loop {
                ticks.tick().await;
                tell(&load.report());
            }
        }))
    }

    /// The counts so far.
    pub fn report(&self) -> Report {
        let Shared { config, counts, started_at, started, .. } = self.shared.as_ref();
        let tally = counts.tally();
        let elapsed = started.elapsed();
        let (sent, not_sent) = (tally.sum(|route| route.sent), tally.sum(|route| route.not_sent));
        let codes = tally.codes();
        Report {
            finished: false,
            url: config.url.to_string(),
            rate_per_second: config.rate,
            seed: config.seed,
            started_at: *started_at,
            at: *started_at + TimeDelta::from_std(elapsed).unwrap_or(TimeDelta::MAX),
            elapsed_seconds: elapsed.as_secs_f64(),
            scheduled: sent + not_sent,
            sent,
            not_sent,
            answered: tally.sum(|route| route.answered),
            in_flight: tally.in_flight,
            most_in_flight: tally.most_in_flight,
            transport_errors: tally.transport_errors(),
            bad: codes.range(500..600).map(|(_, count)| count).sum(),
            codes,
            latency_ms: tally.latency_ms,
            routes: tally.routes,
        }
    }
}
