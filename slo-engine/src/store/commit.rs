//! Writes a tick: buckets, sums, watermarks, tails and positions in one transaction.

use std::collections::{BTreeMap, BTreeSet};

use slo_core::bucket::Sums;
use slo_core::ledger::Day;
use slo_core::time::Minute;
use sqlx::{Connection, QueryBuilder, Row, Sqlite, SqliteConnection};

use super::{Store, StoreError, chunk, failed, give_up, positions, shard};
use crate::source::jsonlog::Positions;

/// What one transaction writes. Everything in it replaces what was there.
#[derive(Debug, Clone, Default)]
pub struct Commit {
    /// Hours, their ledgers and their packed minutes; an hour of a ledger comes once.
    pub hours: Vec<(i64, u32, Vec<u8>)>,
    /// Sums by hour and ledger, of hours that are folded.
    pub folds: BTreeMap<(i64, u32), Sums>,
    /// Hours before this one are folded from now on.
    pub folded_to: Option<i64>,
    /// The first minute with data, by ledger.
    pub firsts: BTreeMap<u32, Minute>,
    /// How far sources have been read.
    pub watermarks: Vec<Watermark>,
    /// All stretches of these ledgers that have been read, in minutes.
    pub stretches: BTreeMap<u32, Vec<(Minute, Minute)>>,
    /// Tails of series of these ledgers.
    pub tails: Vec<Tail>,
    /// All positions in the files of these sources.
    pub positions: BTreeMap<String, Positions>,
}

/// How far a source has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watermark {
    /// The source's name.
    pub source: String,
    /// The oldest open minute: reading resumes there.
    pub minute: Minute,
    /// How far it was read, Unix milliseconds.
    pub read_to: i64,
}

/// The newest sample of a series of a source that has no past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tail {
    /// The ledger that the series feeds.
    pub ledger: u32,
    /// The series' labels as bytes.
    pub series: Vec<u8>,
    /// Unix milliseconds.
    pub at: i64,
    /// The value that counts on.
    pub value: i64,
}

/// Rows of one statement: SQLite takes 32,766 parameters. Such statements are not kept prepared: their
/// number of rows differs each time, and a hundred of them would hold gigabytes.
const ROWS: usize = 8_000;

impl Store {
    /// Writes a commit in one transaction; it may be written again.
    ///
    /// # Errors
    /// Which step failed; then nothing was written.
    pub async fn commit(&self, commit: &Commit) -> Result<(), StoreError> {
        self.is_in_place()?;
        let mut connection = self.writer.acquire().await.map_err(failed("connect"))?;
        let written = write(&mut connection, commit).await;
        if written.is_err() {
            give_up(connection).await;
        }
        written
    }

    /// Forgets minutes before one hour and sums before one day.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn forget(
        &self,
        minutes_before: i64,
        folds_before_day: i64,
    ) -> Result<(), StoreError> {
        for (sql, bound) in [
            ("DELETE FROM minutes WHERE hour < ?", minutes_before),
            ("DELETE FROM folds WHERE day < ?", folds_before_day),
        ] {
            sqlx::query(sql).bind(bound).execute(&self.pool).await.map_err(failed("forget"))?;
        }
        Ok(())
    }
}

async fn write(connection: &mut SqliteConnection, commit: &Commit) -> Result<(), StoreError> {
    let mut transaction =
        connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed("begin"))?;
    write_minutes(&mut transaction, &commit.hours).await?;
    write_folds(&mut transaction, &commit.folds).await?;
    write_rest(&mut transaction, commit).await?;
    write_tails(&mut transaction, &commit.tails).await?;
    positions::write(&mut transaction, &commit.positions).await?;
    transaction.commit().await.map_err(failed("commit"))
}

/// Rows of 64 ledgers, by hour or day and shard.
type Rows = BTreeMap<(i64, i64), Vec<u8>>;

/// What is new in a row, by slot.
type New<'a> = Vec<(u32, &'a [u8])>;

