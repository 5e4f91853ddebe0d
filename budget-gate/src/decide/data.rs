//! Whether the numbers can be relied on: they are there, young enough and without large holes.

use chrono::{DateTime, TimeDelta, Utc};
use slo_core::slo::Slo;
use slo_core::view::{BudgetView, State, WindowView};

use super::moment::Moment;
use super::row::{Asked, Row};
use crate::decision::Verdict;
use crate::lasting::Ageing;
use crate::policy::rule::CoverageRule;
use crate::policy::{Policy, Rule};
use crate::words;

/// Numbers from further in the future than this come from a wrong clock.
const SKEW: TimeDelta = TimeDelta::seconds(60);

/// Missing and stale numbers are unknown under every policy. The age is taken now, because a view
/// does not grow older by itself; a freshness rule can only lower the SLO's own limit.
pub(super) fn freshness<'a>(asked: &Asked<'_>) -> Row<'a> {
    let row = asked.row("freshness");
    let view = asked.view;
    let is_missing = view.conditions.contains(&State::NoData) || view.windows.is_empty();
    let Some(until) = view.data_until.filter(|_| !is_missing) else {
        let reason = format!("no data{}", because(view));
        return row.says(Verdict::Unknown, &reason).opens(|| None, "there is data");
    };
    let own = view.stale_after_seconds;
    let limit = tightest(asked.policy).map_or(own, |max| max.min(own));
    let since = Ageing::Since(until);
    let age = since.seconds(asked.moment.since(until));
    let row = row.saw(Some(age), Some(limit));
    let is_stale = view.conditions.contains(&State::Stale);
    let is_ahead = is_ahead(view, asked.moment);
    let is_old = asked.moment.find(|_| age > limit, |_| after(until, limit));
    if !is_ahead && !is_old && !is_stale {
        let seen = words::length(age.max(0.0));
        let row = row.says(Verdict::Allow, format_args!("the numbers are {seen} old"));
        return row.ages(since, &seen, " old".len());
    }
    asked.moment.exactly();
    let seen = words::length(age);
    let reason = if is_ahead {
        let ahead = words::length(-age);
        format!("the numbers are from {ahead} in the future; a clock is wrong")
    } else if age > own {
        let own = words::length(own);
        format!("the numbers are {seen} old, and stale after {own}{}", because(view))
    } else if age > limit {
        let limit = words::length(limit);
        format!("the numbers are {seen} old; the policy takes none older than {limit}")
    } else {
        format!("the engine calls the numbers stale{}", because(view))
    };
    row.says(Verdict::Unknown, &reason).opens(|| None, "there is fresh data")
}

/// Whether the numbers come from further in the future than clocks differ.
pub(super) fn is_ahead(view: &BudgetView, moment: &Moment) -> bool {
    view.data_until.is_some_and(|until| moment.is_before(until - SKEW))
}

/// So many seconds after an instant, to the millisecond as ages are compared; `None` beyond the calendar.
pub(super) fn after(then: DateTime<Utc>, seconds: f64) -> Option<DateTime<Utc>> {
    then.checked_add_signed(TimeDelta::milliseconds((seconds * 1_000.0) as i64))
}

/// An SLO that gates and has no view yet.
pub(super) fn not_evaluated<'a>(slo: &Slo) -> Row<'a> {
    let mut row = Row::of_service("freshness");
    row.result.slo = Some(slo.id.slo.shared());
    row.says(Verdict::Unknown, "no data: it has not been evaluated yet")
        .opens(|| None, "it is evaluated")
}

/// The least age that the policy's freshness rules allow, in seconds.
fn tightest(policy: &Policy) -> Option<f64> {
    let ages = policy.rules.iter().filter_map(|rule| match rule {
        Rule::Freshness(rule) => Some(rule.max.seconds()),
        _ => None,
    });
    ages.min_by(f64::total_cmp)
}

/// Codes of findings that keep an SLO from being counted; the others tell of numbers that are there.
const PREVENTING: [&str; 9] = [
    "missingLabel",
    "severalSeries",
    "nativeHistogram",
    "recordedSeries",
    "notANumber",
    "noSamples",
    "sideWithoutData",
    "noCount",
    "goodExceedsTotal",
];

/// What the sources or the findings say about it.
fn because(view: &BudgetView) -> String {
    let failed = view.sources.iter().find_map(|s| s.last_error.as_ref().map(|e| (&s.name, e)));
    let prevents = view.findings.iter().find(|f| PREVENTING.contains(&f.code.as_str()));
    match (failed, prevents) {
        (Some((source, error)), _) => format!(" ({source}: {error})"),
        (None, Some(finding)) => format!(" ({})", finding.message),
        // They were when they were looked at, so not the engine is late.
        (None, None) if view.conditions.contains(&State::Stale) => {
            " (its source brings nothing newer)".to_owned()
        }
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
        return row.says(Verdict::Unknown, &reason).opens(|| None, "there is data");
    };
    let seen = words::percent_beside(coverage, least);
    let measured = format!("{seen} of the {name} window was measured");
    if coverage >= least - 1e-9 {
        return row.says(Verdict::Allow, &measured);
    }
    let reason = format!("{measured}; the policy needs {}", words::percent(least));
    row.says(Verdict::Unknown, &reason)
        .opens(|| None, format_args!("the holes have been filled or have left the {name} window"))
}
