//! `/v1/services` and `/v1/services/{service}`: what is declared, and how it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use slo_core::slo::Name;
use slo_core::view::{BudgetView, State as SloState};
use utoipa::IntoParams;

use super::app::{App, json};
use super::openapi::NotFound;
use super::page::Wanted;
use super::place;
use super::problem::Problem;
use super::query::{Asked, Named};
use crate::evaluate::snapshot::Found;

/// Which services.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Listing {
    /// The most items of the answer, 1 to 500; 100 when nothing is said.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// Where.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Where {
    /// May be left out where the service is in one environment only.
    environment: Option<String>,
}

/// A service in one environment, in a list.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ServiceSummary")]
pub(super) struct Summary<'a> {
    /// The service's name.
    service: &'a str,
    /// The environment.
    environment: &'a str,
    /// A name for people.
    title: Option<&'a str>,
    /// Who owns it.
    owner: Option<&'a str>,
    /// 1 (most critical) to 4.
    tier: u8,
    /// The worst state of its SLOs, now; null without SLOs.
    state: Option<SloState>,
    /// How many SLOs it has.
    slos: usize,
}

/// A service in one environment with its SLOs.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Service")]
pub(super) struct Whole<'a> {
    /// The service's name.
    service: &'a str,
    /// The environment.
    environment: &'a str,
    /// A name for people.
    title: Option<&'a str>,
    /// Who owns it.
    owner: Option<&'a str>,
    /// 1 (most critical) to 4.
    tier: u8,
    /// The services that it calls.
    depends_on: Vec<&'a str>,
    /// Links for people.
    links: &'a BTreeMap<String, String>,
    /// Labels that policies may select by.
    labels: &'a BTreeMap<String, String>,
    /// The worst state of its SLOs, now; null without SLOs.
    state: Option<SloState>,
    /// Its SLOs, in the order of its file.
    slos: Vec<BudgetView>,
}

/// The services with their worst state
///
/// One item for each environment of a service, by name and environment.
#[utoipa::path(get, path = "/v1/services", tag = "budgets", operation_id = "listServices", params(Listing), responses(
    (status = 200, description = "One page", body = ref("#/components/schemas/ServiceSummaryPage")),
))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<Listing>,
) -> Result<Response, Problem> {
    let wanted = Wanted::<2>::new(asked.limit, asked.cursor.as_deref())?;
    let (snapshot, now) = (app.snapshot()?, app.now());
    let from = snapshot.sorted_from(wanted.from());
    let sorted = from
        .map(|found| ([found.service.name.as_str(), found.service.environment.as_str()], found));
    json(&wanted.page(sorted, |found| summary(found, now)))
}

fn summary(Found { service, views, .. }: Found<'_>, now: DateTime<Utc>) -> Summary<'_> {
    Summary {
        service: service.name.as_str(),
        environment: service.environment.as_str(),
        title: service.title.as_deref(),
        owner: service.owner.as_deref(),
        tier: service.tier,
        state: worst(views, now),
        slos: service.slos.len(),
    }
}

/// States are ordered worst first.
fn worst(views: &[Arc<BudgetView>], now: DateTime<Utc>) -> Option<SloState> {
    views.iter().map(|view| view.state_at(now)).min()
}

/// A service with its SLOs
#[utoipa::path(get, path = "/v1/services/{service}", tag = "budgets", operation_id = "getService", responses(
    (status = 200, description = "The service", body = ref("#/components/schemas/Service")),
    NotFound,
), params(("service" = String, Path, description = "The service's name"), Where))]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Named(name): Named<String>,
    Asked(asked): Asked<Where>,
) -> Result<Response, Problem> {
    let (snapshot, now) = (app.snapshot()?, app.now());
    let found = place::service(&snapshot, &name, asked.environment.as_deref())?;
    let Found { service, views, .. } = found;
    json(&Whole {
        service: service.name.as_str(),
        environment: service.environment.as_str(),
        title: service.title.as_deref(),
        owner: service.owner.as_deref(),
        tier: service.tier,
        depends_on: service.depends_on.iter().map(Name::as_str).collect(),
        links: &service.links,
        labels: &service.labels,
        state: worst(views, now),
        slos: views.iter().map(|view| view.at(now)).collect(),
    })
}

#[cfg(test)]
mod tests;
