//! `slo-engine restore`: a backup takes the place of the ledger, which is kept beside it.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use super::backup::contents;
use super::budget::blocking;
use super::output;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::store::{path_of, restore};

/// Arguments of `restore`.
#[derive(Debug, Args)]
pub(super) struct Restore {
    /// The file that `slo-engine backup` wrote
    file: PathBuf,
}

impl Restore {
    pub(super) fn run(&self, config: &Config) -> anyhow::Result<ExitCode> {
        let path = path_of(&config.store.url)?;
        let restored = blocking(restore(&self.file, &path, SystemClock.now()))?
            .context("nothing was restored")?;
        let (file, held) = (self.file.display(), contents(&restored.held));
        output::text(&format!("{} is restored from {file}: {held}\n", path.display()))?;
        if let Some(kept) = &restored.kept {
            output::text(&format!("the old database is kept as {}\n", kept.display()))?;
        }
        output::text("at its next start the server reads what its sources have since then\n")?;
        Ok(ExitCode::SUCCESS)
    }
}
