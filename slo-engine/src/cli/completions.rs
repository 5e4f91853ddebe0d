//! `slo-engine completions`: what a shell needs to complete the commands.

use std::process::ExitCode;

use clap::{Args, Command};
use clap_complete::Shell;

use super::output;

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(super) fn run(&self, mut command: Command) -> anyhow::Result<ExitCode> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "slo-engine", &mut script);
        output::text(&String::from_utf8(script)?)?;
        Ok(ExitCode::SUCCESS)
    }
}
