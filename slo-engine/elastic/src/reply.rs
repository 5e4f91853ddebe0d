//! Reads the answer to one search: whole, or a fault.

use std::collections::BTreeMap;

use elasticsearch::http::response::{Cause, Error as Said, Exception};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use slo_core::time::Minute;

use crate::{Fault, Kind};

/// What OpenSearch trips over when only shards without a copy can hold documents of the minutes: it skipped the others,
/// and has nothing to add up.
const NOTHING_LEFT: &str = "\"reducePhase.aggregations\" is null";

/// The answer to `_msearch`.
#[derive(Debug, Deserialize)]
pub(crate) struct Reply {
    pub(crate) responses: Vec<Value>,
}

/// What one filter found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Bucket {
    pub(crate) minutes: Vec<(Minute, u64)>,
    pub(crate) edge: Option<i64>,
}

#[derive(Deserialize)]
struct Answer {
    timed_out: bool,
    #[serde(rename = "_shards")]
    shards: Shards,
    #[serde(rename = "_clusters", default)]
    clusters: Clusters,
    aggregations: Option<Value>,
}

/// `successful` holds the skipped ones too. OpenSearch does not count a shard without a copy as failed.
#[derive(Deserialize)]
struct Shards {
    total: u64,
    successful: u64,
    failed: u64,
    #[serde(default)]
    failures: Vec<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    index: Option<String>,
    reason: Cause,
}

/// Remote clusters; one that is away may be skipped in silence.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Clusters {
    total: u64,
    skipped: u64,
    partial: u64,
    failed: u64,
}

#[derive(Deserialize)]
struct Counted {
    filters: Buckets<RawBucket>,
}

#[derive(Deserialize)]
struct Whole {
    edge: Edge,
}

#[derive(Deserialize)]
struct Grouped {
    groups: Buckets<RawGroup>,
}

#[derive(Deserialize)]
struct Buckets<T> {
    buckets: Vec<T>,
}

/// The fields have their numbers as names.
#[derive(Deserialize)]
struct RawGroup {
    key: BTreeMap<usize, Value>,
}

#[derive(Deserialize)]
struct RawBucket {
    #[serde(default)]
    minutes: Histogram,
    edge: Edge,
}

#[derive(Default, Deserialize)]
struct Histogram {
    buckets: Vec<HistogramBucket>,
}

#[derive(Deserialize)]
struct HistogramBucket {
    key: i64,
    doc_count: u64,
}

#[derive(Deserialize)]
struct Edge {
    value: Option<f64>,
}

/// The buckets of one search of `filters` filters.
///
/// # Errors
/// Why they do not hold all documents of the index.
pub(crate) fn read(response: Value, index: &str, filters: usize) -> Result<Vec<Bucket>, Fault> {
    let Counted { filters: found } = whole(response, index)?;
    if found.buckets.len() != filters {
        let reason = format!("{} counts of {filters} filters", found.buckets.len());
        return Err(Fault::new(index, Kind::Failed, reason));
    }
    Ok(found.buckets.into_iter().map(RawBucket::bucket).collect())
}

/// The edge of all documents that a search saw, as the number that it is.
///
/// # Errors
/// Why it may not be theirs.
pub(crate) fn read_edge(response: Value, index: &str) -> Result<Option<f64>, Fault> {
    let Whole { edge } = whole(response, index)?;
    Ok(edge.value)
}

/// The groups that a search found.
///
/// # Errors
/// Why they may not be all.
pub(crate) fn read_groups(response: Value, index: &str) -> Result<Vec<Vec<String>>, Fault> {
    let Grouped { groups } = whole(response, index)?;
    let text = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    let key = |group: RawGroup| group.key.into_values().map(text).collect();
    Ok(groups.buckets.into_iter().map(key).collect())
}

/// The aggregations of a search that saw all documents.
fn whole<T: DeserializeOwned>(response: Value, index: &str) -> Result<T, Fault> {
    let odd = |e: serde_json::Error| {
        Fault::new(index, Kind::Failed, format!("an answer that cannot be read: {e}"))
    };
    if response.get("error").is_some() {
        let exception: Exception = serde_json::from_value(response).map_err(odd)?;
        return Err(refused(index, &exception));
    }
    let answer: Answer = serde_json::from_value(response).map_err(odd)?;
    answer.is_whole(index)?;
    serde_json::from_value(answer.aggregations.unwrap_or_default()).map_err(odd)
}

impl Answer {
    fn is_whole(&self, index: &str) -> Result<(), Fault> {
        let Shards { total, successful, failed, failures } = &self.shards;
        if *failed > 0 {
            return Err(failed_shards(index, *failed, *total, failures));
        }
        let missing = |reason: String| Fault::new(index, Kind::Partial, reason);
        if self.clusters.skipped + self.clusters.partial + self.clusters.failed > 0 {
            let Clusters { total, skipped, partial, failed } = &self.clusters;
            return Err(missing(format!(
                "of {total} clusters {skipped} were skipped, {failed} failed and {partial} answered in part"
            )));
        }
        if *total == 0 {
            return Err(Fault::new(index, Kind::NoIndex, "nothing matches the pattern"));
        }
        if successful < total {
            return Err(missing(format!("{successful} of {total} shards answered")));
        }
        if self.timed_out {
            return Err(Fault::new(index, Kind::TimedOut, ""));
        }
        Ok(())
    }
}

