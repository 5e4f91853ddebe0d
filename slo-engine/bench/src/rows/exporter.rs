//! A page of counters that grow with the clock, and services that fail from an instant on.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::Context;
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use headroom_bench::traffic::name;

/// Requests a second of each service.
const RATE: f64 = 20.0;

/// Failures at once when a service begins to fail, so that the first scrape shows a spent budget.
const BURST: f64 = 3_000.0;

/// What a request is counted under, and whether it is a failed one.
const SERIES: [(&str, &str, &str); 10] = [
    ("GET", "/api/items", "200"),
    ("GET", "/api/search", "200"),
    ("POST", "/api/cart", "200"),
    ("POST", "/api/checkout", "200"),
    ("GET", "/api/items", "404"),
    ("GET", "/api/search", "404"),
    ("POST", "/api/cart", "404"),
    ("GET", "/api/items", "500"),
    ("POST", "/api/cart", "500"),
    ("POST", "/api/checkout", "500"),
];

/// Series of one service.
pub(super) const SERIES_EACH: u32 = SERIES.len() as u32;

/// The pages, one for each service, as each service has its own in a shop: a Prometheus spreads its
/// scrapes over the interval by a hash, and few targets are spread as chance has it.
#[derive(Clone)]
pub(super) struct Exporter(Arc<Mutex<Page>>);

struct Page {
    begun: Instant,
    /// For each service, from when on all its requests fail.
    fails: Vec<Option<Instant>>,
    /// When each page was read, where that is noted.
    reads: Vec<Vec<Instant>>,
    /// From when on nothing grows.
    ended: Option<Instant>,
}

/// What a Prometheus needs to scrape the pages `watched` or `idle` of so many services, each an instance
/// of its own.
pub(super) fn scraped(page: &str, from: SocketAddr, services: u32, seconds: u32) -> String {
    let targets: String = (0..services)
        .map(|service| {
            let instance = name(service);
            let labels =
                format!("__metrics_path__: /{page}/{service}, instance: '{instance}:8080'");
            format!("      - {{targets: ['{from}'], labels: {{{labels}}}}}\n")
        })
        .collect();
    format!(
        "scrape_configs:\n  - job_name: bench\n    scrape_interval: {seconds}s\n    \
         static_configs:\n{targets}"
    )
}

impl Exporter {
    /// Serves the pages of so many services at `/watched/0` and on, where reads are noted, and at
    /// `/idle/0` and on.
    pub(super) async fn serve(services: u32) -> anyhow::Result<(Self, SocketAddr)> {
        let page = Page {
            begun: Instant::now(),
            fails: vec![None; services as usize],
            reads: vec![Vec::new(); services as usize],
            ended: None,
        };
        let exporter = Self(Arc::new(Mutex::new(page)));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr().context("the exporter has no address")?;
        let watched = |State(exporter): State<Self>, Path(service): Path<usize>| async move {
            exporter.read(service, true)
        };
        let idle = |State(exporter): State<Self>, Path(service): Path<usize>| async move {
            exporter.read(service, false)
        };
        let routes = Router::new()
            .route("/watched/{service}", get(watched))
            .route("/idle/{service}", get(idle))
            .with_state(exporter.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Ok((exporter, address))
    }

    fn page(&self) -> MutexGuard<'_, Page> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The addresses of the watched pages, as a list.
    pub(super) fn pages(&self, address: SocketAddr) -> String {
        let services = 0..self.page().reads.len();
        let pages = services.map(|service| format!("\"http://{address}/watched/{service}\""));
        format!("[{}]", pages.collect::<Vec<_>>().join(","))
    }

    /// Lets all requests of a service fail from now on.
    pub(super) fn fail(&self, service: usize) {
        self.page().fails[service] = Some(Instant::now());
    }

    /// Lets nothing grow from now on.
    pub(super) fn end(&self) {
        let mut page = self.page();
        page.ended = page.ended.or(Some(Instant::now()));
    }

    /// What a service's counters grew by from the first noted read to the end: all and bad.
    pub(super) fn grown(&self, service: usize) -> Option<(f64, f64)> {
        let page = self.page();
        let counts = |at: Instant| {
            let (good, bad) = page.counts(service, at);
            ((good * 7 + bad * 3) as f64, (bad * 3) as f64)
        };
        let first = *page.reads[service].first()?;
        let (first, last) = (counts(first), counts(page.ended?));
        Some((last.0 - first.0, last.1 - first.1))
    }

    /// When the failing of a service was first read.
    pub(super) fn seen(&self, service: usize) -> Option<Instant> {
        let page = self.page();
        let fails = page.fails[service]?;
        page.reads[service].iter().find(|read| **read > fails).copied()
    }

    fn read(&self, service: usize, is_noted: bool) -> String {
        let mut page = self.page();
        let now = page.ended.unwrap_or_else(Instant::now);
        let text = page.text(service, now);
        if is_noted {
            page.reads[service].push(now);
        }
        text
    }
}

impl Page {
    /// What each good and each bad series of a service has counted.
    fn counts(&self, service: usize, now: Instant) -> (u64, u64) {
        let until = self.fails[service].unwrap_or(now).min(now);
        let good = until.duration_since(self.begun).as_secs_f64() * RATE;
        let bad = now.duration_since(until).as_secs_f64() * RATE;
        let bad = if until < now { bad + BURST } else { bad };
        ((good / 7.0) as u64, (bad / 3.0) as u64)
    }

    fn text(&self, service: usize, now: Instant) -> String {
        let mut text = "# TYPE http_requests_total counter\n".to_owned();
        let (good, bad) = self.counts(service, now);
        let service = name(service as u32);
        for (method, route, code) in SERIES {
            let value = if code == "500" { bad } else { good };
            let labels = format!(
                "service=\"{service}\",method=\"{method}\",route=\"{route}\",code=\"{code}\""
            );
            let _ = writeln!(text, "http_requests_total{{{labels}}} {value}");
        }
        text
    }
}
