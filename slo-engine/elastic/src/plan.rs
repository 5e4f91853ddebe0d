//! What is asked: each filter once per index pattern, in searches that stay within the limits.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use slo_core::time::Minute;

use crate::groups::Grouping;
use crate::reply::Bucket;
use crate::{Fault, Kind, Query};

/// The most buckets that one request asks for; the servers' own limit is 65,535 for one search.
pub(crate) const BUCKETS: usize = 10_000;
/// The most bytes of one request.
pub(crate) const BYTES: usize = 1_000_000;
/// The most filters of one search, so that at least nine minutes fit into it.
const CLAUSES: usize = 1_000;
/// What a search takes besides its filters and the name of its index.
const FRAME: usize = 1_000;

/// All queries by index pattern.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) indices: Vec<Index>,
    pub(crate) groupings: Vec<Grouping>,
    asked: Vec<Asked>,
}

/// Where a query finds its answers.
#[derive(Debug)]
struct Asked {
    index: usize,
    filter: usize,
    heartbeat: usize,
    grouping: Option<usize>,
}

/// What a query found.
#[derive(Debug)]
pub(crate) struct Answered<'a> {
    pub(crate) filter: &'a Found,
    pub(crate) heartbeat: &'a Found,
    /// By the keys of its groups.
    pub(crate) groups: Vec<(&'a Vec<String>, &'a Found)>,
}

/// One index pattern.
#[derive(Debug)]
pub(crate) struct Index {
    pub(crate) pattern: String,
    pub(crate) clauses: Vec<Clause>,
    /// What is wrong with the index itself, whatever is asked.
    pub(crate) fault: Option<Fault>,
    /// Whether it was asked without any filter, after a refusal.
    pub(crate) probed: bool,
}

/// One filter, and what it found.
#[derive(Debug)]
pub(crate) struct Clause {
    /// As given.
    filter: Value,
    /// As sent.
    sent: Value,
    bytes: usize,
    pub(crate) found: Result<Found, Fault>,
}

/// Documents of one filter.
#[derive(Debug, Clone, Default)]
pub(crate) struct Found {
    pub(crate) minutes: Vec<(Minute, u64)>,
    /// The newest of them, or the oldest if that was asked.
    pub(crate) edge: Option<i64>,
}

impl Found {
    /// Its minutes, the oldest first.
    pub(crate) fn sorted(&self) -> Vec<(Minute, u64)> {
        let mut minutes = self.minutes.clone();
        minutes.sort_unstable();
        minutes
    }
}

/// A part of the plan that fits into one search.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) index: usize,
    /// Positions in the index's clauses; none asks the index alone.
    pub(crate) clauses: Vec<usize>,
    pub(crate) time: Time,
    /// Position of the grouping whose groups are looked for, among the documents of the only clause.
    pub(crate) grouping: Option<usize>,
}

/// Which documents are looked at, and what for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Time {
    /// Counts by minute, and the newest document, of `[from, to)`.
    Minutes { from: Minute, to: Minute },
    /// The oldest document there is.
    Oldest,
}

impl Plan {
    pub(crate) fn new(queries: &[Query]) -> Self {
        let mut plan = Self { indices: Vec::new(), groupings: Vec::new(), asked: Vec::new() };
        let any = json!({ "match_all": {} });
        for query in queries {
            let number = plan.index(&query.index);
            let index = &mut plan.indices[number];
            let filter = index.clause(&query.filter);
            let heartbeat = index.clause(query.heartbeat.as_ref().unwrap_or(&any));
            let grouping = query.groups.as_ref().map(|groups| {
                plan.groupings.push(Grouping::new(number, filter, query, groups, index));
                plan.groupings.len() - 1
            });
            plan.asked.push(Asked { index: number, filter, heartbeat, grouping });
        }
        plan
    }

    /// The same plan without filters: what matters for the oldest heartbeats.
    pub(crate) fn heartbeats(queries: &[Query]) -> Self {
        let any = json!({ "match_all": {} });
        let alive = |query: &Query| query.heartbeat.clone().unwrap_or_else(|| any.clone());
        let only = |query: &Query| Query { filter: alive(query), groups: None, ..query.clone() };
        Self::new(&queries.iter().map(only).collect::<Vec<_>>())
    }

