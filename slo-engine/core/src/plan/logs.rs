//! What is counted in logs: documents that match, and what each counts as.

use serde_json::{Value, json};

use crate::counter::Weights;
use crate::filter::Filter;
use crate::sli::{Durations, Latency, LogFilter, LogQuery};

/// Documents to count: those that fulfil both its queries.
#[derive(Debug, Clone, PartialEq)]
pub struct LogCount {
    /// Index pattern; `None` is all that the source has.
    pub index: Option<String>,
    /// Conditions in KQL.
    pub kql: Option<Filter>,
    /// Conditions in Elasticsearch's own language.
    pub dsl: Vec<Value>,
    /// Which documents prove that the shipper lives; `None` is any of the index.
    pub heartbeat: Option<Filter>,
    /// What a document counts as.
    pub weights: Weights,
}

/// All documents of a query, counted as `weights`.
pub(super) fn all_of(logs: &LogQuery, weights: Weights) -> LogCount {
    let (index, heartbeat) = (logs.index.clone(), logs.heartbeat.clone());
    let all = LogCount { index, kql: None, dsl: Vec::new(), heartbeat, weights };
    all.also(&logs.query)
}

/// The documents among those of `total` that a refinement finds as well.
pub(super) fn refined(total: &LogQuery, part: &LogQuery, weights: Weights) -> LogCount {
    let mut count = all_of(total, weights).also(&part.query);
    count.heartbeat = part.heartbeat.clone().or(count.heartbeat);
    count
}

/// Documents that have the field, and those among them that are fast enough.
pub(super) fn latency(latency: &Latency) -> Option<Vec<LogCount>> {
    let Durations::Field { logs, field } = &latency.durations else { return None };
    let count = |condition: Filter, (total, good)| {
        all_of(logs, Weights { total, good, slack: 0 }).also(&LogFilter::Kql(condition))
    };
    let fast = Filter::at_most(field, latency.under.in_unit);
    Some(vec![count(Filter::exists(field), (1, 0)), count(fast, (0, 1))])
}

impl LogCount {
    fn also(mut self, filter: &LogFilter) -> Self {
        match filter {
            LogFilter::Kql(filter) => {
                let both = self.kql.as_ref().map(|kql| kql.and(filter));
                self.kql = both.or_else(|| Some(filter.clone()));
            }
            LogFilter::Dsl(dsl) => self.dsl.push(dsl.clone()),
        }
        self
    }

    /// The query for Elasticsearch.
    #[must_use]
    pub fn query(&self) -> Value {
        match (&self.kql, &self.dsl[..]) {
            (Some(kql), []) => kql.dsl(),
            (None, [only]) => only.clone(),
            (kql, dsl) => {
                let all: Vec<Value> =
                    kql.iter().map(Filter::dsl).chain(dsl.iter().cloned()).collect();
                json!({"bool": {"filter": all}})
            }
        }
    }

    /// The count for people, such as `logs-orders-*: event.dataset : "access" and status >= 500`.
    #[must_use]
    pub fn text(&self) -> String {
        let kql = self.kql.as_ref().map(|kql| match &self.dsl[..] {
            [] => kql.to_string(),
            _ => kql.beside(),
        });
        let all: Vec<String> =
            kql.into_iter().chain(self.dsl.iter().map(Value::to_string)).collect();
        let all = all.join(" and ");
        self.index.as_ref().map_or(all.clone(), |index| format!("{index}: {all}"))
    }
}
