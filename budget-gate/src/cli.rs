//! The command line: what can be asked, and what the exit code says.

use std::process::ExitCode;

use budget_gate::Verdict;
use clap::{Parser, Subcommand};

mod args;
mod call;
mod check;
mod client;
mod clock;
mod deployed;
mod explain;
mod job;
mod output;
mod overrides;
mod peek;
mod problem;
mod question;
mod reply;
mod show;
mod verify;
mod wait;
mod watch;

use job::Job;

/// Asks Headroom whether a deploy may go.
///
/// Exit codes of check and peek: 0 go (allow or warn), 20 deny, 30 unknown or no answer from the
/// engine, 2 wrong usage; verify: 1 nothing is proven. The others: 0 done, 1 the engine declines, 30
/// no answer; watch: 20 roll back.
#[derive(Parser)]
#[command(name = "budget-gate", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Asks for a recorded decision: may this be deployed now?
    Check(check::Check),
    /// Asks without a record: may this be deployed now?
    Peek(peek::Peek),
    /// Shows a recorded decision
    Explain(explain::Explain),
    /// Asks that a service may deploy although the gate says no
    Override(overrides::Override),
    /// Approves somebody else's override
    Approve(overrides::Approve),
    /// Tells the engine that a version runs
    Deployed(deployed::Deployed),
    /// Watches a service after a deploy: should it be rolled back?
    Watch(watch::Watch),
    /// Checks a signed verdict without asking the engine
    ///
    /// A decision that was asked for by `check` holds one in its field `token` (--format json). Exit
    /// codes: 0 it is proven that the deploy may go, 20 that it may not, 30 that it was not known; 1
    /// nothing is proven, 2 wrong usage.
    Verify(verify::Verify),
}

/// What the exit code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    /// The deploy may go; it is done.
    Go,
    /// The deploy may go with a warning; the caller chose the code.
    Warned(u8),
    /// The engine declines to do it.
    Declined,
    /// A signed verdict proves nothing.
    Unproven,
    /// Deny; roll back.
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
            Exit::Declined | Exit::Unproven => 1,
            Exit::Denied => Verdict::Deny.exit_code(),
            Exit::Unknown => Verdict::Unknown.exit_code(),
            Exit::Usage => 2,
        })
    }
}

pub(crate) fn main() -> ExitCode {
    let command = Cli::parse().command;
    let job = Job::of(&|name| std::env::var(name).ok(), output::is_terminal());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
    match runtime {
        Ok(runtime) => {
            let exit = runtime.block_on(run(&command, &job));
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

async fn run(command: &Command, job: &Job) -> Exit {
    match command {
        Command::Check(check) => check::check(check, job).await,
        Command::Peek(peek) => peek::peek(peek, job).await,
        Command::Explain(explain) => explain::explain(explain, job).await,
        Command::Override(asked) => overrides::ask(asked, job, clock::now()).await,
        Command::Approve(approve) => overrides::approve(approve).await,
        Command::Deployed(deployed) => deployed::deployed(deployed, job).await,
        Command::Watch(watch) => watch::watch(watch, job).await,
        Command::Verify(verify) => verify::verify(verify, clock::now()),
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
