//! Finds the service that is meant. The environment may be left out where there is one only.

use std::sync::Arc;

use slo_core::slo::Service;
use slo_core::view::BudgetView;

use super::problem::Problem;
use crate::evaluate::snapshot::Snapshot;

/// The declared service; `None` when it is not declared, or not in the environment that is named.
///
/// # Errors
/// When no environment is named and there are several.
pub(super) fn declared<'a>(
    snapshot: &'a Snapshot,
    service: &str,
    environment: Option<&str>,
) -> Result<Option<&'a Arc<Service>>, Problem> {
    if let Some(environment) = environment {
        return match environment {
            "" => Err(Problem::bad("environment", "it is empty; name one or leave it out")),
            _ => Ok(snapshot.service(service, environment)),
        };
    }
    match snapshot.environments(service).as_slice() {
        [] => Ok(None),
        [only] => Ok(snapshot.service(service, only)),
        several => {
            let said = format!("{service} is in {}; say which", several.join(", "));
            Err(Problem::bad("environment", said))
        }
    }
}

/// The declared service.
///
/// # Errors
/// When there is none, or when it is not clear which.
pub(super) fn service<'a>(
    snapshot: &'a Snapshot,
    service: &str,
    environment: Option<&str>,
) -> Result<&'a Arc<Service>, Problem> {
    declared(snapshot, service, environment)?.ok_or_else(|| {
        let known = snapshot.environments(service);
        Problem::not_found(match (environment, known.as_slice()) {
            (Some(environment), [_, ..]) => {
                format!("{service} is not in {environment}; it is in {}", known.join(", "))
            }
            _ => format!("no service {service} is declared; /v1/services lists them"),
        })
    })
}

/// One SLO's view.
///
/// # Errors
/// When there is none, or when it is not clear which.
pub(super) fn view<'a>(
    snapshot: &'a Snapshot,
    (name, slo): (&str, &str),
    environment: Option<&str>,
) -> Result<&'a Arc<BudgetView>, Problem> {
    let service = service(snapshot, name, environment)?;
    let environment = service.environment.as_str();
    let views = snapshot.of(name, environment);
    views.iter().find(|view| view.slo == slo && view.group.is_none()).ok_or_else(|| {
        let known: Vec<&str> = service.slos.iter().map(|slo| slo.id.slo.as_str()).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Problem::not_found(format!("{name} has no SLO {slo} in {environment}; it has {known}"))
    })
}
