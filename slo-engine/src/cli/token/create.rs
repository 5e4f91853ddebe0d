//! `slo-engine token create`.

use std::process::ExitCode;

use budget_gate::select::Glob;
use chrono::TimeDelta;
use clap::Args;
use slo_core::time::Span;

use crate::cli::output;
use crate::clock::{Clock, SystemClock};
use crate::store::Store;
use crate::token::{Asked, Scope, create};

/// Arguments of `token create`.
#[derive(Debug, Args)]
pub(super) struct Create {
    /// How people call it; it is shown as token:NAME in what it asked for
    #[arg(long)]
    name: String,
    /// What it may do: decide, deploy, incident, exclude, override, kind:hotfix, kind:security,
    /// adapter for a secret that stands in the address of an adapter, or admin for everything; may be
    /// given several times
    #[arg(long = "scope", required = true, value_name = "SCOPE")]
    scopes: Vec<Scope>,
    /// For which services, such as orders or payment-*; for all when none is given
    #[arg(long = "service", value_name = "GLOB", value_parser = Glob::parse)]
    services: Vec<Glob>,
    /// In which environments; in all when none is given
    #[arg(long = "environment", value_name = "GLOB", value_parser = Glob::parse)]
    environments: Vec<Glob>,
    /// For how long, such as 90d; for ever when it is not given
    #[arg(long, value_name = "SPAN", value_parser = lasting)]
    expires: Option<TimeDelta>,
}

fn lasting(text: &str) -> Result<TimeDelta, String> {
    let span = Span::parse(text)?;
    if span.as_millis() == 0 {
        return Err("a token that expires at once serves nobody".to_owned());
    }
    Ok(TimeDelta::milliseconds(span.as_millis()))
}

impl Create {
    pub(super) async fn run(&self, store: &Store) -> anyhow::Result<ExitCode> {
        let asked = Asked {
            name: self.name.clone(),
            scopes: self.scopes.clone(),
            services: self.services.clone(),
            environments: self.environments.clone(),
            lasts: self.expires,
        };
        let made = create(store, &asked, SystemClock.now()).await?;
        let until = made.expires_at.map_or_else(
            || "it does not expire".to_owned(),
            |at| format!("it expires at {}", at.format("%Y-%m-%d %H:%M UTC")),
        );
        // The token alone goes to stdout, so that a script can take it.
        output::complain(&format!("token `{}`, shown this once; {until}:", self.name));
        let shown = match self.scopes.contains(&Scope::Adapter) {
            true => made.token.reveal_for_path(),
            false => made.token.reveal(),
        };
        output::text(&format!("{shown}\n"))?;
        Ok(ExitCode::SUCCESS)
    }
}
