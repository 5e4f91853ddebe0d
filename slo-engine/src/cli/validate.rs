//! `slo-engine validate`: errors and warnings of the files that a user writes.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use slo_core::spec::{SpecError, Warning};

use super::output::counted;
use super::{declare, output};
use crate::config::Config;
use crate::declared::{self, Declared};

/// Arguments of `validate`.
#[derive(Debug, Args)]
pub(super) struct Validate {
    /// Files and folders; those of the configuration when none is given
    paths: Vec<PathBuf>,
    /// Machine-readable findings on stdout
    #[arg(long)]
    json: bool,
    /// Count warnings as errors
    #[arg(long)]
    strict: bool,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    ok: bool,
    services: usize,
    slos: usize,
    policies: usize,
    calendars: usize,
    exclusions: usize,
    /// The shipped policy decides, because the files hold none.
    shipped_policy: bool,
    errors: Vec<Finding>,
    warnings: Vec<Warning>,
}

/// An error in the form of a warning, so that a reader needs to know one shape.
#[derive(Debug, Serialize)]
struct Finding {
    code: &'static str,
    #[serde(flatten)]
    finding: SpecError,
}

impl Validate {
    pub(super) fn run(&self, config: &Config) -> anyhow::Result<ExitCode> {
        let report = self.report(config);
        if self.json {
            output::json(&report)?;
        } else {
            self.show(&report)?;
        }
        Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }

    fn report(&self, config: &Config) -> Report {
        let scrape = config.sources.first().map(|source| source.scrape_interval);
        match declared::check(&declare::paths(&self.paths, config), scrape) {
            Ok(declared) => self.without_errors(declared),
            Err(errors) => {
                let finding = |finding| Finding { code: "invalid", finding };
                Report { errors: errors.into_iter().map(finding).collect(), ..Report::default() }
            }
        }
    }

    fn without_errors(&self, declared: Declared) -> Report {
        Report {
            ok: !self.strict || declared.warnings.is_empty(),
            services: declared.services.len(),
            slos: declared.slos(),
            policies: if declared.is_shipped { 0 } else { declared.policies.len() },
            calendars: declared.calendars.len(),
            exclusions: declared.exclusions.len(),
            shipped_policy: declared.is_shipped,
            errors: Vec::new(),
            warnings: declared.warnings,
        }
    }

    fn show(&self, report: &Report) -> anyhow::Result<()> {
        for error in &report.errors {
            output::complain(&format!("error: {}\n", error.finding));
        }
        for warning in &report.warnings {
            output::complain(&format!("{warning}\n"));
        }
        if !report.errors.is_empty() {
            output::complain(&counted(report.errors.len(), "error"));
            return Ok(());
        }
        output::text(&format!("{}; no errors, {}\n", contents(report), self.warnings(report)))
    }

    fn warnings(&self, report: &Report) -> String {
        match report.warnings.len() {
            0 => "no warnings".to_owned(),
            some if self.strict => {
                format!("{}, which --strict counts as errors", counted(some, "warning"))
            }
            some => counted(some, "warning"),
        }
    }
}

fn contents(report: &Report) -> String {
    let mut parts = Vec::new();
    if report.services > 0 {
        let (slos, services) = (counted(report.slos, "SLO"), counted(report.services, "service"));
        parts.push(format!("{slos} of {services}"));
    }
    parts.push(match report.shipped_policy && report.services > 0 {
        true => "no policy (so the shipped one decides)".to_owned(),
        false => counted(report.policies, "policy"),
    });
    for (count, noun) in [(report.calendars, "calendar"), (report.exclusions, "exclusion")] {
        if count > 0 {
            parts.push(counted(count, noun));
        }
    }
    parts.join(", ")
}
