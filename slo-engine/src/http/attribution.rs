//! `/v1/slos/{service}/{slo}/attribution`: who spent the budget. A stretch of time is cut into runs
//! that each belong to one deployment or incident, so that the parts add up to the whole.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use budget_gate::deployment::Deployment;
use budget_gate::incident::Incident;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use slo_core::slo::Slo;
use slo_core::time::{Minute, Span};
use slo_core::timeslice::Slicing;
use slo_core::view::{BudgetView, Unit, whole};
use utoipa::IntoParams;

use super::app::{App, json};
use super::history::{Counts, counted, stretch};
use super::openapi::NotFound;
use super::place;
use super::problem::Problem;
use super::query::{Asked, Named};

mod subsets;

/// Which part of the past, and what it is told apart by.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Question {
    /// The first instant, RFC 3339; the length of the SLO's first window before `to` when nothing is
    /// said.
    from: Option<String>,
    /// The last instant (exclusive), RFC 3339; now when nothing is said or it is later.
    to: Option<String>,
    /// What the spending is told apart by: `deployment` (when nothing is said), `incident`, `group` (the groups
    /// of a grouped SLO), or a label that the SLO names in `attributeBy`.
    by: Option<String>,
    /// May be left out where the service is in one environment only.
    environment: Option<String>,
}

/// What spending is told apart by.
#[derive(Debug, Clone, PartialEq, Eq)]
enum By {
    /// By what ran: from each deployment to the next one.
    Deployment,
    /// By incidents: where several were open, by the one that opened first.
    Incident,
    /// By group, or by the values of a label.
    Subset(Option<String>),
}

impl By {
    fn read(text: Option<&str>, slo: &Slo) -> Result<Self, Problem> {
        match text {
            None | Some("deployment") => Ok(Self::Deployment),
            Some("incident") => Ok(Self::Incident),
            Some("group") if !slo.group_by.is_empty() => Ok(Self::Subset(None)),
            Some(label) if slo.attribute_by.iter().any(|one| one == label) => {
                Ok(Self::Subset(Some(label.to_owned())))
            }
            Some(other) => {
                let group = (!slo.group_by.is_empty()).then_some("group");
                let labels = slo.attribute_by.iter().map(String::as_str);
                let known = ["deployment", "incident"].into_iter().chain(group).chain(labels);
                let known = known.collect::<Vec<_>>().join(", ");
                Err(Problem::bad(
                    "by",
                    format!(
                        "`{other}` is none of {known}; labels are named in the SLO's `attributeBy`"
                    ),
                ))
            }
        }
    }
}

/// Who spent the budget of an SLO in a stretch of time. The items add up to the whole.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Attribution {
    /// The service's name.
    service: String,
    /// The SLO's name.
    slo: String,
    /// The environment.
    environment: String,
    /// The first instant; a whole minute, or the beginning of a slice.
    from: DateTime<Utc>,
    /// The last instant (exclusive).
    to: DateTime<Utc>,
    /// What it is told apart by.
    by: String,
    /// What bad and total count.
    unit: Option<Unit>,
    /// The window whose budget is meant by `spent`: the SLO's first.
    window: String,
    /// All of it.
    #[serde(flatten)]
    sum: Spending,
    /// Those that spent most first.
    items: Vec<Item>,
}

/// What one deployment, incident, group or value spent, or nobody.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Item {
    /// The deployment's or incident's id, the group's labels as JSON, the label's value; null for what belongs
    /// to none.
    id: Option<String>,
    /// The version, the incident's title, the group or value; null for what belongs to none.
    name: Option<String>,
    /// What it spent.
    #[serde(flatten)]
    spending: Spending,
    /// Its share of the bad events; null where there are none.
    share: Option<f64>,
}

