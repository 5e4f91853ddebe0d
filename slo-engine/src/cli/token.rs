//! `slo-engine token`: machine tokens, also while the server runs.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::budget::blocking;
use crate::config::Config;
use crate::store::{Store, StoreError, path_of};

mod create;
mod list;
mod revoke;

/// Arguments of `token`.
#[derive(Debug, Args)]
pub(super) struct Token {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a token and print it, this once; only its hash is kept.
    Create(create::Create),
    /// All tokens with what they may do and when they were used last; never their secrets.
    List(list::List),
    /// End a token; a running server follows within seconds.
    Revoke(revoke::Revoke),
}

impl Token {
    pub(super) fn run(&self, config: &Config) -> anyhow::Result<ExitCode> {
        blocking(async {
            let store = self.open(&config.store.url).await?;
            let done = match &self.command {
                Command::Create(create) => create.run(&store).await,
                Command::List(list) => list.run(&store).await,
                Command::Revoke(revoke) => revoke.run(&store).await,
            };
            store.close().await;
            done
        })?
    }

    /// The database; the first token may be made before the first start.
    async fn open(&self, url: &str) -> Result<Store, StoreError> {
        let path = path_of(url)?;
        if !path.exists() && !matches!(self.command, Command::Create(_)) {
            return Err(StoreError::Missing(path));
        }
        Store::open(url).await
    }
}
