//! One verdict at an instant, straight from the sources.

use std::sync::Arc;

use anyhow::bail;
use budget_gate::{Decision, Facts, Request, decide};
use chrono::{DateTime, Utc};
use slo_core::slo::{Gate, Service, Slo};
use slo_core::spec::nearest;
use slo_core::view::BudgetView;

use super::Decide;
use crate::cli::budget::{about_now, blocking};
use crate::cli::output;
use crate::cli::progress::Progress;
use crate::config::Config;
use crate::declared::Declared;
use crate::evaluate::oneshot::{self, Question};

/// The views of a service, in the order in which they were read.
type ByService<'a> = Vec<(&'a str, Vec<BudgetView>)>;

impl Decide {
    /// Reads what the verdict goes by, and decides.
    pub(super) fn once(
        &self,
        config: &Config,
        declared: &Declared,
        name: &str,
        at: DateTime<Utc>,
    ) -> anyhow::Result<Decision> {
        let service = self.service(declared, name)?;
        let read: Vec<&Arc<Service>> =
            service.into_iter().chain(dependencies(declared, service)).collect();
        let question = Question {
            sources: &config.sources,
            slos: read.iter().flat_map(|s| &s.slos).filter(decides).cloned().collect(),
            services: &declared.services,
            at,
            burns: &declared.burns,
            asks: &declared.asks,
            exclusions: &declared.exclusions,
            now: about_now(at),
        };
        let views = by_service(&read, views(&question)?);
        let of = |name: &str| views.iter().find(|(one, _)| *one == name).map(|(_, all)| &all[..]);
        let facts = Facts {
            dependencies: &of,
            calendars: &declared.calendars,
            groups: of(name).unwrap_or_default(),
            ..Facts::of(service.map(Arc::as_ref), of(name).unwrap_or_default())
        };
        Ok(decide(&self.request(name, service), &facts, &declared.policies, at))
    }

    fn request(&self, name: &str, service: Option<&Arc<Service>>) -> Request {
        let declared = service.map(|service| service.environment.to_string());
        let environment = declared.or_else(|| self.environment.clone());
        Request { environment, kind: self.kind, ..Request::of(name) }
    }

    /// The service that is meant; `None` when it is not declared, as any deploy may be asked about.
    fn service<'a>(
        &self,
        declared: &'a Declared,
        name: &str,
    ) -> anyhow::Result<Option<&'a Arc<Service>>> {
        let named = declared.services.iter().filter(|s| s.name.as_str() == name);
        let fits = |s: &&Arc<Service>| {
            self.environment.as_deref().is_none_or(|wanted| s.environment.as_str() == wanted)
        };
        let fitting: Vec<&Arc<Service>> = named.clone().filter(fits).collect();
        if let [_, _, ..] = fitting[..] {
            let all: Vec<&str> = fitting.iter().map(|s| s.environment.as_str()).collect();
            bail!(
                "{name} is declared in several environments; say which: --environment {}",
                all.join(", or ")
            );
        }
        if fitting.is_empty() {
            let elsewhere: Vec<&str> = named.map(|s| s.environment.as_str()).collect();
            output::complain(&format!("note: {}", self.undeclared(name, &elsewhere, declared)));
        }
        Ok(fitting.first().copied())
    }

    fn undeclared(&self, service: &str, elsewhere: &[&str], declared: &Declared) -> String {
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
}

/// What the service depends on in its environment, where a policy goes by it.
fn dependencies<'a>(
    declared: &'a Declared,
    service: Option<&'a Arc<Service>>,
) -> impl Iterator<Item = &'a Arc<Service>> {
    let service = service.filter(|_| declared.asks_for_dependencies());
    let named = move |service: &Arc<Service>, name: &str| {
        let mut all = declared.named(name).iter().map(|at| &declared.services[*at]);
        all.find(|other| other.environment == service.environment && other.name != service.name)
    };
    service.into_iter().flat_map(move |service| {
        service.depends_on.iter().filter_map(move |name| named(service, name.as_str()))
    })
}

/// SLOs that inform only take no part, so they need not be read.
fn decides(slo: &&Arc<Slo>) -> bool {
    slo.gate != Gate::Informs
}

fn views(question: &Question<'_>) -> anyhow::Result<Vec<BudgetView>> {
    blocking(async {
        let progress = Progress::new("reading history");
        let mut all = oneshot::read(question, &|share| progress.show(share)).await;
        let mut views = oneshot::views(question, &mut all);
        views.extend(oneshot::groups(question, &mut all));
        views
    })
}

fn by_service<'a>(services: &[&'a Arc<Service>], mut views: Vec<BudgetView>) -> ByService<'a> {
    let mut all = ByService::new();
    for service in services {
        let (own, rest) = views.into_iter().partition(|v| *v.service == *service.name.as_str());
        views = rest;
        all.push((service.name.as_str(), own));
    }
    all
}
