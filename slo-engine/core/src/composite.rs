//! SLOs made of other SLOs: the weighted mean of their SLIs, each over the composite's own windows.
//!
//! The members come as views that were made with the windows, the objective and the alerts of the
//! composite, so that what each of them spends and burns is of the composite's budget.

use chrono::{DateTime, TimeDelta, Utc};

use crate::budget::{conditions, since};
use crate::burn::Factor;
use crate::sli::{Member, WhenDelayed};
use crate::slo::{AlertPair, Objective, Slo};
use crate::time::Span;
use crate::view::{
    AlertState, AlertView, Ask, Bounds, BudgetView, BudgetingName, BurnView, Finding, SourceView,
    Unit, WindowView, WithoutExclusions,
};

/// A member and what is known of it.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The member.
    pub member: &'a Member,
    /// Its view over the composite's windows, which end where the newest member's data does.
    pub view: &'a BudgetView,
    /// Up to when it has data.
    pub data_until: Option<DateTime<Utc>>,
}

/// How a member takes part.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Part {
    /// As it is.
    Counts,
    /// The last so many minutes of it are all good or all bad.
    Filled { minutes: f64, good: bool },
    /// Not at all.
    Out,
}

/// A member as it is looked at for a composite: over the composite's windows and by its objective.
#[must_use]
pub fn as_member(composite: &Slo, member: &Slo) -> Slo {
    Slo {
        objective: composite.objective,
        windows: composite.windows.clone(),
        alerts: composite.alerts.clone(),
        ..member.clone()
    }
}

/// Up to when the newest of some members has data: the composite's windows end there.
#[must_use]
pub fn end(members: impl IntoIterator<Item = Option<DateTime<Utc>>>) -> Option<DateTime<Utc>> {
    members.into_iter().flatten().max()
}

/// The view of a composite at `now`. `before` is the one before: since when an alert fires is carried
/// on.
#[must_use]
pub fn view(
    slo: &Slo,
    now: DateTime<Utc>,
    all: &[Known<'_>],
    asks: &[Ask],
    before: Option<&BudgetView>,
) -> BudgetView {
    let end = end(all.iter().map(|known| known.data_until));
    let taking = taking(all, end, now);
    let windows: Vec<WindowView> =
        (0..slo.windows.len()).filter_map(|at| window(all, &taking, at, slo.objective)).collect();
    let burn = burns(all, &taking, slo.objective);
    let alerts: Vec<AlertView> =
        slo.alerts.iter().map(|pair| alert(pair, &windows, &burn, now, before)).collect();
    let fresh = taking.iter().filter(|(_, part)| *part == Part::Counts);
    let data_until = fresh.filter_map(|(known, _)| known.data_until).min().or(end);
    let limit = |known: &Known<'_>| {
        known.view.stale_after_seconds.max(known.member.max_delay.as_millis() as f64 / 1e3)
    };
    let stale_after_seconds = all.iter().map(limit).fold(0.0, f64::max);
    let age = data_until.map(|until| (now - until).num_milliseconds() as f64 / 1e3);
    let is_stale = age.is_some_and(|age| age > stale_after_seconds);
    let conditions = conditions(windows.first(), &alerts, false, is_stale, now);
    BudgetView {
        service: slo.id.service.shared(),
        slo: slo.id.slo.shared(),
        environment: slo.id.environment.shared(),
        group: None,
        objective: slo.objective.share(),
        state: conditions[0],
        conditions,
        evaluated_at: now,
        data_until,
        age_seconds: age,
        answers: asks.iter().map(|ask| (ask.clone(), answer(ask, &windows, &burn, now))).collect(),
        windows,
        burn,
        alerts,
        sources: sources(all).into(),
        findings: findings(slo, all, end, now),
        backfill: all.iter().filter_map(|known| known.view.backfill.clone()).next(),
        gate: slo.gate,
        stale_after_seconds,
    }
}

