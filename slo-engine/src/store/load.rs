//! Reads what a start needs: the ledgers, their sums, the newest minutes, watermarks and tails.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use futures::TryStreamExt;
use slo_core::ledger::{Day, Ledger};
use slo_core::stretches::Stretches;
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{Connection, QueryBuilder, Row, Sqlite, SqliteConnection};

use super::commit::damaged;
use super::{
    ByLedger, Hour, LedgerKey, Minute, Store, StoreError, Tail, Watermark, chunk, failed, give_up,
    ledger,
};

/// A ledger of the database.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Registered {
    /// Its number.
    pub id: u32,
    /// The first minute with data.
    pub first: Option<Minute>,
    /// The stretches that have been read.
    pub stretches: Stretches,
    /// Whether the same SLO was counted before in another way.
    pub replaces: bool,
}

/// Environment, service, SLO and fingerprint.
pub(super) type Names = (String, String, String, String);

/// Runs of minutes, by ledger.
pub(super) type Runs = BTreeMap<u32, Vec<(Minute, Minute)>>;

fn without_fingerprint((environment, service, slo, _): Names) -> Names {
    (environment, service, slo, String::new())
}

pub(super) fn names(key: &LedgerKey) -> Names {
    let LedgerKey { slo, fingerprint } = key;
    let [environment, service, slo] = [&slo.environment, &slo.service, &slo.slo];
    (environment.to_string(), service.to_string(), slo.to_string(), fingerprint.clone())
}

impl Store {
    /// Gives ledgers of an SLO's old name to its new one, where that has none of its own.
    ///
    /// # Errors
    /// When they cannot be written.
    pub async fn rename(&self, was: &[(LedgerKey, LedgerKey)]) -> Result<(), StoreError> {
        for (old, new) in was {
            let (environment, service, slo, fingerprint) = names(old);
            sqlx::query(
                "UPDATE OR IGNORE ledgers SET slo = ?1 WHERE environment = ?2 AND service = ?3 \
                 AND slo = ?4 AND (fingerprint = ?5 OR id IN (SELECT ledger FROM subsets \
                 WHERE whole = (SELECT id FROM ledgers WHERE environment = ?2 AND service = ?3 \
                 AND slo = ?4 AND fingerprint = ?5)))",
            )
            .bind(new.slo.slo.as_str())
            .bind(environment)
            .bind(service)
            .bind(slo)
            .bind(fingerprint)
            .execute(&self.pool)
            .await
            .map_err(failed("rename ledgers"))?;
        }
        Ok(())
    }

    /// The numbers of ledgers; those that are not there yet are made.
    ///
    /// # Errors
    /// When they cannot be read or made.
    pub async fn register(&self, keys: &[LedgerKey]) -> Result<Vec<Registered>, StoreError> {
        let mut known = self.ledgers().await?;
        let new: Vec<&LedgerKey> =
            keys.iter().filter(|key| !known.contains_key(&names(key))).collect();
        if !new.is_empty() {
            let mut connection = self.pool.acquire().await.map_err(failed("connect"))?;
            let made = make(&mut connection, &new).await;
            if let Err(error) = made {
                give_up(connection).await;
                return Err(error);
            }
            drop(connection);
            known = self.ledgers().await?;
        }
        let missing = || damaged("ledgers")("a ledger that was just made is not there");
        let found = known_as(&known, keys).into_iter().map(|(known, replaces)| {
            known.map(|known| Registered { replaces, ..known }).ok_or_else(missing)
        });
        found.collect()
    }

    /// Ends the running stretches of ledgers that are no longer read.
    ///
    /// # Errors
    /// When they cannot be written.
    pub async fn retire(&self, keep: &[u32], until: Minute) -> Result<(), StoreError> {
        let keep = serde_json::to_string(keep).unwrap_or_default();
        sqlx::query(
            "UPDATE stretches SET until_minute = max(from_minute, ?) \
             WHERE until_minute = ? AND ledger NOT IN (SELECT value FROM json_each(?))",
        )
        .bind(until.0)
        .bind(i64::MAX)
        .bind(keep)
        .execute(&self.pool)
        .await
        .map_err(failed("end stretches"))?;
        Ok(())
    }

    /// The stretches that have been read, by ledger.
    pub(super) async fn stretches(&self) -> Result<Runs, StoreError> {
        let rows =
            sqlx::query("SELECT ledger, from_minute, until_minute FROM stretches ORDER BY 1, 2");
        Ok(runs(rows.fetch_all(&self.pool).await.map_err(failed("read stretches"))?))
    }

    /// Those of some ledgers.
    pub(super) async fn stretches_of(&self, ids: &[u32]) -> Result<Runs, StoreError> {
        let rows = sqlx::query(
            "SELECT ledger, from_minute, until_minute FROM stretches \
             WHERE ledger IN (SELECT value FROM json_each(?)) ORDER BY 1, 2",
        );
        let rows = rows.bind(serde_json::to_string(ids).unwrap_or_default());
        Ok(runs(rows.fetch_all(&self.pool).await.map_err(failed("read stretches"))?))
    }

