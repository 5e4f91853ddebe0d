//! Ticks of many SLOs over a source that costs nothing: time, memory and how both grow.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use chrono::{DateTime, Utc};
use slo_core::bucket::Bucket;
use slo_core::counter::Sample;
use slo_core::labels::Labels;
use slo_core::ledger::Hour;
use slo_core::plan::Feeds;
use slo_core::time::Minute;
use slo_engine::config::Config;
use slo_engine::declared;
use slo_engine::evaluate::backfill::Filled;
use slo_engine::evaluate::engine::Engine;
use slo_engine::evaluate::snapshot::Latest;
use slo_engine::source::intake::Intake;
use slo_engine::source::reader::{Later, MetricSource, Read};
use slo_engine::store::Store;

use crate::output;
use crate::report::{Figure, Must, Outcome};
use crate::world::{END, Size, World};

const SLOS: Size = Size(100_000, 1_000);
const TICKS: u32 = 5;

/// Two counters for each SLO, 60 s apart: 600 requests a minute of which one fails.
#[derive(Debug)]
struct Synthetic {
    slos: usize,
}

impl MetricSource for Synthetic {
    fn prepare<'a>(&'a self, _: &'a mut Feeds, _: i64, _: i64) -> Later<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn read<'a>(&'a self, intake: &'a mut Intake, from: i64, to: i64) -> Later<'a, Read> {
        Box::pin(async move {
            let mut samples = 0;
            for slo in 0..self.slos {
                for (code, rate) in [("200", 599), ("500", 1)] {
                    let minutes = from.div_euclid(60_000) + 1..=to.div_euclid(60_000);
                    let sample = |m: i64| Sample { at: m * 60_000, value: (m * rate) as f64 };
                    let name = format!("svc-{slo}");
                    let labels =
                        [("__name__", "t_total"), ("service", name.as_str()), ("code", code)];
                    let all: Vec<Sample> = minutes.map(sample).collect();
                    samples += all.len();
                    intake.take(0, &Labels::new(labels), &all, None);
                }
            }
            Ok(Read { outcomes: intake.settle(&|_, _| None, to), samples, ..Read::default() })
        })
    }
}

pub(crate) fn run(world: &World) -> anyhow::Result<Outcome> {
    let most = world.sizes.services(SLOS) as usize;
    let runtime = tokio::runtime::Runtime::new().context("start the runtime")?;
    let mut outcome =
        Outcome { measure: "ticks over a synthetic source".to_owned(), ..Outcome::default() };
    let mut seen = Vec::new();
    // The one with a past comes first: its memory is over that of a server with one SLO.
    runtime.block_on(measure(&world.fresh("1")?, 1, 1, 0))?;
    for (slos, windows, days) in
        [(most / 10, 1, 30), (most / 10, 1, 0), (most / 10, 4, 0), (most, 1, 0)]
    {
        let folder = world.fresh(&format!("{slos}-{windows}-{days}"))?;
        let one = runtime.block_on(measure(&folder, slos, windows, days))?;
        output::say(&format!("  {slos} SLOs x {windows} windows, {days} d of past: {one:?}"));
        seen.push(one);
    }
    let growth = (seen[3].tick / seen[1].tick).log10();
    outcome.workload.insert("slos".to_owned(), i64::try_from(most)?);
    outcome.figures = vec![
        Figure::new("tick, all SLOs", seen[3].tick, "s", Must::AtMost(2.0)),
        Figure::new("memory, all SLOs", seen[3].memory_gib, "GiB", Must::AtMost(2.5)),
        Figure::new("growth with series (exponent)", growth, "", Must::AtMost(1.1)),
        Figure::new("4 windows instead of 1", seen[2].tick / seen[1].tick, "x", Must::AtMost(1.5)),
        Figure::new("memory per SLO with 30 d", seen[0].kib_per_slo, "KiB", Must::AtMost(16.0)),
        Figure::new("database per SLO", seen[0].disk_kib, "KiB", Must::Nothing),
    ];
    Ok(outcome)
}

#[derive(Debug)]
struct Measured {
    tick: f64,
    memory_gib: f64,
    kib_per_slo: f64,
    disk_kib: f64,
}

/// An engine over the synthetic source, in a folder with `slos/` and `data/` as a server has them.
pub(super) struct Rig {
    pub(super) engine: Engine,
    pub(super) store: Store,
    pub(super) latest: Latest,
}

pub(super) async fn rig(
    folder: &Path,
    slos: usize,
    windows: usize,
    together: usize,
    now: DateTime<Utc>,
) -> anyhow::Result<Rig> {
    let (specs, data) = (folder.join("slos"), folder.join("data"));
    std::fs::create_dir_all(&specs)?;
    std::fs::create_dir_all(&data)?;
    write_specs(&specs, slos, windows, together)?;
    let declared = declared::read(&[specs], None).map_err(|e| anyhow::anyhow!("{}", e[0]))?;
    let mut config = Config::default();
    // One query for all, so that the source need not know which SLO is in which.
    config.sources[0].max_query_bytes = usize::MAX;
    config.store.url = format!("sqlite://{}", data.join("headroom.db").display());
    let store = Store::open(&config.store.url).await?;
    let latest = Latest::default();
    let (declared, requested) = (Arc::new(declared), Arc::default());
    let engine =
        Engine::start(&config, declared, store.clone(), latest.clone(), requested, now).await?;
    let source: Arc<dyn MetricSource> = Arc::new(Synthetic { slos });
    Ok(Rig { engine: engine.with_source("prometheus", &source), store, latest })
}