    fn index(&mut self, pattern: &str) -> usize {
        if let Some(known) = self.indices.iter().position(|index| index.pattern == pattern) {
            return known;
        }
        // An empty name would mean all indices.
        let fault =
            pattern.trim().is_empty().then(|| Fault::new(pattern, Kind::NoIndex, "no name"));
        let pattern = pattern.to_owned();
        self.indices.push(Index { pattern, clauses: Vec::new(), fault, probed: false });
        self.indices.len() - 1
    }

    /// The parts that make up the whole.
    pub(crate) fn parts(&self, time: Time) -> Vec<Part> {
        let counts = (0..self.indices.len()).flat_map(|index| self.parts_of(index, 0, time));
        let searches = self.groupings.iter().enumerate().filter(|(_, grouping)| grouping.is_open());
        let groups = searches.map(|(number, grouping)| Part {
            index: grouping.index,
            clauses: vec![grouping.filter],
            time,
            grouping: Some(number),
        });
        counts.chain(groups).collect()
    }

    /// The parts of one index, for its clauses from a position on.
    pub(crate) fn parts_of(&self, index: usize, first: usize, time: Time) -> Vec<Part> {
        let mut parts = Vec::new();
        for clauses in self.indices[index].bundles(first) {
            for time in time.pieces(BUCKETS / clauses.len() - 1) {
                parts.push(Part { index, clauses: clauses.clone(), time, grouping: None });
            }
        }
        parts
    }

    /// What the nth query found.
    pub(crate) fn found(&self, query: usize) -> Result<Answered<'_>, Fault> {
        let asked = &self.asked[query];
        let index = &self.indices[asked.index];
        let grouping = asked.grouping.map(|number| &self.groupings[number]);
        if let Some(fault) = index.fault.as_ref().or(grouping.and_then(|g| g.fault.as_ref())) {
            return Err(fault.clone());
        }
        let of = |clause: usize| index.clauses[clause].found.as_ref().map_err(Clone::clone);
        let keys = grouping.map(|grouping| grouping.keys.as_slice()).unwrap_or_default();
        let groups = keys.iter().map(|(key, clause)| Ok((key, of(*clause)?)));
        Ok(Answered {
            filter: of(asked.filter)?,
            heartbeat: of(asked.heartbeat)?,
            groups: groups.collect::<Result<_, _>>()?,
        })
    }

    /// How many queries there are.
    pub(crate) fn len(&self) -> usize {
        self.asked.len()
    }
}

impl Index {
    pub(crate) fn clause(&mut self, filter: &Value) -> usize {
        if let Some(known) = self.clauses.iter().position(|clause| clause.filter == *filter) {
            return known;
        }
        // Inside a wrapper a filter that cannot be parsed fails its search; outside, the whole request.
        let sent = json!({ "wrapper": { "query": BASE64.encode(filter.to_string()) } });
        let bytes = sent.to_string().len() + 1;
        let found = if bytes + self.frame() > BYTES {
            let reason = format!("it takes {bytes} bytes, and a request {BYTES}");
            Err(Fault::new(&self.pattern, Kind::TooLarge, reason))
        } else {
            Ok(Found::default())
        };
        self.clauses.push(Clause { filter: filter.clone(), sent, bytes, found });
        self.clauses.len() - 1
    }

    fn frame(&self) -> usize {
        FRAME + self.pattern.len()
    }

    /// Its clauses from a position on in bundles, each small enough for one search.
    fn bundles(&self, first: usize) -> Vec<Vec<usize>> {
        let (mut bundles, mut bytes) = (Vec::<Vec<usize>>::new(), 0);
        let clauses = self.clauses.iter().enumerate().skip(first);
        for (number, clause) in clauses.filter(|(_, clause)| clause.found.is_ok()) {
            bytes += clause.bytes;
            match bundles.last_mut() {
                Some(bundle) if bundle.len() < CLAUSES && bytes + self.frame() <= BYTES => {
                    bundle.push(number);
                }
                _ => {
                    bundles.push(vec![number]);
                    bytes = clause.bytes;
                }
            }
        }
        bundles
    }

    /// Adds what a search found; documents of a minute come in one piece.
    pub(crate) fn take(&mut self, clauses: &[usize], buckets: Vec<Bucket>, time: Time) {
        for (number, bucket) in clauses.iter().zip(buckets) {
            let Ok(found) = &mut self.clauses[*number].found else { continue };
            found.minutes.extend(bucket.minutes);
            found.edge = match time {
                Time::Minutes { .. } => found.edge.max(bucket.edge),
                Time::Oldest => bucket.edge,
            };
        }
    }

