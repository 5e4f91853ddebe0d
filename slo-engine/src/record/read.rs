//! Reads records: by id, by the key of their question, for a list, all of a kind.

use chrono::{DateTime, Utc};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, QueryBuilder, Row, Sqlite};

use super::chain::Hash;
use super::{Entry, Record, RecordKind};
use crate::store::{Store, StoreError, damaged, failed};

/// The records of a database.
#[derive(Debug, Clone)]
pub struct Records(Store);

/// Which records a list shows; what is `None` shows all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this kind.
    pub kind: Option<RecordKind>,
    /// Of this service.
    pub service: Option<String>,
    /// Of this environment.
    pub environment: Option<String>,
    /// With this verdict.
    pub verdict: Option<String>,
    /// At or after this instant.
    pub from: Option<DateTime<Utc>>,
    /// Before this instant.
    pub to: Option<DateTime<Utc>>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT seq, hash, kind, id, at, service, environment, verdict, json, idempotency, \
             body_hash FROM records ",
            $rest
        )
    };
}

impl Records {
    /// The records of a database.
    #[must_use]
    pub const fn of(store: Store) -> Self {
        Self(store)
    }

    /// All records with an id, oldest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn by_id(&self, id: &str) -> Result<Vec<Record>, StoreError> {
        let query = sqlx::query(select!("WHERE id = ? ORDER BY seq")).bind(id);
        let rows = query.fetch_all(self.0.pool()).await.map_err(failed("read records"))?;
        rows.iter().map(record).collect()
    }

    /// The newest record that answers a question.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn newest_by_key(&self, key: &str) -> Result<Option<Record>, StoreError> {
        let newest = select!("WHERE idempotency = ? ORDER BY seq DESC LIMIT 1");
        let row = sqlx::query(newest).bind(key).fetch_optional(self.0.pool()).await;
        row.map_err(failed("read a record"))?.as_ref().map(record).transpose()
    }

    /// Decisions since an instant whose claim counts against a quota, oldest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn that_count(&self, since: DateTime<Utc>) -> Result<Vec<Record>, StoreError> {
        // The words of the index that holds only these.
        let counting = select!(
            "INDEXED BY records_that_count WHERE kind = 'decision' \
             AND instr(json, CAST('\"counts\":true' AS BLOB)) > 0 AND at >= ? ORDER BY at, seq"
        );
        let rows = sqlx::query(counting).bind(since.timestamp_millis()).fetch_all(self.0.pool());
        rows.await.map_err(failed("read claims"))?.iter().map(record).collect()
    }

    /// All records of some kinds in the order of the chain, for what is built from them at a start.
    pub fn all_of(&self, kinds: &[RecordKind]) -> BoxStream<'_, Result<Record, StoreError>> {
        let listed: Vec<String> = kinds.iter().map(|kind| format!("'{kind}'")).collect();
        let listed = listed.join(", ");
        // Decisions are by far the most: the index that leaves them out is used only when asked.
        let state =
            if kinds.contains(&RecordKind::Decision) { "" } else { "kind <> 'decision' AND" };
        let select = select!("WHERE");
        let sql = AssertSqlSafe(format!("{select} {state} kind IN ({listed}) ORDER BY seq"));
        let rows = sqlx::query(sql).fetch(self.0.pool()).map_err(failed("read records"));
        rows.and_then(|row| std::future::ready(record(&row))).boxed()
    }

    /// Records for a list, newest first; `after` is the number of the last one of the page before.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn list(
        &self,
        filter: &Filter,
        after: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Record>, StoreError> {
        let mut query = newest_first(filter, after, limit);
        let rows = query.build().fetch_all(self.0.pool()).await.map_err(failed("list records"))?;
        rows.iter().map(record).collect()
    }

    /// Records oldest first; `after` is the last one of the page before.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn onward(
        &self,
        filter: &Filter,
        after: Option<(DateTime<Utc>, i64)>,
        limit: u32,
    ) -> Result<Vec<Record>, StoreError> {
        let mut query = oldest_first(filter, after, limit);
        let rows = query.build().fetch_all(self.0.pool()).await.map_err(failed("list records"))?;
        rows.iter().map(record).collect()
    }
}

fn newest_first(filter: &Filter, after: Option<i64>, limit: u32) -> QueryBuilder<Sqlite> {
    let mut query = filter.listed("at", searched(after.is_none()));
    if let Some(after) = after {
        query.push(" AND (at, seq) < ((SELECT at FROM records WHERE seq = ").push_bind(after);
        query.push("), ").push_bind(after).push(")");
    }
    query.push(" ORDER BY at DESC, seq DESC LIMIT ").push_bind(limit);
    query
}

fn oldest_first(
    filter: &Filter,
    after: Option<(DateTime<Utc>, i64)>,
    limit: u32,
) -> QueryBuilder<Sqlite> {
    let mut query = filter.listed(searched(after.is_none()), "at");
    if let Some((at, seq)) = after {
        query.push(" AND (at, seq) > (").push_bind(at.timestamp_millis());
        query.push(", ").push_bind(seq).push(")");
    }
    query.push(" ORDER BY at, seq LIMIT ").push_bind(limit);
    query
}

/// The column in a bound of the filter. Where the page before is a narrower one the index must be
/// searched by that, else each page would read all pages before it once more; a `+` says so.
const fn searched(by_filter: bool) -> &'static str {
    if by_filter { "at" } else { "+at" }
}

impl Filter {
    /// The records that it shows. Left alone, the planner would rather read and sort all rows.
    fn listed(&self, since: &str, before: &str) -> QueryBuilder<Sqlite> {
        let mut query = QueryBuilder::new(select!("INDEXED BY records_by_at WHERE true"));
        let texts = [
            (" AND kind = ", self.kind.map(RecordKind::as_str)),
            (" AND service = ", self.service.as_deref()),
            (" AND environment = ", self.environment.as_deref()),
            (" AND verdict = ", self.verdict.as_deref()),
        ];
        for (sql, text) in texts {
            if let Some(text) = text {
                query.push(sql).push_bind(text);
            }
        }
        for (column, bound, instant) in [(since, " >= ", self.from), (before, " < ", self.to)] {
            if let Some(instant) = instant {
                query.push(" AND ").push(column).push(bound).push_bind(instant.timestamp_millis());
            }
        }
        query
    }
}

fn record(row: &SqliteRow) -> Result<Record, StoreError> {
    let hash =
        |bytes: &[u8]| bytes.try_into().map_err(|_| damaged("records")("a hash of another length"));
    let kind: &str = row.get("kind");
    let at = DateTime::from_timestamp_millis(row.get("at"));
    let body = row.get::<Option<&[u8]>, _>("body_hash").map(hash).transpose()?;
    let entry = Entry {
        kind: kind.parse().map_err(damaged::<String>("records"))?,
        id: row.get("id"),
        at: at.ok_or_else(|| damaged("records")("an instant beyond the calendar"))?,
        service: row.get("service"),
        environment: row.get("environment"),
        verdict: row.get("verdict"),
        json: row.get("json"),
        idempotency: row.get::<Option<String>, _>("idempotency").zip(body),
    };
    Ok(Record { seq: row.get("seq"), hash: Hash(hash(row.get("hash"))?), entry })
}

#[cfg(test)]
mod tests;
