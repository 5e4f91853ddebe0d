//! Reads what a look at the past needs, some ledgers at a time; nothing is made or changed.

use std::collections::BTreeSet;

use sqlx::Row;

use super::load::names;
use super::{
    ByLedger, Hour, LedgerKey, Registered, Store, StoreError, chunk, damaged, failed, ledger, shard,
};

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

    /// The minutes of some ledgers in some hours, as far as they are kept. Ledgers that follow each other
    /// lie in the same rows.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn minutes_among(
        &self,
        ids: &[u32],
        hours: &BTreeSet<i64>,
    ) -> Result<ByLedger<Hour>, StoreError> {
        let mut found = ByLedger::new();
        if hours.is_empty() {
            return Ok(found);
        }
        let hours = serde_json::to_string(hours).unwrap_or_default();
        let shards: BTreeSet<i64> = ids.iter().map(|id| shard(*id).0).collect();
        for shard in shards {
            let rows = sqlx::query(
                "SELECT hour, chunk FROM minutes \
                 WHERE hour IN (SELECT value FROM json_each(?)) AND shard = ?",
            );
            let rows = rows.bind(&hours).bind(shard).fetch_all(&self.pool).await;
            for row in rows.map_err(failed("read minutes"))? {
                for one in chunk::slots(row.get::<&[u8], _>(1)) {
                    let (slot, bytes) = one.map_err(damaged("minutes"))?;
                    let id = ledger(shard, slot);
                    if ids.contains(&id) {
                        let minutes = Hour::unpack(bytes).map_err(damaged("minutes"))?;
                        found.entry(id).or_default().push((row.get(0), minutes));
                    }
                }
            }
        }
        Ok(found)
    }

    /// The minutes of one ledger in some hours, as far as they are kept.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn minutes_in(&self, id: u32, hours: &[i64]) -> Result<Vec<(i64, Hour)>, StoreError> {
        let hours = hours.iter().copied().collect();
        let mut found = self.minutes_among(&[id], &hours).await?;
        Ok(found.remove(&id).unwrap_or_default())
    }
}