async fn write_minutes(
    connection: &mut SqliteConnection,
    hours: &[(i64, u32, Vec<u8>)],
) -> Result<(), StoreError> {
    let mut given: BTreeMap<(i64, i64), New<'_>> = BTreeMap::new();
    for (hour, ledger, bytes) in hours {
        let (shard, slot) = shard(*ledger);
        given.entry((*hour, shard)).or_default().push((slot, bytes));
    }
    given.values_mut().for_each(|slots| slots.sort_unstable_by_key(|(slot, _)| *slot));
    // What is given whole need not be known.
    let some = given.iter().filter(|(_, slots)| slots.len() < chunk::SLOTS as usize);
    let there = read(
        connection,
        "SELECT hour, shard, chunk FROM minutes WHERE (hour, shard) IN ",
        some.map(|(key, _)| *key).collect(),
    )
    .await?;
    let row = |(key, slots): (_, New<'_>)| {
        let old = there.get(&key).map_or(&[][..], Vec::as_slice);
        Ok((key, chunk::pack(old, &slots).map_err(damaged("minutes"))?))
    };
    let rows = given.into_iter().map(row).collect::<Result<Vec<_>, _>>()?;
    upsert(connection, "INSERT INTO minutes (hour, shard, chunk) ", "write minutes", rows).await
}

type HoursOfDay = Vec<(usize, Sums)>;

async fn write_folds(
    connection: &mut SqliteConnection,
    folds: &BTreeMap<(i64, u32), Sums>,
) -> Result<(), StoreError> {
    let mut days: BTreeMap<(i64, i64), BTreeMap<u32, HoursOfDay>> = BTreeMap::new();
    for ((hour, ledger), sums) in folds {
        let (shard, slot) = shard(*ledger);
        let day = days.entry((hour.div_euclid(24), shard)).or_default();
        day.entry(slot).or_default().push((hour.rem_euclid(24) as usize, *sums));
    }
    let there = read(
        connection,
        "SELECT day, shard, chunk FROM folds WHERE (day, shard) IN ",
        days.keys().copied().collect(),
    )
    .await?;
    let row = |(key, days)| {
        let old = there.get(&key).map_or(&[][..], Vec::as_slice);
        Ok((key, with_hours(old, &days).map_err(damaged("folds"))?))
    };
    let rows = days.into_iter().map(row).collect::<Result<Vec<_>, _>>()?;
    upsert(connection, "INSERT INTO folds (day, shard, chunk) ", "write folds", rows).await
}

/// A row of days with some hours set anew.
fn with_hours(old: &[u8], days: &BTreeMap<u32, HoursOfDay>) -> Result<Vec<u8>, String> {
    let known = chunk::unpack(old)?;
    let mut new = Vec::with_capacity(days.len());
    for (slot, hours) in days {
        let mut day = Day::unpack(known.get(slot).copied().unwrap_or_default())?;
        hours.iter().for_each(|(hour, sums)| day.set(*hour, sums));
        new.push((*slot, day.pack()));
    }
    let new: New<'_> = new.iter().map(|(slot, day)| (*slot, &day[..])).collect();
    chunk::pack(old, &new)
}

/// The rows that are there already.
async fn read(
    connection: &mut SqliteConnection,
    sql: &'static str,
    keys: Vec<(i64, i64)>,
) -> Result<Rows, StoreError> {
    let mut rows = Rows::new();
    for keys in keys.chunks(ROWS) {
        let mut query = QueryBuilder::<Sqlite>::new(sql);
        query.push("(");
        query.push_values(keys, |mut row, (a, b)| {
            row.push_bind(a).push_bind(b);
        });
        query.push(")");
        let query = query.build().persistent(false);
        let found = query.fetch_all(&mut *connection).await.map_err(failed("read rows"))?;
        rows.extend(found.iter().map(|row| ((row.get(0), row.get(1)), row.get(2))));
    }
    Ok(rows)
}

