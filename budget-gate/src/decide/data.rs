//! Whether the numbers can be relied on: they are there, young enough and without large holes.

use chrono::{DateTime, Utc};
use slo_core::slo::Slo;
use slo_core::view::{BudgetView, State, WindowView};

use super::row::{Asked, Row};
use crate::decision::Verdict;
use crate::policy::rule::CoverageRule;
use crate::policy::{Policy, Rule};
use crate::words;

/// Numbers from further in the future than this come from a wrong clock.
const SKEW_SECONDS: f64 = 60.0;

/// Missing and stale numbers are unknown under every policy. The age is taken now, because a view
/// does not grow older by itself; a freshness rule can only lower the SLO's own limit.
pub(super) fn freshness<'a>(asked: &Asked<'_>) -> Row<'a> {
    let row = asked.row("freshness");
    let view = asked.view;
    let is_missing = view.conditions.contains(&State::NoData) || view.windows.is_empty();
    let Some(until) = view.data_until.filter(|_| !is_missing) else {
        let reason = format!("no data{}", because(view));
        return row.says(Verdict::Unknown, &reason).opens(None, "there is data");
    };
    let age = (asked.now - until).num_milliseconds() as f64 / 1_000.0;
    let own = view.stale_after_seconds;
    let limit = tightest(asked.policy).map_or(own, |max| max.min(own));
    let row = row.saw(Some(age), Some(limit));
    let seen = words::length(age);
    let reason = if is_ahead(view, asked.now) {
        let ahead = words::length(-age);
        format!("the numbers are from {ahead} in the future; a clock is wrong")
    } else if age > own {
        let own = words::length(own);
        format!("the numbers are {seen} old, and stale after {own}{}", because(view))
    } else if age > limit {
        let limit = words::length(limit);
        format!("the numbers are {seen} old; the policy takes none older than {limit}")
    } else if view.conditions.contains(&State::Stale) {
        format!("the engine calls the numbers stale{}", because(view))
    } else {
        return row.says(
            Verdict::Allow,
            format_args!("the numbers are {} old", words::length(age.max(0.0))),
        );
    };
    row.says(Verdict::Unknown, &reason).opens(None, "there is fresh data")
}

/// Whether the numbers come from further in the future than clocks differ.
pub(super) fn is_ahead(view: &BudgetView, now: DateTime<Utc>) -> bool {
    view.data_until.is_some_and(|until| (until - now).as_seconds_f64() > SKEW_SECONDS)
}

/// An SLO that gates and has no view yet.
pub(super) fn not_evaluated<'a>(slo: &Slo) -> Row<'a> {
    let mut row = Row::of_service("freshness");
    row.result.slo = Some(slo.id.slo.shared());
    row.says(Verdict::Unknown, "no data: it has not been evaluated yet")
        .opens(None, "it is evaluated")
}

/// The least age that the policy's freshness rules allow, in seconds.
fn tightest(policy: &Policy) -> Option<f64> {
    let ages = policy.rules.iter().filter_map(|rule| match rule {
        Rule::Freshness(rule) => Some(rule.max.seconds()),
        _ => None,
    });
    ages.min_by(f64::total_cmp)
}

/// What the sources or the findings say about it.
fn because(view: &BudgetView) -> String {
    let failed = view.sources.iter().find_map(|s| s.last_error.as_ref().map(|e| (&s.name, e)));
    match (failed, view.findings.first()) {
        (Some((source, error)), _) => format!(" ({source}: {error})"),
        (None, Some(finding)) => format!(" ({})", finding.message),
        (None, None) => String::new(),
    }
}

/// Holes since the first data: below the least share the window is unknown.
pub(super) fn coverage<'a>(asked: &Asked<'_>, rule: &CoverageRule, window: &WindowView) -> Row<'a> {
    let name = &window.window;
    let least = rule.min.share();
    let row = asked.row("coverage").over(name).saw(window.coverage, Some(least));
    let Some(coverage) = window.coverage.filter(|c| !c.is_nan()) else {
        let reason = format!("nothing was measured in the {name} window");
        return row.says(Verdict::Unknown, &reason).opens(None, "there is data");
    };
    let seen = words::percent_beside(coverage, least);
    let measured = format!("{seen} of the {name} window was measured");
    if coverage >= least - 1e-9 {
        return row.says(Verdict::Allow, &measured);
    }
    let reason = format!("{measured}; the policy needs {}", words::percent(least));
    row.says(Verdict::Unknown, &reason)
        .opens(None, format_args!("the holes have been filled or have left the {name} window"))
}
