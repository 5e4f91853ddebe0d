//! From `kill -9` in mid-tick to the first verdict of the next process, which says how old it is. Any
//! service may be the first that is asked about.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use headroom_bench::random::Random;
use slo_engine::clock::{Clock, SystemClock};

use super::ticks::{Rig, fill, rig, write_specs};
use crate::output;
use crate::report::{Figure, Must, Outcome};
use crate::world::{Size, World};

const SLOS: Size = Size(10_000, 1_000);
const RUNS: Size = Size(9, 3);
const DAYS: i64 = 30;

pub(crate) fn run(world: &World) -> anyhow::Result<Outcome> {
    let slos = world.sizes.services(SLOS) as usize;
    let runs = world.sizes.repeat(RUNS);
    let runtime = tokio::runtime::Runtime::new().context("start the runtime")?;
    let mut outcome = Outcome {
        measure: "kill -9 in mid-tick to the next verdict".to_owned(),
        ..Outcome::default()
    };
    outcome.workload.insert("slos".to_owned(), i64::try_from(slos)?);
    // A source that takes the question and never answers: each kill hits a tick that waits.
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let source = format!("http://{}", silent.local_addr()?);
    let mut random = Random::new(world.sizes.seed);
    let mut left: Option<PathBuf> = None;
    for (name, together, limit) in
        [("a thousand SLOs a file", 1_000, 0.5), ("five SLOs a file", 5, 1.0)]
    {
        let folder = world.fresh(&together.to_string())?;
        match &left {
            None => runtime.block_on(prepare(&folder, slos, together))?,
            Some(left) => take_over(left, &folder, slos, together)?,
        }
        left = Some(folder.clone());
        output::say(&format!("  {slos} SLOs with {DAYS} d, {name}"));
        let mut times = Vec::new();
        for _ in 0..runs {
            let asked = format!("svc-{}", random.between(0, i64::try_from(slos)?));
            times.push(once(world, &folder, &source, &asked)?);
        }
        times.sort_by(f64::total_cmp);
        let said = format!("to the first verdict, {name}");
        outcome.figures.push(Figure::new(&said, times[times.len() / 2], "s", Must::AtMost(limit)));
    }
    Ok(outcome)
}

/// A ledger with a past, as a server leaves it.
async fn prepare(folder: &Path, slos: usize, together: usize) -> anyhow::Result<()> {
    let now = SystemClock.now();
    let Rig { mut engine, store, .. } = rig(folder, slos, 1, together, now).await?;
    engine.tick(now).await;
    fill(&mut engine, slos, DAYS, now).await;
    engine.tick(SystemClock.now()).await;
    store.close().await;
    Ok(())
}

/// The same ledger, with its SLOs in other files.
fn take_over(left: &Path, folder: &Path, slos: usize, together: usize) -> anyhow::Result<()> {
    let (specs, data) = (folder.join("slos"), folder.join("data"));
    std::fs::create_dir_all(&specs)?;
    std::fs::create_dir_all(&data)?;
    write_specs(&specs, slos, 1, together)?;
    for file in std::fs::read_dir(left.join("data"))? {
        let file = file?;
        std::fs::copy(file.path(), data.join(file.file_name()))?;
    }
    Ok(())
}

/// Starts, waits for a verdict, kills.
fn once(world: &World, folder: &Path, source: &str, asked: &str) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let serving = world.engine.reading(source).serve(folder)?;
    let url = format!("{}/v1/gate/{asked}", serving.url);
    while begun.elapsed() < Duration::from_mins(1) {
        if let Ok(body) = world.http.get(&url) {
            let took = begun.elapsed().as_secs_f64();
            let decision: serde_json::Value = serde_json::from_str(&body)?;
            // One request in 600 fails: a sixth of the budget of 99 %.
            let observed = |name: &str| {
                let mut rules = decision["rules"].as_array().into_iter().flatten();
                rules.find(|rule| rule["rule"] == name)?["observed"].as_f64()
            };
            let (left, age) = (observed("budget").unwrap_or_default(), observed("freshness"));
            let right = (left - 5.0 / 6.0).abs() < 1e-3;
            anyhow::ensure!(right && age.is_some(), "not the verdict of the past: {body}");
            // Long enough for the tick to be under way.
            std::thread::sleep(Duration::from_millis(300));
            return Ok(took);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    bail!("no verdict within a minute, see {}", folder.join("serve.log").display())
}
