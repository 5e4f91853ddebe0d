//! `slo-engine backup`: a consistent copy of the ledger, also while the server runs.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::budget::blocking;
use super::output::{self, counted, size};
use crate::config::Config;
use crate::store::{Held, Store, path_of};

/// Arguments of `backup`.
#[derive(Debug, Args)]
pub(super) struct Backup {
    /// The file to write; it must not exist yet
    file: PathBuf,
}

impl Backup {
    pub(super) fn run(&self, config: &Config) -> anyhow::Result<ExitCode> {
        let path = path_of(&config.store.url)?;
        let held = blocking(async {
            let store = Store::open_to_read(&path).await?;
            let held = store.backup(&self.file).await;
            store.close().await;
            held
        })??;
        output::text(&format!("{} is backed up: {}\n", path.display(), contents(&held)))?;
        output::text(&format!("the copy was checked and is in {}\n", self.file.display()))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// `40 ledgers, read until 2026-11-21 10:00 UTC, 12.3 MiB`
pub(super) fn contents(held: &Held) -> String {
    let ledgers = counted(usize::try_from(held.ledgers).unwrap_or(0), "ledger");
    let until = held.until.map_or_else(
        || "nothing read yet".to_owned(),
        |until| format!("read until {}", until.format("%Y-%m-%d %H:%M UTC")),
    );
    format!("{ledgers}, {until}, {}", size(held.bytes.unsigned_abs()))
}
