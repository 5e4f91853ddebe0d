//! Which sources hold an SLO's events, and what each of them holds.
//!
//! Most SLOs are in one source. Where sides are in several, or come later than the events that they
//! answer to, each source is counted apart: a minute of the SLO is then the sum of its shares.

use crate::counter::Weights;
use crate::selector::Selector;
use crate::sli::{Durations, Events, Indicator, LogQuery, Part, Ratio, Side};
use crate::slo::Slo;
use crate::time::Span;

use super::logs::{self, LogCount};
use super::{Feeds, needs};

/// What one source holds of an SLO's events.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    /// The source's name.
    pub source: String,
    /// What feeds it.
    pub feeds: Feeds,
    /// How much later its events come than the ones they answer to, whole minutes.
    pub delay: Span,
    /// What its events are of the SLO's.
    pub role: Role,
}

/// What the events of a share are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Totals with the part of them that is counted there too.
    Whole,
    /// Events that are good, of a total that is counted elsewhere.
    Good,
    /// Events that are bad, of a total that is counted elsewhere.
    Bad,
}

/// The sources of sides that name none: the first of its kind in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Defaults<'a> {
    /// For metrics.
    pub metrics: &'a str,
    /// For logs.
    pub logs: &'a str,
}

/// What feeds an SLO: more than one share where its sides are apart, none where it is made of others.
#[must_use]
pub fn shares(slo: &Slo, defaults: Defaults<'_>) -> Vec<Share> {
    let metrics = |name: &Option<String>| name.as_deref().unwrap_or(defaults.metrics).to_owned();
    let whole =
        |source, feeds| vec![Share { source, feeds, delay: Span::millis(0), role: Role::Whole }];
    match &slo.indicator {
        Indicator::Ratio(ratio) => of_ratio(ratio, defaults),
        Indicator::Latency(latency) => match &latency.durations {
            Durations::Field { .. } => {
                let source = latency.source.as_deref().unwrap_or(defaults.logs).to_owned();
                whole(source, Feeds::Logs(logs::latency(latency).unwrap_or_default()))
            }
            Durations::Histogram(histogram) => {
                let (histogram, under) = (histogram.clone(), latency.under.in_unit);
                let feeds = Feeds::Latency { histogram, under, edges: None };
                whole(metrics(&latency.source), feeds)
            }
        },
        Indicator::Threshold(threshold) => {
            let feeds = Feeds::Gauge { selector: threshold.gauge.clone(), good: threshold.good };
            whole(metrics(&threshold.source), feeds)
        }
        Indicator::Raw(raw) => {
            let feeds = Feeds::Raw {
                expression: raw.expression.clone(),
                share_of: raw.share_of,
                size: slo.budgeting.slice().unwrap_or(Span::minutes(5)),
            };
            whole(metrics(&raw.source), feeds)
        }
        Indicator::Composite(_) => Vec::new(),
    }
}

/// A side of a ratio whose source is known; refinements are joined with a total.
struct Counted<'a> {
    source: &'a str,
    delay: Span,
    is_total: bool,
    what: What<'a>,
}

enum What<'a> {
    Metric { selector: Selector, needs: Vec<String> },
    Logs { query: &'a LogQuery, refines: Option<&'a LogQuery> },
}

fn of_ratio(ratio: &Ratio, defaults: Defaults<'_>) -> Vec<Share> {
    let mut all: Vec<Counted<'_>> = ratio.total.iter().map(|side| total(side, defaults)).collect();
    for side in &ratio.part {
        all.extend(part(side, &ratio.total, defaults));
    }
    let mut shares: Vec<Share> = Vec::new();
    while let Some(first) = all.first() {
        let is_metric = matches!(first.what, What::Metric { .. });
        let (source, delay) = (first.source, first.delay);
        let same = |c: &Counted<'_>| {
            c.source == source
                && c.delay == delay
                && matches!(c.what, What::Metric { .. }) == is_metric
        };
        let (mine, rest) = all.into_iter().partition(same);
        all = rest;
        shares.push(share(mine, source, delay, ratio.part_is));
    }
    shares
}

