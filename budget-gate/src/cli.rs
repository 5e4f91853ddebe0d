//! The command line: what can be asked, and what the exit code says.

use std::process::ExitCode;

use budget_gate::Verdict;
use clap::{Parser, Subcommand};

mod args;
mod client;
mod output;
mod peek;
mod reply;

/// Asks Headroom whether a deploy may go.
///
/// Exit codes: 0 go (allow or warn), 20 deny, 30 unknown or no answer from the engine, 2 wrong
/// usage.
#[derive(Parser)]
#[command(name = "budget-gate", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Asks without a record: may this be deployed now?
    Peek(peek::Peek),
}

/// What the exit code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    /// The deploy may go.
    Go,
    /// The deploy may go with a warning; the caller chose the code.
    Warned(u8),
    /// Deny.
    Denied,
    /// Too little is known, or the engine gave no answer that can be relied on.
    Unknown,
    /// The question was wrong, or its answer could not be written.
    Usage,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Go => 0,
            Exit::Warned(code) => code,
            Exit::Denied => Verdict::Deny.exit_code(),
            Exit::Unknown => Verdict::Unknown.exit_code(),
            Exit::Usage => 2,
        })
    }
}

pub(crate) fn main() -> ExitCode {
    let Command::Peek(peek) = Cli::parse().command;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
    match runtime {
        Ok(runtime) => {
            let exit = runtime.block_on(peek::peek(&peek));
            // A name that is still being looked up must not hold the pipeline.
            runtime.shutdown_background();
            exit.into()
        }
        Err(error) => {
            output::diagnostic(&format!("cannot start: {error}"));
            Exit::Unknown.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        super::Cli::command().debug_assert();
    }
}