/// The members that take part, and how.
fn taking<'a>(
    all: &[Known<'a>],
    end: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Vec<(Known<'a>, Part)> {
    let all = all.iter().filter(|known| known.data_until.is_some());
    let parts = all.clone().map(|known| (*known, part(known, end, now)));
    let taking: Vec<_> = parts.filter(|(_, part)| *part != Part::Out).collect();
    if taking.is_empty() {
        // Where nobody is ahead, nobody is left out: the last numbers grow stale.
        return all.map(|known| (*known, Part::Counts)).collect();
    }
    taking
}

fn part(known: &Known<'_>, end: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Part {
    let (Some(until), Some(end)) = (known.data_until, end) else { return Part::Out };
    let allowed = TimeDelta::milliseconds(known.member.max_delay.as_millis());
    if now - until <= allowed {
        return Part::Counts;
    }
    let minutes = (end - until).num_milliseconds() as f64 / 60e3;
    match known.member.when_delayed {
        WhenDelayed::Ignore => Part::Out,
        WhenDelayed::CountAsBad => Part::Filled { minutes, good: false },
        WhenDelayed::CountAsGood => Part::Filled { minutes, good: true },
    }
}

/// A member's SLI over a window, with its delayed minutes filled at its mean traffic a measured minute.
fn sli(window: &WindowView, part: Part) -> Option<f64> {
    let known = window.sli?;
    let Part::Filled { minutes, good } = part else { return Some(known) };
    let length = (window.to - window.from).num_minutes() as f64;
    let minutes = minutes.min(length);
    let measured = window.coverage? * (window.maturity * length - minutes).max(0.0);
    if measured + minutes <= 0.0 {
        return Some(known);
    }
    let filled = if good { minutes } else { 0.0 };
    Some((known * measured + filled) / (measured + minutes))
}

/// The mean of numbers by their weights, of those that there are; `None` when there is none.
fn mean(all: impl Iterator<Item = (f64, Option<f64>)> + Clone) -> Option<f64> {
    // Of weights only their proportion counts; the sum of two large ones is no number.
    let most = all.clone().map(|(weight, _)| weight).fold(f64::MIN_POSITIVE, f64::max);
    let (mut sum, mut weights) = (0.0, 0.0);
    for (weight, number) in all {
        if let Some(number) = number {
            sum += weight / most * number;
            weights += weight / most;
        }
    }
    (weights > 0.0).then(|| sum / weights)
}

/// A member's window that something is known of.
struct Seen<'a> {
    weight: f64,
    window: &'a WindowView,
    part: Part,
}

