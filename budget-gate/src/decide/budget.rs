//! The budget rule: what remains of a window's budget.

use std::fmt::{self, Display};

use chrono::{DateTime, Duration, Utc};
use slo_core::time::Span;
use slo_core::view::{Unit, WindowView};

use super::remaining::Remaining;
use super::row::{Asked, Later, Row};
use crate::decision::Verdict;
use crate::policy::rule::{BudgetRule, Needs};
use crate::policy::scalar::Share;
use crate::words;

/// An SLO that lacks the window, or whose budget is not known, gives unknown; while `needs` is not
/// met `otherwise` holds; a spent budget denies; the thresholds are strict.
pub(super) fn budget<'a>(asked: &Asked<'_>, rule: &BudgetRule) -> Row<'a> {
    let row = asked.row("budget");
    let Some(window) = find(asked, rule) else {
        return lacks(asked, row, rule);
    };
    let name = &window.window;
    let row = row.over(name);
    let Some(remaining) = Remaining::of(asked.view, window) else {
        let reason = format!("what remains of the {name} budget is not known");
        return row.says(Verdict::Unknown, &reason).opens(|| None, "the budget is measured again");
    };
    let at = || recovery(asked, rule, window);
    if let Some(unmet) = rule.needs.and_then(|needs| Unmet::of(needs, window)) {
        return not_yet(asked, row, (rule, remaining), &unmet, at);
    }
    let level = level(rule, remaining);
    row.saw(Some(remaining.share()), Some(level.threshold.share()))
        .says(level.verdict, reason(window, remaining, level))
        .opens(at, format_args!("enough bad events have left the {name} window"))
}

fn find<'a>(asked: &Asked<'a>, rule: &BudgetRule) -> Option<&'a WindowView> {
    match &rule.window {
        Some(name) => asked.view.windows.iter().find(|w| *w.window == *name.as_str()),
        None => asked.view.windows.first(),
    }
}

fn lacks<'a>(asked: &Asked<'_>, row: Row<'a>, rule: &BudgetRule) -> Row<'a> {
    let has: Vec<&str> = asked.view.windows.iter().map(|w| &*w.window).collect();
    let Some(name) = &rule.window else {
        return row.says(Verdict::Unknown, "the SLO has no window");
    };
    let name = name.as_str();
    let reason = match has.as_slice() {
        [] => format!("the policy asks for the {name} budget, and the SLO has no window"),
        has => format!("the policy asks for the {name} budget; the SLO has {}", has.join(", ")),
    };
    row.over(&name.into()).says(Verdict::Unknown, &reason).opens(
        || None,
        format_args!("the SLO gets a {name} window, or the policy asks for another"),
    )
}

#[derive(Clone, Copy)]
struct Level {
    verdict: Verdict,
    /// The one crossed, else the one that would be crossed first.
    threshold: Share,
}

fn level(rule: &BudgetRule, remaining: Remaining) -> Level {
    let below = |limit: Share| remaining.is_below(limit);
    let (verdict, threshold) = match rule.warn_below {
        _ if remaining.is_spent() || below(rule.deny_below) => (Verdict::Deny, rule.deny_below),
        Some(warn) if below(warn) => (Verdict::Warn, warn),
        warn => (Verdict::Allow, warn.unwrap_or(rule.deny_below)),
    };
    Level { verdict, threshold }
}

fn reason(window: &WindowView, remaining: Remaining, level: Level) -> impl Display {
    let (name, left) = (&window.window, remaining.share());
    let limit = level.threshold.share();
    fmt::from_fn(move |f| {
        let forecast = match &window.estimate {
            Some(estimate) => format!(" at its end, forecast by {}", estimate.method),
            None => String::new(),
        };
        if level.verdict == Verdict::Deny && remaining.is_spent() {
            let denies = match level.threshold.ppb() {
                0 => "at 100 %".to_owned(),
                _ => format!("above {}", words::percent(1.0 - limit)),
            };
            let spent = words::percent(1.0 - left);
            return write!(
                f,
                "the {name} budget is spent ({spent}{forecast}); the policy denies {denies}"
            );
        }
        let share = words::percent_beside(left, limit);
        write!(f, "{share} of the {name} budget remains{forecast}")?;
        match level.verdict {
            Verdict::Deny => write!(f, "; the policy denies below {}", words::percent(limit)),
            Verdict::Warn => write!(f, "; the policy warns below {}", words::percent(limit)),
            Verdict::Allow | Verdict::Unknown => Ok(()),
        }
    })
}