async fn upsert(
    connection: &mut SqliteConnection,
    sql: &'static str,
    step: &'static str,
    rows: Vec<((i64, i64), Vec<u8>)>,
) -> Result<(), StoreError> {
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let mut query = QueryBuilder::<Sqlite>::new(sql);
        query.push_values(rows.by_ref().take(ROWS), |mut row, ((a, b), chunk)| {
            row.push_bind(a).push_bind(b).push_bind(chunk);
        });
        query.push(" ON CONFLICT DO UPDATE SET chunk = excluded.chunk");
        query.build().persistent(false).execute(&mut *connection).await.map_err(failed(step))?;
    }
    Ok(())
}

async fn write_rest(connection: &mut SqliteConnection, commit: &Commit) -> Result<(), StoreError> {
    for mark in &commit.watermarks {
        sqlx::query("INSERT OR REPLACE INTO watermarks (source, minute, read_to) VALUES (?, ?, ?)")
            .bind(&mark.source)
            .bind(mark.minute.0)
            .bind(mark.read_to)
            .execute(&mut *connection)
            .await
            .map_err(failed("write watermarks"))?;
    }
    if let Some(hour) = commit.folded_to {
        sqlx::query("INSERT OR REPLACE INTO state (key, value) VALUES ('folded_to', ?)")
            .bind(hour)
            .execute(&mut *connection)
            .await
            .map_err(failed("write its state"))?;
    }
    for (ledger, first) in &commit.firsts {
        sqlx::query(
            "UPDATE ledgers SET first_minute = min(ifnull(first_minute, ?1), ?1) WHERE id = ?2",
        )
        .bind(first.0)
        .bind(ledger)
        .execute(&mut *connection)
        .await
        .map_err(failed("write first minutes"))?;
    }
    write_stretches(connection, &commit.stretches).await
}

async fn write_stretches(
    connection: &mut SqliteConnection,
    stretches: &BTreeMap<u32, Vec<(Minute, Minute)>>,
) -> Result<(), StoreError> {
    let ledgers: Vec<u32> = stretches.keys().copied().collect();
    for ledgers in ledgers.chunks(ROWS) {
        let mut query = QueryBuilder::<Sqlite>::new("DELETE FROM stretches WHERE ledger IN (");
        let mut list = query.separated(", ");
        for ledger in ledgers {
            list.push_bind(ledger);
        }
        query.push(")");
        query
            .build()
            .persistent(false)
            .execute(&mut *connection)
            .await
            .map_err(failed("write stretches"))?;
    }
    let rows: Vec<(u32, Minute, Minute)> =
        stretches.iter().flat_map(|(l, all)| all.iter().map(|(a, b)| (*l, *a, *b))).collect();
    for rows in rows.chunks(ROWS) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "INSERT INTO stretches (ledger, from_minute, until_minute) ",
        );
        query.push_values(rows, |mut row, (ledger, from, until)| {
            row.push_bind(ledger).push_bind(from.0).push_bind(until.0);
        });
        query
            .build()
            .persistent(false)
            .execute(&mut *connection)
            .await
            .map_err(failed("write stretches"))?;
    }
    Ok(())
}

async fn write_tails(connection: &mut SqliteConnection, tails: &[Tail]) -> Result<(), StoreError> {
    let ledgers: BTreeSet<u32> = tails.iter().map(|tail| tail.ledger).collect();
    for ledger in ledgers {
        sqlx::query("DELETE FROM tails WHERE ledger = ?")
            .bind(ledger)
            .execute(&mut *connection)
            .await
            .map_err(failed("write tails"))?;
    }
    for rows in tails.chunks(ROWS) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "INSERT OR REPLACE INTO tails (ledger, series, at, value) ",
        );
        query.push_values(rows, |mut row, tail| {
            row.push_bind(tail.ledger)
                .push_bind(&tail.series)
                .push_bind(tail.at)
                .push_bind(tail.value);
        });
        query
            .build()
            .persistent(false)
            .execute(&mut *connection)
            .await
            .map_err(failed("write tails"))?;
    }
    Ok(())
}

pub(crate) fn damaged<R: Into<String>>(table: &'static str) -> impl Fn(R) -> StoreError {
    move |reason| StoreError::Damaged { table, reason: reason.into() }
}
