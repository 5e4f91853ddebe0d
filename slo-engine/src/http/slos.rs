//! `/v1/slos` and `/v1/slos/{service}/{slo}`: budgets, as old as they are when asked.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use slo_core::slo::Service;
use slo_core::view::{BudgetView, State as SloState};
use utoipa::IntoParams;

use super::app::{App, json};
use super::openapi::{NotFound, StateKey};
use super::page::Wanted;
use super::place;
use super::problem::Problem;
use super::query::{Asked, Named};
use crate::evaluate::snapshot::Found;

/// Which SLOs; what is left out filters nothing.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Listing {
    /// Those in this environment.
    environment: Option<String>,
    /// Those in this state, now.
    #[param(value_type = StateKey, required = false)]
    state: Option<SloState>,
    /// Those of services with this owner.
    owner: Option<String>,
    /// Those of services of this tier, 1 to 4.
    #[param(minimum = 1, maximum = 4)]
    tier: Option<u8>,
    /// Groups of grouped SLOs instead of SLOs: those of this name (see the `group` of one SLO), or `*` for all.
    group: Option<String>,
    /// The most items of the answer, 1 to 500; 100 when nothing is said.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// Which groups of an SLO.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Grouped {
    /// May be left out where the service is in one environment only.
    environment: Option<String>,
    /// Those in this state, now.
    #[param(value_type = StateKey, required = false)]
    state: Option<SloState>,
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
    /// One group of a grouped SLO: its labels as JSON such as `{"route":"/cart"}`, `route=/cart`, the value
    /// where there is one label only, or `(other)`.
    group: Option<String>,
}

impl Listing {
    fn takes_service(&self, service: &Service) -> bool {
        let environment = service.environment.as_str();
        self.environment.as_deref().is_none_or(|e| e == environment)
            && self.owner.as_ref().is_none_or(|owner| service.owner.as_ref() == Some(owner))
            && self.tier.is_none_or(|tier| tier == service.tier)
    }

    fn takes(&self, view: &BudgetView, now: DateTime<Utc>) -> bool {
        self.state.is_none_or(|state| state == view.state_at(now))
    }
}

/// The SLOs with their budgets
///
/// By service, environment and name. `ageSeconds`, `state` and `conditions` are as they are when
/// asked: numbers that nothing renews turn stale by themselves.
#[utoipa::path(get, path = "/v1/slos", tag = "budgets", operation_id = "listSlos", params(Listing), responses(
    (status = 200, description = "One page", body = ref("#/components/schemas/BudgetViewPage")),
))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<Listing>,
) -> Result<Response, Problem> {
    if let Some(tier) = asked.tier.filter(|tier| !(1..=4).contains(tier)) {
        return Err(Problem::bad("tier", format!("{tier} is not between 1 and 4")));
    }
    let (snapshot, now, cursor) = (app.snapshot()?, app.now(), asked.cursor.as_deref());
    let takes = |found: &Found<'_>| asked.takes_service(found.service);
    if let Some(group) = asked.group.as_deref() {
        let wanted = Wanted::<4>::new(asked.limit, cursor)?;
        let services = snapshot.sorted_from(wanted.from()).filter(takes);
        let groups: Vec<Group<'_>> = services.flat_map(|found| groups(found, None)).collect();
        let named = |of: &&Group<'_>| {
            group == "*" || of.view.group.as_ref().is_some_and(|it| it.is_named(group))
        };
        let taken = groups.iter().filter(named).filter(|of| asked.takes(of.view, now));
        return json(&wanted.page(taken.map(|of| (of.key(), of.view)), |view| view.at(now)));
    }
    let wanted = Wanted::<3>::new(asked.limit, cursor)?;
    let views = snapshot.sorted_from(wanted.from()).filter(takes).flat_map(sorted);
    let taken = views.filter(|(_, view)| asked.takes(view, now));
    json(&wanted.page(taken, |view| view.at(now)))
}