    pub(super) async fn ledgers(&self) -> Result<HashMap<Names, Registered>, StoreError> {
        let stretches = self.stretches().await?;
        let rows = sqlx::query(
            "SELECT environment, service, slo, fingerprint, id, first_minute FROM ledgers \
             WHERE id NOT IN (SELECT ledger FROM subsets)",
        );
        let rows = rows.fetch_all(&self.pool).await.map_err(failed("read ledgers"))?;
        Ok(with_stretches(rows, stretches))
    }

    /// All ledgers of the services of these, also those that were counted in other ways.
    pub(super) async fn ledgers_of(
        &self,
        keys: &[LedgerKey],
    ) -> Result<HashMap<Names, Registered>, StoreError> {
        let services: BTreeSet<(&str, &str)> = keys
            .iter()
            .map(|key| (key.slo.environment.as_str(), key.slo.service.as_str()))
            .collect();
        let rows = sqlx::query(
            "SELECT l.environment, l.service, l.slo, l.fingerprint, l.id, l.first_minute \
             FROM json_each(?) asked JOIN ledgers l \
             ON l.environment = asked.value ->> 0 AND l.service = asked.value ->> 1 \
             WHERE l.id NOT IN (SELECT ledger FROM subsets)",
        );
        let rows = rows.bind(serde_json::to_string(&services).unwrap_or_default());
        let rows = rows.fetch_all(&self.pool).await.map_err(failed("read ledgers"))?;
        let ids: Vec<u32> = rows.iter().map(|row| row.get(4)).collect();
        Ok(with_stretches(rows, self.stretches_of(&ids).await?))
    }

    /// Up to where hours are folded; `None` when nothing was ever committed.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn folded_to(&self) -> Result<Option<i64>, StoreError> {
        sqlx::query_scalar("SELECT value FROM state WHERE key = 'folded_to'")
            .fetch_optional(&self.pool)
            .await
            .map_err(failed("read its state"))
    }

    /// The sums of folded hours from one on, by ledger. There are millions, so two connections read
    /// them at once, each half of the rows; they begin at once, not when this is awaited.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn folds(
        &self,
        from_hour: i64,
    ) -> impl Future<Output = Result<HashMap<u32, Ledger>, StoreError>> + use<> {
        let half = |odd| tokio::spawn(half_of_folds(self.pool.clone(), from_hour, odd));
        let (even, odd) = (half(false), half(true));
        async move {
            let mut all = joined(even.await)?;
            all.extend(joined(odd.await)?);
            Ok(all)
        }
    }

    /// The minutes of all ledgers from an hour on.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn minutes_from(&self, hour: i64) -> Result<ByLedger<Hour>, StoreError> {
        let query =
            sqlx::query("SELECT hour, shard, chunk FROM minutes WHERE hour >= ? ORDER BY hour");
        let rows = query.bind(hour).fetch_all(&self.pool).await.map_err(failed("read minutes"))?;
        unpack_minutes(rows)
    }

    /// The minutes of one ledger in hours `from..to`, oldest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn history(
        &self,
        id: u32,
        from: i64,
        to: i64,
    ) -> Result<Vec<(i64, Hour)>, StoreError> {
        let (shard, slot) = super::shard(id);
        let rows = sqlx::query(
            "SELECT hour, chunk FROM minutes WHERE hour >= ? AND hour < ? AND shard = ? ORDER BY hour",
        );
        let rows = rows.bind(from).bind(to).bind(shard).fetch_all(&self.pool).await;
        let mut hours = Vec::new();
        for row in rows.map_err(failed("read minutes"))? {
            let slots = chunk::unpack(row.get(1)).map_err(damaged("minutes"))?;
            if let Some(bytes) = slots.get(&slot) {
                hours.push((row.get(0), Hour::unpack(bytes).map_err(damaged("minutes"))?));
            }
        }
        Ok(hours)
    }

    /// The first minute with data of one ledger.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn first(&self, id: u32) -> Result<Option<Minute>, StoreError> {
        let query = sqlx::query_scalar("SELECT first_minute FROM ledgers WHERE id = ?");
        let first: Option<Option<i64>> = query
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .map_err(failed("read the ledger's first minute"))?;
        Ok(first.flatten().map(Minute))
    }

    /// How far sources have been read.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn watermarks(&self) -> Result<Vec<Watermark>, StoreError> {
        let rows = sqlx::query("SELECT source, minute, read_to FROM watermarks");
        let rows = rows.fetch_all(&self.pool).await.map_err(failed("read watermarks"))?;
        let mark = |row: SqliteRow| Watermark {
            source: row.get(0),
            minute: Minute(row.get(1)),
            read_to: row.get(2),
        };
        Ok(rows.into_iter().map(mark).collect())
    }

    /// The stored tails.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn tails(&self) -> Result<Vec<Tail>, StoreError> {
        let rows = sqlx::query("SELECT ledger, series, at, value FROM tails");
        let rows = rows.fetch_all(&self.pool).await.map_err(failed("read tails"))?;
        let tail = |row: SqliteRow| Tail {
            ledger: row.get(0),
            series: row.get(1),
            at: row.get(2),
            value: row.get(3),
        };
        Ok(rows.into_iter().map(tail).collect())
    }
}

