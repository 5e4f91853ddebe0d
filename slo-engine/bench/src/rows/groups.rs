//! Ticks of grouped SLOs over a real Prometheus, against ticks of the same SLOs without groups.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use headroom_bench::openmetrics::{self, Series};
use headroom_bench::random::Random;
use headroom_bench::server::{Server, Tools};
use slo_engine::config::Config;
use slo_engine::declared;
use slo_engine::evaluate::engine::Engine;
use slo_engine::evaluate::snapshot::Latest;
use slo_engine::store::Store;

use crate::output;
use crate::report::{Figure, Must, Outcome};
use crate::world::{END, Size, World};

const SLOS: Size = Size(1_000, 40);
const TICKS: Size = Size(15, 5);
const GROUPS: usize = 50;
/// Minutes of samples before the first tick.
const BEFORE: i64 = 15;

/// A running engine, and how long its ticks took.
struct Rig {
    engine: Engine,
    latest: Latest,
    times: Vec<f64>,
}

pub(crate) fn run(world: &World) -> anyhow::Result<Outcome> {
    let (slos, ticks) = (world.sizes.services(SLOS), world.sizes.repeat(TICKS));
    output::say(&format!("  writing and loading {} series", slos as usize * GROUPS));
    let server = serve(world, slos, i64::from(ticks))?;
    let runtime = tokio::runtime::Runtime::new().context("start the runtime")?;
    let mut outcome = Outcome { measure: "ticks of grouped SLOs".to_owned(), ..Outcome::default() };
    outcome.workload.insert("slos".to_owned(), slos.into());
    outcome.workload.insert("groups".to_owned(), GROUPS as i64);
    let (plain, grouped) = runtime.block_on(async {
        let mut plain = rig(&world.fresh("plain")?, slos, "", &server).await?;
        let cuts = "    groupBy: [route]\n";
        let mut grouped = rig(&world.fresh("grouped")?, slos, cuts, &server).await?;
        for tick in 0..i64::from(ticks) {
            for rig in [&mut plain, &mut grouped] {
                let begun = Instant::now();
                rig.engine.tick(now(tick)).await;
                rig.times.push(begun.elapsed().as_secs_f64());
            }
        }
        anyhow::Ok((plain, grouped))
    })?;
    let groups = check(&plain.latest, &grouped.latest)?;
    anyhow::ensure!(groups == slos as usize * GROUPS, "{groups} groups were found");
    let (plain, grouped) = (median(plain.times), median(grouped.times));
    outcome.figures = vec![
        Figure::new("tick without groups", plain, "s", Must::Nothing),
        Figure::new("tick with groups", grouped, "s", Must::Nothing),
        Figure::new("with groups, against without", grouped / plain, "x", Must::AtMost(1.5)),
    ];
    Ok(outcome)
}

fn now(tick: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(END, 0).unwrap_or_default() + TimeDelta::minutes(tick)
}

/// A Prometheus with a counter for each group, of which one in fifty counts failures.
fn serve(world: &World, slos: u32, ticks: i64) -> anyhow::Result<Server> {
    let (mut random, mut all) = (Random::new(world.sizes.seed), Vec::new());
    for slo in 0..slos {
        for group in 0..GROUPS {
            let (name, route) = (format!("svc-{slo:04}"), format!("/route/{group}"));
            let code = if group % 50 == 7 { "500" } else { "200" };
            let labels = [
                ("job", "shop"),
                ("instance", "a"),
                ("service", &name),
                ("route", &route),
                ("code", code),
            ];
            let mut series = Series::new("http_requests_total", &labels);
            let mut count = 0;
            for minute in -BEFORE..ticks {
                count += random.between(0, 50);
                series.samples.push(((END + minute * 60 - 20) * 1_000, count as f64));
            }
            all.push(series);
        }
    }
    let (samples, folder) = (world.fresh("samples")?, world.fresh("server")?);
    openmetrics::write(&samples, &all)?;
    Tools::default().load(&folder, &samples)?;
    Tools::default().start(&folder)
}

async fn rig(folder: &Path, slos: u32, cuts: &str, server: &Server) -> anyhow::Result<Rig> {
    let specs = folder.join("slos.yaml");
    let slo = |slo: u32| {
        format!(
            "---\napiVersion: headroom/v1\nkind: Service\nservice: svc-{slo:04}\ntier: 2\nenvironment: p\nslos:\n\
             \x20 - name: a\n    objective: 99%\n{cuts}    indicator: {{ratio: {{total: 'http_requests_total{{service=\"svc-{slo:04}\"}}', \
             bad: '{{code=~\"5..\"}}'}}}}\n"
        )
    };
    std::fs::write(&specs, (0..slos).map(slo).collect::<String>())?;
    let declared = declared::read(&[specs], None).map_err(|e| anyhow::anyhow!("{}", e[0]))?;
    let mut config = Config::default();
    server.url().clone_into(&mut config.sources[0].url);
    config.store.url = format!("sqlite://{}", folder.join("headroom.db").display());
    let store = Store::open(&config.store.url).await?;
    let (declared, latest) = (Arc::new(declared), Latest::default());
    let before = now(-1);
    let engine =
        Engine::start(&config, declared, store, latest.clone(), Arc::default(), before).await?;
    let mut engine = engine.without_clock_check();
    engine.tick(before).await;
    Ok(Rig { engine, latest, times: Vec::new() })
}

/// Both count the same, and the groups add up; how many groups there are.
fn check(plain: &Latest, grouped: &Latest) -> anyhow::Result<usize> {
    let (plain, grouped) = (plain.get().context("no views")?, grouped.get().context("no views")?);
    let mut count = 0;
    for (place, (one, other)) in plain.all().zip(grouped.all()).enumerate() {
        let counted =
            |view: &slo_core::view::BudgetView| (view.windows[0].bad, view.windows[0].total);
        anyhow::ensure!(counted(one) == counted(other), "{} counts differently", one.service);
        let groups = grouped.groups.get(place).map_or(&[][..], Vec::as_slice);
        let total: f64 = groups.iter().filter_map(|view| view.windows[0].total).sum();
        anyhow::ensure!(
            Some(total) == one.windows[0].total,
            "groups of {} do not add up",
            one.service
        );
        count += groups.len();
    }
    Ok(count)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