    /// Marks clauses as not counted; the first reason stays.
    pub(crate) fn blame(&mut self, clauses: &[usize], fault: &Fault) {
        for number in clauses {
            let found = &mut self.clauses[*number].found;
            if found.is_ok() {
                *found = Err(fault.clone());
            }
        }
    }

    /// Whether no document at all was found, and nothing is wrong that is known.
    pub(crate) fn is_silent(&self) -> bool {
        self.fault.is_none()
            && self.clauses.iter().all(|c| c.found.as_ref().is_ok_and(|found| found.edge.is_none()))
    }
}

impl Time {
    /// Runs of at most so many minutes.
    fn pieces(self, most: usize) -> Vec<Self> {
        let Self::Minutes { from, to } = self else { return vec![self] };
        let step = i64::try_from(most).expect("at most BUCKETS");
        let starts = (0..).map(|n| from + n * step).take_while(|start| *start < to);
        starts.map(|from| Self::Minutes { from, to: (from + step).min(to) }).collect()
    }

    fn minutes(self) -> usize {
        match self {
            Self::Minutes { from, to } => usize::try_from(to - from).unwrap_or(0),
            Self::Oldest => 0,
        }
    }

    /// Which documents are looked at.
    fn query(self, field: &str) -> Value {
        match self {
            Self::Minutes { from, to } => json!({ "range": { field: {
                "gte": from.start_millis(), "lt": to.start_millis(), "format": "epoch_millis"
            }}}),
            Self::Oldest => json!({ "match_all": {} }),
        }
    }

    /// What is asked about each filter's documents.
    fn questions(self, field: &str) -> Value {
        match self {
            Self::Minutes { .. } => json!({
                "minutes": { "date_histogram": {
                    "field": field, "fixed_interval": "1m", "min_doc_count": 1
                }},
                "edge": { "max": { "field": field } }
            }),
            Self::Oldest => json!({ "edge": { "min": { "field": field } } }),
        }
    }
}

impl Part {
    /// The most buckets that its answer can hold.
    pub(crate) fn buckets(&self, plan: &Plan) -> usize {
        match self.grouping {
            Some(number) => plan.groupings[number].page(),
            None => self.clauses.len().max(1) * (1 + self.time.minutes()),
        }
    }

    /// The most bytes that it takes.
    pub(crate) fn bytes(&self, plan: &Plan) -> usize {
        let index = &plan.indices[self.index];
        let clauses = self.clauses.iter().map(|number| index.clauses[*number].bytes);
        let fields = self.grouping.map_or(0, |number| plan.groupings[number].bytes());
        index.frame() + clauses.sum::<usize>() + fields
    }

    /// Its two halves.
    pub(crate) fn halves(&self) -> [Self; 2] {
        let (left, right) = self.clauses.split_at(self.clauses.len() / 2);
        [left, right].map(|clauses| Self { clauses: clauses.to_vec(), ..self.clone() })
    }

    /// The same search with no filter but the time.
    pub(crate) fn probe(&self) -> Self {
        Self { clauses: Vec::new(), ..self.clone() }
    }

    /// The two lines of the search; the server gives up after `timeout` milliseconds.
    pub(crate) fn lines(&self, plan: &Plan, field: &str, timeout: u128) -> String {
        let index = &plan.indices[self.index];
        let mut filters: Vec<_> =
            self.clauses.iter().map(|number| index.clauses[*number].sent.clone()).collect();
        if filters.is_empty() {
            filters.push(json!({ "match_all": {} }));
        }
        let mut narrowed = vec![self.time.query(field)];
        let aggs = if let Some(number) = self.grouping {
            narrowed.append(&mut filters);
            plan.groupings[number].aggregation()
        } else {
            let questions = self.time.questions(field);
            json!({ "filters": { "filters": { "filters": filters }, "aggs": questions } })
        };
        let head = json!({ "index": index.pattern });
        let search = json!({
            "size": 0,
            "track_total_hits": false,
            "timeout": format!("{timeout}ms"),
            "query": { "bool": { "filter": narrowed } },
            "aggs": aggs
        });
        format!("{head}\n{search}\n")
    }
}

#[cfg(test)]
mod tests;
