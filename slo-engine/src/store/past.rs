//! Reads what a look at the past needs, one ledger at a time; nothing is made or changed.

use sqlx::Row;

use super::load::names;
use super::{Hour, LedgerKey, Registered, Store, StoreError, chunk, damaged, failed, shard};

impl Store {
    /// The ledgers with these keys; `None` for those that the database does not have.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn registered(
        &self,
        keys: &[LedgerKey],
    ) -> Result<Vec<Option<Registered>>, StoreError> {
        let mut known = self.ledgers().await?;
        Ok(keys.iter().map(|key| known.remove(&names(key))).collect())
    }

    /// The minutes of one ledger in some hours, as far as they are kept.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn minutes_in(&self, id: u32, hours: &[i64]) -> Result<Vec<(i64, Hour)>, StoreError> {
        let (shard, slot) = shard(id);
        let rows = sqlx::query(
            "SELECT hour, chunk FROM minutes \
             WHERE hour IN (SELECT value FROM json_each(?)) AND shard = ?",
        );
        let hours = serde_json::to_string(hours).unwrap_or_default();
        let rows = rows.bind(hours).bind(shard).fetch_all(&self.pool).await;
        let mut found = Vec::new();
        for row in rows.map_err(failed("read minutes"))? {
            for one in chunk::slots(row.get::<&[u8], _>(1)) {
                let (at, bytes) = one.map_err(damaged("minutes"))?;
                if at == slot {
                    found.push((row.get(0), Hour::unpack(bytes).map_err(damaged("minutes"))?));
                }
            }
        }
        Ok(found)
    }
}
