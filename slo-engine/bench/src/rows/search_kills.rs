//! A server over a search node, killed with `kill -9` at random instants while documents are written
//! late and more than once and the index rolls over: at the end it has counted what was written.

use std::time::Duration;

use headroom_bench::random::Random;
use slo_engine::clock::{Clock, SystemClock};

use super::documents::{Compared, Document, LATEST, Plan, Shipper, Truth};
use super::victim::Victim;
use crate::node::Node;
use crate::output;
use crate::report::{Figure, Must, Outcome};
use crate::world::{Size, World};

const SERVICES: Size = Size(20, 4);
const DOCUMENTS: Size = Size(200_000, 10_000);
const KILLS: Size = Size(100, 5);
/// How long a server lives, in milliseconds.
const LIVES: [i64; 2] = [50, 5_000];
/// How long documents have been written before the first server starts, in milliseconds.
const PAST: i64 = 3 * 3_600_000;
const WINDOWS: &str = "[1d, 1h]";
/// Two SLOs of two windows each.
const WINDOWS_EACH: u32 = 4;
const STEP: Duration = Duration::from_millis(100);
/// Until the last that was written is read: the source's lag and some ticks.
const READ: Duration = Duration::from_secs(20);

pub(super) fn run(world: &World) -> anyhow::Result<Outcome> {
    let (node, kills) = (world.node()?, world.sizes.repeat(KILLS));
    let plan = plan(world, kills);
    let documents = plan.documents();
    let truth = Truth::of(&documents);
    let victim = live(world, &node, &plan, &documents, kills)?;
    let found = truth.compare(&victim.views(&world.http)?, i64::MAX);
    let mut outcome = outcome(&plan, found, truth.again);
    let name = world.sizes.node.name();
    outcome.measure = format!("a server over {name} killed at random instants");
    outcome.workload.extend([
        ("slos".to_owned(), i64::from(plan.services) * 2),
        ("documents".to_owned(), plan.documents.into()),
        ("kills".to_owned(), victim.kills.into()),
    ]);
    Ok(outcome)
}

/// Some hours before now, and about as long as the kills take.
fn plan(world: &World, kills: u32) -> Plan {
    let now = SystemClock.now().timestamp_millis();
    let until = now + i64::from(kills) * i64::midpoint(LIVES[0], LIVES[1]);
    Plan {
        services: world.sizes.services(SERVICES),
        documents: world.sizes.documents(DOCUMENTS),
        from: now - PAST,
        until,
        rollovers: [now - PAST / 2, i64::midpoint(now, until)],
        seed: world.sizes.seed,
    }
}

/// Writes documents when their time comes and kills meanwhile, until all is written and read.
fn live(
    world: &World,
    node: &Node,
    plan: &Plan,
    documents: &[Document],
    kills: u32,
) -> anyhow::Result<Victim> {
    let mut random = Random::new(world.sizes.seed);
    let mut life = || Duration::from_millis(random.between(LIVES[0], LIVES[1]).unsigned_abs());
    let now = || SystemClock.now().timestamp_millis();
    let mut shipper = Shipper::new(node, documents);
    output::say(&format!("  writing what {} documents there are by now", documents.len()));
    shipper.ship(now())?;
    let engine = node.read_by(&world.engine).with("HEADROOM__SCHEDULE__TICK", "1s");
    let specs = plan.requests_and_latency(WINDOWS);
    let mut victim = Victim::start(engine, world.fresh("engine")?, &specs, life())?;
    output::say(&format!("  {kills} kills"));
    while victim.kills < kills || now() < plan.until + LATEST {
        shipper.ship(now())?;
        if victim.kills < kills && victim.is_due() {
            victim.kill(life())?;
        }
        std::thread::sleep(STEP);
    }
    shipper.ship(i64::MAX)?;
    std::thread::sleep(READ);
    Ok(victim)
}

fn outcome(plan: &Plan, found: Compared, [same, next]: [usize; 2]) -> Outcome {
    let some = Must::AtLeast(1.0);
    let windows = Must::AtLeast(f64::from(plan.services * WINDOWS_EACH));
    let figures = vec![
        Figure::new("windows compared", found.windows as f64, "", windows),
        Figure::new("written again, same index", same as f64, "", some),
        Figure::new("written again, next index", next as f64, "", some),
        Figure::new("events off", found.off, "", Must::AtMost(0.0)),
    ];
    Outcome { figures, ..Outcome::default() }
}
