//! Reads what a look at the past needs of some ledgers; nothing is made or changed.

use std::collections::BTreeSet;

use futures::TryStreamExt;
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

    /// The minutes of some ledgers in some hours, as far as they are kept; each row of the database is
    /// read once.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn minutes_in(
        &self,
        ids: &[u32],
        hours: &[i64],
    ) -> Result<ByLedger<Hour>, StoreError> {
        let wanted: BTreeSet<u32> = ids.iter().copied().collect();
        let shards: BTreeSet<i64> = ids.iter().map(|id| shard(*id).0).collect();
        let rows = sqlx::query(
            "SELECT hour, shard, chunk FROM minutes \
             WHERE hour IN (SELECT value FROM json_each(?)) \
             AND shard IN (SELECT value FROM json_each(?))",
        );
        let list = |numbers: Vec<i64>| serde_json::to_string(&numbers).unwrap_or_default();
        let rows = rows.bind(list(hours.to_vec())).bind(list(shards.into_iter().collect()));
        let mut found = ByLedger::new();
        let mut rows = rows.fetch(&self.pool);
        while let Some(row) = rows.try_next().await.map_err(failed("read minutes"))? {
            for one in chunk::slots(row.get::<&[u8], _>(2)) {
                let (slot, bytes) = one.map_err(damaged("minutes"))?;
                let id = ledger(row.get(1), slot);
                if wanted.contains(&id) {
                    let hour = Hour::unpack(bytes).map_err(damaged("minutes"))?;
                    found.entry(id).or_default().push((row.get(0), hour));
                }
            }
        }
        Ok(found)
    }
}