fn window(
    all: &[Known<'_>],
    taking: &[(Known<'_>, Part)],
    at: usize,
    objective: Objective,
) -> Option<WindowView> {
    let like = all.iter().find_map(|known| known.view.windows.get(at))?;
    let seen = taking.iter().filter_map(|(known, part)| {
        let window = known.view.windows.get(at).filter(|window| window.spent.is_some())?;
        Some(Seen { weight: known.member.weight, window, part: *part })
    });
    let seen: Vec<Seen<'_>> = seen.collect();
    let share = mean(seen.iter().map(|s| (s.weight, sli(s.window, s.part))));
    // A mean that is the target has spent all, whatever the last digit of the division says.
    let spent = share.map(|share| ((1.0 - share) / objective.budget() * 1e12).round() / 1e12);
    // Where all that is known is idle, nothing is spent.
    let spent = spent.or_else(|| (!seen.is_empty()).then_some(0.0));
    let bounds = spends(&seen, |w| w.bounds.map(|b| b.spent_low))
        .zip(spends(&seen, |w| w.bounds.map(|b| b.spent_high)));
    let without = spends(&seen, |w| w.without_exclusions.and_then(|without| without.spent));
    let windows = || seen.iter().map(|seen| seen.window);
    Some(WindowView {
        budgeting: BudgetingName::Composite,
        unit: Some(Unit::None),
        bounds: bounds.map(|(spent_low, spent_high)| Bounds { spent_low, spent_high }),
        good: None,
        bad: None,
        total: None,
        sli: share,
        allowed: None,
        spent,
        remaining: spent.map(|spent| 1.0 - spent),
        coverage: windows().filter_map(|window| window.coverage).reduce(f64::min),
        maturity: windows().map(|window| window.maturity).reduce(f64::min).unwrap_or(0.0),
        interval: None,
        partial: windows().map(|window| window.partial).max().unwrap_or(0),
        assumed: windows().map(|window| window.assumed).sum(),
        dropped: windows().map(|window| window.dropped).sum(),
        without_exclusions: without
            .map(|spent| WithoutExclusions { spent: Some(spent), remaining: Some(1.0 - spent) }),
        estimate: None,
        exhausts_at: None,
        recovers_at: None,
        usual_ratio: None,
        ..like.clone()
    })
}

/// The mean of another figure of what is spent, where one member has it: of those that say no more than
/// their one number, that is the figure.
fn spends(seen: &[Seen<'_>], other: fn(&WindowView) -> Option<f64>) -> Option<f64> {
    let number = |window: &WindowView| window.sli.and_then(|_| other(window).or(window.spent));
    let is_there = seen.iter().any(|seen| other(seen.window).is_some());
    mean(seen.iter().map(|seen| (seen.weight, number(seen.window)))).filter(|_| is_there)
}

/// Null as long as it is for a member that takes part.
fn burns(all: &[Known<'_>], taking: &[(Known<'_>, Part)], objective: Objective) -> Vec<BurnView> {
    let Some(like) = all.first() else { return Vec::new() };
    let burn = |at: usize, window: &BurnView| {
        let minutes = window.window.as_minutes();
        let rate = |known: &Known<'_>, part: Part| {
            let rate = known.view.burn.get(at)?.rate;
            let Part::Filled { minutes: late, good } = part else { return rate };
            let share = (late / minutes as f64).min(1.0);
            let filled = if good { 0.0 } else { share / objective.budget() };
            if share >= 1.0 { Some(filled) } else { Some(rate? * (1.0 - share) + filled) }
        };
        let rates = taking.iter().map(|(known, part)| (known.member.weight, rate(known, *part)));
        let known = rates.clone().all(|(_, rate)| rate.is_some());
        let bad = taking.iter().filter_map(|(known, _)| known.view.burn.get(at)).map(|b| b.bad);
        BurnView { window: window.window, rate: mean(rates).filter(|_| known), bad: bad.sum() }
    };
    like.view.burn.iter().enumerate().map(|(at, window)| burn(at, window)).collect()
}

/// A pair fires as it does for events; the bad events are those of all members together.
fn alert(
    pair: &AlertPair,
    windows: &[WindowView],
    burns: &[BurnView],
    now: DateTime<Utc>,
    before: Option<&BudgetView>,
) -> AlertView {
    let length = windows.first().map_or(0, |window| (window.to - window.from).num_minutes());
    let factor = Factor::of(pair, length);
    let over = |span: Span| burns.iter().find(|burn| burn.window == span);
    let exceeds = |burn: &BurnView| burn.rate.is_some_and(|rate| rate > factor.rate());
    let fires = over(pair.long).zip(over(pair.short)).is_some_and(|(long, short)| {
        let spent = long.rate.unwrap_or(0.0) * pair.long.as_minutes() as f64 / length.max(1) as f64;
        let enough = pair.min_budget_ppb.is_none_or(|share| spent >= share as f64 / 1e9);
        exceeds(long) && exceeds(short) && long.bad >= pair.min_bad && enough
    });
    let state = match () {
        () if factor.is_dropped() => AlertState::Dropped,
        () if fires => AlertState::Firing,
        () => AlertState::Inactive,
    };
    AlertView { name: pair.name.clone(), state, since: since(state, &pair.name, now, before) }
}

/// Whether it is so already; a composite is not forecast.
fn answer(
    ask: &Ask,
    windows: &[WindowView],
    burns: &[BurnView],
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let holds = match ask {
        Ask::Remaining { window, at_least } => {
            let named = |w: &&WindowView| window.as_ref().is_none_or(|name| *w.window == **name);
            let remaining = windows.iter().find(named)?.remaining?;
            remaining > 0.0 && remaining >= *at_least
        }
        Ask::Burn { window, at_most } => {
            burns.iter().find(|burn| burn.window == *window)?.rate? <= *at_most
        }
    };
    holds.then_some(now)
}

fn sources(all: &[Known<'_>]) -> Vec<SourceView> {
    let mut sources: Vec<SourceView> = Vec::new();
    for source in all.iter().flat_map(|known| known.view.sources.iter()) {
        if !sources.contains(source) {
            sources.push(source.clone());
        }
    }
    sources
}

/// Which members do not take part as they are.
fn findings(
    slo: &Slo,
    all: &[Known<'_>],
    end: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Vec<Finding> {
    let is_ahead = all.iter().any(|known| part(known, end, now) != Part::Out);
    let finding = |known: &Known<'_>| {
        let id = known.member.slo.id(&slo.id.environment);
        let without = known.view.windows.first().is_none_or(|window| window.spent.is_none());
        let behind = known.data_until.map(|until| (now - until).num_minutes());
        let (code, said) = match (part(known, end, now), behind) {
            (Part::Out, Some(minutes)) => {
                let out = if is_ahead { " and left out" } else { "" };
                ("memberDelayed", format!("{id} is {minutes} min behind{out}"))
            }
            (Part::Filled { good, .. }, Some(minutes)) => {
                let how = if good { "good" } else { "bad" };
                ("memberDelayed", format!("{id} is {minutes} min behind; they count as {how}"))
            }
            _ if without => ("memberWithoutData", format!("{id} has no data and is left out")),
            _ => return None,
        };
        let numbers = behind.map(|minutes| ("minutes".to_owned(), minutes as f64));
        Some(Finding {
            code: code.to_owned(),
            message: said,
            since: known.data_until,
            numbers: numbers.into_iter().collect(),
        })
    };
    all.iter().filter_map(finding).collect()
}

#[cfg(test)]
mod tests;
