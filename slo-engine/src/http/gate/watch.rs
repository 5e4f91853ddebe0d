//! `/v1/gate/{service}/watch`: whether what was deployed last should be rolled back.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use budget_gate::Policy;
use budget_gate::decision::{RuleResult, Verdict};
use budget_gate::policy::rule::WatchRule;
use budget_gate::words;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use slo_core::slo::Gate as Gating;
use slo_core::time::Minute;
use slo_core::view::{BudgetView, State as SloState, Unit};
use utoipa::IntoParams;

use crate::evaluate::snapshot::{Found, Snapshot};
use crate::gate::Gate;
use crate::http::app::{App, json};
use crate::http::deployments::burn;
use crate::http::history::{Counts, counted};
use crate::http::openapi::NotFound;
use crate::http::place;
use crate::http::problem::Problem;
use crate::http::query::{Asked, Named};

/// Whether to roll back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum WatchVerdict {
    /// Nothing says so.
    Ok,
    /// Too little is known to say.
    Unknown,
    /// Yes.
    Rollback,
}

/// What the watch rules say of what was deployed last.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct Watch {
    /// The worst of what the rules say.
    verdict: WatchVerdict,
    /// Why it is not ok; the worst first.
    reasons: Vec<String>,
    /// Since when the running version runs; null when no deployment is known, and the whole window of
    /// each rule is looked at.
    since: Option<DateTime<Utc>>,
    /// The running version.
    version: Option<String>,
    /// What each watch rule says of each SLO that gates: deny means roll back.
    rules: Vec<RuleResult>,
}

impl Watch {
    /// Whether the rules say that it is to be rolled back.
    pub(in crate::http) fn says_rollback(&self) -> bool {
        self.verdict == WatchVerdict::Rollback
    }

    /// Why it is not ok; the worst first.
    pub(in crate::http) fn reasons(&self) -> &[String] {
        &self.reasons
    }
}

/// Where.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct Where {
    /// May be left out where the service is in one environment only.
    environment: Option<String>,
}

/// Should what was deployed last be rolled back?
///
/// By the `watch` rules of the policy, over the minutes since the deployment that are read and written;
/// at most the rule's window. A policy without such a rule, numbers that are missing or stale, and a
/// time of which less than half was measured are unknown.
#[utoipa::path(get, path = "/v1/gate/{service}/watch", tag = "gate", operation_id = "watch", responses(
    (status = 200, description = "What the rules say", body = ref("#/components/schemas/Watch")), NotFound,
), params(("service" = String, Path, description = "The service's name"), Where))]
pub(in crate::http) async fn watch(
    State(app): State<Arc<App>>,
    Named(service): Named<String>,
    Asked(asked): Asked<Where>,
) -> Result<Response, Problem> {
    json(&judged(&app, &service, asked.environment.as_deref()).await?)
}

/// What the watch rules say of a service.
pub(in crate::http) async fn judged(
    app: &App,
    service: &str,
    environment: Option<&str>,
) -> Result<Watch, Problem> {
    let snapshot = app.snapshot()?;
    let found = place::service(&snapshot, service, environment)?;
    let environment = found.service.environment.as_str();
    let now = app.now();
    let running = {
        let state = app.shared.gate.state();
        let place = state.place(service, environment);
        place.and_then(|place| place.deployments.iter().rfind(|one| one.at <= now).cloned())
    };
    let since = running.as_ref().map(|one| one.at);
    let policy = Gate::policy(&snapshot.declared, Some(found), service, environment);
    let mut rules = Vec::new();
    for rule in policy.into_iter().flat_map(Policy::watch_rules) {
        for view in found.views.iter().filter(|view| decides(view)) {
            rules.push(judge(app, (&snapshot, found), view, rule, since).await?);
        }
    }
    let mut answer = Watch {
        verdict: rules.iter().map(said).max().unwrap_or(WatchVerdict::Unknown),
        reasons: Vec::new(),
        since,
        version: running.map(|one| one.version),
        rules,
    };
    let speaking = answer.rules.iter().filter(|rule| rule.verdict != Verdict::Allow);
    let mut speaking: Vec<&RuleResult> = speaking.collect();
    speaking.sort_by_key(|rule| Reverse(said(rule)));
    answer.reasons = speaking.into_iter().map(|rule| rule.reason.clone()).collect();
    if answer.rules.is_empty() {
        answer.reasons.push(nothing(policy.map(|policy| policy.name.as_str()), service));
    }
    Ok(answer)
}

