//! The gate's peek against a trivial route of the same process with a body of equal length, while
//! ticks run: the share of the answer that is the gate's own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use axum::routing::get;
use slo_core::time::Span;
use slo_engine::clock::{Clock, SystemClock};
use slo_engine::config::RateLimit;
use slo_engine::evaluate::snapshot::Latest;
use slo_engine::gate::Gate;
use slo_engine::http::{Shared, router};
use slo_engine::record::Recorder;
use slo_engine::record::signing::Signing;
use slo_engine::store::Store;
use slo_engine::token::Tokens;

use super::ticks::{Rig, rig};
use crate::output;
use crate::report::{Figure, Must, Outcome};
use crate::world::{Size, World};

const SLOS: Size = Size(10_000, 1_000);
const PAIRS: Size = Size(21, 5);
const CONNECTIONS: [usize; 3] = [1, 16, 64];
const TICK: Duration = Duration::from_secs(5);
const ROUND: Duration = Duration::from_millis(500);

pub(crate) fn run(world: &World) -> anyhow::Result<Outcome> {
    let (slos, pairs) = (world.sizes.services(SLOS) as usize, world.sizes.repeat(PAIRS));
    let runtime = tokio::runtime::Runtime::new().context("start the runtime")?;
    let stop = Arc::new(AtomicBool::new(false));
    let address = runtime.block_on(serve(&world.fresh("peek")?, slos, stop.clone()))?;
    let peek = |at: usize| format!("/v1/gate/svc-{}", at % slos);
    let trivial = |_: usize| "/trivial".to_owned();
    let mut outcome =
        Outcome { measure: "peek against a trivial route".to_owned(), ..Outcome::default() };
    outcome.workload.insert("slos".to_owned(), i64::try_from(slos)?);
    outcome.workload.insert("pairs".to_owned(), i64::from(pairs));
    for connections in CONNECTIONS {
        let (mut slower, mut rates) = (Vec::new(), Vec::new());
        for _ in 0..pairs {
            let (one, other) =
                (round(address, connections, &peek)?, round(address, connections, &trivial)?);
            slower.push(one.p99 / other.p99);
            rates.push(one.rate / other.rate);
        }
        let said = |what: &str| format!("{what}, {connections} connections");
        let (slower, rate) = (median(slower), median(rates));
        outcome.figures.push(Figure::new(&said("p99"), slower, "x", Must::AtMost(1.2)));
        outcome.figures.push(Figure::new(&said("requests/s"), rate, "x", Must::AtLeast(0.7)));
    }
    stop.store(true, Ordering::Relaxed);
    runtime.shutdown_timeout(Duration::from_secs(5));
    Ok(outcome)
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// What the routes answer from.
async fn share(latest: Latest, store: Store, clock: Arc<SystemClock>) -> anyhow::Result<Shared> {
    let key = Signing::default().key(&store)?;
    let recorder = Recorder::start(store.clone(), clock.clone(), key).await?;
    let (after, base) = (Span::minutes(240), String::new());
    let gate = Gate::open(recorder, store.clone(), after, base, clock.now()).await?;
    let tokens = Tokens::start(store.clone(), RateLimit::default()).await?;
    let (gate, tick) = (Arc::new(gate), Span::seconds(15));
    Ok(Shared { latest, store, clock, gate, tokens, reads_are_open: true, tick })
}

/// The engine's routes and a trivial one, and a tick every few seconds.
async fn serve(folder: &Path, slos: usize, stop: Arc<AtomicBool>) -> anyhow::Result<SocketAddr> {
    let now = SystemClock.now();
    let Rig { mut engine, store, latest } = rig(folder, slos, 1, 1_000, now).await?;
    engine.tick(now).await;
    let clock = Arc::new(SystemClock);
    let shared = share(latest, store, clock).await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let length = Arc::new(AtomicUsize::new(0));
    let body = length.clone();
    let trivial = get(move || async move {
        ([("content-type", "application/json")], "x".repeat(body.load(Ordering::Relaxed)))
    });
    let app = router(Arc::new(shared)).route("/trivial", trivial);
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, app).await {
            output::say(&format!("the server ended: {error}"));
        }
    });
    let peeked =
        tokio::task::spawn_blocking(move || Connection::to(address)?.get("/v1/gate/svc-0"));
    length.store(peeked.await??, Ordering::Relaxed);
    tokio::spawn(async move {
        while !stop.load(Ordering::Relaxed) {
            tokio::time::sleep(TICK).await;
            engine.tick(SystemClock.now()).await;
        }
    });
    Ok(address)
}

/// What a round found: the slowest of a hundred in seconds, and answers a second.
struct Round {
    p99: f64,
    rate: f64,
}

fn round(
    address: SocketAddr,
    connections: usize,
    path: &(dyn Fn(usize) -> String + Sync),
) -> anyhow::Result<Round> {
    let begun = Instant::now();
    let ask = |connection: usize| -> anyhow::Result<Vec<f64>> {
        let (mut to, mut took) = (Connection::to(address)?, Vec::new());
        while begun.elapsed() < ROUND {
            let path = path(connection * 7_919 + took.len());
            let asked = Instant::now();
            to.get(&path)?;
            took.push(asked.elapsed().as_secs_f64());
        }
        Ok(took)
    };
    let mut all = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..connections).map(|at| scope.spawn(move || ask(at))).collect();
        let mut all = Vec::new();
        for thread in threads {
            all.extend(thread.join().map_err(|_| anyhow::anyhow!("a client panicked"))??);
        }
        anyhow::Ok(all)
    })?;
    let rate = all.len() as f64 / begun.elapsed().as_secs_f64();
    all.sort_by(f64::total_cmp);
    Ok(Round { p99: all[all.len() * 99 / 100], rate })
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
    fn get(&mut self, path: &str) -> anyhow::Result<usize> {
        write!(self.stream, "GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n")?;
        let mut filled = 0;
        loop {
            let read = self.stream.read(&mut self.buffer[filled..])?;
            filled += read;
            let answer = &self.buffer[..filled];
            let Some(head) = answer.windows(4).position(|w| w == b"\r\n\r\n") else {
                anyhow::ensure!(read > 0, "the server closed the connection");
                continue;
            };
            let text = String::from_utf8_lossy(&answer[..head]).to_ascii_lowercase();
            if !text.starts_with("http/1.1 200") {
                bail!("{path}: {text}");
            }
            let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.context("no content-length")?.trim().parse()?;
            if filled >= head + 4 + length {
                return Ok(length);
            }
            anyhow::ensure!(read > 0, "the server closed the connection");
        }
    }
}
