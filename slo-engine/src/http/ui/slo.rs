//! `/slos/{service}/{slo}`: one SLO for people, where the rules of a decision point.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use slo_core::view::BudgetView;
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
}

#[derive(Serialize)]
struct Shown {
    v: BudgetView,
    at: Option<DateTime<Utc>>,
    /// The minutes around it.
    history: String,
    json: String,
}

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
    let (_, view) = place::view(&snapshot, (&service, &slo), asked.environment.as_deref())?;
    // Names are letters that need no escape in an address.
    let path = format!("/v1/slos/{}/{}", view.service, view.slo);
    let environment = format!("environment={}", view.environment);
    let to = asked.at.unwrap_or_else(|| app.now());
    let text = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let from = to.checked_sub_signed(AROUND).unwrap_or(to);
    let history =
        format!("{path}/history?{environment}&from={}&to={}&step=1m", text(from), text(to));
    let json = format!("{path}?{environment}");
    page("slo.html", &Shown { v: view.at(app.now()), at: asked.at, history, json })
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
