//! Callers that record at once, against a bare group commit of the same bytes to SQLite in the same
//! folder: what the chain, the columns and their indexes cost.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use slo_engine::clock::{Clock, SystemClock};
use slo_engine::record::audit::audit;
use slo_engine::record::signing::Signing;
use slo_engine::record::{Entry, RecordKind, Recorder};
use slo_engine::store::Store;
use tokio::task::JoinSet;

use bare::Bare;

use crate::output;
use crate::report::{Figure, Must, Outcome};
use crate::world::{Size, World};

mod bare;

const CALLERS: usize = 64;
const PAIRS: Size = Size(15, 3);
const ROUND: Duration = Duration::from_secs(1);
const WITHIN: Duration = Duration::from_secs(30);

pub(crate) fn run(world: &World) -> anyhow::Result<Outcome> {
    let pairs = world.sizes.repeat(PAIRS);
    let runtime = tokio::runtime::Runtime::new().context("start the runtime")?;
    let folder = world.fresh("databases")?;
    runtime.block_on(measure(&folder, pairs))
}

async fn measure(folder: &Path, pairs: u32) -> anyhow::Result<Outcome> {
    let store = Store::open(&format!("sqlite://{}/records.db", folder.display())).await?;
    let key = Signing::default().key(&store)?;
    let recorder = Recorder::start(store.clone(), Arc::new(SystemClock), key).await?;
    let bare = Bare::start(&folder.join("bare.db")).await?;
    output::say(&format!("  {pairs} pairs of rounds of {} s", ROUND.as_secs()));
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..pairs {
        ours.push(round(|at| record(recorder.clone(), at)).await?);
        theirs.push(round(|at| write(bare.clone(), at)).await?);
    }
    recorder.stop().await;
    let recorded: usize = ours.iter().map(|round| round.count).sum();
    let found = audit(&store, &[], None, &|_| {}).await?;
    let is_right = found.is_whole() && usize::try_from(found.end.seq)? == recorded;
    anyhow::ensure!(is_right, "{recorded} were acknowledged, the chain says {found:?}");
    store.close().await;
    Ok(outcome(&ours, &theirs, recorded))
}

fn outcome(ours: &[Round], theirs: &[Round], recorded: usize) -> Outcome {
    let measure = "records of 2 KiB against a bare group commit".to_owned();
    let mut outcome = Outcome { measure, ..Outcome::default() };
    for (name, count) in [("callers", CALLERS), ("rounds", ours.len()), ("records", recorded)] {
        outcome.workload.insert(name.to_owned(), i64::try_from(count).unwrap_or(0));
    }
    let ratio = |of: fn(&Round) -> f64| median(ours.iter().zip(theirs).map(|(a, b)| of(a) / of(b)));
    let only = |of: fn(&Round) -> f64| median(ours.iter().map(of));
    outcome.figures = vec![
        Figure::new("throughput", ratio(|r| r.rate), "x", Must::AtLeast(0.5)),
        Figure::new("p99", ratio(|r| r.p99), "x", Must::AtMost(2.0)),
        Figure::new("records", only(|r| r.rate), "/s", Must::Nothing),
        Figure::new("p99 of a record", only(|r| r.p99) * 1e3, "ms", Must::Nothing),
    ];
    outcome
}

fn median(all: impl Iterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = all.collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// What a round found: answers, answers a second, and the slowest of a hundred in seconds.
struct Round {
    count: usize,
    rate: f64,
    p99: f64,
}

/// All callers at once, each asking again as soon as it has an answer.
async fn round<T>(ask: impl Fn(usize) -> T) -> anyhow::Result<Round>
where
    T: Future<Output = anyhow::Result<Vec<f64>>> + Send + 'static,
{
    let begun = Instant::now();
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        callers.spawn(ask(caller));
    }
    let mut all = Vec::new();
    while let Some(took) = callers.join_next().await {
        all.extend(took.context("a caller panicked")??);
    }
    let rate = all.len() as f64 / begun.elapsed().as_secs_f64();
    all.sort_by(f64::total_cmp);
    Ok(Round { count: all.len(), rate, p99: all[all.len() * 99 / 100] })
}

async fn record(recorder: Recorder, caller: usize) -> anyhow::Result<Vec<f64>> {
    let (begun, mut took) = (Instant::now(), Vec::new());
    while begun.elapsed() < ROUND {
        let (now, asked) = (SystemClock.now(), Instant::now());
        let id = format!("{}-{caller}-{}", now.timestamp_millis(), took.len());
        let entry = Entry {
            kind: RecordKind::Decision,
            at: now,
            service: format!("svc-{caller}"),
            environment: "production".to_owned(),
            verdict: Some("deny".to_owned()),
            json: json(&id),
            idempotency: Some((id.clone(), [7; 32])),
            id,
        };
        recorder.record(entry, WITHIN).await?;
        took.push(asked.elapsed().as_secs_f64());
    }
    Ok(took)
}

async fn write(bare: Bare, caller: usize) -> anyhow::Result<Vec<f64>> {
    let (begun, mut took) = (Instant::now(), Vec::new());
    while begun.elapsed() < ROUND {
        let (now, asked) = (SystemClock.now(), Instant::now());
        let id = format!("{}-{caller}-{}", now.timestamp_millis(), took.len());
        bare.write(json(&id)).await?;
        took.push(asked.elapsed().as_secs_f64());
    }
    Ok(took)
}

/// 2 KiB, as a decision with some rules has.
fn json(id: &str) -> Vec<u8> {
    format!(r#"{{"id": "{id}", "why": "{:.<2020}"}}"#, "").into_bytes()
}
