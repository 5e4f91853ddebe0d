//! Servers killed with `kill -9` at random instants, over a Prometheus and over scraped pages: at the
//! end each has counted what there was to count.

use std::time::Duration;

use anyhow::Context;
use headroom_bench::engine::Engine;
use headroom_bench::random::Random;
use headroom_bench::server::Tools;
use headroom_bench::traffic;
use slo_core::view::BudgetView;

use super::exporter::{Exporter, scraped};
use super::victim::Victim;
use crate::http::Http;
use crate::output;
use crate::report::{Figure, Must, Outcome};
use crate::world::{Size, World};

const SERVICES: Size = Size(20, 4);
const KILLS: Size = Size(200, 5);
const PROMETHEUS: &str = "Prometheus";
const SCRAPE: &str = "scrape";

pub(crate) fn run(world: &World) -> anyhow::Result<Outcome> {
    let (services, kills) = (world.sizes.services(SERVICES), world.sizes.repeat(KILLS));
    let runtime = tokio::runtime::Runtime::new().context("start the runtime")?;
    let (exporter, address) = runtime.block_on(Exporter::serve(services))?;
    let config = scraped("idle", address, services, 1);
    let prometheus = Tools::default().start_with(&world.fresh("server")?, &config)?;
    let fast = world.engine.with("HEADROOM__SCHEDULE__TICK", "1s");
    let fast = fast.with("HEADROOM__SOURCES__0__SCRAPEINTERVAL", "1s");
    let scraping = fast.with("HEADROOM__SOURCES__0__KIND", "scrape");
    let pages = exporter.pages(address);
    let mut victims = [
        victim(world, PROMETHEUS, fast.reading(prometheus.url()), services)?,
        victim(world, SCRAPE, scraping.with("HEADROOM__SOURCES__0__TARGETS", &pages), services)?,
    ];
    // Every other service fails from early on, so that there is something bad to count.
    std::thread::sleep(Duration::from_secs(10));
    (0..services as usize).step_by(2).for_each(|service| exporter.fail(service));
    output::say(&format!("  {kills} kills of each of {} servers", victims.len()));
    let mut random = Random::new(world.sizes.seed);
    while victims.iter().any(|victim| victim.kills < kills) {
        for victim in victims.iter_mut().filter(|victim| victim.is_due()) {
            victim.kill(Duration::from_millis(random.between(50, 2_000).unsigned_abs()))?;
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
    for (name, victim) in [PROMETHEUS, SCRAPE].into_iter().zip(&victims) {
        let off = off(name, victim, &world.http, &exporter)?;
        let name = format!("events off, {name}");
        outcome.figures.push(Figure::new(&name, off, "", Must::AtMost(0.0)));
    }
    Ok(outcome)
}

/// A server whose first read is done and committed before it dies.
fn victim(world: &World, name: &str, engine: Engine, services: u32) -> anyhow::Result<Victim> {
    let specs = traffic::specs(services, 0, "7d");
    Victim::start(engine, world.fresh(name)?, &specs, Duration::from_secs(12))
}

/// By how many events all counts of a server are off: from what one read of the same past counts, or
/// from what the pages grew by.
fn off(name: &str, victim: &Victim, http: &Http, exporter: &Exporter) -> anyhow::Result<f64> {
    let views = victim.views(http)?;
    let mut truth = Vec::new();
    if name == SCRAPE {
        truth.extend((0..views.len()).map_while(|service| exporter.grown(service)));
    } else {
        let now = views.iter().map(|view| view.evaluated_at.timestamp_millis()).max();
        let all = victim.engine.budget(&victim.slos(), now.context("no SLO")?)?;
        truth.extend(all.iter().map(counts));
    }
    anyhow::ensure!(!truth.is_empty() && truth.len() == views.len(), "not every SLO is known");
    let mut off = 0.0;
    for (view, truth) in views.iter().zip(truth) {
        let seen = counts(view);
        let differs = (seen.0 - truth.0).abs() + (seen.1 - truth.1).abs();
        if differs > 0.0 {
            output::say(&format!("  {name}: {}: {seen:?} for {truth:?}", view.service));
        }
        off += differs;
    }
    Ok(off)
}

/// All and bad events of the first window.
fn counts(view: &BudgetView) -> (f64, f64) {
    let window = view.windows.first();
    let number = |value: Option<f64>| value.unwrap_or(f64::NAN);
    window.map_or((f64::NAN, f64::NAN), |w| (number(w.total), number(w.bad)))
}
