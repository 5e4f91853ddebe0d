//! Finds the service that is meant. The environment may be left out where there is one only.

use std::sync::Arc;

use slo_core::slo::Service;
use slo_core::view::BudgetView;

use super::problem::Problem;
use crate::evaluate::snapshot::{Found, Snapshot};

/// One SLO's view, or the one of its group that is named, and its service.
///
/// # Errors
/// When there is none, or when it is not clear which.
pub(super) fn view_of<'a>(
    snapshot: &'a Snapshot,
    names: (&str, &str),
    environment: Option<&str>,
    group: Option<&str>,
) -> Result<(&'a Arc<Service>, &'a Arc<BudgetView>), Problem> {
    let (service, view) = view(snapshot, names, environment)?;
    let Some(group) = group else { return Ok((service, view)) };
    let all = self::service(snapshot, names.0, Some(service.environment.as_str()))?.groups;
    let named = |one: &&Arc<BudgetView>| one.group.as_ref().is_some_and(|it| it.is_named(group));
    let found = all.iter().filter(|one| one.slo == view.slo).find(named);
    found.map(|found| (service, found)).ok_or_else(|| {
        let path = format!("/v1/slos/{}/{}/groups", names.0, names.1);
        Problem::not_found(format!(
            "{}/{} has no group {group}; {path} lists them",
            names.0, names.1
        ))
    })
}

/// The declared service; `None` when it is not declared, or not in the environment that is named.
///
/// # Errors
/// When no environment is named and there are several.
pub(super) fn declared<'a>(
    snapshot: &'a Snapshot,
    service: &str,
    environment: Option<&str>,
) -> Result<Option<Found<'a>>, Problem> {
    let mut named = snapshot.named(service);
    match environment {
        Some("") => Err(Problem::bad("environment", "it is empty; name one or leave it out")),
        Some(environment) => {
            Ok(named.find(|found| found.service.environment.as_str() == environment))
        }
        None if named.len() > 1 => {
            let said = format!("{service} is in {}; say which", environments(snapshot, service));
            Err(Problem::bad("environment", said))
        }
        None => Ok(named.next()),
    }
}

/// The environments that a service is declared in.
fn environments(snapshot: &Snapshot, service: &str) -> String {
    let names = snapshot.named(service).map(|found| found.service.environment.as_str());
    names.collect::<Vec<_>>().join(", ")
}

/// The declared service.
///
/// # Errors
/// When there is none, or when it is not clear which.
pub(super) fn service<'a>(
    snapshot: &'a Snapshot,
    service: &str,
    environment: Option<&str>,
) -> Result<Found<'a>, Problem> {
    declared(snapshot, service, environment)?.ok_or_else(|| {
        let known = environments(snapshot, service);
        Problem::not_found(match environment {
            Some(environment) if !known.is_empty() => {
                format!("{service} is not in {environment}; it is in {known}")
            }
            _ => format!("no service {service} is declared; /v1/services lists them"),
        })
    })
}

/// One SLO's view, and its service.
///
/// # Errors
/// When there is none, or when it is not clear which.
pub(super) fn view<'a>(
    snapshot: &'a Snapshot,
    (name, slo): (&str, &str),
    environment: Option<&str>,
) -> Result<(&'a Arc<Service>, &'a Arc<BudgetView>), Problem> {
    let Found { service, views, .. } = self::service(snapshot, name, environment)?;
    let environment = service.environment.as_str();
    let view = views.iter().find(|view| *view.slo == *slo && view.group.is_none());
    view.map(|view| (service, view)).ok_or_else(|| {
        let known: Vec<&str> = service.slos.iter().map(|slo| slo.id.slo.as_str()).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Problem::not_found(format!("{name} has no SLO {slo} in {environment}; it has {known}"))
    })
}
