//! A page of counters that grow with the clock, and services that fail from an instant on.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::Context;
use axum::Router;
use axum::extract::State;
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

/// The page.
#[derive(Clone)]
pub(super) struct Exporter(Arc<Mutex<Page>>);

struct Page {
    begun: Instant,
    /// For each service, from when on all its requests fail.
    fails: Vec<Option<Instant>>,
    /// When the page was read, where that is noted.
    reads: Vec<Instant>,
    /// From when on nothing grows.
    ended: Option<Instant>,
}

impl Exporter {
    /// Serves the page of so many services at `/watched`, where reads are noted, and at `/idle`.
    pub(super) async fn serve(services: u32) -> anyhow::Result<(Self, SocketAddr)> {
        let page = Page {
            begun: Instant::now(),
            fails: vec![None; services as usize],
            reads: Vec::new(),
            ended: None,
        };
        let exporter = Self(Arc::new(Mutex::new(page)));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr().context("the exporter has no address")?;
        let watched = |State(exporter): State<Self>| async move { exporter.read(true) };
        let idle = |State(exporter): State<Self>| async move { exporter.read(false) };
        let routes = Router::new().route("/watched", get(watched)).route("/idle", get(idle));
        let routes = routes.with_state(exporter.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Ok((exporter, address))
    }

    fn page(&self) -> MutexGuard<'_, Page> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        let (first, last) = (counts(*page.reads.first()?), counts(page.ended?));
        Some((last.0 - first.0, last.1 - first.1))
    }

    /// When the failing of a service was first read.
    pub(super) fn seen(&self, service: usize) -> Option<Instant> {
        let page = self.page();
        let fails = page.fails[service]?;
        page.reads.iter().find(|read| **read > fails).copied()
    }

    fn read(&self, is_noted: bool) -> String {
        let mut page = self.page();
        let now = page.ended.unwrap_or_else(Instant::now);
        let text = page.text(now);
        if is_noted {
            page.reads.push(now);
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

    fn text(&self, now: Instant) -> String {
        let mut text = "# TYPE http_requests_total counter\n".to_owned();
        for service in 0..self.fails.len() {
            let (good, bad) = self.counts(service, now);
            let service = name(service as u32);
            for (method, route, code) in SERIES {
                let value = if code == "500" { bad } else { good };
                let labels = format!(
                    "service=\"{service}\",method=\"{method}\",route=\"{route}\",code=\"{code}\""
                );
                let _ = writeln!(text, "http_requests_total{{{labels}}} {value}");
            }
        }
        text
    }
}
