//! All rows, one file each.

use std::time::Instant;

use clap::ValueEnum;

use crate::output;
use crate::report::Outcome;
use crate::world::World;

mod adapters;
mod answers;
mod backfill;
mod decide;
mod decisions;
mod documents;
mod exporter;
mod groups;
mod jsonlog;
mod kills;
mod operate;
mod peek;
mod peer;
mod played;
mod records;
mod restart;
mod scenarios;
mod search;
mod search_cost;
mod search_kills;
mod ticks;
mod truth1;
mod truth2;
mod victim;

/// A row of the table of what must be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Row {
    /// Budgets at random instants against a brute-force count of the same samples.
    Truth1,
    /// Budgets at the end of the data against what really happened.
    Truth2,
    /// Four histories whose budgets are known, and what averaging ratios says of them.
    Scenarios,
    /// CPU of Prometheus for reading 30 days, against one fused `increase[30d]`.
    Backfill,
    /// Ticks of 10,000 and 100,000 SLOs over a synthetic source.
    Ticks,
    /// Ticks of 1,000 SLOs of 50 groups each against the same without groups.
    Groups,
    /// JSON lines counted, against a bare parse of the same fields, and memory by size of file.
    Jsonlog,
    /// Servers killed again and again at random instants: no event is lost or counted twice.
    Kills,
    /// From a kill to the next verdict.
    Restart,
    /// Ten minutes of a server: CPU against slo-generator, queries, and how soon a verdict changes.
    Operate,
    /// Counts from a search node against the truth of what was written to it.
    Search,
    /// CPU of a tick over a search node against slo-generator.
    SearchCost,
    /// A server over a search node killed again and again: no event is lost or counted twice.
    SearchKills,
    /// The gate's peek against a trivial route of the same process.
    Peek,
    /// Recorded decisions over HTTP with many callers at once.
    Decide,
    /// Callers with a wire of their own, against a trivial route of the same process.
    Adapters,
    /// Recorded decisions while the server is killed again and again.
    Decisions,
    /// Callers that record at once, against a bare group commit of the same bytes.
    Records,
}

impl Row {
    /// Measures the row in a folder of its own.
    pub(crate) fn run(self, world: &World) -> anyhow::Result<Outcome> {
        let begun = Instant::now();
        let name = self.to_possible_value().map_or_else(String::new, |v| v.get_name().to_owned());
        output::say(&format!("{name} ..."));
        let world = world.inside(&name)?;
        let mut outcome = match self {
            Self::Truth1 => truth1::run(&world),
            Self::Truth2 => truth2::run(&world),
            Self::Scenarios => scenarios::run(&world),
            Self::Backfill => backfill::run(&world),
            Self::Ticks => ticks::run(&world),
            Self::Groups => groups::run(&world),
            Self::Jsonlog => jsonlog::run(&world),
            Self::Kills => kills::run(&world),
            Self::Restart => restart::run(&world),
            Self::Operate => operate::run(&world),
            Self::Search => search::run(&world),
            Self::SearchCost => search_cost::run(&world),
            Self::SearchKills => search_kills::run(&world),
            Self::Peek => peek::run(&world),
            Self::Adapters => adapters::run(&world),
            Self::Decide => decide::run(&world),
            Self::Decisions => decisions::run(&world),
            Self::Records => records::run(&world),
        }?;
        outcome.row = name;
        outcome.seconds = begun.elapsed().as_secs_f64();
        outcome.passed = outcome.figures.iter().all(|figure| figure.passed);
        Ok(outcome)
    }
}
