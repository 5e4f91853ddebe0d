//! Budgets at random instants, through `budget --at`, against a count of the same samples that is
//! written apart from the engine: realistic traffic, and rough histories of many short-lived targets.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context;
use headroom_bench::compare::{Found, check};
use headroom_bench::openmetrics;
use headroom_bench::oracle::Oracle;
use headroom_bench::random::Random;
use headroom_bench::server::Traffic;
use headroom_bench::{rough, traffic};

use crate::output;
use crate::report::{Figure, Must, Outcome};
use crate::world::{Data, END, Size, World};

/// So many services also have latency SLOs.
const HISTOGRAMS: u32 = 4;

/// The sizes of one run.
struct Run {
    services: u32,
    days: u32,
    instants: u32,
    seed: u64,
    windows: &'static str,
}

pub(super) fn run(world: &World) -> anyhow::Result<Outcome> {
    let sizes = world.sizes;
    let usual = Run {
        services: sizes.services(Size(40, 5)),
        days: sizes.days(Size(36, 4)),
        instants: sizes.instants(Size(200, 6)),
        seed: sizes.seed,
        windows: "[30d, 7d, 1d]",
    };
    let days = sizes.days(Size(10, 8));
    let rough = Run { days, windows: "[7d, 1d, 2h]", ..usual };
    let found = usual.ask(world, usual.traffic(world)?, HISTOGRAMS.min(usual.services))?;
    let rough_found = rough.ask(world, rough.histories(world)?, 0)?;
    Ok(outcome(&usual, found, rough_found))
}

impl Run {
    fn traffic(&self, world: &World) -> anyhow::Result<Data> {
        let (services, days, seed) = (self.services, self.days, self.seed);
        let histograms = HISTOGRAMS.min(services);
        world.traffic(&Traffic { services, histograms, days, seed, end: END })
    }

    fn histories(&self, world: &World) -> anyhow::Result<Data> {
        let name = format!("rough-{}-{}-{}", self.services, self.days, self.seed);
        let minutes = i64::from(self.days) * 1_440;
        let series = rough::histories(self.services, minutes, END * 1_000, self.seed);
        world.data(&name, |_, folder| openmetrics::write(folder, &series))
    }

    fn ask(&self, world: &World, data: Data, histograms: u32) -> anyhow::Result<Found> {
        output::say("counting the samples");
        let slos = traffic::count(&data.samples)?;
        let specs = world.specs(&traffic::specs(self.services, histograms, self.windows))?;
        let instants = self.instants(&slos);
        let engine = world.engine.reading(data.server.url());
        let ask = |at: i64| {
            let views = engine.budget(&specs, at).with_context(|| format!("budget at {at}"))?;
            Ok(check(&slos, &views, at))
        };
        let found = all(&instants, world.sizes.jobs, &ask);
        drop(data);
        found
    }

    /// Random milliseconds from the second hour of the data to its end; every fourth one is the edge
    /// of a minute, every fourth the instant of a sample.
    fn instants(&self, slos: &BTreeMap<String, Oracle>) -> Vec<i64> {
        let mut random = Random::new(self.seed);
        let begin = (END - i64::from(self.days) * 86_400 + 3_600) * 1_000;
        let oracles: Vec<&Oracle> = slos.values().collect();
        let instant = |at: u32| {
            let any = random.between(begin, END * 1_000 + 1);
            let one = random.between(0, i64::try_from(oracles.len()).unwrap_or(0));
            let one = usize::try_from(one).ok().and_then(|one| oracles.get(one));
            match at % 4 {
                1 => any / 60_000 * 60_000,
                2 => one.and_then(|o| o.newest(any)).unwrap_or(any),
                _ => any,
            }
        };
        (0..self.instants).map(instant).collect()
    }
}

/// Asks at every instant, so many at a time.
fn all(
    instants: &[i64],
    jobs: u32,
    ask: &(dyn Fn(i64) -> anyhow::Result<Found> + Sync),
) -> anyhow::Result<Found> {
    let (next, sum) = (AtomicUsize::new(0), Mutex::new(Ok(Found::default())));
    let work = || {
        while let Some(at) = instants.get(next.fetch_add(1, Ordering::Relaxed)) {
            let found = ask(*at);
            let mut sum = sum.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            match (&mut *sum, found) {
                (Ok(sum), Ok(found)) => sum.join(found),
                (sum, Err(error)) => *sum = Err(error),
                (Err(_), _) => return,
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(work);
        }
    });
    sum.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn outcome(run: &Run, usual: Found, rough: Found) -> Outcome {
    let mut figures = self::figures("", &usual);
    figures.extend(self::figures("rough histories: ", &rough));
    Outcome {
        measure: "budget --at against a brute-force count of the same samples".to_owned(),
        workload: [
            ("services".to_owned(), i64::from(run.services)),
            ("days".to_owned(), i64::from(run.days)),
            ("seed".to_owned(), i64::try_from(run.seed).unwrap_or(i64::MAX)),
            ("instants".to_owned(), i64::from(run.instants)),
        ]
        .into(),
        figures,
        notes: usual.notes.into_iter().chain(rough.notes).collect(),
        ..Outcome::default()
    }
}

fn figures(prefix: &str, found: &Found) -> Vec<Figure> {
    let none = Must::AtMost(0.0);
    let figure = |name: &str, value: u64, must: Must| {
        Figure::new(&format!("{prefix}{name}"), value as f64, "", must)
    };
    vec![
        figure("windows compared", found.windows, Must::AtLeast(1.0)),
        figure("of them younger than their length", found.young, Must::Nothing),
        figure("events counted", found.events, Must::Nothing),
        figure("of them assumed", found.births.0, Must::Nothing),
        figure("events dropped", found.births.1, Must::Nothing),
        figure("minutes with targets missing", found.partial, Must::Nothing),
        figure("events off (good, bad, assumed, dropped)", found.off, none),
        figure("windows off (edges, coverage, shares, null)", found.wrong, none),
    ]
}