impl RawBucket {
    fn bucket(self) -> Bucket {
        let minutes = self.minutes.buckets.into_iter();
        Bucket {
            minutes: minutes.map(|b| (Minute::of_millis(b.key), b.doc_count)).collect(),
            edge: self.edge.value.map(|millis| millis.floor() as i64),
        }
    }
}

/// The fault of a search that has no answer at all.
fn refused(index: &str, exception: &Exception) -> Fault {
    let error = exception.error();
    let said = reason_of(error);
    if said.contains(NOTHING_LEFT) {
        let reason = "no shard answered that can hold documents of these minutes";
        return Fault::new(index, Kind::Partial, reason);
    }
    let mut types: Vec<&str> = error.ty().into_iter().collect();
    types.extend(error.root_cause().iter().flat_map(types_of));
    types.extend(error.caused_by().into_iter().flat_map(types_of));
    let kind = kind(&types).unwrap_or(match exception.status() {
        Some(400) => Kind::Refused,
        Some(401 | 403) => Kind::Denied,
        Some(404) => Kind::NoIndex,
        Some(429) => Kind::Throttled,
        Some(503) => Kind::Partial,
        _ => Kind::Failed,
    });
    let reason = if kind == Kind::TimedOut { String::new() } else { said };
    Fault::new(index, kind, reason)
}

/// The fault of a search that some shards could not answer.
fn failed_shards(index: &str, failed: u64, total: u64, failures: &[Failure]) -> Fault {
    let types: Vec<&str> = failures.iter().flat_map(|f| types_of(&f.reason)).collect();
    let blamed = types.iter().any(|name| blames_query(name));
    let kind = kind(&types).unwrap_or(if blamed { Kind::Refused } else { Kind::Partial });
    let first = failures.first().map(|f| {
        let place = f.index.as_deref().map_or_else(String::new, |index| format!("{index}: "));
        format!(", {place}{}", said(&f.reason))
    });
    let reason = format!("{failed} of {total} shards failed{}", first.unwrap_or_default());
    Fault::new(index, kind, reason)
}

/// What the names of errors tell, where they tell it surely.
fn kind(types: &[&str]) -> Option<Kind> {
    types.iter().find_map(|name| match *name {
        "index_not_found_exception" | "no_such_remote_cluster_exception" => Some(Kind::NoIndex),
        "index_closed_exception" => Some(Kind::Closed),
        "security_exception" => Some(Kind::Denied),
        "too_many_buckets_exception" => Some(Kind::TooManyBuckets),
        "circuit_breaking_exception"
        | "es_rejected_execution_exception"
        | "rejected_execution_exception" => Some(Kind::Throttled),
        "time_exceeded_exception" => Some(Kind::TimedOut),
        "no_shard_available_action_exception" => Some(Kind::Partial),
        _ => None,
    })
}

/// Whether a shard that fails so would have answered another question.
fn blames_query(name: &str) -> bool {
    let about_query = ["pars", "argument", "query_shard", "number_format", "script", "too_complex"];
    about_query.iter().any(|part| name.contains(part))
}

fn types_of(cause: &Cause) -> Vec<&str> {
    causes(cause).filter_map(Cause::ty).collect()
}

/// What an error says: the first of its root causes, and what lies beneath it.
pub(crate) fn reason_of(error: &Said) -> String {
    let mut told = error.root_cause().iter().chain(error.caused_by()).map(said);
    let outer = told.find(|text| !text.is_empty());
    let outer = outer.unwrap_or_else(|| with_type(error.ty(), error.reason()));
    let beneath = error.caused_by().map(|cause| causes(cause).filter_map(Cause::reason));
    let text = match beneath.and_then(Iterator::last) {
        Some(inner) if !outer.contains(inner) => format!("{outer}: {inner}"),
        _ => outer,
    };
    start_of(text.as_bytes())
}

fn said(cause: &Cause) -> String {
    let told = causes(cause).find(|cause| cause.reason().is_some_and(|r| !r.is_empty()));
    let told = told.unwrap_or(cause);
    with_type(told.ty(), told.reason())
}

fn causes(cause: &Cause) -> impl Iterator<Item = &Cause> {
    std::iter::successors(Some(cause), |cause| cause.caused_by())
}

fn with_type(ty: Option<&str>, reason: Option<&str>) -> String {
    match (ty, reason.filter(|reason| !reason.is_empty())) {
        (Some(ty), Some(reason)) => format!("{ty}: {reason}"),
        (ty, reason) => reason.or(ty).unwrap_or_default().to_owned(),
    }
}

/// The beginning of a text, made harmless for a terminal or a log.
pub(crate) fn start_of(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(300)]);
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests;
