//! What is counted in logs: documents that match, and what each counts as.

use crate::counter::Weights;
use crate::sli::{Durations, Latency, LogFilter, LogQuery};

/// Documents to count. All terms must hold.
#[derive(Debug, Clone, PartialEq)]
pub struct LogCount {
    /// Index pattern; `None` is all that the source has.
    pub index: Option<String>,
    /// What a document must fulfil.
    pub terms: Vec<LogTerm>,
    /// Which documents prove that the shipper lives; `None` is any of the index.
    pub heartbeat: Option<String>,
    /// What a document counts as.
    pub weights: Weights,
}

/// One condition on a document.
#[derive(Debug, Clone, PartialEq)]
pub enum LogTerm {
    /// It matches a query as written.
    Query(LogFilter),
    /// It has a field.
    Exists(String),
    /// A numeric field of it is at most this.
    AtMost {
        /// The field.
        field: String,
        /// The limit, in the field's own unit.
        limit: f64,
    },
}

/// All documents of a query, counted as `weights`.
pub(super) fn all_of(logs: &LogQuery, weights: Weights) -> LogCount {
    LogCount {
        index: logs.index.clone(),
        terms: vec![LogTerm::Query(logs.query.clone())],
        heartbeat: logs.heartbeat.clone(),
        weights,
    }
}

/// The documents among those of `total` that a refinement finds as well.
pub(super) fn refined(total: &LogQuery, part: &LogQuery, weights: Weights) -> LogCount {
    let mut count = all_of(total, weights);
    count.terms.push(LogTerm::Query(part.query.clone()));
    count.heartbeat = part.heartbeat.clone().or(count.heartbeat);
    count
}

/// Documents that have the field, and those among them that are fast enough.
pub(super) fn latency(latency: &Latency) -> Option<Vec<LogCount>> {
    let Durations::Field { logs, field } = &latency.durations else { return None };
    let mut total = all_of(logs, Weights { total: 1, good: 0, slack: 0 });
    total.terms.push(LogTerm::Exists(field.clone()));
    let mut good = all_of(logs, Weights { total: 0, good: 1, slack: 0 });
    good.terms.push(LogTerm::AtMost { field: field.clone(), limit: latency.under.in_unit });
    Some(vec![total, good])
}

impl LogCount {
    /// The count for people, such as `logs-orders-*: event.dataset : "access" and http.status >= 500`.
    #[must_use]
    pub fn text(&self) -> String {
        let terms: Vec<String> = self.terms.iter().map(LogTerm::text).collect();
        let terms = terms.join(" and ");
        self.index.as_ref().map_or(terms.clone(), |index| format!("{index}: {terms}"))
    }
}

impl LogTerm {
    fn text(&self) -> String {
        match self {
            Self::Query(LogFilter::Kql(text)) => text.clone(),
            Self::Query(LogFilter::Dsl(dsl)) => dsl.to_string(),
            Self::Exists(field) => format!("{field} : *"),
            Self::AtMost { field, limit } => format!("{field} <= {limit}"),
        }
    }
}
