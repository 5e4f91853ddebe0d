//! The commands, one file each. Data goes to stdout, progress and logs to stderr.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::config::Config;

mod audit;
mod backfill;
mod backup;
mod budget;
mod completions;
mod decide;
mod declare;
mod demo;
mod doctor;
mod explain;
mod output;
mod progress;
mod restore;
mod schema;
mod serve;
mod table;
mod token;
mod validate;

/// Error budgets that are exact: reads Prometheus, counts events, answers deploy gates.
#[derive(Debug, Parser)]
#[command(name = "slo-engine", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    /// The configuration, or HEADROOM_CONFIG; keys also as HEADROOM__SECTION__KEY
    #[arg(long, global = true, env = "HEADROOM_CONFIG", hide_env = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

/// All commands.
#[derive(Debug, Subcommand)]
enum Command {
    /// The server: reads sources, keeps the ledger, answers the gate.
    Serve(serve::Serve),
    /// See a service burn its budget and a deploy be refused, on this machine alone.
    Demo(demo::Demo),
    /// Check SLO and policy files; errors show the line and the remedy.
    Validate(validate::Validate),
    /// Budgets at an instant, straight from the sources: no database, no server.
    Budget(budget::Budget),
    /// The gate's verdict at an instant, straight from the sources: no database, no server.
    ///
    /// With --replay a policy is tried on recorded decisions instead.
    ///
    /// Exit codes: 0 go (allow or warn), 20 deny, 30 unknown, 2 wrong usage or files with errors.
    ///
    /// Of --replay: 0 no verdict would have been another, 1 some would, 2 as above or no database.
    Decide(decide::Decide),
    /// Where the numbers of an SLO come from: queries, series, arithmetic, alerts, state.
    Explain(explain::Explain),
    /// Read the past that the ledger lacks; a running server does so by itself.
    Backfill(backfill::Backfill),
    /// Write a consistent copy of the ledger to a file, also while the server runs.
    Backup(backup::Backup),
    /// Put a backup in the place of the ledger, which is kept; the server must be stopped.
    Restore(restore::Restore),
    /// Whether the record of decisions is what it was.
    Audit(audit::Audit),
    /// Machine tokens: who may ask the gate for what.
    Token(token::Token),
    /// Check configuration, files, database, disk and sources; one line each.
    ///
    /// Exit codes: 0 nothing failed, 1 something did.
    Doctor(doctor::Doctor),
    /// The reference of all configuration keys, with their defaults.
    Config,
    /// The JSON Schema of SLO files or policies, for editors.
    Schema(schema::Schema),
    /// The HTTP API as an OpenAPI 3.1 document.
    Openapi,
    /// A completion script for a shell.
    Completions(completions::Completions),
}

impl Command {
    /// The exit code when there is no answer. That of `decide` must not look like a verdict or like
    /// a finding.
    const fn failed(&self) -> u8 {
        match self {
            Self::Decide(_) => 2,
            _ => 1,
        }
    }
}

/// Parses the arguments and runs a command.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let failed = cli.command.failed();
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            output::complain(&format!("error: {error:#}"));
            ExitCode::from(failed)
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let load = || Config::load(cli.config.as_deref(), std::env::vars());
    let config = || Ok::<Config, anyhow::Error>(load()?);
    match cli.command {
        Command::Serve(serve) => serve.run(config()?),
        Command::Demo(demo) => demo.run(),
        Command::Validate(validate) => validate.run(&config()?),
        Command::Budget(budget) => budget.run(&config()?),
        Command::Decide(decide) => decide.run(&config()?),
        Command::Explain(explain) => explain.run(&config()?),
        Command::Backfill(backfill) => backfill.run(&config()?),
        Command::Backup(backup) => backup.run(&config()?),
        Command::Restore(restore) => restore.run(&config()?),
        Command::Audit(audit) => audit.run(&config()?),
        Command::Token(token) => token.run(&config()?),
        Command::Doctor(doctor) => doctor.run(load(), cli.config.as_deref()),
        Command::Config => {
            output::text(crate::config::DEFAULTS)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Schema(schema) => schema.run(),
        Command::Openapi => {
            output::json(&crate::http::openapi())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Completions(completions) => completions.run(Cli::command()),
    }
}
