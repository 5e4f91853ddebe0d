//! `/gate/decisions` and `/gate/decisions/{id}`: what the gate said, for people.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use budget_gate::Decision;
use budget_gate::decision::Verdict;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::page;
use crate::http::app::App;
use crate::http::gate::decisions::{self, Listing};
use crate::http::openapi::NotFound;
use crate::http::problem::Problem;
use crate::http::query::{Asked, Named};

/// What the form sends: an empty field filters nothing.
#[derive(Debug, Clone, Default, Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct Form {
    /// Those about this service.
    #[serde(skip_serializing_if = "String::is_empty")]
    service: String,
    /// Those about this environment.
    #[serde(skip_serializing_if = "String::is_empty")]
    environment: String,
    /// Those with this verdict.
    #[serde(skip_serializing_if = "String::is_empty")]
    verdict: String,
    /// Where the page before ended.
    #[serde(skip_serializing_if = "String::is_empty")]
    cursor: String,
}

#[derive(Serialize)]
struct Shown {
    asked: Filled,
    items: Vec<Row>,
    next: Option<String>,
}

/// What the form shows.
#[derive(Serialize)]
struct Filled {
    service: String,
    environment: String,
    verdict: String,
}

#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    decision: Decision,
    /// The first thing that a reader wants to know.
    why: String,
}

/// How many decisions a page lists.
const ROWS: usize = 50;

/// Recorded decisions, as a page
#[utoipa::path(get, path = "/gate/decisions", tag = "gate", operation_id = "decisionsPage", params(Form), responses(
    (status = 200, description = "A page", content_type = "text/html", body = String),
))]
pub(in crate::http) async fn list(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<Form>,
) -> Result<Response, Problem> {
    let found = decisions::page(&app, listing(&asked)?).await?;
    let next = found.next.map(|cursor| query(&asked, &cursor));
    let items = found.items.into_iter().map(|decision| Row { why: why(&decision), decision });
    let items = items.collect();
    let Form { service, environment, verdict, .. } = asked;
    let asked = Filled { service, environment, verdict };
    page("decisions.html", &Shown { asked, items, next })
}

fn listing(asked: &Form) -> Result<Listing, Problem> {
    let given = |text: &String| (!text.is_empty()).then(|| text.clone());
    let known = [Verdict::Allow, Verdict::Warn, Verdict::Unknown, Verdict::Deny];
    let verdict = known.into_iter().find(|known| known.as_str() == asked.verdict);
    if verdict.is_none() && !asked.verdict.is_empty() {
        return Err(Problem::bad("verdict", "it is allow, warn, unknown or deny"));
    }
    Ok(Listing {
        service: given(&asked.service),
        environment: given(&asked.environment),
        verdict,
        from: None,
        to: None,
        limit: Some(ROWS),
        cursor: given(&asked.cursor),
    })
}

/// The query string of the page that follows: names, words and cursors.
fn query(asked: &Form, cursor: &str) -> String {
    let form = Form { cursor: cursor.to_owned(), ..asked.clone() };
    serde_urlencoded::to_string(form).unwrap_or_default()
}

fn why(decision: &Decision) -> String {
    let first = decision.because.first().or_else(|| decision.reasons.first());
    first.cloned().unwrap_or_default()
}

/// A recorded decision, as a page
#[utoipa::path(get, path = "/gate/decisions/{id}", tag = "gate", operation_id = "decisionPage", responses(
    (status = 200, description = "A page", content_type = "text/html", body = String), NotFound,
), params(("id" = String, Path, description = "The decision's id")))]
pub(in crate::http) async fn show(
    State(app): State<Arc<App>>,
    Named(id): Named<String>,
) -> Result<Response, Problem> {
    #[derive(Serialize)]
    struct One {
        d: Decision,
    }
    page("decision.html", &One { d: decisions::one(&app, &id).await? })
}

#[cfg(test)]
mod tests;
