//! Groups: which values the documents of a query have, and one filter for each of them.
//!
//! A group is counted by a filter like any other, so its counts are exact, and a group that is known is never lost to busier
//! ones. Only the search for new groups is an aggregation of its own.

use serde_json::{Map, Value, json};

use crate::plan::{BUCKETS, Index};
use crate::{Fault, Groups, Kind, Query};

/// The groups of one query.
#[derive(Debug)]
pub(crate) struct Grouping {
    pub(crate) index: usize,
    /// The clause of all its documents.
    pub(crate) filter: usize,
    given: Value,
    by: Vec<String>,
    max: usize,
    /// Each group with its clause.
    pub(crate) keys: Vec<(Vec<String>, usize)>,
    /// Why new groups could not be looked for.
    pub(crate) fault: Option<Fault>,
}

impl Grouping {
    pub(crate) fn new(
        number: usize,
        filter: usize,
        query: &Query,
        groups: &Groups,
        index: &mut Index,
    ) -> Self {
        let mut grouping = Self {
            index: number,
            filter,
            given: query.filter.clone(),
            by: groups.by.clone(),
            max: groups.max,
            keys: Vec::new(),
            fault: None,
        };
        for key in &groups.known {
            if key.len() == groups.by.len() {
                grouping.add(key.clone(), index);
            } else {
                let reason =
                    format!("a known group has {} values of {} fields", key.len(), groups.by.len());
                grouping.fault = Some(Fault::new(&query.index, Kind::Refused, reason));
            }
        }
        grouping
    }

    /// Whether there is room for new groups.
    pub(crate) fn is_open(&self) -> bool {
        self.keys.len() < self.max
    }

    /// Adds a group unless it is there.
    fn add(&mut self, key: Vec<String>, index: &mut Index) {
        if self.keys.iter().any(|(known, _)| *known == key) {
            return;
        }
        let values =
            self.by.iter().zip(&key).map(|(field, value)| json!({ "term": { field: value } }));
        let all: Vec<Value> = std::iter::once(self.given.clone()).chain(values).collect();
        let clause = index.clause(&json!({ "bool": { "filter": all } }));
        self.keys.push((key, clause));
    }

    /// Adds the groups that a search found, as long as there is room.
    pub(crate) fn take(&mut self, found: Vec<Vec<String>>, index: &mut Index) {
        for key in found {
            if self.is_open() {
                self.add(key, index);
            }
        }
    }

    /// How many groups are looked at: so many that each free place finds a new one.
    pub(crate) fn page(&self) -> usize {
        self.max.clamp(1, BUCKETS)
    }

    /// What its search takes besides the filter.
    pub(crate) fn bytes(&self) -> usize {
        self.by.iter().map(|field| field.len() + 50).sum()
    }

    /// Asks for the values that there are.
    pub(crate) fn aggregation(&self) -> Value {
        let source = |(number, field): (usize, &String)| {
            let name = number.to_string();
            Value::Object(Map::from_iter([(name, json!({ "terms": { "field": field } }))]))
        };
        let sources: Vec<Value> = self.by.iter().enumerate().map(source).collect();
        json!({ "groups": { "composite": { "size": self.page(), "sources": sources } } })
    }
}
