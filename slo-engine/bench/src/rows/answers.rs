//! A server of this process over ten thousand SLOs, with a trivial route beside the engine's, and
//! callers that ask it at once.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use axum::routing::any;
use slo_core::time::Span;
use slo_engine::clock::{Clock, SystemClock};
use slo_engine::config::RateLimit;
use slo_engine::evaluate::snapshot::Latest;
use slo_engine::gate::Gate;
use slo_engine::http::{self, Adapters, Shared, router};
use slo_engine::oidc::{Oidc, Verifier};
use slo_engine::record::Recorder;
use slo_engine::record::signing::Signing;
use slo_engine::record::verdicts::Verdicts;
use slo_engine::store::Store;
use slo_engine::token::{self, Scope, Tokens};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::ticks::{Rig, rig};

/// Between two ticks.
const TICK: Duration = Duration::from_secs(5);

/// A running server; it stops when this goes.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    /// A token that may decide and report incidents.
    pub(super) token: String,
    pub(super) store: Store,
    recorder: Recorder,
    length: Arc<AtomicUsize>,
    stop: watch::Sender<bool>,
}

impl Server {
    /// The engine's routes and a trivial one at `/trivial`, and a tick every few seconds.
    pub(super) async fn start(folder: &Path, slos: usize) -> anyhow::Result<Self> {
        let now = SystemClock.now();
        let Rig { mut engine, store, latest } = rig(folder, slos, 1, 1_000, now).await?;
        engine.tick(now).await;
        let token = allowed(&store).await?;
        let key = Signing::default().key(&store)?;
        let recorder = Recorder::start(store.clone(), Arc::new(SystemClock), key).await?;
        let shared = share(latest, store.clone(), recorder.clone()).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let length = Arc::new(AtomicUsize::new(0));
        let body = length.clone();
        let trivial = any(async move || {
            ([("content-type", "application/json")], "x".repeat(body.load(Ordering::Relaxed)))
        });
        let mut app = router(Arc::new(shared));
        app.router = app.router.route("/trivial", trivial);
        let (stop, mut stopped) = watch::channel(false);
        tokio::spawn(http::serve(listener, app, None, stopped.clone()));
        tokio::spawn(async move {
            while tokio::time::timeout(TICK, stopped.changed()).await.is_err() {
                engine.tick(SystemClock.now()).await;
            }
        });
        Ok(Self { address, token, store, recorder, length, stop })
    }

    /// The trivial route answers with as many bytes as a request gets.
    pub(super) async fn imitate(&self, request: String) -> anyhow::Result<()> {
        let address = self.address;
        let asked = move || Connection::to(address)?.ask(&request);
        let length = tokio::task::spawn_blocking(asked).await??;
        self.length.store(length, Ordering::Relaxed);
        Ok(())
    }

    /// Stops it; what was recorded is in the database then.
    pub(super) async fn stop(&self) {
        self.stop.send_replace(true);
        self.recorder.stop().await;
    }
}

async fn allowed(store: &Store) -> anyhow::Result<String> {
    let asked = token::Asked {
        name: "bench".to_owned(),
        scopes: vec![Scope::Decide, Scope::Incident],
        services: Vec::new(),
        environments: Vec::new(),
        lasts: None,
    };
    Ok(token::create(store, &asked, SystemClock.now()).await?.token.reveal())
}

/// What the routes answer from. A benchmark asks more often than a token may.
async fn share(latest: Latest, store: Store, recorder: Recorder) -> anyhow::Result<Shared> {
    let (after, base, clock) = (Span::minutes(240), String::new(), Arc::new(SystemClock));
    let verdicts = Verdicts::open(&Signing::default(), store.path(), base.clone(), clock.now())?;
    let gate = Arc::new(Gate::open(recorder, store.clone(), after, base, clock.now()).await?);
    let limit = RateLimit { per_second: 0, ..RateLimit::default() };
    let tokens = Tokens::start(store.clone(), limit).await?;
    Ok(Shared {
        latest,
        store,
        clock,
        gate,
        tokens,
        oidc: Verifier::new(&Oidc::default(), limit),
        verdicts: Arc::new(verdicts),
        reads_are_open: true,
        adapters: Adapters::default(),
        tick: Span::seconds(15),
    })
}

/// What a round found: how long each answer took in seconds, sorted, and answers a second.
pub(super) struct Round {
    pub(super) took: Vec<f64>,
    pub(super) rate: f64,
}

impl Round {
    /// So many callers for so long, each asking again as soon as it has an answer. `request` is given
    /// the caller and which of its questions it is.
    pub(super) fn of(
        address: SocketAddr,
        callers: usize,
        lasts: Duration,
        request: &(dyn Fn(usize, usize) -> String + Sync),
    ) -> anyhow::Result<Self> {
        let begun = Instant::now();
        let ask = |caller: usize| -> anyhow::Result<Vec<f64>> {
            let (mut to, mut took) = (Connection::to(address)?, Vec::new());
            while begun.elapsed() < lasts {
                let request = request(caller, took.len());
                let asked = Instant::now();
                to.ask(&request)?;
                took.push(asked.elapsed().as_secs_f64());
            }
            Ok(took)
        };
        let mut took = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..callers).map(|at| scope.spawn(move || ask(at))).collect();
            let mut all = Vec::new();
            for thread in threads {
                all.extend(thread.join().map_err(|_| anyhow::anyhow!("a caller panicked"))??);
            }
            anyhow::Ok(all)
        })?;
        let rate = took.len() as f64 / begun.elapsed().as_secs_f64();
        took.sort_by(f64::total_cmp);
        Ok(Self { took, rate })
    }

    /// The slowest of a hundred.
    pub(super) fn p99(&self) -> f64 {
        self.took[self.took.len() * 99 / 100]
    }
}

/// The request for a path.
pub(super) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n")
}

/// The request that sends a JSON body.
pub(super) fn post(path: &str, token: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

pub(super) fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// A connection that is kept open; as little of a client as can be.
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    fn to(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; 1 << 16] })
    }

    /// The length of the body.
    fn ask(&mut self, request: &str) -> anyhow::Result<usize> {
        self.stream.write_all(request.as_bytes())?;
        let mut filled = 0;
        loop {
            let read = self.stream.read(&mut self.buffer[filled..])?;
            filled += read;
            let answer = &self.buffer[..filled];
            if let Some((head, length)) = head(answer).with_context(|| request.to_owned())?
                && filled >= head + length
            {
                return Ok(length);
            }
            anyhow::ensure!(read > 0, "the server closed the connection");
        }
    }
}

/// How long an answer's head is, and its body; `None` before the head is whole. Read without a copy: what
/// a head costs its reader is no cost of the answer.
fn head(answer: &[u8]) -> anyhow::Result<Option<(usize, usize)>> {
    let (mut at, mut length) = (0, None);
    while let Some(end) = answer[at..].iter().position(|byte| *byte == b'\n') {
        let line = answer[at..at + end].trim_ascii_end();
        if at == 0 && !line.starts_with(b"HTTP/1.1 20") {
            bail!("{}", String::from_utf8_lossy(answer));
        }
        at += end + 1;
        if line.is_empty() {
            return Ok(Some((at, length.context("no content-length")?)));
        }
        if let Some((name, value)) = line.split_at_checked(LENGTH.len())
            && name.eq_ignore_ascii_case(LENGTH)
        {
            length = Some(str::from_utf8(value)?.trim().parse()?);
        }
    }
    Ok(None)
}

const LENGTH: &[u8] = b"content-length:";