fn total<'a>(side: &'a Side, defaults: Defaults<'a>) -> Counted<'a> {
    let what = match &side.events {
        Events::Metric(selector) => What::Metric { selector: selector.clone(), needs: Vec::new() },
        Events::Logs(query) => What::Logs { query, refines: None },
    };
    Counted { source: source(side, defaults), delay: side.delay, is_total: true, what }
}

fn source<'a>(side: &'a Side, defaults: Defaults<'a>) -> &'a str {
    let default = match side.events {
        Events::Metric(_) => defaults.metrics,
        Events::Logs(_) => defaults.logs,
    };
    side.source.as_deref().unwrap_or(default)
}

/// A part of its own, or one for every total that it refines: those of its kind, and of its source
/// where it names one.
fn part<'a>(side: &'a Side, totals: &'a [Side], defaults: Defaults<'a>) -> Vec<Counted<'a>> {
    let refines = match &side.events {
        Events::Metric(selector) => !selector.is_named(),
        Events::Logs(query) => query.index.is_none(),
    };
    if !refines {
        return vec![Counted { is_total: false, ..total(side, defaults) }];
    }
    let mut all = Vec::new();
    for refined in totals {
        let at = source(refined, defaults);
        if side.source.is_some() && source(side, defaults) != at {
            continue;
        }
        let what = match (&side.events, &refined.events) {
            (Events::Metric(part), Events::Metric(total)) => What::Metric {
                selector: total.refined(part),
                needs: needs(std::slice::from_ref(side)),
            },
            (Events::Logs(part), Events::Logs(total)) => {
                What::Logs { query: part, refines: Some(total) }
            }
            _ => continue,
        };
        let delay = if side.delay == Span::millis(0) { refined.delay } else { side.delay };
        all.push(Counted { source: at, delay, is_total: false, what });
    }
    all
}

fn share(all: Vec<Counted<'_>>, source: &str, delay: Span, part_is: Part) -> Share {
    let role = match part_is {
        _ if all.iter().any(|c| c.is_total) => Role::Whole,
        Part::Good => Role::Good,
        Part::Bad => Role::Bad,
    };
    let (mut totals, mut parts, mut needed, mut counts) = (vec![], vec![], vec![], vec![]);
    for Counted { is_total, what, .. } in all {
        match what {
            // A part without its total is counted for itself.
            What::Metric { selector, .. } if is_total || role != Role::Whole => {
                totals.push(selector);
            }
            What::Metric { selector, needs } => {
                parts.push(selector);
                needed.extend(needs);
            }
            What::Logs { query, refines } => {
                let weights = weights(is_total, role, part_is);
                counts.push(match refines {
                    Some(total) => logs::refined(total, query, weights),
                    None => logs::all_of(query, weights),
                });
            }
        }
    }
    needed.sort();
    needed.dedup();
    let feeds = if counts.is_empty() {
        let part_is = if role == Role::Whole { part_is } else { Part::Bad };
        Feeds::Ratio { totals, parts, part_is, needs: needed }
    } else {
        Feeds::Logs(counts)
    };
    Share { source: source.to_owned(), feeds, delay, role }
}

/// What a document counts as. A part without its total is all that its share counts.
const fn weights(is_total: bool, role: Role, part_is: Part) -> Weights {
    let (total, good) = match (is_total, role, part_is) {
        (true, _, Part::Good) => (1, 0),
        (true, _, Part::Bad) | (false, Role::Good | Role::Bad, _) => (1, 1),
        (false, Role::Whole, Part::Good) => (0, 1),
        (false, Role::Whole, Part::Bad) => (0, -1),
    };
    Weights { total, good, slack: 0 }
}

impl Role {
    /// What good and all events of a share are of the SLO's.
    #[must_use]
    pub const fn weigh(self, good: i64, total: i64) -> (i64, i64) {
        match self {
            Self::Whole => (good, total),
            Self::Good => (total, 0),
            Self::Bad => (-total, 0),
        }
    }
}

impl Share {
    /// Whether it is all that there is to an SLO, minute by minute.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.role == Role::Whole && self.delay == Span::millis(0)
    }

    /// The documents it counts, where it counts logs.
    #[must_use]
    pub fn logs(&self) -> Option<&[LogCount]> {
        match &self.feeds {
            Feeds::Logs(counts) => Some(counts),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
