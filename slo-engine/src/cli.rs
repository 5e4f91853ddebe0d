//! The commands, one file each. Data goes to stdout, progress and logs to stderr.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Config;

mod budget;
mod demo;
mod output;
mod progress;
mod serve;
mod set;
mod table;
mod validate;

/// Error budgets that are exact: reads Prometheus, counts events, answers deploy gates.
#[derive(Debug, Parser)]
#[command(name = "slo-engine", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    /// The configuration file; every key can also be set as HEADROOM__SECTION__KEY.
    #[arg(long, global = true, env = "HEADROOM_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

/// All commands.
#[derive(Debug, Subcommand)]
enum Command {
    /// The server: reads sources, keeps the ledger, answers the gate.
    Serve(serve::Serve),
    /// Check SLO and policy files; errors show the line and the remedy.
    Validate(validate::Validate),
    /// Budgets at an instant, straight from the sources: no database, no server.
    Budget(budget::Budget),
    /// See a service burn its budget and a deploy be refused, on this machine alone.
    Demo(demo::Demo),
    /// The JSON Schema of the SLO files.
    Schema,
    /// The HTTP API as an OpenAPI 3.1 document.
    Openapi,
    /// The reference of all configuration keys, with their defaults.
    Config,
}

/// Parses the arguments and runs a command.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            output::complain(&format!("error: {error:#}"));
            ExitCode::from(1)
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let config =
        || Ok::<Config, anyhow::Error>(Config::load(cli.config.as_deref(), std::env::vars())?);
    match cli.command {
        Command::Serve(serve) => serve.run(config()?),
        Command::Validate(validate) => validate.run(&config()?),
        Command::Budget(budget) => budget.run(&config()?),
        Command::Demo(demo) => demo.run(),
        Command::Schema => {
            output::json(&slo_core::spec::schema())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Openapi => {
            output::json(&crate::http::openapi())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Config => {
            output::text(crate::config::DEFAULTS)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
