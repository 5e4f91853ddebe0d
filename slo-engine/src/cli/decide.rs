//! `slo-engine decide`: a verdict at an instant, straight from the sources.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use budget_gate::harmless::harmless_json;
use budget_gate::{Decision, Facts, Kind, Request, decide, text};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use slo_core::slo::{Gate, Name, Service, Slo};
use slo_core::spec::nearest;
use slo_core::view::BudgetView;

use super::budget::{blocking, instant};
use super::progress::Progress;
use super::{declare, output};
use crate::config::Config;
use crate::declared::{self, Declared};
use crate::evaluate::oneshot::{self, Question};

/// Arguments of `decide`.
#[derive(Debug, Args)]
pub(super) struct Decide {
    /// Files and folders; those of the configuration when none is given
    paths: Vec<PathBuf>,
    /// A file or folder with the policies to decide by, instead of those in PATHS
    #[arg(long, value_name = "FILE")]
    policy: Vec<PathBuf>,
    /// The service
    #[arg(long, value_name = "S", value_parser = name)]
    service: String,
    /// The environment; may be left out where the service has one only
    #[arg(long, value_name = "E", value_parser = name)]
    environment: Option<String>,
    /// What the deploy claims to be
    #[arg(long, default_value = "release", value_parser = kinds())]
    kind: Kind,
    /// The instant: 2026-11-21T10:00:00Z, Unix seconds, or now
    #[arg(long, default_value = "now", value_name = "T")]
    at: String,
    /// The decision as JSON
    #[arg(long)]
    json: bool,
}

impl Decide {
    pub(super) fn run(&self, config: &Config) -> anyhow::Result<ExitCode> {
        let at = instant(&self.at)?;
        let declared = self.declared(config)?;
        let service = self.service(&declared)?;
        let slos = service.into_iter().flat_map(|service| &service.slos).filter(decides);
        let question = Question {
            sources: &config.sources,
            slos: slos.cloned().collect(),
            at,
            burns: &declared.burns,
            asks: &declared.asks,
        };
        let views = views(&question)?;
        let environment = service.map(|s| s.environment.to_string());
        let request = Request {
            environment: environment.or_else(|| self.environment.clone()),
            kind: self.kind,
            ..Request::of(&self.service)
        };
        let service = service.map(Arc::as_ref);
        let decision = decide(&request, &Facts::of(service, &views), &declared.policies, at);
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
        declared::with_policies_of(declared, &self.policy).map_err(|errors| declare::told(&errors))
    }

    /// The service that is meant; `None` when it is not declared, as any deploy may be asked about.
    fn service<'a>(&self, declared: &'a Declared) -> anyhow::Result<Option<&'a Arc<Service>>> {
        let named = declared.services.iter().filter(|s| s.name.as_str() == self.service);
        let fits = |s: &&Arc<Service>| {
            self.environment.as_deref().is_none_or(|wanted| s.environment.as_str() == wanted)
        };
        let fitting: Vec<&Arc<Service>> = named.clone().filter(fits).collect();
        if let [_, _, ..] = fitting[..] {
            let all: Vec<&str> = fitting.iter().map(|s| s.environment.as_str()).collect();
            bail!(
                "{} is declared in several environments; say which: --environment {}",
                self.service,
                all.join(", or ")
            );
        }
        if fitting.is_empty() {
            let elsewhere: Vec<&str> = named.map(|s| s.environment.as_str()).collect();
            output::complain(&format!("note: {}", self.undeclared(&elsewhere, declared)));
        }
        Ok(fitting.first().copied())
    }

    fn undeclared(&self, elsewhere: &[&str], declared: &Declared) -> String {
        let service = &self.service;
        if let (Some(environment), false) = (&self.environment, elsewhere.is_empty()) {
            let known = elsewhere.join(", ");
            return format!("{service} is not declared in {environment}, only in {known}");
        }
        let known = declared.services.iter().map(|s| s.name.as_str());
        match nearest(service, known) {
            Some(meant) => format!("no file declares {service}; did you mean {meant}?"),
            None => format!("no file declares {service}"),
        }
    }

    fn show(&self, decision: &Decision) -> anyhow::Result<()> {
        if self.json {
            let json = serde_json::to_string_pretty(decision)?;
            return output::text(&harmless_json(&format!("{json}\n")));
        }
        output::text(&text::text(decision, output::colours()))
    }
}

/// SLOs that inform only take no part, so they need not be read.
fn decides(slo: &&Arc<Slo>) -> bool {
    slo.gate != Gate::Informs
}

fn views(question: &Question<'_>) -> anyhow::Result<Vec<BudgetView>> {
    blocking(async {
        let progress = Progress::new("reading history");
        let mut all = oneshot::read(question, &|share| progress.show(share)).await;
        oneshot::views(question, &mut all)
    })
}

fn name(text: &str) -> Result<String, String> {
    Name::parse(text).map(|name| name.as_str().to_owned())
}

fn kinds() -> impl TypedValueParser<Value = Kind> {
    let known = PossibleValuesParser::new(Kind::ALL.map(Kind::as_str));
    known.map(|text| Kind::ALL.into_iter().find(|k| k.as_str() == text).unwrap_or_default())
}