async fn measure(
    folder: &Path,
    slos: usize,
    windows: usize,
    days: i64,
) -> anyhow::Result<Measured> {
    let empty = memory();
    let now =
        |minute: i64| DateTime::<Utc>::from_timestamp(END + minute * 60 + 1, 0).unwrap_or_default();
    let Rig { mut engine, store, latest } = rig(folder, slos, windows, 1_000, now(0)).await?;
    engine.tick(now(0)).await;
    fill_with(&mut engine, slos, days, now(0), usual_hour).await;
    let mut times = Vec::new();
    for tick in 1..=i64::from(TICKS) {
        let begun = Instant::now();
        engine.tick(now(tick)).await;
        times.push(begun.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    let used = memory() - empty;
    check(&latest, slos, filled_to(now(0)).0 - days * 1_440..filled_to(now(0)).0)?;
    Ok(Measured {
        tick: times[times.len() / 2],
        memory_gib: memory() / 1_048_576.0,
        kib_per_slo: used / slos as f64,
        disk_kib: store.size().await? as f64 / 1_024.0 / slos as f64,
    })
}

/// Besides the past, which is known, one of 600 requests fails.
fn check(latest: &Latest, slos: usize, filled: Range<i64>) -> anyhow::Result<()> {
    let snapshot = latest.get().context("no snapshot")?;
    let first = snapshot.all().next().context("no view")?;
    let from = Minute::of(first.windows[0].from).0.max(filled.start);
    let add = |(total, bad): (i64, i64), minute| (total + past(minute).0, bad + past(minute).1);
    let (past_total, past_bad) = (from..filled.end).fold((0, 0), add);
    let wrong = snapshot.all().filter(|view| {
        let window = &view.windows[0];
        let (Some(bad), Some(total)) = (window.bad, window.total) else { return true };
        let (bad, total) = (bad - past_bad as f64, total - past_total as f64);
        total < 600.0 || (bad * 600.0 - total).abs() > 0.5
    });
    let (count, wrong) = (snapshot.all().count(), wrong.count());
    anyhow::ensure!(count == slos && wrong == 0, "{wrong} of {count} SLOs count wrongly");
    Ok(())
}

/// The first minute after what is filled in.
fn filled_to(now: DateTime<Utc>) -> Minute {
    Minute(Minute::of(now).hour() * 60 - 60)
}

/// Days in which nothing varies.
pub(super) async fn fill(engine: &mut Engine, slos: usize, days: i64, now: DateTime<Utc>) {
    fill_with(engine, slos, days, now, |_| hour_of(|_| (600, 1))).await;
}

/// Days of minutes, a slice of days at a time, as a backfill brings them.
async fn fill_with(
    engine: &mut Engine,
    slos: usize,
    days: i64,
    now: DateTime<Utc>,
    hour: impl Fn(i64) -> Hour,
) {
    let end = filled_to(now);
    let day: Vec<Hour> = (0..24).map(hour).collect();
    let of_day = |at: i64| day[usize::try_from(at.rem_euclid(24)).unwrap_or(0)].clone();
    for ago in (0..days).step_by(3) {
        let (from, until) = (end - (ago + 3) * 1_440, end - ago * 1_440);
        for members in (0..slos).collect::<Vec<_>>().chunks(64) {
            let hours =
                || (from.hour()..until.hour()).map(|at| (at, of_day(at))).collect::<Vec<_>>();
            let hours = members.iter().map(|slo| (*slo, hours())).collect();
            engine
                .filled(
                    Filled { hours, from: Some(from), until: Some(until), ..Filled::default() },
                    now,
                )
                .await;
        }
    }
}

/// All and bad requests of a minute of the past: about 600 of which one fails, but thrice as many at
/// noon as at midnight, and some more or fewer from minute to minute.
const fn past(minute: i64) -> (i64, i64) {
    let of_day = minute.rem_euclid(1_440);
    let by_hour = 300 + 50 * (12 - (of_day / 60 - 12).abs());
    (by_hour + of_day * 37 % 61, (of_day * 29 + of_day / 60) % 6 / 2)
}

fn usual_hour(hour: i64) -> Hour {
    hour_of(|at| past(hour * 60 + at))
}

/// An hour of all and bad requests by minute.
fn hour_of(minute: impl Fn(i64) -> (i64, i64)) -> Hour {
    let mut minutes = Hour::default();
    for at in 0..60 {
        let (total, bad) = minute(at);
        let bucket = Bucket { good: total - bad, total, measured: true, ..Bucket::default() };
        minutes.set(usize::try_from(at).unwrap_or(0), &bucket);
    }
    minutes
}

pub(super) fn write_specs(
    folder: &Path,
    slos: usize,
    windows: usize,
    together: usize,
) -> anyhow::Result<()> {
    let list = ["30d", "28d", "14d", "7d"][..windows].join(", ");
    for (file, part) in (0..slos).collect::<Vec<_>>().chunks(together).enumerate() {
        let mut text = String::new();
        for slo in part {
            text += &format!(
                "---\napiVersion: headroom/v1\nkind: Service\nservice: svc-{slo}\ntier: 2\nenvironment: p\nslos:\n  - name: a\n    objective: 99%\n    window: [{list}]\n    indicator: {{ratio: {{total: 't_total{{service=\"svc-{slo}\"}}', bad: '{{code=~\"5..\"}}'}}}}\n"
            );
        }
        std::fs::write(folder.join(format!("{file}.yaml")), text)?;
    }
    Ok(())
}

/// Resident memory of this process in KiB.
fn memory() -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    kib.and_then(|kib| kib.parse().ok()).unwrap_or(f64::NAN)
}