/// The views of a service with their keys, by name.
fn sorted(found: Found<'_>) -> impl Iterator<Item = ([&str; 3], &Arc<BudgetView>)> {
    let (name, environment) = (found.service.name.as_str(), found.service.environment.as_str());
    let mut views: Vec<_> = found.views.iter().collect();
    views.sort_unstable_by(|a, b| a.slo.cmp(&b.slo));
    views.into_iter().map(move |view| ([name, environment, &*view.slo], view))
}

/// A group with what it is sorted by.
struct Group<'a> {
    view: &'a Arc<BudgetView>,
    names: [&'a str; 3],
    /// Without the `/` that keys are joined by.
    key: String,
}

impl Group<'_> {
    fn key(&self) -> [&str; 4] {
        let [service, environment, slo] = self.names;
        [service, environment, slo, &self.key]
    }
}

/// The groups of a service's SLOs, or of one of them, by SLO and key.
fn groups<'a>(found: Found<'a>, slo: Option<&str>) -> Vec<Group<'a>> {
    let (name, environment) = (found.service.name.as_str(), found.service.environment.as_str());
    let views = found.groups.iter().filter(|view| slo.is_none_or(|slo| *view.slo == *slo));
    let mut groups: Vec<Group<'a>> = views
        .map(|view| {
            let key = view.group.as_ref().map(slo_core::view::Group::key).unwrap_or_default();
            let key = key.replace('%', "%25").replace('/', "%2F");
            Group { view, names: [name, environment, &*view.slo], key }
        })
        .collect();
    groups.sort_unstable_by(|a, b| a.key().cmp(&b.key()));
    groups
}

/// The groups of a grouped SLO
///
/// By their labels. What has no event in the longest window is no group any more; groups beyond
/// `maxGroups` are one, `{"other": true}`.
#[utoipa::path(get, path = "/v1/slos/{service}/{slo}/groups", tag = "budgets", operation_id = "listGroups", responses(
    (status = 200, description = "One page", body = ref("#/components/schemas/BudgetViewPage")),
    NotFound,
), params(
    ("service" = String, Path, description = "The service's name"),
    ("slo" = String, Path, description = "The SLO's name"),
    Grouped,
))]
pub(super) async fn of_groups(
    State(app): State<Arc<App>>,
    Named((service, slo)): Named<(String, String)>,
    Asked(asked): Asked<Grouped>,
) -> Result<Response, Problem> {
    let wanted = Wanted::<4>::new(asked.limit, asked.cursor.as_deref())?;
    let (snapshot, now) = (app.snapshot()?, app.now());
    place::view(&snapshot, (&service, &slo), asked.environment.as_deref())?;
    let found = place::service(&snapshot, &service, asked.environment.as_deref())?;
    let groups = groups(found, Some(&slo));
    let taken = groups.iter().filter(|of| asked.state.is_none_or(|s| s == of.view.state_at(now)));
    json(&wanted.page(taken.map(|of| (of.key(), of.view)), |view| view.at(now)))
}

/// The budget of one SLO, or of a group of it
#[utoipa::path(get, path = "/v1/slos/{service}/{slo}", tag = "budgets", operation_id = "getSlo", responses(
    (status = 200, description = "Its budget", body = ref("#/components/schemas/BudgetView")),
    NotFound,
), params(
    ("service" = String, Path, description = "The service's name"),
    ("slo" = String, Path, description = "The SLO's name"),
    Where,
))]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Named((service, slo)): Named<(String, String)>,
    Asked(asked): Asked<Where>,
) -> Result<Response, Problem> {
    let snapshot = app.snapshot()?;
    let (environment, group) = (asked.environment.as_deref(), asked.group.as_deref());
    let (_, view) = place::view_of(&snapshot, (&service, &slo), environment, group)?;
    json(&view.at(app.now()))
}

#[cfg(test)]
mod tests;
