//! `slo-engine audit head`: the newest signed end of the chain.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use crate::cli::budget::blocking;
use crate::cli::output;
use crate::config::Config;
use crate::record::newest_head;

/// Arguments of `audit head`.
#[derive(Debug, Args)]
pub(super) struct ShowHead {
    /// As JSON, with the key and the signature: {"seq", "hash", "at", "publicKey", "signature"}
    #[arg(long)]
    json: bool,
}

impl ShowHead {
    pub(super) fn run(&self, config: &Config) -> anyhow::Result<ExitCode> {
        let newest = blocking(async {
            let store = super::open(config).await?;
            let newest = newest_head(&store).await;
            store.close().await;
            newest
        })??;
        let signed = newest.context(
            "no head was signed yet; a server signs the first within a minute after the first record",
        )?;
        if self.json {
            output::json(&signed.shown())?;
            return Ok(ExitCode::SUCCESS);
        }
        let (seq, hash) = (signed.head.seq, signed.head.hash);
        let shown = signed.shown();
        let at = shown.at.unwrap_or_default();
        let (key, signature) = (signed.key_text(), shown.signature.unwrap_or_default());
        output::text(&format!("{seq}:{hash}\n"))?;
        output::text(&format!("signed at {at}\nkey        {key}\nsignature  {signature}\n"))?;
        Ok(ExitCode::SUCCESS)
    }
}
