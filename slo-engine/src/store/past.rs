//! Reads what a look at some ledgers needs, now or in the past; nothing is made or changed.

use std::collections::{BTreeSet, HashMap};

use futures::TryStreamExt;
use slo_core::ledger::Ledger;
use sqlx::Row;

use super::load::{known_as, names, take_day};
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

    /// The ledgers that [`Store::rename`] and then [`Store::register`] would give; where they would make
    /// one, a ledger without a number (0), of which nothing is known.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn find(
        &self,
        keys: &[LedgerKey],
        was: &[(LedgerKey, LedgerKey)],
    ) -> Result<Vec<Registered>, StoreError> {
        let mut known = self.ledgers_of(keys).await?;
        for (old, new) in was {
            let (old, new) = (names(old), names(new));
            if !known.contains_key(&new)
                && let Some(ledger) = known.remove(&old)
            {
                known.insert(new, ledger);
            }
        }
        let found = known_as(&known, keys).into_iter();
        Ok(found
            .map(|(known, replaces)| Registered { replaces, ..known.unwrap_or_default() })
            .collect())
    }

    /// The sums of hours from one on, of some ledgers.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn folds_of(
        &self,
        ids: &[u32],
        from: i64,
    ) -> Result<HashMap<u32, Ledger>, StoreError> {
        let newest: Option<i64> = self.newest("SELECT max(day) FROM folds").await?;
        let days = newest.map_or(0..0, |newest| from.div_euclid(24)..newest + 1);
        let rows = sqlx::query(
            "SELECT day, shard, chunk FROM folds \
             WHERE day IN (SELECT value FROM json_each(?)) \
             AND shard IN (SELECT value FROM json_each(?)) ORDER BY day",
        );
        let mut rows = rows.bind(list(days)).bind(list(shards(ids))).fetch(&self.pool);
        let wanted: BTreeSet<u32> = ids.iter().copied().collect();
        let mut all = HashMap::new();
        while let Some(row) = rows.try_next().await.map_err(failed("read folds"))? {
            take_day(&mut all, &row, |id| wanted.contains(&id))?;
        }
        Ok(all)
    }

    /// The minutes of some ledgers from an hour on.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn minutes_of(&self, ids: &[u32], hour: i64) -> Result<ByLedger<Hour>, StoreError> {
        let newest = self.newest("SELECT max(hour) FROM minutes").await?;
        let hours: Vec<i64> = newest.map_or(0..0, |newest| hour..newest + 1).collect();
        self.minutes_in(ids, &hours).await
    }

    async fn newest(&self, query: &'static str) -> Result<Option<i64>, StoreError> {
        let newest = sqlx::query_scalar(query).fetch_one(&self.pool);
        newest.await.map_err(failed("tell what is newest"))
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
        let rows = sqlx::query(
            "SELECT hour, shard, chunk FROM minutes \
             WHERE hour IN (SELECT value FROM json_each(?)) \
             AND shard IN (SELECT value FROM json_each(?))",
        );
        let rows = rows.bind(list(hours.iter().copied())).bind(list(shards(ids)));
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

/// The rows in which ledgers lie.
fn shards(ids: &[u32]) -> BTreeSet<i64> {
    ids.iter().map(|id| shard(*id).0).collect()
}

/// Numbers, as a statement takes them.
fn list(numbers: impl IntoIterator<Item = i64>) -> String {
    let numbers: Vec<i64> = numbers.into_iter().collect();
    serde_json::to_string(&numbers).unwrap_or_default()
}
