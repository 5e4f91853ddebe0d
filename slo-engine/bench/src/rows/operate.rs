//! A server in operation over a Prometheus that scrapes: what it costs both, against one run of
//! slo-generator, and how soon a verdict changes.
//!
//! A second Prometheus with the same past scrapes the same page and is asked nothing: what it uses is no
//! cost of ours.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Context;
use headroom_bench::engine::{Engine, Serving};
use headroom_bench::random::Random;
use headroom_bench::server::{Server, Tools, Traffic, cpu_of};
use headroom_bench::traffic;
use slo_engine::clock::{Clock, SystemClock};

use super::exporter::{Exporter, SERIES_EACH, scraped};
use super::peer::{Backend, SloGenerator, WINDOWS, windows};
use crate::http::Http;
use crate::output;
use crate::report::{Figure, Must, Outcome};
use crate::world::{Size, World};

const SERVICES: Size = Size(400, 20);
/// Minutes of operation.
const MINUTES: Size = Size(10, 1);
/// Days of past that the server holds.
const DAYS: Size = Size(30, 1);
/// Seconds between two scrapes, and between two ticks, while costs are measured.
const STEADY: (u32, u32) = (60, 60);
/// The same while changes are timed.
const QUICK: (u32, u32) = (15, 15);

/// What all of it has used so far.
struct Used {
    engine: f64,
    watched: f64,
    idle: f64,
    queries: usize,
}

/// The servers.
struct Site {
    watched: Server,
    idle: Server,
    exporter: Exporter,
    engine: Engine,
    folder: PathBuf,
    services: u32,
    http: Rc<Http>,
}

pub(crate) fn run(world: &World) -> anyhow::Result<Outcome> {
    let (services, minutes) = (world.sizes.services(SERVICES), world.sizes.repeat(MINUTES));
    let runtime = tokio::runtime::Runtime::new().context("start the runtime")?;
    let (exporter, address) = runtime.block_on(Exporter::serve(services))?;
    let pages = (address, services);
    let (watched, idle) = (world.fresh("watched")?, world.fresh("idle")?);
    remember(world, &watched, services)?;
    copy(&watched, &idle).context("copy the past")?;
    let folder = world.fresh("engine")?;
    prepare(&folder, services)?;
    let mut site = Site {
        watched: scraping(&watched, "watched", pages, STEADY.0)?,
        idle: scraping(&idle, "idle", pages, STEADY.0)?,
        exporter,
        engine: world.engine.clone(),
        folder,
        services,
        http: world.http.clone(),
    };
    let measure = format!("a server in operation over Prometheus {}", site.version()?);
    let mut outcome = Outcome { measure, ..Outcome::default() };
    outcome.workload.insert("slos".to_owned(), services.into());
    outcome.workload.insert("windows".to_owned(), WINDOWS.len() as i64);
    outcome.workload.insert("minutes".to_owned(), minutes.into());
    outcome.workload.insert("days".to_owned(), world.sizes.days(DAYS).into());
    let ours = site.costs(minutes, &mut outcome)?;
    site.peer(world.fresh("peer")?, ours, &mut outcome)?;
    site.watched.stop();
    site.watched = scraping(&world.fresh("quick")?, "watched", pages, QUICK.0)?;
    // A short past has a small budget: it is gone with the first failures.
    site.folder = world.fresh("quick-engine")?;
    prepare(&site.folder, services)?;
    site.changes(world.sizes.seed, minutes, &mut outcome)?;
    Ok(outcome)
}

/// Loads a past of the same services, so that windows are as long as they say.
fn remember(world: &World, server: &Path, services: u32) -> anyhow::Result<()> {
    let days = world.sizes.days(DAYS);
    let end = SystemClock.now().timestamp() / 60 * 60;
    output::say(&format!("  writing and loading {days} days of {services} services"));
    let samples = world.fresh("samples")?;
    let tools = Tools::default();
    let seed = world.sizes.seed;
    tools.generate(&samples, &Traffic { services, histograms: 0, days, seed, end })?;
    tools.load(server, &samples)?;
    fs::remove_dir_all(&samples).with_context(|| format!("remove {}", samples.display()))
}

