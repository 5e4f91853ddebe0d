//! From a series of a shared query to the SLOs it feeds, without asking every SLO.

use std::collections::HashMap;

use crate::counter::{Kind, Weights};
use crate::labels::Labels;
use crate::selector::Op;

use super::{Feeds, Query};

/// One SLO that a series feeds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fed {
    /// The SLO's position.
    pub slo: usize,
    /// What the series counts as.
    pub weights: Weights,
    /// How its samples become events.
    pub kind: Kind,
}

/// Finds the SLOs of a query that a series feeds.
#[derive(Debug, Clone)]
pub struct Router {
    /// The label by whose exact value most SLOs can be told apart.
    label: Option<String>,
    by_value: HashMap<String, Vec<usize>>,
    rest: Vec<usize>,
}

impl Router {
    /// A router for the SLOs of a query.
    #[must_use]
    pub fn new(query: &Query, feeds: &[&Feeds]) -> Self {
        let label = telling_label(query, feeds);
        let (mut by_value, mut rest) = (HashMap::<String, Vec<usize>>::new(), Vec::new());
        for slo in &query.slos {
            let value = label.as_deref().and_then(|label| only_value(feeds[*slo], label));
            match value {
                Some(value) => by_value.entry(value).or_default().push(*slo),
                None => rest.push(*slo),
            }
        }
        Self { label, by_value, rest }
    }

    /// The SLOs that a series feeds.
    #[must_use]
    pub fn feed(&self, labels: &Labels, feeds: &[&Feeds]) -> Vec<Fed> {
        let fed = self.candidates(labels).filter_map(|slo| {
            let (weights, kind) = feeds[*slo].weights(labels)?;
            Some(Fed { slo: *slo, weights, kind })
        });
        fed.collect()
    }

    /// The SLOs that a series of native histograms feeds, and their thresholds.
    #[must_use]
    pub fn feed_native(&self, labels: &Labels, feeds: &[&Feeds]) -> Vec<(usize, f64)> {
        let fed = self.candidates(labels).filter_map(|slo| match feeds[*slo] {
            Feeds::Latency { histogram, under, edges: Some(edges) } => {
                (edges.native && histogram.matches(labels)).then_some((*slo, *under))
            }
            _ => None,
        });
        fed.collect()
    }

    fn candidates(&self, labels: &Labels) -> impl Iterator<Item = &usize> {
        let value = self.label.as_deref().map(|label| labels.get(label));
        let exact = value.and_then(|value| self.by_value.get(value)).into_iter().flatten();
        exact.chain(&self.rest)
    }
}

fn telling_label(query: &Query, feeds: &[&Feeds]) -> Option<String> {
    let mut votes: HashMap<String, usize> = HashMap::new();
    for slo in &query.slos {
        for selector in feeds[*slo].selectors() {
            for matcher in selector.matchers.iter().filter(|m| m.op == Op::Equal) {
                *votes.entry(matcher.label.clone()).or_default() += 1;
            }
        }
    }
    votes.remove("__name__");
    votes.remove("le");
    votes.into_iter().max_by(|a, b| (a.1, &b.0).cmp(&(b.1, &a.0))).map(|(label, _)| label)
}

/// The one value that all selectors of an SLO demand of a label.
fn only_value(feeds: &Feeds, label: &str) -> Option<String> {
    let mut only: Option<String> = None;
    for selector in feeds.selectors() {
        let demanded = selector.matchers.iter().find(|m| m.label == label && m.op == Op::Equal)?;
        if only.as_ref().is_some_and(|o| *o != demanded.value) {
            return None;
        }
        only = Some(demanded.value.clone());
    }
    only
}
