//! `slo-engine token revoke`.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;

use crate::cli::output;
use crate::clock::{Clock, SystemClock};
use crate::store::Store;
use crate::token::{Revoked, revoke};

/// Arguments of `token revoke`.
#[derive(Debug, Args)]
pub(super) struct Revoke {
    /// The token's id or name
    #[arg(value_name = "ID|NAME")]
    which: String,
}

impl Revoke {
    pub(super) async fn run(&self, store: &Store) -> anyhow::Result<ExitCode> {
        let Revoked::Now { id, name } = revoke(store, &self.which, SystemClock.now()).await? else {
            bail!(
                "there is no token `{}` that could be revoked; see `slo-engine token list`",
                self.which
            );
        };
        output::text(&format!(
            "token `{name}` ({id}) is revoked; a running server follows within seconds\n"
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}
