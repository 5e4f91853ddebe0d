//! From SLOs to the fewest queries, and from series back to SLOs: what each series counts as.
//!
//! Queries are shared by metric family and by the set of labels that are constrained, never made per
//! SLO. A shared query may read more than one SLO asked for; which series feeds which SLO is decided
//! here, by the SLO's own matchers.

use std::collections::BTreeSet;

use crate::counter::{Kind, Weights};
use crate::labels::Labels;
use crate::selector::{Matcher, Op, Selector};
use crate::sli::{Events, Part, Range, Side};
use crate::time::Span;

mod histogram;
mod logs;
mod queries;
mod router;
mod shares;

pub use histogram::{Edges, canonical_le, one_spelling};
pub use logs::LogCount;
pub use queries::{Query, Wide, queries};
pub use router::{Fed, Router};
pub use shares::{Defaults, Role, Share, shares};

/// Which series or documents of a source feed an SLO, and as what.
#[derive(Debug, Clone, PartialEq)]
pub enum Feeds {
    /// Counters of a total and of a part of it.
    Ratio {
        /// Series of the total.
        totals: Vec<Selector>,
        /// Series of the part; refinements are joined with every total already.
        parts: Vec<Selector>,
        /// Which part it is.
        part_is: Part,
        /// Labels that a refinement needs a series of the total to have.
        needs: Vec<String>,
    },
    /// A histogram. `edges` is found by asking the source.
    Latency {
        /// The base name with its matchers.
        histogram: Selector,
        /// The threshold in the metric's unit.
        under: f64,
        /// The buckets around the threshold, once known.
        edges: Option<Edges>,
    },
    /// Samples of a gauge.
    Gauge {
        /// The gauge.
        selector: Selector,
        /// When a sample is good.
        good: Range,
    },
    /// A ratio that the source works out.
    Raw {
        /// PromQL.
        expression: String,
        /// Whether it is the good or the bad share.
        share_of: Part,
        /// The length of a slice; the ratio is asked for at each slice's end.
        size: Span,
    },
    /// Documents of logs.
    Logs(Vec<LogCount>),
}

/// Labels of refinements whose matchers cannot match an absent label: if no series of the total has
/// such a label, the refinement is a mistake (`status` for `code`) and not an absence of errors.
fn needs(sides: &[Side]) -> Vec<String> {
    let refinements = sides.iter().filter_map(|side| match &side.events {
        Events::Metric(selector) if !selector.is_named() => Some(&selector.matchers),
        _ => None,
    });
    let mut labels: Vec<String> =
        refinements.flatten().filter(|m| !m.matches("")).map(|m| m.label.clone()).collect();
    labels.sort();
    labels.dedup();
    labels
}

impl Feeds {
    /// What a series counts as; `None` when it does not feed the SLO.
    #[must_use]
    pub fn weights(&self, labels: &Labels) -> Option<(Weights, Kind)> {
        let weights = match self {
            Self::Ratio { totals, parts, part_is, .. } => {
                let total = count(totals, labels);
                let part = count(parts, labels);
                let good = if *part_is == Part::Good { part } else { total - part };
                Weights { total, good, slack: 0 }
            }
            Self::Latency { histogram, edges, under } => edges
                .as_ref()
                .map_or_else(Weights::default, |e| e.weights(histogram, *under, labels)),
            Self::Gauge { selector, good } => {
                let weights = Weights { total: 1, good: 1, slack: 0 };
                return selector.matches(labels).then_some((weights, Kind::Gauge(*good)));
            }
            Self::Raw { .. } | Self::Logs(_) => Weights::default(),
        };
        (weights != Weights::default()).then_some((weights, Kind::Counter))
    }

    /// From now on all buckets of a histogram are read, because its boundaries have not always been
    /// the same.
    pub const fn mix(&mut self) {
        if let Self::Latency { edges: Some(edges), .. } = self {
            edges.mixed = true;
        }
    }

    /// Whether the same series are read: a histogram of which all buckets are read counts as before.
    #[must_use]
    pub fn reads_as(&self, other: &Self) -> bool {
        let read = |feeds: &Self| match feeds {
            Self::Latency { edges, .. } => edges.as_ref().map(|e| (e.spellings.clone(), e.native)),
            _ => None,
        };
        read(self) == read(other)
    }

    /// The selectors that must be read for the SLO.
    #[must_use]
    pub fn selectors(&self) -> Vec<Selector> {
        match self {
            Self::Ratio { totals, parts, .. } => {
                let apart = parts.iter().filter(|p| !totals.iter().any(|t| is_refined(p, t)));
                totals.iter().chain(apart).cloned().collect()
            }
            Self::Latency { histogram, edges, .. } => {
                edges.iter().flat_map(|e| e.selectors(histogram)).collect()
            }
            Self::Gauge { selector, .. } => vec![selector.clone()],
            Self::Raw { .. } | Self::Logs(_) => Vec::new(),
        }
    }

    /// What the total and the other side are counted from: selectors, or the expression of a raw ratio.
    #[must_use]
    pub fn expressions(&self) -> (Vec<String>, Vec<String>) {
        let texts = |selectors: &[Selector]| selectors.iter().map(ToString::to_string).collect();
        match self {
            Self::Ratio { totals, parts, .. } => (texts(totals), texts(parts)),
            Self::Raw { expression, .. } => (vec![expression.clone()], vec![expression.clone()]),
            Self::Latency { .. } | Self::Gauge { .. } => {
                (texts(&self.selectors()), texts(&self.selectors()))
            }
            Self::Logs(counts) => {
                let texts = |is_total: bool| {
                    let mine = counts.iter().filter(|c| (c.weights.total != 0) == is_total);
                    mine.map(LogCount::text).collect()
                };
                (texts(true), texts(false))
            }
        }
    }

    /// Labels that a refinement needs and that none of these series of the total has.
    #[must_use]
    pub fn missing_labels(&self, has: impl Fn(&str) -> bool) -> Vec<&str> {
        match self {
            Self::Ratio { needs, .. } => {
                needs.iter().map(String::as_str).filter(|label| !has(label)).collect()
            }
            _ => Vec::new(),
        }
    }
}

fn count(selectors: &[Selector], labels: &Labels) -> i32 {
    i32::try_from(selectors.iter().filter(|s| s.matches(labels)).count()).unwrap_or(i32::MAX)
}

/// Whether every series of `part` is a series of `total`, because it has all its matchers.
fn is_refined(part: &Selector, total: &Selector) -> bool {
    total.matchers.iter().all(|m| part.matchers.contains(m))
}

/// A matcher for any of these literal values.
#[must_use]
pub fn any_of<'a>(label: &str, values: impl IntoIterator<Item = &'a str>) -> Matcher {
    let values: BTreeSet<&str> = values.into_iter().collect();
    let (op, value) = match values.first() {
        Some(only) if values.len() == 1 => (Op::Equal, (*only).to_owned()),
        _ => (Op::Match, values.iter().map(|v| escaped(v)).collect::<Vec<_>>().join("|")),
    };
    Matcher::new(label, op, &value).expect("escaped values make a regular expression")
}

/// A literal for a regular expression. Escapes no more than RE2 needs, so that Prometheus still
/// sees a set of literals, which it looks up instead of matching.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests;