/// Copies a folder. A server that holds a past uses more when it collects garbage, so both hold one.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy(&entry.path(), &target)?,
            false => drop(fs::copy(entry.path(), target)?),
        }
    }
    Ok(())
}

/// A Prometheus over the pages `watched` or `idle`.
fn scraping(
    dir: &Path,
    page: &str,
    (from, services): (SocketAddr, u32),
    every: u32,
) -> anyhow::Result<Server> {
    Tools::default().start_with(dir, &scraped(page, from, services, every))
}

fn prepare(folder: &Path, services: u32) -> anyhow::Result<()> {
    let slos = folder.join("slos");
    fs::create_dir_all(&slos).with_context(|| format!("make {}", slos.display()))?;
    let specs = traffic::specs(services, 0, &windows());
    fs::write(slos.join("slos.yaml"), specs).context("write slos.yaml")?;
    let policy = "apiVersion: headroom/v1\nkind: Policy\npolicy: bench\napplies: {}\n\
                  mode: enforce\nrules: [{budget: {denyBelow: 0%}}]\nonUnknown: deny\nnoSlo: deny\n";
    fs::write(slos.join("policy.yaml"), policy).context("write policy.yaml")
}

impl Site {
    /// What Prometheus costs differs by its version.
    fn version(&self) -> anyhow::Result<String> {
        let body = self.http.get(&format!("{}/api/v1/status/buildinfo", self.watched.url()))?;
        let build: serde_json::Value = serde_json::from_str(&body)?;
        let version = build["data"]["version"].as_str();
        Ok(version.context("Prometheus does not tell its version")?.to_owned())
    }

    fn serve(&self, (scrape, tick): (u32, u32)) -> anyhow::Result<Serving> {
        let engine = self.engine.reading(self.watched.url());
        let engine = engine.with("HEADROOM__SOURCES__0__SCRAPEINTERVAL", &format!("{scrape}s"));
        engine.with("HEADROOM__SCHEDULE__TICK", &format!("{tick}s")).serve(&self.folder)
    }

    /// Waits until all of the past has been read.
    fn settle(&self, serving: &Serving) -> anyhow::Result<()> {
        let (began, patience) = (Instant::now(), Duration::from_mins(30));
        let last = traffic::name(self.services - 1);
        let url = format!("{}/v1/slos/{last}/availability", serving.url);
        output::say("  reading the past");
        loop {
            std::thread::sleep(Duration::from_secs(5));
            let view: serde_json::Value = serde_json::from_str(&self.http.get(&url)?)?;
            if view["backfill"].is_null() && began.elapsed() > Duration::from_mins(1) {
                return Ok(());
            }
            anyhow::ensure!(began.elapsed() < patience, "the past is not read: {view}");
        }
    }

    fn used(&self, serving: &Serving) -> anyhow::Result<Used> {
        Ok(Used {
            engine: cpu_of(serving.id())?,
            watched: self.watched.cpu_seconds()?,
            idle: self.idle.cpu_seconds()?,
            queries: self.watched.queries()?.len(),
        })
    }

