//! Counts from a search node against the truth of the documents that were written to it: the past, then
//! ticks while documents come late, come again and the index rolls over.

use std::time::Instant;

use anyhow::Context;
use chrono::{DateTime, Utc};
use headroom_bench::random::Random;

use super::documents::{Compared, Document, Plan, Shipper, Truth};
use super::played::Played;
use crate::output;
use crate::report::{Figure, Must, Outcome};
use crate::world::{END, Size, World};

const DOCUMENTS: Size = Size(2_000_000, 60_000);
const SERVICES: Size = Size(20, 4);
const DAYS: Size = Size(3, 1);
const DAY: i64 = 86_400_000;
/// The share of the documents' time that is lived through by ticks: a twelfth.
const LIVED: i64 = 12;
/// Until all that was late is there and its minutes are closed.
const CLOSED: i64 = 300_000;

/// What was compared, and how long the past took.
#[derive(Debug)]
struct Found {
    past: Compared,
    ticks: Vec<Compared>,
    end: Compared,
    once: Compared,
    seconds: f64,
}

pub(super) fn run(world: &World) -> anyhow::Result<Outcome> {
    let days = world.sizes.days(DAYS);
    let (from, until) = (END * 1_000 - i64::from(days) * DAY, END * 1_000);
    let begins = until - i64::from(days) * DAY / LIVED;
    let plan = Plan {
        services: world.sizes.services(SERVICES),
        documents: world.sizes.documents(DOCUMENTS),
        from,
        until,
        // One in the past, one while ticks run.
        rollovers: [i64::midpoint(from, begins), i64::midpoint(begins, until)],
        seed: world.sizes.seed,
    };
    let documents = plan.documents();
    let truth = Truth::of(&documents);
    let found = live(world, &plan, &documents, &truth, begins)?;
    let mut outcome = found.outcome(&plan, truth.again);
    outcome.measure = format!("{} against what was written to it", world.sizes.node.name());
    outcome.workload.extend([
        ("services".to_owned(), plan.services.into()),
        ("days".to_owned(), days.into()),
        ("documents".to_owned(), plan.documents.into()),
    ]);
    Ok(outcome)
}

/// Counts the past, then lives through the rest, and asks once more at its end.
fn live(
    world: &World,
    plan: &Plan,
    documents: &[Document],
    truth: &Truth,
    begins: i64,
) -> anyhow::Result<Found> {
    let specs =
        plan.requests_and_latency(&format!("[{}d, 6h, 1h]", (plan.until - plan.from) / DAY));
    let node = world.node()?;
    let mut shipper = Shipper::new(&node, documents);
    output::say(&format!("  writing {} documents", documents.len()));
    shipper.ship(begins)?;
    let (begun, folder) = (Instant::now(), world.fresh("engine")?);
    let mut engine = Played::start(&folder, &specs, node.url(), at(begins)?)?;
    engine.tick(at(begins)?);
    engine.fill(at(begins)?)?;
    let seconds = begun.elapsed().as_secs_f64();
    let past = truth.compare(&engine.views()?, begins);
    output::say("  ticks");
    let (mut random, mut now, mut ticks) = (Random::new(plan.seed), begins, Vec::new());
    let mut tick = |now: i64| {
        shipper.ship(now)?;
        engine.tick(at(now)?);
        anyhow::Ok(truth.compare(&engine.views()?, now))
    };
    while now < plan.until {
        now += random.between(15_000, 75_000);
        ticks.push(tick(now)?);
    }
    now += CLOSED;
    let end = tick(now)?;
    let process = node.read_by(&world.engine);
    let once = truth.compare(&process.budget(&world.specs(&specs)?, now)?, now);
    Ok(Found { past, ticks, end, once, seconds })
}

fn at(millis: i64) -> anyhow::Result<DateTime<Utc>> {
    DateTime::from_timestamp_millis(millis).context("no such instant")
}

impl Found {
    fn outcome(&self, plan: &Plan, [same, next]: [usize; 2]) -> Outcome {
        let (none, some) = (Must::AtMost(0.0), Must::AtLeast(1.0));
        let windows = self.ticks.iter().chain([&self.past, &self.end, &self.once]);
        let windows: usize = windows.map(|compared| compared.windows).sum();
        // Two SLOs of three windows each.
        let all = (self.ticks.len() + 3) * plan.services as usize * 6;
        let ticks = self.ticks.iter().map(|compared| compared.off).sum();
        let mut outcome = Outcome::default();
        outcome.workload.insert("ticks".to_owned(), self.ticks.len() as i64);
        outcome.figures = vec![
            Figure::new("windows compared", windows as f64, "", Must::AtLeast(all as f64)),
            Figure::new("written again, same index", same as f64, "", some),
            Figure::new("written again, next index", next as f64, "", some),
            Figure::new("to count the past", self.seconds, "s", Must::Nothing),
            Figure::new("events off, past", self.past.off, "", none),
            Figure::new("events off, sum of all ticks", ticks, "", none),
            Figure::new("events off, at the end", self.end.off, "", none),
            Figure::new("events off, budget --at", self.once.off, "", none),
        ];
        outcome
    }
}
