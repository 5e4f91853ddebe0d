//! The burn and exhaustion rules: how fast a budget is spent, and how soon it is gone.

use std::fmt::{self, Display};

use slo_core::view::{BurnView, WindowView};

use super::data::after;
use super::remaining::Remaining;
use super::row::{Asked, Row};
use crate::decision::Verdict;
use crate::lasting::Ageing;
use crate::policy::rule::{BurnRule, ExhaustionRule};
use crate::policy::scalar::Factor;
use crate::words;

/// A rate that is not known is unknown, whatever the SLO's age: a young SLO's rate is taken over its
/// life, so a rate is null only where less than half was measured or where a lump of events came over
/// a gap longer than the window.
pub(super) fn burn<'a>(asked: &Asked<'_>, rule: &BurnRule) -> Row<'a> {
    let name = rule.window.to_string().into();
    let view = asked.view.burn.iter().find(|burn| burn.window == rule.window.span());
    let row = asked.row("burn").over(&name);
    let known = view.and_then(|view| view.rate.filter(|r| !r.is_nan()).map(|rate| (view, rate)));
    let Some((view, rate)) = known else {
        let reason = match view {
            Some(_) => format!("too little was measured in the last {name} to know the burn rate"),
            None => format!("the burn rate over {name} is not computed yet"),
        };
        let when = format!("more of the last {name} is measured");
        return row.says(Verdict::Unknown, &reason).opens(|| None, &when);
    };
    let (verdict, limit) = pace(rule, view, rate);
    let at = || rule.ask().and_then(|ask| asked.answer(&ask)).flatten();
    row.saw(Some(rate), limit.map(Factor::get))
        .says(verdict, burn_reason(rule, view, rate, verdict, limit))
        .opens(at, format_args!("the {name} burn rate has fallen"))
}

fn pace(rule: &BurnRule, view: &BurnView, rate: f64) -> (Verdict, Option<Factor>) {
    let over = |limit: &Factor| limit.is_crossed(rate);
    let (deny, warn) = (rule.deny.filter(over), rule.warn.filter(over));
    match (deny, warn) {
        _ if view.bad < i64::from(rule.min_bad) => (Verdict::Allow, rule.warn.or(rule.deny)),
        (Some(_), _) => (Verdict::Deny, deny),
        (None, Some(_)) => (Verdict::Warn, warn),
        (None, None) => (Verdict::Allow, rule.warn.or(rule.deny)),
    }
}

fn burn_reason(
    rule: &BurnRule,
    view: &BurnView,
    rate: f64,
    verdict: Verdict,
    limit: Option<Factor>,
) -> impl Display {
    let limit = limit.map_or(0.0, Factor::get);
    fmt::from_fn(move |f| {
        let seen = words::number_beside(rate, limit);
        write!(f, "the budget burns {seen} times as fast as it may over {}", rule.window)?;
        match verdict {
            Verdict::Deny => write!(f, "; the policy denies above {limit}"),
            Verdict::Warn => write!(f, "; the policy warns above {limit}"),
            _ if rate > limit => {
                let (bad, least) = (view.bad, rule.min_bad);
                write!(f, ", by {bad} bad events only; the policy looks from {least} on")
            }
            _ => Ok(()),
        }
    })
}

/// Warns when the forecast sees the budget gone within the rule's length, or when it is gone.
pub(super) fn exhaustion<'a>(
    asked: &Asked<'_>,
    rule: &ExhaustionRule,
    window: &WindowView,
) -> Row<'a> {
    let name = &window.window;
    let row = asked.row("exhaustion").over(name);
    let Some(remaining) = Remaining::of(asked.view, window) else {
        let reason = format!("what remains of the {name} budget is not known, so no forecast");
        return row.says(Verdict::Unknown, &reason).opens(|| None, "the budget is measured again");
    };
    let limit = Some(rule.warn_within.seconds());
    if remaining.is_spent() {
        let reason = format!("the {name} budget is gone already");
        return row.saw(Some(0.0), limit).says(Verdict::Warn, &reason);
    }
    let Some(at) = window.exhausts_at else {
        let reason = format!("at the pace of the last hour the {name} budget will not be gone");
        return row.saw(None, limit).says(Verdict::Allow, &reason);
    };
    let until = Ageing::Until(at);
    let left = until.seconds(asked.moment.since(at));
    let (within, seen) = (rule.warn_within, words::length(left));
    let gone = format!("at the pace of the last hour the {name} budget will be gone in {seen}");
    let row = row.saw(Some(left), limit);
    let is_near = asked.moment.find(
        |_| left < within.seconds(),
        |now| after(at, -within.seconds()).filter(|near| now <= *near),
    );
    if is_near {
        let warns = format!("; the policy warns within {within}");
        row.says(Verdict::Warn, format_args!("{gone}{warns}")).ages(until, &seen, warns.len())
    } else {
        row.says(Verdict::Allow, &gone).ages(until, &seen, 0)
    }
}
