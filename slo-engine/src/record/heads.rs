//! Signed ends of the chain in the database; they are kept for good.

use chrono::DateTime;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqlitePool;

use super::chain::{Hash, Head};
use super::signing::SignedHead;
use crate::store::{Store, StoreError, damaged, failed};

/// seq, hash, at, public key, signature.
type Columns = (i64, Vec<u8>, i64, Vec<u8>, Vec<u8>);

/// The newest signed head.
///
/// # Errors
/// When it cannot be read.
pub async fn newest_head(store: &Store) -> Result<Option<SignedHead>, StoreError> {
    let sql =
        "SELECT seq, hash, at, public_key, signature FROM heads ORDER BY seq DESC, at DESC LIMIT 1";
    let row = sqlx::query_as(sql).fetch_optional(store.pool()).await;
    row.map_err(failed("read heads"))?.map(signed).transpose()
}

/// The oldest signed heads after one, by number and instant.
pub(super) async fn heads_after(
    pool: &SqlitePool,
    after: (i64, i64),
    limit: u32,
) -> Result<Vec<SignedHead>, StoreError> {
    let sql = "SELECT seq, hash, at, public_key, signature FROM heads \
        WHERE (seq, at) > (?, ?) ORDER BY seq, at LIMIT ?";
    let rows = sqlx::query_as(sql).bind(after.0).bind(after.1).bind(limit).fetch_all(pool).await;
    rows.map_err(failed("read heads"))?.into_iter().map(signed).collect()
}

/// Keeps a signed head.
pub(super) async fn keep(
    connection: &mut SqliteConnection,
    signed: &SignedHead,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO heads (seq, hash, at, public_key, signature) VALUES (?, ?, ?, ?, ?)";
    let insert = sqlx::query(sql)
        .bind(signed.head.seq)
        .bind(&signed.head.hash.0[..])
        .bind(signed.at.timestamp_millis())
        .bind(&signed.public_key[..])
        .bind(&signed.signature[..]);
    insert.execute(connection).await.map_err(failed("keep a signed head"))?;
    Ok(())
}

/// Where the chain ends.
pub(super) async fn end(connection: &mut SqliteConnection) -> Result<Head, StoreError> {
    let sql = "SELECT seq, hash FROM records ORDER BY seq DESC LIMIT 1";
    let last: Option<(i64, Vec<u8>)> = sqlx::query_as(sql)
        .fetch_optional(connection)
        .await
        .map_err(failed("read the end of the record"))?;
    last.map_or(Ok(Head::default()), |(seq, hash)| {
        Ok(Head { seq, hash: Hash(sized(&hash, "records")?) })
    })
}

/// The hash of a record, as it is stored.
pub(super) async fn hash_at(pool: &SqlitePool, seq: i64) -> Result<Option<Vec<u8>>, StoreError> {
    let query = sqlx::query_scalar("SELECT hash FROM records WHERE seq = ?").bind(seq);
    query.fetch_optional(pool).await.map_err(failed("read a record"))
}

/// The greatest number of a record; 0 when there is none.
pub(super) async fn last_seq(pool: &SqlitePool) -> Result<i64, StoreError> {
    let query = sqlx::query_scalar("SELECT coalesce(max(seq), 0) FROM records");
    query.fetch_one(pool).await.map_err(failed("count its records"))
}

fn signed((seq, hash, at, public_key, signature): Columns) -> Result<SignedHead, StoreError> {
    let instant = DateTime::from_timestamp_millis(at);
    Ok(SignedHead {
        head: Head { seq, hash: Hash(sized(&hash, "heads")?) },
        at: instant.ok_or_else(|| damaged("heads")("an instant beyond the calendar"))?,
        public_key: sized(&public_key, "heads")?,
        signature: sized(&signature, "heads")?,
    })
}

fn sized<const N: usize>(bytes: &[u8], table: &'static str) -> Result<[u8; N], StoreError> {
    bytes.try_into().map_err(|_| damaged(table)("a hash, key or signature of another length"))
}
