//! What a tick over a search node costs the engine and the node, against one run of slo-generator over
//! the same node: two searches for each SLO and window.
//!
//! Ticks are a minute apart and played one after the other: what a tick costs does not depend on the
//! waiting before it. What the node uses while nobody asks is no cost of either.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::bail;
use chrono::TimeDelta;
use headroom_bench::server::{SearchKind, cpu_of, cpu_of_children};
use slo_engine::clock::{Clock, SystemClock};

use super::documents::{Plan, Shipper, Truth};
use super::peer::{Backend, SloGenerator, WINDOWS, windows};
use super::played::Played;
use crate::node::Node;
use crate::output;
use crate::report::{Figure, Must, Outcome};
use crate::world::{Size, World};

const DOCUMENTS: Size = Size(500_000, 20_000);
const SERVICES: Size = Size(50, 10);
const DAYS: Size = Size(30, 2);
const TICKS: Size = Size(60, 10);
const DAY: i64 = 86_400_000;
/// Documents go on after the last tick, for the peer that asks at its own time.
const MORE: i64 = 20 * 60_000;
/// How long the node is watched while nobody asks, and the share of a core that it uses at most when it
/// is done with what was written.
const IDLE: Duration = Duration::from_secs(20);
const IDLE_SHARE: f64 = 0.1;
/// The longest that it may go on with it.
const PATIENCE: Duration = Duration::from_mins(10);

/// CPU seconds of who asks and of the node.
#[derive(Debug, Clone, Copy)]
struct Cost {
    asking: f64,
    node: f64,
}

/// A node that holds documents, and what it uses while nobody asks: a share of a core.
struct Site {
    node: Node,
    idle: f64,
}

pub(super) fn run(world: &World) -> anyhow::Result<Outcome> {
    anyhow::ensure!(
        world.sizes.node == SearchKind::Elasticsearch,
        "slo-generator's client speaks to Elasticsearch alone; leave out --node"
    );
    let plan = plan(world);
    let documents = plan.documents();
    let node = world.node()?;
    output::say(&format!("  writing {} documents", documents.len()));
    Shipper::new(&node, &documents).ship(i64::MAX)?;
    let site = Site { idle: idle(&node)?, node };
    let ticks = world.sizes.repeat(TICKS);
    output::say(&format!("  reading the past, then {ticks} ticks"));
    let (ours, off) = site.ours(&world.fresh("engine")?, &plan, &Truth::of(&documents), ticks)?;
    output::say("  slo-generator");
    let theirs = site.theirs(world.fresh("peer")?, plan.services)?;
    let mut outcome = Outcome {
        measure: "a tick over a search node against one run of slo-generator".to_owned(),
        ..Outcome::default()
    };
    outcome.workload.extend([
        ("slos".to_owned(), plan.services.into()),
        ("windows".to_owned(), WINDOWS.len() as i64),
        ("days".to_owned(), world.sizes.days(DAYS).into()),
        ("documents".to_owned(), plan.documents.into()),
        ("ticks".to_owned(), ticks.into()),
    ]);
    let ratio = (theirs.asking + theirs.node) / (ours.asking + ours.node);
    outcome.figures = vec![
        Figure::new("events off", off, "", Must::AtMost(0.0)),
        Figure::new("CPU of the node while nobody asks", site.idle, "", Must::Nothing),
        Figure::new("CPU of a tick, engine", ours.asking, "s", Must::Nothing),
        Figure::new("CPU of a tick, node", ours.node, "s", Must::Nothing),
        Figure::new("CPU of a run of slo-generator, itself", theirs.asking, "s", Must::Nothing),
        Figure::new("CPU of a run of slo-generator, node", theirs.node, "s", Must::Nothing),
        Figure::new("slo-generator's / ours", ratio, "x", Must::AtLeast(100.0)),
    ];
    Ok(outcome)
}

/// Days up to now and a little more.
fn plan(world: &World) -> Plan {
    let until = SystemClock.now().timestamp_millis() + MORE;
    let from = until - i64::from(world.sizes.days(DAYS)) * DAY;
    let third = (until - from) / 3;
    Plan {
        services: world.sizes.services(SERVICES),
        documents: world.sizes.documents(DOCUMENTS),
        from,
        until,
        rollovers: [from + third, from + 2 * third],
        seed: world.sizes.seed,
    }
}

/// What a node uses once it is done with what was written.
fn idle(node: &Node) -> anyhow::Result<f64> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let (before, watched) = (node.cpu_seconds()?, Instant::now());
        std::thread::sleep(IDLE);
        let share = (node.cpu_seconds()? - before) / watched.elapsed().as_secs_f64();
        if share <= IDLE_SHARE {
            return Ok(share);
        }
    }
    bail!("the node is still busy {} s after all was written", PATIENCE.as_secs())
}

impl Site {
    /// What a tick costs on average, and by how many events the counts are off before and after.
    fn ours(
        &self,
        folder: &Path,
        plan: &Plan,
        truth: &Truth,
        ticks: u32,
    ) -> anyhow::Result<(Cost, f64)> {
        // As many again come first, to warm both up.
        let begin = SystemClock.now() - TimeDelta::minutes(2 * i64::from(ticks));
        let specs = plan.requests(&windows());
        let mut engine = Played::start(folder, &specs, self.node.url(), begin)?;
        engine.tick(begin);
        engine.fill(begin)?;
        let before = truth.compare(&engine.views()?, i64::MAX);
        let minute = |tick: u32| begin + TimeDelta::minutes(tick.into());
        (1..=ticks).for_each(|tick| engine.tick(minute(tick)));
        let cost = self.cost(
            || cpu_of(std::process::id()),
            || {
                (ticks + 1..=2 * ticks).for_each(|tick| engine.tick(minute(tick)));
                Ok(())
            },
        )?;
        let after = truth.compare(&engine.views()?, i64::MAX);
        let (windows, all) =
            (before.windows + after.windows, 2 * plan.services as usize * WINDOWS.len());
        anyhow::ensure!(windows == all, "{windows} of {all} windows are counted");
        let off = before.off + after.off;
        let ticks = f64::from(ticks);
        Ok((Cost { asking: cost.asking / ticks, node: cost.node / ticks }, off))
    }

    /// What a run of slo-generator costs; one before it warms the node up.
    fn theirs(&self, folder: PathBuf, services: u32) -> anyhow::Result<Cost> {
        let peer = SloGenerator::new(folder, Backend::Elasticsearch, self.node.url(), services)?;
        peer.run()?;
        self.cost(cpu_of_children, || peer.run().map(drop))
    }

    /// What work costs whose own CPU seconds `asking` tells.
    fn cost(
        &self,
        asking: impl Fn() -> anyhow::Result<f64>,
        work: impl FnOnce() -> anyhow::Result<()>,
    ) -> anyhow::Result<Cost> {
        let (own, node, begun) = (asking()?, self.node.cpu_seconds()?, Instant::now());
        work()?;
        let idle = self.idle * begun.elapsed().as_secs_f64();
        let node = (self.node.cpu_seconds()? - node - idle).max(0.0);
        Ok(Cost { asking: asking()? - own, node })
    }
}
