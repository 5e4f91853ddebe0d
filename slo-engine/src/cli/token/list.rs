//! `slo-engine token list`.

use std::process::ExitCode;

use budget_gate::select::Glob;
use chrono::{DateTime, Utc};
use clap::Args;
use comfy_table::{Table, presets};
use serde::Serialize;

use crate::cli::budget::Page;
use crate::cli::output;
use crate::clock::{Clock, SystemClock};
use crate::store::Store;
use crate::token::{Scope, StoredToken, list};

/// Arguments of `token list`.
#[derive(Debug, Args)]
pub(super) struct List {
    /// As JSON: {"items": [...], "next": null}
    #[arg(long)]
    json: bool,
}

/// A token as it is shown.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    id: String,
    name: String,
    state: &'static str,
    scopes: Vec<Scope>,
    services: Vec<Glob>,
    environments: Vec<Glob>,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
}

impl List {
    pub(super) async fn run(&self, store: &Store) -> anyhow::Result<ExitCode> {
        let now = SystemClock.now();
        let items: Vec<Shown> = list(store).await?.into_iter().map(|t| shown(t, now)).collect();
        if self.json {
            output::json(&Page { items, next: None })?;
        } else if items.is_empty() {
            output::text("there are no tokens; `slo-engine token create` makes one\n")?;
        } else {
            output::text(&format!("{}\n", table(&items)))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn shown(token: StoredToken, now: DateTime<Utc>) -> Shown {
    let state = match (token.revoked_at, token.expires_at) {
        (Some(_), _) => "revoked",
        (None, Some(end)) if end <= now => "expired",
        _ => "active",
    };
    Shown {
        id: token.id,
        name: token.name,
        state,
        scopes: token.scopes,
        services: token.services,
        environments: token.environments,
        created_at: token.created_at,
        expires_at: token.expires_at,
        last_used_at: token.last_used_at,
        revoked_at: token.revoked_at,
    }
}

fn table(tokens: &[Shown]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    if !output::colours() {
        table.force_no_tty();
    }
    let head = ["NAME", "ID", "STATE", "SCOPES", "SERVICES", "ENVIRONMENTS", "LAST USE", "EXPIRES"];
    table.set_header(head);
    for token in tokens {
        let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.as_str()).collect();
        table.add_row([
            token.name.clone(),
            token.id.clone(),
            token.state.to_owned(),
            scopes.join(" "),
            patterns(&token.services),
            patterns(&token.environments),
            minute(token.last_used_at),
            minute(token.expires_at),
        ]);
    }
    table
}

fn patterns(globs: &[Glob]) -> String {
    let texts: Vec<&str> = globs.iter().map(Glob::as_str).collect();
    if texts.is_empty() { "*".to_owned() } else { texts.join(" ") }
}

fn minute(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(|| "never".to_owned(), |at| at.format("%Y-%m-%d %H:%M").to_string())
}
