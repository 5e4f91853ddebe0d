//! The walk along the chain, a page at a time, so that a server that writes is never held up.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use sqlx::FromRow;

use super::{Code, Finding};
use crate::record::RecordKind;
use crate::record::chain::{Fault, Hash, Head, Link};
use crate::record::heads::{hash_at, last_seq};
use crate::store::{Store, StoreError, damaged, failed};

const PAGE: u32 = 200;

/// How far a walk came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walked {
    /// The last record that holds.
    pub end: Head,
    /// The first link that does not.
    pub broken: Option<Finding>,
}

#[derive(Debug, FromRow)]
struct Row {
    seq: i64,
    kind: String,
    id: String,
    at: i64,
    service: String,
    environment: String,
    verdict: Option<String>,
    json: Vec<u8>,
    hash: Vec<u8>,
}

/// Follows the chain from a head to its end or to the first link that does not hold.
///
/// # Errors
/// When the database cannot be read.
pub async fn walk(
    store: &Store,
    from: Head,
    progress: &(dyn Fn(f64) + Sync),
) -> Result<Walked, StoreError> {
    let last = last_seq(store.pool()).await?;
    let mut end = from;
    // Before the first record there is nothing, not even a number below one.
    let mut after = if from == Head::default() { i64::MIN } else { from.seq };
    loop {
        let rows = page(store, after).await?;
        let Some(row) = rows.last() else { return Ok(Walked { end, broken: None }) };
        after = row.seq;
        for row in &rows {
            match row.follow(end) {
                Ok(next) => end = next,
                Err(fault) => return Ok(Walked { end, broken: Some(row.finding(&fault)) }),
            }
        }
        progress((end.seq - from.seq) as f64 / (last - from.seq).max(1) as f64);
    }
}

/// Follows only so many of the last links, for a quick look.
///
/// # Errors
/// When the database cannot be read.
pub async fn last_links(store: &Store, count: i64) -> Result<Walked, StoreError> {
    let from = last_seq(store.pool()).await? - count;
    let head = match hash_at(store.pool(), from).await? {
        Some(hash) => {
            let hash =
                hash.try_into().map_err(|_| damaged("records")("a hash of another length"))?;
            Head { seq: from, hash: Hash(hash) }
        }
        None => Head::default(),
    };
    walk(store, head, &|_| {}).await
}

async fn page(store: &Store, after: i64) -> Result<Vec<Row>, StoreError> {
    let sql = "SELECT seq, kind, id, at, service, environment, verdict, json, hash FROM records \
        WHERE seq > ? ORDER BY seq LIMIT ?";
    let rows = sqlx::query_as(sql).bind(after).bind(PAGE).fetch_all(store.pool()).await;
    rows.map_err(failed("read records"))
}

impl Row {
    fn follow(&self, end: Head) -> Result<Head, Fault> {
        let next = end.follow(&Link { seq: self.seq, json: &self.json, hash: &self.hash })?;
        if self.kind == RecordKind::Decision.as_str() {
            self.compare_columns()?;
        }
        Ok(next)
    }

    fn finding(&self, fault: &Fault) -> Finding {
        Finding {
            code: Code::Broken,
            seq: self.seq,
            kind: Some(self.kind.clone()),
            id: Some(self.id.clone()),
            message: fault.to_string(),
        }
    }

    /// Lists and searches use the columns, the hash covers the JSON: a decision's must agree.
    fn compare_columns(&self) -> Result<(), Fault> {
        let Ok(said) = serde_json::from_slice::<Said>(&self.json) else { return Ok(()) };
        let at = said.at.map(|at| at.timestamp_millis().to_string());
        let columns = [
            ("id", said.id, self.id.clone()),
            ("service", said.service, self.service.clone()),
            ("environment", said.environment, self.environment.clone()),
            ("verdict", said.verdict, self.verdict.clone().unwrap_or_default()),
            ("at", at, self.at.to_string()),
        ];
        for (column, recorded, stored) in columns {
            if let Some(recorded) = recorded.filter(|recorded| *recorded != stored) {
                return Err(Fault::Column { column, stored, recorded });
            }
        }
        Ok(())
    }
}

/// What a decision's JSON says that has a column.
#[derive(Debug, Deserialize)]
struct Said {
    id: Option<String>,
    at: Option<DateTime<Utc>>,
    service: Option<String>,
    environment: Option<String>,
    verdict: Option<String>,
}