    /// CPU seconds a minute of the engine and of Prometheus for it.
    fn costs(&self, minutes: u32, outcome: &mut Outcome) -> anyhow::Result<f64> {
        let serving = self.serve(STEADY)?;
        self.settle(&serving)?;
        output::say(&format!("  {minutes} minutes of ticks each minute, after two to settle"));
        std::thread::sleep(Duration::from_mins(2));
        let before = self.used(&serving)?;
        std::thread::sleep(Duration::from_secs(60 * u64::from(minutes)));
        let after = self.used(&serving)?;
        let all = self.watched.queries()?;
        let read = all.get(before.queries..after.queries).unwrap_or_default();
        let samples: f64 = read.iter().map(|query| query.samples).sum();
        let minutes = f64::from(minutes);
        let scrapes = minutes * 60.0 / f64::from(STEADY.0);
        let needed = f64::from(self.services * SERIES_EACH) * scrapes;
        let engine = (after.engine - before.engine) / minutes;
        let watched = (after.watched - before.watched) / minutes;
        let idle = (after.idle - before.idle) / minutes;
        let ours = engine + (watched - idle).max(0.0);
        let figure = |name: &str, value, unit, must| Figure::new(name, value, unit, must);
        outcome.figures.extend([
            figure("CPU a minute, engine", engine, "s", Must::Nothing),
            figure("CPU a minute, Prometheus over its twin", watched - idle, "s", Must::Nothing),
            // One family, one set of constrained labels.
            figure("queries a tick", read.len() as f64 / minutes, "", Must::AtMost(1.0)),
            figure("samples read / needed", samples / needed, "x", Must::AtMost(1.3)),
        ]);
        Ok(ours)
    }

    fn peer(&self, folder: PathBuf, ours: f64, outcome: &mut Outcome) -> anyhow::Result<()> {
        let peer =
            SloGenerator::new(folder, Backend::Prometheus, self.watched.url(), self.services)?;
        output::say("  one run of slo-generator");
        let (watched, idle) = (self.watched.cpu_seconds()?, self.idle.cpu_seconds()?);
        let own = peer.run()?;
        let watched = self.watched.cpu_seconds()? - watched;
        let theirs = own + (watched - (self.idle.cpu_seconds()? - idle)).max(0.0);
        outcome.figures.extend([
            Figure::new("CPU of one run of slo-generator", theirs, "s", Must::Nothing),
            Figure::new("slo-generator's / ours", theirs / ours, "x", Must::AtLeast(500.0)),
        ]);
        Ok(())
    }

    /// Lets services fail, half of them in all, and times how long after Prometheus could have seen
    /// it the gate denies.
    fn changes(&self, seed: u64, minutes: u32, outcome: &mut Outcome) -> anyhow::Result<()> {
        let serving = self.serve(QUICK)?;
        std::thread::sleep(Duration::from_secs(2 * u64::from(QUICK.1)));
        let (mut random, count) = (Random::new(seed), self.services as usize / 2);
        let stretch = f64::from(minutes) * 30.0;
        let most = (stretch * 1e3) as i64;
        let mut due: Vec<f64> = (0..count).map(|_| random.between(0, most) as f64 / 1e3).collect();
        due.sort_by(f64::total_cmp);
        output::say(&format!("  {count} services fail within {stretch} s"));
        let (begun, mut next, mut waiting, mut took) = (Instant::now(), 0, Vec::new(), Vec::new());
        while took.len() < count {
            anyhow::ensure!(begun.elapsed().as_secs_f64() < stretch + 120.0, "no verdict changes");
            while next < count && due[next] <= begun.elapsed().as_secs_f64() {
                self.exporter.fail(next);
                waiting.push(next);
                next += 1;
            }
            let mut still = Vec::new();
            for service in waiting {
                match self.denied(&serving, service)? {
                    Some(seconds) => took.push(seconds),
                    None => still.push(service),
                }
            }
            waiting = still;
            std::thread::sleep(Duration::from_millis(50));
        }
        took.sort_by(f64::total_cmp);
        let p99 = took[(took.len() * 99 / 100).min(took.len() - 1)];
        let must = Must::AtMost(f64::from(QUICK.1) + 1.0);
        outcome.figures.push(Figure::new("to the changed verdict, p99", p99, "s", must));
        Ok(())
    }

    /// How long after the first scrape of its failing a service is denied, when it is.
    fn denied(&self, serving: &Serving, service: usize) -> anyhow::Result<Option<f64>> {
        let Some(seen) = self.exporter.seen(service) else { return Ok(None) };
        let url = format!("{}/v1/gate/{}", serving.url, traffic::name(service as u32));
        let body = self.http.get(&url)?;
        let decision: serde_json::Value = serde_json::from_str(&body)?;
        Ok((decision["verdict"] == "deny").then(|| seen.elapsed().as_secs_f64()))
    }
}
