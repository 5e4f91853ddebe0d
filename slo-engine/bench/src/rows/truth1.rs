//! Budgets at random instants, through `budget --at`, against a count of the same samples that is
//! written apart from the engine.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context;
use headroom_bench::oracle::Oracle;
use headroom_bench::random::Random;
use headroom_bench::server::Traffic;

use super::slos;
use crate::output;
use crate::report::{Figure, Must, Outcome};
use crate::world::{END, Size, World};

mod compare;
mod counted;

use compare::{Found, check};

/// Some services also have latency SLOs.
const HISTOGRAMS: u32 = 4;

pub(super) fn run(world: &World) -> anyhow::Result<Outcome> {
    let sizes = world.sizes;
    let traffic = Traffic {
        services: sizes.services(Size(40, 5)),
        histograms: HISTOGRAMS.min(sizes.services(Size(40, 5))),
        days: sizes.days(Size(36, 4)),
        seed: sizes.seed,
        end: END,
    };
    let data = world.traffic(&traffic)?;
    output::say("counting the samples");
    let slos = counted::slos(&data.samples)?;
    let specs = slos::traffic(traffic.services, traffic.histograms, "[30d, 7d, 1d]");
    let specs = world.specs(&specs)?;
    let instants = instants(&traffic, sizes.instants(Size(200, 6)), &slos);
    let engine = world.engine.reading(data.server.url());
    let ask = |at: i64| {
        let views = engine.budget(&specs, at).with_context(|| format!("budget at {at}"))?;
        Ok(check(&slos, &views, at))
    };
    let found = all(&instants, sizes.jobs, &ask)?;
    Ok(outcome(&traffic, instants.len(), found))
}

/// Random milliseconds from the second hour of the data to its end; every fourth one is the edge of a
/// minute, every fourth the instant of a sample.
fn instants(traffic: &Traffic, count: u32, slos: &BTreeMap<String, Oracle>) -> Vec<i64> {
    let mut random = Random::new(traffic.seed);
    let end = traffic.end * 1_000;
    let begin = end - i64::from(traffic.days) * 86_400_000 + 3_600_000;
    let oracles: Vec<&Oracle> = slos.values().collect();
    let instant = |at: u32| {
        let any = random.between(begin, end + 1);
        let one = random.between(0, i64::try_from(oracles.len()).unwrap_or(0));
        let one = usize::try_from(one).ok().and_then(|one| oracles.get(one));
        match at % 4 {
            1 => any / 60_000 * 60_000,
            2 => one.and_then(|o| o.newest(any)).unwrap_or(any),
            _ => any,
        }
    };
    (0..count).map(instant).collect()
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

fn outcome(traffic: &Traffic, instants: usize, found: Found) -> Outcome {
    let none = Must::AtMost(0.0);
    let figure = |name: &str, value: u64, must: Must| Figure::new(name, value as f64, "", must);
    Outcome {
        measure: "budget --at against a brute-force count of the same samples".to_owned(),
        workload: [
            ("services".to_owned(), i64::from(traffic.services)),
            ("days".to_owned(), i64::from(traffic.days)),
            ("seed".to_owned(), i64::try_from(traffic.seed).unwrap_or(i64::MAX)),
            ("instants".to_owned(), i64::try_from(instants).unwrap_or(i64::MAX)),
        ]
        .into(),
        figures: vec![
            figure("windows compared", found.windows, Must::AtLeast(1.0)),
            figure("of them younger than their length", found.young, Must::Nothing),
            figure("events counted", found.events, Must::Nothing),
            figure("events off (good, bad, assumed, dropped)", found.off, none),
            figure("windows off (edges, coverage, shares, null)", found.wrong, none),
        ],
        notes: found.notes,
        ..Outcome::default()
    }
}