/// Bad events (or slices), and what that is of the budget.
#[derive(Debug, Serialize, JsonSchema)]
struct Spending {
    /// Bad events (or slices).
    #[serde(serialize_with = "whole::one")]
    #[schemars(with = "f64")]
    bad: f64,
    /// All events (or slices).
    #[serde(serialize_with = "whole::one")]
    #[schemars(with = "f64")]
    total: f64,
    /// The bad ones as a share of what the window's budget allows now; null where that is nothing.
    spent: Option<f64>,
}

/// Who spent the budget of an SLO?
///
/// Counted from the minutes that were written to the database, so the newest tick may be missing.
/// Minutes that exclusions leave out are counted: the question is what happened. By group and by label,
/// events are counted also where the budget is one of slices.
#[utoipa::path(get, path = "/v1/slos/{service}/{slo}/attribution", tag = "budgets", operation_id = "getAttribution", responses(
    (status = 200, description = "Who spent it", body = ref("#/components/schemas/Attribution")),
    NotFound,
), params(
    ("service" = String, Path, description = "The service's name"),
    ("slo" = String, Path, description = "The SLO's name"),
    Question,
))]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Named((service, slo)): Named<(String, String)>,
    Asked(asked): Asked<Question>,
) -> Result<Response, Problem> {
    let snapshot = app.snapshot()?;
    let (declared, view) = place::view(&snapshot, (&service, &slo), asked.environment.as_deref())?;
    let ends = (asked.from.as_deref(), asked.to.as_deref());
    let (from, to) = stretch(ends, view, app.now())?;
    let slo = declared.slos.iter().find(|one| *one.id.slo.as_str() == *view.slo);
    let slo = slo.ok_or_else(|| Problem::not_found(format!("{} is not declared", view.slo)))?;
    let by = By::read(asked.by.as_deref(), slo)?;
    let named = asked.by.unwrap_or_else(|| "deployment".to_owned());
    if let By::Subset(label) = &by {
        let ledger = snapshot.ledgers.get(&slo.id).copied().unwrap_or_default();
        let items = subsets::counted(&app.shared.store, ledger, label.as_deref(), (from, to)).await;
        let items = items.map_err(|error| {
            tracing::error!(%error, "cannot read what the parts of an SLO counted");
            Problem::unavailable("the ledger cannot be read; the engine's log says why")
        })?;
        let all = Attribution::of(named, view, (from, to), items);
        return json(&all.of_events());
    }
    let slicing = Slicing::of(slo.budgeting, slo.unmeasured);
    let edge = |minute: Minute| slice_from(slicing.as_ref(), minute);
    let (from, to) = (edge(from), slicing.map_or(to, |slicing| slicing.start(to)));
    let mut items: Vec<(Whose, Counts)> = Vec::new();
    for Run { whose, from, to } in runs(&app, by == By::Deployment, view, (from, to), edge).await? {
        let counts = counted(&app, (&snapshot, declared, view), (from, to)).await?;
        match items.iter_mut().find(|(known, _)| *known == whose) {
            Some((_, sum)) => sum.add(&counts),
            None => items.push((whose, counts)),
        }
    }
    json(&Attribution::of(named, view, (from, to), items))
}

/// The runs of the stretch, and whose they are.
async fn runs(
    app: &App,
    by_deployment: bool,
    view: &BudgetView,
    (from, to): (Minute, Minute),
    edge: impl Fn(Minute) -> Minute,
) -> Result<Vec<Run>, Problem> {
    let gate = &app.shared.gate;
    if by_deployment {
        let state = gate.state();
        let place = state.place(&view.service, &view.environment);
        let deployments = place.map_or(&[][..], |place| &place.deployments);
        return Ok(self::by_deployment(deployments, (from, to), edge));
    }
    let closes_after = gate.incidents_close_after();
    let all = app.shared.store.incidents_between((from.start(), to.start()), closes_after).await;
    let all = all.map_err(|error| {
        tracing::error!(%error, "cannot read incidents");
        Problem::unavailable("incidents cannot be read; the engine's log says why")
    })?;
    let mine =
        |one: &&Incident| *one.service == *view.service && one.concerns(Some(&view.environment));
    let mine: Vec<&Incident> = all.iter().filter(mine).collect();
    Ok(by_incident(&mine, closes_after, (from, to), edge))
}

