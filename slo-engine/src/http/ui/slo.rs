//! `/slos/{service}/{slo}`: one SLO for people, where the rules of a decision point.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use slo_core::view::{BudgetView, State as SloState};
use utoipa::IntoParams;

use super::page;
use crate::http::app::App;
use crate::http::openapi::NotFound;
use crate::http::place;
use crate::http::problem::Problem;
use crate::http::query::{Asked, Named};

/// Which one.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct Where {
    /// May be left out where the service is in one environment only.
    environment: Option<String>,
    /// The instant of the decision that points here.
    at: Option<DateTime<Utc>>,
    /// One group of a grouped SLO.
    group: Option<String>,
}

#[derive(Serialize)]
struct Shown {
    v: BudgetView,
    at: Option<DateTime<Utc>>,
    /// Of a group.
    name: Option<String>,
    groups: Groups,
    /// The minutes around it.
    history: String,
    json: String,
}

/// The groups of an SLO that have the least left, and how many there are.
#[derive(Serialize, Default)]
struct Groups {
    count: usize,
    worst: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    /// Of its page.
    link: String,
    state: SloState,
    remaining: Option<f64>,
    bad: Option<f64>,
    total: Option<f64>,
}

/// So many groups are shown.
const SHOWN: usize = 20;

/// How much of the past is shown around a decision.
const AROUND: TimeDelta = TimeDelta::hours(6);

/// One SLO, as a page
#[utoipa::path(get, path = "/slos/{service}/{slo}", tag = "budgets", operation_id = "sloPage", responses(
    (status = 200, description = "A page", content_type = "text/html", body = String),
    NotFound,
), params(
    ("service" = String, Path, description = "The service's name"),
    ("slo" = String, Path, description = "The SLO's name"),
    Where,
))]
pub(in crate::http) async fn show(
    State(app): State<Arc<App>>,
    Named((service, slo)): Named<(String, String)>,
    Asked(asked): Asked<Where>,
) -> Result<Response, Problem> {
    let snapshot = app.snapshot()?;
    let (environment, group) = (asked.environment.as_deref(), asked.group.as_deref());
    let (_, view) = place::view_of(&snapshot, (&service, &slo), environment, group)?;
    // Names are letters that need no escape in an address.
    let path = format!("/v1/slos/{}/{}", view.service, view.slo);
    let mut which = vec![("environment", view.environment.to_string())];
    which.extend(view.group.iter().map(|group| ("group", group.key())));
    let which = serde_urlencoded::to_string(&which).unwrap_or_default();
    let to = asked.at.unwrap_or_else(|| app.now());
    let text = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let from = to.checked_sub_signed(AROUND).unwrap_or(to);
    let history = format!("{path}/history?{which}&from={}&to={}&step=1m", text(from), text(to));
    let json = format!("{path}?{which}");
    let found = place::service(&snapshot, &service, Some(&view.environment))?;
    let groups = groups(view, found.groups, app.now());
    let name = view.group.as_ref().map(ToString::to_string);
    page("slo.html", &Shown { v: view.at(app.now()), at: asked.at, name, groups, history, json })
}

fn groups(whole: &BudgetView, all: &[Arc<BudgetView>], now: DateTime<Utc>) -> Groups {
    if whole.group.is_some() {
        return Groups::default();
    }
    let mine = all.iter().filter(|view| view.slo == whole.slo);
    let mut rows: Vec<Row> = mine
        .filter_map(|view| {
            let (group, window) = (view.group.as_ref()?, view.windows.first()?);
            let which = [("environment", &*view.environment), ("group", &group.key())];
            Some(Row {
                name: group.to_string(),
                link: format!("?{}", serde_urlencoded::to_string(which).unwrap_or_default()),
                state: view.state_at(now),
                remaining: window.deciding_remaining(),
                bad: window.bad,
                total: window.total,
            })
        })
        .collect();
    let left = |row: &Row| row.remaining.unwrap_or(f64::MAX);
    rows.sort_by(|a, b| left(a).total_cmp(&left(b)).then_with(|| a.name.cmp(&b.name)));
    let count = rows.len();
    rows.truncate(SHOWN);
    Groups { count, worst: rows }
}

#[cfg(test)]
mod tests {
    use crate::http::world::World;

    #[tokio::test]
    async fn the_evidence_of_every_rule_is_a_page() {
        let world = World::new().await;
        let decision = world.json("/v1/gate/orders?environment=production").await;
        let rules = decision["rules"].as_array().unwrap();
        let pages: Vec<&str> = rules.iter().filter_map(|rule| rule["evidence"].as_str()).collect();
        assert!(pages.len() >= 3, "{decision}");
        for path in pages {
            let page = world.get(path).await;
            assert_eq!(page.status, 200, "{path}: {}", page.text());
        }
        let page = world.get("/slos/orders/exhausted?environment=production").await.text();
        for said in ["orders/exhausted", "exhausted, atRisk", "30d", "<code>t</code>"] {
            assert!(page.contains(said), "{said}: {page}");
        }
        world.get("/slos/orders/nothing?environment=production").await.problem(404);
        world.get("/slos/orders/exhausted").await.problem(400);
    }

    #[tokio::test]
    async fn an_slo_without_data_says_unknown_and_not_zero() {
        let world = World::new().await;
        let page = world.get("/slos/notifier/no-data").await.text();
        assert!(page.contains("noData") && page.contains("unknown"), "{page}");
    }
}
