//! The arguments.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, ValueEnum};

use crate::output;
use crate::report::{Machine, Report};
use crate::rows::Row;
use crate::world::{Sizes, World};

/// Measures what the engine must reach, against real servers that it starts and stops.
#[derive(Debug, Parser)]
#[command(name = "headroom-bench", version, max_term_width = 100)]
struct Cli {
    /// Which rows; all when none is named.
    rows: Vec<Row>,
    #[command(flatten)]
    sizes: Sizes,
    /// Write the results as JSON too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The engine's binary; the one beside this program by default.
    #[arg(long, value_name = "FILE")]
    engine: Option<PathBuf>,
    /// Where servers keep their data; `bench` in the target folder by default.
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// Leave the data there and use what an earlier run of the same sizes left.
    #[arg(long)]
    keep: bool,
}

/// Exit 0 when every figure is reached, 1 when one is missed or could not be measured.
pub(crate) fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            output::say(&format!("error: {error:#}"));
            ExitCode::from(1)
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<bool> {
    let own = std::env::current_exe().context("find this program")?;
    let profile = own.parent().context("this program lies in no folder")?;
    let engine = cli.engine.clone().unwrap_or_else(|| profile.join("slo-engine"));
    let beside = || profile.parent().unwrap_or(profile).join("bench");
    let world = World::new(engine, cli.dir.clone().unwrap_or_else(beside), cli.sizes, cli.keep)?;
    let rows = if cli.rows.is_empty() { Row::value_variants().to_vec() } else { cli.rows.clone() };
    let rows: Vec<_> = rows.into_iter().map(|row| row.run(&world)).collect::<Result<_, _>>()?;
    let passed = rows.iter().all(|row| row.passed);
    let report = Report { machine: Machine::here(), rows, passed };
    if let Some(file) = &cli.json {
        let text = serde_json::to_string_pretty(&report)?;
        std::fs::write(file, text).with_context(|| format!("write {}", file.display()))?;
    }
    output::report(&report)?;
    Ok(passed)
}
