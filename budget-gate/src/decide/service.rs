//! The rules that look at the service as a whole: incidents, freezes, and what it depends on.

use std::borrow::Borrow;

use chrono::{DateTime, Duration, Utc};
use slo_core::slo::{Gate, Service};
use slo_core::time::Span;
use slo_core::view::{BudgetView, State, WindowView};

use super::data::{after, is_ahead};
use super::moment::Moment;
use super::remaining::Remaining;
use super::row::{Asked, Later, Row, evidence};
use super::{Case, Facts};
use crate::calendar::Calendar;
use crate::decision::Verdict;
use crate::incident::Incident;
use crate::policy::rule::{DependenciesRule, FreezeRule, IncidentsRule};
use crate::policy::scalar::Share;
use crate::policy::{Policy, Rule};
use crate::words;

/// What a rule says of the service; nothing where it is a rule about SLOs.
pub(super) fn rows<'a, V: Borrow<BudgetView>>(
    case: &Case<'_, 'a, V>,
    policy: &Policy,
    rule: &Rule,
) -> Vec<Row<'a>> {
    match rule {
        Rule::Incidents(rule) => incidents(case, rule),
        Rule::Freeze(rule) => vec![freeze(case, rule)],
        Rule::Dependencies(rule) => dependencies(case, policy, rule),
        Rule::Budget(_)
        | Rule::Burn(_)
        | Rule::Exhaustion(_)
        | Rule::Freshness(_)
        | Rule::Coverage(_)
        | Rule::Watch(_) => Vec::new(),
    }
}

/// One row for each open incident that the rule names, or one that says there is none.
fn incidents<'a, V>(case: &Case<'_, 'a, V>, rule: &IncidentsRule) -> Vec<Row<'a>> {
    let Facts { incidents, incidents_close_after: after, .. } = *case.facts;
    let open = incidents
        .iter()
        .filter(|one| one.concerns(case.subject.environment) && is_open(one, after, case.moment));
    let mut rows: Vec<Row<'a>> =
        open.filter_map(|one| Some(incident(one, verdict_on(one, rule)?, after))).collect();
    if rows.is_empty() {
        let reason = "no incident is open that the policy looks at";
        rows.push(Row::of_service("incidents").says(Verdict::Allow, reason));
    }
    rows
}

/// An incident that nothing confirms closes by itself.
fn is_open(one: &Incident, after: Span, moment: &Moment) -> bool {
    let lapses = |now| Some(one.lapses_at(after)).filter(|lapses| now < *lapses);
    moment.find(|now| one.is_open(after, now), lapses)
}

fn verdict_on(incident: &Incident, rule: &IncidentsRule) -> Option<Verdict> {
    let severity = &incident.severity;
    let warns = rule.warn.contains(severity).then_some(Verdict::Warn);
    rule.deny.contains(severity).then_some(Verdict::Deny).or(warns)
}

fn incident<'a>(one: &Incident, verdict: Verdict, after: Span) -> Row<'a> {
    let (severity, title) = (one.severity.as_str(), &one.title);
    let since = words::instant(one.opened_at);
    let reason = format!("a {severity} incident is open since {since}: {title} ({})", one.key);
    let lapses = words::instant(one.lapses_at(after));
    let mut row = Row::of_service("incidents").says(verdict, reason).opens(
        || None,
        format_args!("incident {} is closed (unconfirmed, it closes by itself {lapses})", one.key),
    );
    row.result.evidence = Some(format!("/v1/incidents?service={}&open=true", one.service).into());
    if verdict == Verdict::Deny {
        row.act = Some(format!("close the incident {}", one.key));
    }
    row
}

/// A calendar that is closed denies; one that nobody declared is unknown.
fn freeze<'a, V>(case: &Case<'_, 'a, V>, rule: &FreezeRule) -> Row<'a> {
    let name = rule.calendar.as_str();
    let row = Row::of_service("freeze");
    let named = |calendar: &&Calendar| calendar.name.as_str() == name;
    let Some(calendar) = case.facts.calendars.iter().find(named) else {
        let reason = format!("there is no calendar `{name}`");
        return row
            .says(Verdict::Unknown, reason)
            .opens(|| None, format_args!("a calendar `{name}` is declared"));
    };
    let closed = case.moment.find(|now| calendar.closed_at(now), |now| ends(calendar, now));
    if closed.as_ref().is_some_and(|closure| closure.until.is_none()) {
        // How far is looked for an end goes with the clock.
        case.moment.exactly();
    }
    let mut row = match closed {
        None => row.says(Verdict::Allow, format_args!("the calendar {name} is open")),
        Some(closure) => {
            let why = closure.reason().map_or_else(String::new, |why| format!(": {why}"));
            let until = match closure.until {
                Some(until) => format!(" until {}", words::instant(until)),
                None => " for more than a year".to_owned(),
            };
            row.says(Verdict::Deny, format_args!("the calendar {name} is closed{until}{why}"))
                .opens(|| closure.until, format_args!("the calendar {name} opens"))
        }
    };
    row.later = Later::Calendar(calendar);
    row
}

