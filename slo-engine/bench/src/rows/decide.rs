//! Recorded decisions over HTTP with many callers at once, while ticks run, against a trivial route of
//! the same process with a body of equal length. Each answer is on the disk before it is given.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use slo_engine::record::audit::audit;

use super::answers::{Round, Server, median, post};
use crate::output;
use crate::report::{Figure, Must, Outcome};
use crate::world::{Size, World};

const SLOS: Size = Size(10_000, 1_000);
const PAIRS: Size = Size(15, 3);
const CALLERS: usize = 64;
const ROUND: Duration = Duration::from_secs(1);

pub(crate) fn run(world: &World) -> anyhow::Result<Outcome> {
    let (slos, pairs) = (world.sizes.services(SLOS) as usize, world.sizes.repeat(PAIRS));
    let runtime = tokio::runtime::Runtime::new().context("start the runtime")?;
    let folder = world.fresh("decide")?;
    let server = runtime.block_on(Server::start(&folder, slos))?;
    let token = &server.token;
    runtime.block_on(server.imitate(post("/v1/gate/decisions", token, &question(0, "first"))))?;
    output::say(&format!("  {pairs} pairs of rounds of {} s", ROUND.as_secs()));
    let (mut ours, mut theirs, mut disk) = (Vec::new(), Vec::new(), Vec::new());
    for pair in 0..pairs {
        // A question that was asked before gets its answer without a record.
        let asked = |caller: usize, at: usize| {
            question((caller * 7_919 + at) % slos, &format!("{pair}.{caller}.{at}"))
        };
        let decide = |caller, at| post("/v1/gate/decisions", token, &asked(caller, at));
        let trivial = |caller, at| post("/trivial", token, &asked(caller, at));
        ours.push(Round::of(server.address, CALLERS, ROUND, &decide)?);
        theirs.push(Round::of(server.address, CALLERS, ROUND, &trivial)?);
        disk.push(synchronise(&folder)?);
    }
    let recorded = ours.iter().map(|round| round.took.len()).sum::<usize>() + 1;
    runtime.block_on(server.stop());
    let found = runtime.block_on(audit(&server.store, &[], None, &|_| {}))?;
    let is_right = found.is_whole() && usize::try_from(found.end.seq)? == recorded;
    anyhow::ensure!(is_right, "{recorded} were answered, the chain says {found:?}");
    runtime.shutdown_timeout(Duration::from_secs(5));
    let mut outcome = outcome(&ours, &theirs, recorded);
    let name = "a bare write of 64 KiB to the disk";
    outcome.figures.push(Figure::new(name, median(disk) * 1e3, "ms", Must::Nothing));
    Ok(outcome)
}

fn outcome(ours: &[Round], theirs: &[Round], recorded: usize) -> Outcome {
    let measure = "recorded decisions over HTTP".to_owned();
    let mut outcome = Outcome { measure, ..Outcome::default() };
    for (name, count) in [("callers", CALLERS), ("rounds", ours.len()), ("decisions", recorded)] {
        outcome.workload.insert(name.to_owned(), i64::try_from(count).unwrap_or(0));
    }
    let mut took: Vec<f64> = ours.iter().flat_map(|round| round.took.iter().copied()).collect();
    took.sort_by(f64::total_cmp);
    let all = Round { took, rate: median(ours.iter().map(|round| round.rate).collect()) };
    let ratio = |of: fn(&Round) -> f64| {
        median(ours.iter().zip(theirs).map(|(one, other)| of(one) / of(other)).collect())
    };
    outcome.figures = vec![
        Figure::new("p99", all.p99() * 1e3, "ms", Must::AtMost(25.0)),
        Figure::new("median", all.took[all.took.len() / 2] * 1e3, "ms", Must::Nothing),
        Figure::new("decisions", all.rate, "/s", Must::Nothing),
        Figure::new("p99 against the trivial route", ratio(Round::p99), "x", Must::Nothing),
        Figure::new("decisions/s against it", ratio(|round| round.rate), "x", Must::Nothing),
    ];
    outcome
}

/// How long the disk takes for as much as a commit has, in seconds: figures mean little where that is
/// long. The median of some.
fn synchronise(folder: &Path) -> anyhow::Result<f64> {
    let path = folder.join("bare");
    let mut file =
        OpenOptions::new().create(true).append(true).open(path).context("open a file")?;
    let mut took = Vec::new();
    for _ in 0..9 {
        let begun = Instant::now();
        file.write_all(&[1; 64 * 1_024])?;
        file.sync_all()?;
        took.push(begun.elapsed().as_secs_f64());
    }
    Ok(median(took))
}

fn question(service: usize, version: &str) -> String {
    format!(r#"{{"service": "svc-{service}", "environment": "p", "version": "{version}"}}"#)
}
