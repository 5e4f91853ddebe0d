//! `slo-engine decide`: a verdict at an instant, straight from the sources; or what a proposed policy
//! would have said of recorded decisions.

use std::path::PathBuf;
use std::process::ExitCode;

use budget_gate::harmless::harmless_json;
use budget_gate::{Decision, Kind, text};
use chrono::{DateTime, Utc};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use slo_core::slo::Name;

use super::budget::instant;
use super::{declare, output};
use crate::config::Config;
use crate::declared::{self, Declared};

mod once;
mod replay;
mod shown;

/// Arguments of `decide`.
#[derive(Debug, Args)]
pub(super) struct Decide {
    /// Files and folders; those of the configuration when none is given
    paths: Vec<PathBuf>,
    /// A file or folder with the policies to decide by, instead of those in PATHS
    #[arg(long, value_name = "FILE", required_if_eq("replay", "true"))]
    policy: Vec<PathBuf>,
    /// The service; with --replay it may be left out
    #[arg(long, value_name = "S", value_parser = name, required_unless_present = "replay")]
    service: Option<String>,
    /// The environment; may be left out where the service has one only
    #[arg(long, value_name = "E", value_parser = name)]
    environment: Option<String>,
    /// What the deploy claims to be
    #[arg(long, default_value = "release", value_parser = kinds(), conflicts_with = "replay")]
    kind: Kind,
    /// The instant: 2026-11-21T10:00:00Z, Unix seconds, or now
    #[arg(long, default_value = "now", value_name = "T", value_parser = instant, conflicts_with = "replay")]
    at: DateTime<Utc>,
    /// Ask about recorded decisions again: what would --policy have said?
    #[arg(long, requires = "from")]
    replay: bool,
    /// With --replay: decisions from this instant on
    #[arg(long, value_name = "T", value_parser = instant, requires = "replay")]
    from: Option<DateTime<Utc>>,
    /// With --replay: decisions before this instant
    #[arg(long, default_value = "now", value_name = "T", value_parser = instant, requires = "replay")]
    to: DateTime<Utc>,
    /// The decision as JSON; with --replay {"items": [...], "summary": {...}}
    #[arg(long)]
    json: bool,
}

impl Decide {
    pub(super) fn run(&self, config: &Config) -> anyhow::Result<ExitCode> {
        let Some(name) = self.service.as_deref().filter(|_| !self.replay) else {
            return self.replay(config);
        };
        let declared = self.declared(config)?;
        let decision = self.once(config, &declared, name, self.at)?;
        self.show(&decision)?;
        Ok(ExitCode::from(decision.verdict.exit_code()))
    }

    fn declared(&self, config: &Config) -> anyhow::Result<Declared> {
        let declared = declare::read(&self.paths, config)?;
        if self.policy.is_empty() {
            if declared.is_shipped {
                output::complain("note: no policy was found, so the shipped one decides");
            }
            return Ok(declared);
        }
        self.proposed(declared)
    }

    /// The same with the policies of the command line.
    fn proposed(&self, declared: Declared) -> anyhow::Result<Declared> {
        declared::with_policies_of(declared, &self.policy).map_err(|errors| declare::told(&errors))
    }

    fn show(&self, decision: &Decision) -> anyhow::Result<()> {
        if self.json {
            let json = serde_json::to_string_pretty(decision)?;
            return output::text(&harmless_json(&format!("{json}\n")));
        }
        output::text(&text::text(decision, output::colours()))
    }
}

fn name(text: &str) -> Result<String, String> {
    Name::parse(text).map(|name| name.as_str().to_owned())
}

fn kinds() -> impl TypedValueParser<Value = Kind> {
    let known = PossibleValuesParser::new(Kind::ALL.map(Kind::as_str));
    known.map(|text| Kind::ALL.into_iter().find(|k| k.as_str() == text).unwrap_or_default())
}