/// When the rule will no longer deny: the forecast's answer, else (for `denyBelow: 0%`) the window's
/// own recovery.
fn recovery(asked: &Asked<'_>, rule: &BudgetRule, window: &WindowView) -> Option<DateTime<Utc>> {
    let fallback = window.recovers_at.filter(|_| rule.deny_below.ppb() == 0);
    asked.answer(&rule.ask()).unwrap_or_else(|| fallback.map(|at| asked.moment.or_now(at)))
}

/// What a rule needs and does not have.
struct Unmet {
    words: String,
    /// When it will be met, as far as anybody knows.
    until: Option<DateTime<Utc>>,
}

impl Unmet {
    /// Events that come cannot be foretold; youth passes at a known instant. Where nothing is
    /// counted (composites, ratio timeslices) no events can be needed.
    fn of(needs: Needs, window: &WindowView) -> Option<Self> {
        let name = &window.window;
        let few = needs.events.zip(window.total).filter(|(needed, seen)| *seen < *needed as f64);
        if let Some((needed, seen)) = few {
            let unit = match window.unit {
                Some(Unit::Slices) => "slices",
                _ => "events",
            };
            let (seen, needed) = (words::number(seen), words::number(needed as f64));
            let words = format!("{seen} of the {needed} {unit} needed are in the {name} window");
            return Some(Self { words, until: None });
        }
        let least = needs.maturity.filter(|least| window.maturity < least.share() - 1e-9)?;
        let age = words::percent_beside(window.maturity, least.share());
        let words = format!(
            "the SLO's life is {age} of the {name} window; {} are needed",
            words::percent(least.share())
        );
        Some(Self { words, until: grown(window, least) })
    }
}

/// When a rolling window will be as mature as needed.
fn grown(window: &WindowView, least: Share) -> Option<DateTime<Utc>> {
    let length = Span::parse(&window.window).ok()?.as_millis() as f64;
    let missing = (least.share() - window.maturity) * length;
    window.to.checked_add_signed(Duration::milliseconds(missing.ceil() as i64))
}

/// Until `needs` is met `otherwise` holds; from then on what remains decides, until it has recovered.
fn not_yet<'a>(
    asked: &Asked<'_>,
    row: Row<'a>,
    (rule, remaining): (&BudgetRule, Remaining),
    unmet: &Unmet,
    recovers: impl FnOnce() -> Option<DateTime<Utc>>,
) -> Row<'a> {
    let verdict = rule.otherwise.unwrap_or(Verdict::Unknown);
    let then = match verdict {
        Verdict::Allow => "it allows",
        Verdict::Warn => "it warns",
        Verdict::Unknown => "it cannot say",
        Verdict::Deny => "it denies",
    };
    let reason =
        format!("too little is known for the budget rule: {}; until then {then}", unmet.words);
    let mut changes = Vec::new();
    if let Some(met) = unmet.until.map(|at| asked.moment.or_now(at)) {
        let later = level(rule, remaining).verdict;
        let recovers = if later == Verdict::Allow { None } else { recovers() };
        let has_recovered = recovers.is_some_and(|at| at <= met);
        changes.push((met, if has_recovered { Verdict::Allow } else { later }));
        if let (Verdict::Deny, false) = (later, has_recovered) {
            changes.extend(recovers.map(|at| (at, Verdict::Allow)));
        }
    }
    let opens = changes.iter().find(|(_, verdict)| verdict.allows()).map(|(at, _)| *at);
    let mut row = row
        .saw(Some(remaining.share()), Some(rule.deny_below.share()))
        .says(verdict, &reason)
        .opens(|| opens, "enough is known for the budget rule");
    row.later = Later::Changes(changes);
    row
}
