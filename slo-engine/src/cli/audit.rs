//! `slo-engine audit`: whether the record of decisions is what it was, and the ledger what the sources say.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::config::Config;
use crate::store::{Store, StoreError, path_of};

mod head;
mod recount;
mod verify;

/// Arguments of `audit`.
#[derive(Debug, Args)]
pub(super) struct Audit {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Walk the chain of records: name the first broken link, a rewrite, a cut tail.
    ///
    /// Exit codes: 0 the chain is whole, 1 it is not or cannot be read, 2 wrong usage.
    Verify(verify::Verify),
    /// The newest signed end of the chain; kept elsewhere, it is an anchor for `verify`.
    Head(head::ShowHead),
    /// Count SLOs anew from what their sources still hold, and compare with the ledger.
    ///
    /// Exit codes: 0 both agree to 0.5 %, 1 they do not or cannot be compared, 2 wrong usage.
    Recount(recount::ShowRecount),
}

impl Audit {
    pub(super) fn run(self, config: &Config) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Verify(verify) => verify.run(config),
            Command::Head(head) => head.run(config),
            Command::Recount(recount) => recount.run(config),
        }
    }
}

/// Opens the configured database to look at its records.
async fn open(config: &Config) -> Result<Store, StoreError> {
    open_at(&path_of(&config.store.url)?).await
}

async fn open_at(path: &Path) -> Result<Store, StoreError> {
    let store = Store::open_to_read(path).await?;
    store.refuse_older().await?;
    Ok(store)
}
