//! Servers killed with `kill -9` at random instants, over a Prometheus and over scraped pages: at the
//! end each has counted what there was to count.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use headroom_bench::engine::{Engine, Serving};
use headroom_bench::random::Random;
use headroom_bench::server::Tools;
use headroom_bench::traffic;
use slo_core::view::BudgetView;

use super::exporter::{Exporter, scraped};
use crate::http::Http;
use crate::output;
use crate::report::{Figure, Must, Outcome};
use crate::world::{Size, World};

const SERVICES: Size = Size(20, 4);
const KILLS: Size = Size(200, 5);

/// A server that lives for a second or so, and what it is asked at the end.
struct Victim {
    name: &'static str,
    engine: Engine,
    folder: std::path::PathBuf,
    serving: Option<Serving>,
    dies: Instant,
    kills: u32,
}

pub(crate) fn run(world: &World) -> anyhow::Result<Outcome> {
    let (services, kills) = (world.sizes.services(SERVICES), world.sizes.repeat(KILLS));
    let runtime = tokio::runtime::Runtime::new().context("start the runtime")?;
    let (exporter, address) = runtime.block_on(Exporter::serve(services))?;
    let config = scraped("idle", address, 1);
    let prometheus = Tools::default().start_with(&world.fresh("server")?, &config)?;
    let fast = world.engine.with("HEADROOM__SCHEDULE__TICK", "1s");
    let fast = fast.with("HEADROOM__SOURCES__0__SCRAPEINTERVAL", "1s");
    let scraping = fast.with("HEADROOM__SOURCES__0__KIND", "scrape");
    let pages = Exporter::pages(address);
    let mut victims = [
        victim(world, "Prometheus", fast.reading(prometheus.url()), services)?,
        victim(world, "scrape", scraping.with("HEADROOM__SOURCES__0__TARGETS", &pages), services)?,
    ];
    // Every other service fails from early on, so that there is something bad to count.
    std::thread::sleep(Duration::from_secs(10));
    (0..services as usize).step_by(2).for_each(|service| exporter.fail(service));
    output::say(&format!("  {kills} kills of each of {} servers", victims.len()));
    let mut random = Random::new(world.sizes.seed);
    while victims.iter().any(|victim| victim.kills < kills) {
        for victim in victims.iter_mut().filter(|victim| victim.dies <= Instant::now()) {
            victim.kill(&mut random)?;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    exporter.end();
    // A scrape, ticks, and for the scrape source the minute that a late page may still change.
    std::thread::sleep(Duration::from_secs(15));
    let mut outcome =
        Outcome { measure: "servers killed at random instants".to_owned(), ..Outcome::default() };
    outcome.workload.insert("slos".to_owned(), services.into());
    outcome.workload.insert("kills".to_owned(), kills.into());
    for victim in &victims {
        let off = victim.off(&world.http, &exporter)?;
        let name = format!("events off, {}", victim.name);
        outcome.figures.push(Figure::new(&name, off, "", Must::AtMost(0.0)));
    }
    Ok(outcome)
}

/// A server whose first read is done and committed.
fn victim(
    world: &World,
    name: &'static str,
    engine: Engine,
    services: u32,
) -> anyhow::Result<Victim> {
    let folder = world.fresh(name)?;
    let slos = folder.join("slos");
    fs::create_dir_all(&slos).with_context(|| format!("make {}", slos.display()))?;
    fs::write(slos.join("slos.yaml"), traffic::specs(services, 0, "7d")).context("write SLOs")?;
    let serving = Some(engine.serve(&folder)?);
    let dies = Instant::now() + Duration::from_secs(12);
    Ok(Victim { name, engine, folder, serving, dies, kills: 0 })
}

impl Victim {
    /// Ends the process and starts the next, which lives for up to two seconds.
    fn kill(&mut self, random: &mut Random) -> anyhow::Result<()> {
        drop(self.serving.take());
        self.kills += 1;
        self.serving = Some(self.engine.serve(&self.folder)?);
        let lives = u64::try_from(random.between(50, 2_000)).unwrap_or(1_000);
        self.dies = Instant::now() + Duration::from_millis(lives);
        Ok(())
    }

    /// By how many events all of its counts are off: from what one read of the same past counts, or
    /// from what the pages grew by.
    fn off(&self, http: &Http, exporter: &Exporter) -> anyhow::Result<f64> {
        let serving = self.serving.as_ref().context("no server runs")?;
        let body = http.get(&format!("{}/v1/slos?limit=500", serving.url))?;
        let page: serde_json::Value = serde_json::from_str(&body)?;
        let views: Vec<BudgetView> = serde_json::from_value(page["items"].clone())?;
        let mut truth = Vec::new();
        if self.name == "scrape" {
            truth.extend((0..views.len()).map_while(|service| exporter.grown(service)));
        } else {
            let now = views.iter().map(|view| view.evaluated_at.timestamp_millis()).max();
            let all = self.engine.budget(&slos(&self.folder), now.context("no SLO")?)?;
            truth.extend(all.iter().map(counts));
        }
        anyhow::ensure!(!truth.is_empty() && truth.len() == views.len(), "not every SLO is known");
        let mut off = 0.0;
        for (view, truth) in views.iter().zip(truth) {
            let seen = counts(view);
            let differs = (seen.0 - truth.0).abs() + (seen.1 - truth.1).abs();
            if differs > 0.0 {
                output::say(&format!("  {}: {}: {seen:?} for {truth:?}", self.name, view.service));
            }
            off += differs;
        }
        Ok(off)
    }
}

fn slos(folder: &Path) -> std::path::PathBuf {
    folder.join("slos")
}

/// All and bad events of the first window.
fn counts(view: &BudgetView) -> (f64, f64) {
    let window = view.windows.first();
    let number = |value: Option<f64>| value.unwrap_or(f64::NAN);
    window.map_or((f64::NAN, f64::NAN), |w| (number(w.total), number(w.bad)))
}
