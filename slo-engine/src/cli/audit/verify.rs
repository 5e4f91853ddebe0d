//! `slo-engine audit verify`: walks the chain.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use crate::cli::budget::blocking;
use crate::cli::output::{self, counted};
use crate::cli::progress::Progress;
use crate::config::Config;
use crate::record::audit::{Anchor, Audit, Finding, audit};
use crate::record::chain::Head;
use crate::record::signing::SigningKey;
use crate::store::{Store, StoreError};

/// Arguments of `audit verify`.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// An end of the chain that was kept: SEQ:sha256:HEX, JSON of `audit head`, or a file
    #[arg(long = "anchor", value_name = "HEAD", value_parser = anchor)]
    anchors: Vec<Anchor>,
    /// What was found as JSON
    #[arg(long)]
    json: bool,
}

fn anchor(text: &str) -> Result<Anchor, String> {
    match std::fs::read_to_string(text) {
        Ok(kept) => kept.parse().map_err(|e| format!("{text}: {e}")),
        Err(_) => text.parse(),
    }
}

impl Verify {
    pub(super) fn run(&self, config: &Config) -> anyhow::Result<ExitCode> {
        let audit = blocking(async {
            let store = super::open(config).await?;
            let audit = self.audit(config, &store).await;
            store.close().await;
            audit
        })??;
        if self.json {
            output::json(&shown(&audit))?;
        } else {
            output::text(&told(&audit))?;
        }
        Ok(ExitCode::from(u8::from(!audit.is_whole())))
    }

    async fn audit(&self, config: &Config, store: &Store) -> Result<Audit, StoreError> {
        let key = key(&config.signing.path(store.path()));
        let progress = Progress::new("walking the chain");
        audit(store, &self.anchors, key, &|share| progress.show(share)).await
    }
}

/// The public key of the server's signatures, if this user may read it.
fn key(path: &Path) -> Option<[u8; 32]> {
    match SigningKey::read(path) {
        Ok(key) => key.map(|key| key.public()),
        Err(error) => {
            output::complain(&format!("the heads are not compared with the key: {error}"));
            None
        }
    }
}

fn head_json(head: Head) -> Value {
    json!({"seq": head.seq, "hash": head.hash.to_string()})
}

fn shown(audit: &Audit) -> Value {
    let anchors: Vec<Value> = audit
        .anchors
        .iter()
        .map(
            |(head, holds)| json!({"seq": head.seq, "hash": head.hash.to_string(), "holds": holds}),
        )
        .collect();
    json!({
        "whole": audit.is_whole(),
        "end": head_json(audit.end),
        "heads": audit.heads,
        "anchors": anchors,
        "fromAnchor": audit.from_anchor.map(head_json),
        "findings": audit.findings,
        "leftOut": audit.left_out,
    })
}

fn told(audit: &Audit) -> String {
    let mut lines: Vec<String> = audit.findings.iter().map(finding).collect();
    if audit.left_out > 0 {
        let count = usize::try_from(audit.left_out).unwrap_or(usize::MAX);
        lines.push(format!("and {} on signed heads", counted(count, "more finding")));
    }
    lines.push(ends(audit));
    for (head, _) in audit.anchors.iter().filter(|(_, holds)| *holds) {
        let since = audit.from_anchor.unwrap_or(audit.end).seq - head.seq;
        let since = counted(usize::try_from(since).unwrap_or(0), "record");
        lines.push(format!("the anchor {} holds; {since} since, whole from there", head.seq));
    }
    lines.into_iter().map(|line| line + "\n").collect()
}

fn finding(finding: &Finding) -> String {
    let Finding { seq, message, .. } = finding;
    match finding.kind.as_ref().zip(finding.id.as_ref()) {
        Some((kind, id)) => format!("record {seq} ({kind} {id}): {message}"),
        None => format!("record {seq}: {message}"),
    }
}

fn ends(audit: &Audit) -> String {
    let Head { seq, hash } = audit.end;
    let heads = match audit.heads {
        0 => "no head is signed yet".to_owned(),
        1 => "1 signed head agrees".to_owned(),
        heads => format!("{heads} signed heads agree"),
    };
    match (audit.is_whole(), seq) {
        (true, 0) => "nothing is recorded yet".to_owned(),
        (true, _) => {
            format!("the chain is whole up to {seq}:{hash}; {heads}")
        }
        (false, 0) => "NOT WHOLE: no record holds".to_owned(),
        (false, _) => format!("NOT WHOLE; up to {seq}:{hash} each link holds"),
    }
}