impl Attribution {
    /// Where the budget counts slices, events are no share of it.
    fn of_events(mut self) -> Self {
        if self.unit != Some(Unit::Events) {
            self.unit = Some(Unit::Events);
            self.sum.spent = None;
            self.items.iter_mut().for_each(|item| item.spending.spent = None);
        }
        self
    }

    fn of(
        by: String,
        view: &BudgetView,
        (from, to): (Minute, Minute),
        mut items: Vec<(Whose, Counts)>,
    ) -> Self {
        let mut sum = Counts::default();
        items.iter().for_each(|(_, counts)| sum.add(counts));
        let window = view.windows.first();
        let allowed = window.and_then(|window| window.allowed).filter(|allowed| *allowed > 0.0);
        let spending = |counts: &Counts| Spending {
            bad: counts.bad,
            total: counts.total,
            spent: allowed.map(|allowed| counts.bad / allowed),
        };
        items.sort_by(|(_, a), (_, b)| b.bad.total_cmp(&a.bad));
        let item = |(whose, counts): (Whose, Counts)| {
            let (id, name) = whose.unzip();
            let share = (sum.bad > 0.0).then(|| counts.bad / sum.bad);
            Item { id, name, spending: spending(&counts), share }
        };
        Self {
            service: view.service.to_string(),
            slo: view.slo.to_string(),
            environment: view.environment.to_string(),
            from: from.start(),
            to: to.start(),
            by,
            unit: window.and_then(|window| window.unit),
            window: window.map_or_else(String::new, |window| window.window.to_string()),
            items: items.into_iter().map(item).collect(),
            sum: spending(&sum),
        }
    }
}

/// An id and a name; `None` for nobody.
type Whose = Option<(String, String)>;

/// Minutes `from..to` that belong to one.
#[derive(Debug, PartialEq, Eq)]
struct Run {
    whose: Whose,
    from: Minute,
    to: Minute,
}

/// The first whole slice that begins at or after a minute.
fn slice_from(slicing: Option<&Slicing>, minute: Minute) -> Minute {
    slicing.map_or(minute, |slicing| slicing.start(minute + (slicing.size - 1)))
}

/// A deployment owns the minutes from the one in which it began to the next deployment.
fn by_deployment(
    all: &[Deployment],
    (from, to): (Minute, Minute),
    edge: impl Fn(Minute) -> Minute,
) -> Vec<Run> {
    let mut runs = vec![Run { whose: None, from, to }];
    for one in all {
        let begin = edge(Minute::of(one.at)).max(from);
        let Some(last) = runs.last_mut().filter(|_| begin < to) else { break };
        last.to = begin;
        let whose = Some((one.id.clone(), one.version.clone()));
        runs.push(Run { whose, from: begin, to });
    }
    runs.retain(|run| run.from < run.to);
    runs
}

/// An incident owns the minutes from the one in which it was opened to the one in which it was closed;
/// where several were open, the one that opened first. `all` are sorted by that.
fn by_incident(
    all: &[&Incident],
    closes_after: Span,
    (from, to): (Minute, Minute),
    edge: impl Fn(Minute) -> Minute,
) -> Vec<Run> {
    let (mut runs, mut free) = (Vec::new(), from);
    for incident in all {
        let ended = incident.closed_at.unwrap_or_else(|| incident.lapses_at(closes_after));
        let begin = edge(Minute::of(incident.opened_at)).max(free);
        let end = edge(Minute::of(ended) + 1).min(to);
        if begin >= end {
            continue;
        }
        runs.push(Run { whose: None, from: free, to: begin });
        let whose = Some((incident.id.clone(), incident.title.clone()));
        runs.push(Run { whose, from: begin, to: end });
        free = end;
    }
    runs.push(Run { whose: None, from: free, to });
    runs.retain(|run| run.from < run.to);
    runs
}

#[cfg(test)]
mod tests;