fn nothing(policy: Option<&str>, service: &str) -> String {
    match policy {
        Some(policy) => {
            format!(
                "nothing is watched: the policy {policy} has no `watch` rule, or {service} no SLO"
            )
        }
        None => format!("nothing is watched: no policy applies to {service}"),
    }
}

fn decides(view: &BudgetView) -> bool {
    view.group.is_none() && view.gate != Gating::Informs
}

fn said(rule: &RuleResult) -> WatchVerdict {
    match rule.verdict {
        Verdict::Allow | Verdict::Warn => WatchVerdict::Ok,
        Verdict::Unknown => WatchVerdict::Unknown,
        Verdict::Deny => WatchVerdict::Rollback,
    }
}

/// One rule over one SLO.
async fn judge(
    app: &App,
    (snapshot, found): (&Snapshot, Found<'_>),
    view: &BudgetView,
    rule: &WatchRule,
    since: Option<DateTime<Utc>>,
) -> Result<RuleResult, Problem> {
    let is_known = !matches!(view.state_at(app.now()), SloState::NoData | SloState::Stale);
    let end = view.windows.first().map(|window| Minute::of(window.to)).filter(|_| is_known);
    let Some(end) = end else {
        return Ok(unknown(view, rule, "there is no fresh data"));
    };
    let window = end - rule.window.span().as_minutes();
    let from = since.map_or(window, |at| window.max(Minute::of(at) + 1));
    let counts = counted(app, (snapshot, &**found.service, view), (from, end)).await?;
    let Counts { measured, minutes, .. } = counts;
    // A rate over less than half of the time is none.
    if minutes == 0 || measured * 2 < minutes {
        let when = since.map_or("in the window", |_| "since the deployment");
        let why = match measured {
            0 => format!("nothing was measured {when} yet"),
            _ => format!("only {measured} of {minutes} minutes {when} were measured"),
        };
        return Ok(unknown(view, rule, &why));
    }
    Ok(known(view, rule, counts, (from, end)))
}

fn unknown(view: &BudgetView, rule: &WatchRule, why: &str) -> RuleResult {
    RuleResult {
        rule: Cow::Borrowed("watch"),
        slo: Some(view.slo.clone()),
        group: None,
        window: Some(rule.window.to_string().into()),
        verdict: Verdict::Unknown,
        observed: None,
        threshold: Some(rule.burn.get()),
        reason: format!("{}: {why}", view.slo),
        unblocks: None,
        evidence: None,
    }
}

fn known(
    view: &BudgetView,
    rule: &WatchRule,
    counts: Counts,
    (from, end): (Minute, Minute),
) -> RuleResult {
    // Minutes without an event burn nothing.
    let rate = burn(view, counts).unwrap_or(0.0);
    let is_over = rule.burn.is_crossed(rate) && counts.bad >= f64::from(rule.min_bad);
    let noun = match view.windows.first().and_then(|window| window.unit) {
        Some(Unit::Slices) => "slices",
        _ => "events",
    };
    let why = format!(
        "in {} since {} the budget burned {} times as fast as it may ({} bad {noun}); roll back \
         above {} from {} bad {noun} on",
        words::length(((end - from) * 60) as f64),
        words::instant(from.start()),
        words::number_beside(rate, rule.burn.get()),
        words::number(counts.bad),
        rule.burn.get(),
        rule.min_bad,
    );
    RuleResult {
        verdict: if is_over { Verdict::Deny } else { Verdict::Allow },
        observed: Some(rate),
        ..unknown(view, rule, &why)
    }
}

#[cfg(test)]
mod tests;