fn joined<T>(task: Result<Result<T, StoreError>, tokio::task::JoinError>) -> Result<T, StoreError> {
    task.unwrap_or_else(|ended| match ended.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(ended) => Err(failed("read folds")(sqlx::Error::Io(ended.into()))),
    })
}

async fn half_of_folds(
    pool: SqlitePool,
    from_hour: i64,
    odd: bool,
) -> Result<HashMap<u32, Ledger>, StoreError> {
    let mut rows = sqlx::query(
        "SELECT day, shard, chunk FROM folds WHERE day >= ? AND shard % 2 = ? ORDER BY day",
    )
    .bind(from_hour.div_euclid(24))
    .bind(odd)
    .fetch(&pool);
    let mut all: HashMap<u32, Ledger> = HashMap::new();
    while let Some(row) = rows.try_next().await.map_err(failed("read folds"))? {
        take_day(&mut all, &row, |_| true)?;
    }
    Ok(all)
}

/// Takes the sums of a day, of those ledgers of the row that are wanted.
pub(super) fn take_day(
    all: &mut HashMap<u32, Ledger>,
    row: &SqliteRow,
    is_wanted: impl Fn(u32) -> bool,
) -> Result<(), StoreError> {
    let (day, shard): (i64, i64) = (row.get(0), row.get(1));
    for slot in chunk::slots(row.get::<&[u8], _>(2)) {
        let (slot, bytes) = slot.map_err(damaged("folds"))?;
        let id = ledger(shard, slot);
        if is_wanted(id) {
            let history = all.entry(id).or_default();
            history.load_day(day, &Day::unpack(bytes).map_err(damaged("folds"))?);
        }
    }
    Ok(())
}

fn runs(rows: Vec<SqliteRow>) -> Runs {
    let mut runs = Runs::new();
    for row in rows {
        runs.entry(row.get(0)).or_default().push((Minute(row.get(1)), Minute(row.get(2))));
    }
    runs
}

fn with_stretches(rows: Vec<SqliteRow>, mut stretches: Runs) -> HashMap<Names, Registered> {
    let ledgers = rows.into_iter().map(|row| {
        let id: u32 = row.get(4);
        let first = row.get::<Option<i64>, _>(5).map(Minute);
        let stretches = stretches.remove(&id).unwrap_or_default().into();
        (
            (row.get(0), row.get(1), row.get(2), row.get(3)),
            Registered { id, first, stretches, replaces: false },
        )
    });
    ledgers.collect()
}

/// The ledger of each key, and whether the same SLO was counted before in another way.
pub(super) fn known_as(
    known: &HashMap<Names, Registered>,
    keys: &[LedgerKey],
) -> Vec<(Option<Registered>, bool)> {
    let mine: HashSet<Names> = keys.iter().map(names).collect();
    let before: HashSet<Names> = known
        .iter()
        .filter(|(names, ledger)| ledger.first.is_some() && !mine.contains(*names))
        .map(|(names, _)| without_fingerprint(names.clone()))
        .collect();
    let found = keys.iter().map(|key| {
        let names = names(key);
        (known.get(&names).cloned(), before.contains(&without_fingerprint(names)))
    });
    found.collect()
}

fn unpack_minutes(rows: Vec<SqliteRow>) -> Result<ByLedger<Hour>, StoreError> {
    let mut found = ByLedger::new();
    for row in rows {
        let (hour, shard): (i64, i64) = (row.get(0), row.get(1));
        for slot in chunk::slots(row.get::<&[u8], _>(2)) {
            let (slot, bytes) = slot.map_err(damaged("minutes"))?;
            let minutes = Hour::unpack(bytes).map_err(damaged("minutes"))?;
            found.entry(ledger(shard, slot)).or_default().push((hour, minutes));
        }
    }
    Ok(found)
}

/// Makes the ledgers that are not there yet.
async fn make(connection: &mut SqliteConnection, keys: &[&LedgerKey]) -> Result<(), StoreError> {
    let mut transaction =
        connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed("begin"))?;
    for part in keys.chunks(5_000) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "INSERT OR IGNORE INTO ledgers (environment, service, slo, fingerprint) ",
        );
        query.push_values(part, |mut row, key| {
            row.push_bind(key.slo.environment.as_str())
                .push_bind(key.slo.service.as_str())
                .push_bind(key.slo.slo.as_str())
                .push_bind(&key.fingerprint);
        });
        query
            .build()
            .persistent(false)
            .execute(&mut *transaction)
            .await
            .map_err(failed("register ledgers"))?;
    }
    transaction.commit().await.map_err(failed("commit"))
}
