//! `slo-engine validate`: errors and warnings of SLO and policy files.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use slo_core::spec::{SpecError, Warning};

use super::{output, set};
use crate::config::Config;

/// Arguments of `validate`.
#[derive(Debug, Args)]
pub(super) struct Validate {
    /// Files and folders; those of the configuration when none is given.
    paths: Vec<PathBuf>,
    /// Machine-readable findings on stdout.
    #[arg(long)]
    json: bool,
    /// Warnings are errors.
    #[arg(long)]
    strict: bool,
}

#[derive(Debug, Default, Serialize)]
struct Report {
    ok: bool,
    services: usize,
    slos: usize,
    errors: Vec<SpecError>,
    warnings: Vec<Warning>,
}

impl Validate {
    pub(super) fn run(&self, config: &Config) -> anyhow::Result<ExitCode> {
        let report = self.report(config);
        if self.json {
            output::json(&report)?;
        } else {
            show(&report)?;
        }
        Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }

    fn report(&self, config: &Config) -> Report {
        match set::read(&self.paths, config) {
            Err(errors) => Report { errors, ..Report::default() },
            Ok(set) => {
                let mut warnings = set.warnings.clone();
                if let Some(source) = config.sources.first() {
                    warnings.extend(set.slices_too_short(source.scrape_interval));
                }
                Report {
                    ok: !self.strict || warnings.is_empty(),
                    services: set.services.len(),
                    slos: set.services.iter().map(|s| s.slos.len()).sum(),
                    errors: Vec::new(),
                    warnings,
                }
            }
        }
    }
}

fn show(report: &Report) -> anyhow::Result<()> {
    for error in &report.errors {
        output::complain(&format!("error: {error}\n"));
    }
    for warning in &report.warnings {
        output::complain(&format!("{warning}\n"));
    }
    if report.errors.is_empty() {
        let (services, slos) = (report.services, report.slos);
        output::text(&format!(
            "{slos} SLOs of {services} services, {} warnings\n",
            report.warnings.len()
        ))?;
    } else {
        output::complain(&format!("{} errors", report.errors.len()));
    }
    Ok(())
}