/// Until when a calendar says the same; where no change is in sight, for a day at least.
fn ends(calendar: &Calendar, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    calendar.next_change(now).or(Some(now + Duration::days(1)))
}

/// The budgets of `dependsOn`, one level deep, so that cycles are fine.
fn dependencies<'a, V: Borrow<BudgetView>>(
    case: &Case<'_, 'a, V>,
    policy: &Policy,
    rule: &DependenciesRule,
) -> Vec<Row<'a>> {
    let names = case.facts.service.map_or(&[][..], |service: &Service| &service.depends_on);
    let mut rows = Vec::new();
    for name in names {
        let name = name.as_str();
        let Some(views) = (case.facts.dependencies)(name) else {
            rows.push(nothing_known(format!("{name} is not declared, and it is depended on")));
            continue;
        };
        let gating = views.iter().map(Borrow::borrow).filter(|view| decides(view));
        let before = rows.len();
        rows.extend(gating.map(|view| dependency(case, policy, rule, view)));
        if rows.len() == before {
            rows.push(nothing_known(format!("{name} has no SLO, and it is depended on")));
        }
    }
    rows
}

fn decides(view: &BudgetView) -> bool {
    view.group.is_none() && view.gate != Gate::Informs
}

fn nothing_known<'a>(reason: String) -> Row<'a> {
    Row::of_service("dependencies").says(Verdict::Warn, reason)
}

/// What remains of the first window of one SLO of another service. What is not known of it is unknown
/// where the rule could deny, else a warning.
fn dependency<'a, V>(
    case: &Case<'_, 'a, V>,
    policy: &Policy,
    rule: &DependenciesRule,
    view: &BudgetView,
) -> Row<'a> {
    let place = evidence(view).into();
    let asked = Asked { policy, view, moment: case.moment, evidence: &place };
    let mut row = asked.row("dependencies");
    row.result.slo = Some(format!("{}/{}", view.service, view.slo).into());
    let unsure = if rule.deny_below.is_some() { Verdict::Unknown } else { Verdict::Warn };
    let Some(window) = view.windows.first() else {
        return row.says(unsure, "it has no window").opens(|| None, "it has a window");
    };
    let row = row.over(&window.window);
    let turns_stale = |now| {
        let stale = after(view.data_until?, view.stale_after_seconds)?;
        // Ages are whole milliseconds: it is not older before the next one is full.
        Some(stale).filter(|stale| now < *stale + Duration::milliseconds(1))
    };
    let state = case.moment.find(|now| view.state_at(now), turns_stale);
    let is_ahead = is_ahead(view, case.moment);
    let is_unsure = is_unsure(state) || is_ahead;
    let known = Remaining::of(view, window).filter(|_| !is_unsure);
    let Some(remaining) = known else {
        let reason = match state {
            State::Stale => "its numbers are stale",
            _ if is_ahead => "its numbers are from the future; a clock is wrong",
            _ => "there is no data of it",
        };
        return row.says(unsure, reason).opens(|| None, "there is fresh data");
    };
    let (verdict, limit) = level(rule, remaining);
    let share = limit.map(Share::share);
    let at = || rule.ask().and_then(|ask| asked.answer(&ask)).flatten();
    row.saw(Some(remaining.share()), share)
        .says(verdict, left(window, remaining, verdict, share))
        .opens(at, "its budget has recovered")
}

/// The verdict, and the limit that is crossed or would be first. A spent budget is below 0 %.
fn level(rule: &DependenciesRule, remaining: Remaining) -> (Verdict, Option<Share>) {
    let below =
        |limit: &Share| remaining.is_below(*limit) || (limit.ppb() <= 0 && remaining.is_spent());
    let (deny, warn) = (rule.deny_below.filter(below), rule.warn_below.filter(below));
    match (deny, warn) {
        (Some(_), _) => (Verdict::Deny, deny),
        (None, Some(_)) => (Verdict::Warn, warn),
        (None, None) => (Verdict::Allow, rule.warn_below.or(rule.deny_below)),
    }
}

fn left(window: &WindowView, remaining: Remaining, verdict: Verdict, limit: Option<f64>) -> String {
    let limit = limit.unwrap_or_default();
    let share = words::percent_beside(remaining.share(), limit);
    let left = format!("{share} of its {} budget remains", window.window);
    match verdict {
        Verdict::Deny => format!("{left}; the policy denies below {}", words::percent(limit)),
        Verdict::Warn => format!("{left}; the policy warns below {}", words::percent(limit)),
        Verdict::Allow | Verdict::Unknown => left,
    }
}

const fn is_unsure(state: State) -> bool {
    matches!(state, State::NoData | State::Stale)
}
