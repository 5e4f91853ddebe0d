//! `slo-engine schema`: the JSON Schemas of the files that a user writes.

use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::output;

/// Arguments of `schema`.
#[derive(Debug, Args)]
pub(super) struct Schema {
    /// Which kind of document
    #[arg(long, default_value = "service")]
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Services and their SLOs
    Service,
    /// When one may deploy
    Policy,
    /// When nothing is deployed
    Calendar,
    /// Times that do not count
    Exclusion,
}

impl Schema {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        output::json(&match self.kind {
            Kind::Service => slo_core::spec::schema(),
            Kind::Policy => budget_gate::policy::schema(),
            Kind::Calendar => budget_gate::calendar::schema(),
            Kind::Exclusion => budget_gate::exclusion::schema(),
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
