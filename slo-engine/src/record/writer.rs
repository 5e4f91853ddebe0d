//! The one task that writes records: it owns the chain's end, puts all that wait into one
//! transaction, and signs the end from time to time.

use std::sync::Arc;
use std::time::Duration;

use budget_gate::decision::Recorded;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

use super::Entry;
use super::chain::Head;
use super::failing::Failing;
use super::heads;
use super::recorder::{Unrecorded, Waiting};
use super::signing::SigningKey;
use crate::clock::Clock;
use crate::store::{Durable, Store, StoreError, failed, put_incidents};

/// So many may wait.
pub(super) const QUEUE: usize = 1_024;

/// So many rows go into one transaction: beyond it the first would wait for the last.
const TOGETHER: usize = 512;

/// After so many bytes of records the database's log is moved into it.
const LOG: usize = 2 << 20;

/// About as many bytes of the log an incident takes.
const INCIDENT: usize = 512;

/// How often ends of the chain are signed.
const SIGNED_EVERY: TimeDelta = TimeDelta::hours(1);

/// The task's state.
pub(super) struct Writer {
    store: Store,
    clock: Arc<dyn Clock>,
    key: SigningKey,
    queue: mpsc::Receiver<Waiting>,
    connection: Option<Durable>,
    /// That of the last commit.
    head: Head,
    /// Number and instant of the newest signed head.
    signed: Option<(i64, DateTime<Utc>)>,
    failing: Arc<Failing>,
    /// Bytes of records since the log was moved last, and the task that does it.
    logged: usize,
    moving: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) async fn start(
        store: Store,
        clock: Arc<dyn Clock>,
        key: SigningKey,
        queue: mpsc::Receiver<Waiting>,
        failing: Arc<Failing>,
    ) -> Result<Self, StoreError> {
        let mut durable = store.durable().await?;
        let head = heads::end(durable.connection()).await?;
        let newest = heads::newest_head(&store).await?;
        let signed = newest.map(|signed| (signed.head.seq, signed.at));
        let connection = Some(durable);
        Ok(Self {
            store,
            clock,
            key,
            queue,
            connection,
            head,
            signed,
            failing,
            logged: 0,
            moving: None,
        })
    }

    /// Works until a stop, and then until nobody waits any more.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>, check: Duration) {
        let mut checks = tokio::time::interval_at(Instant::now() + check, check);
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_open = !self.queue.is_closed();
            tokio::select! {
                first = self.queue.recv() => match first {
                    Some(first) => self.write(first).await,
                    None => break,
                },
                _ = checks.tick() => {
                    self.try_again().await;
                    self.sign_when_due().await;
                }
                () = stopped(&mut stop), if is_open => self.queue.close(),
            }
        }
        self.sign(self.clock.now()).await;
        if let Some(durable) = self.connection.take() {
            durable.close().await;
        }
    }

    async fn write(&mut self, first: Waiting) {
        if first.claim.is_taken() {
            return;
        }
        let mut batch = vec![first];
        match self.commit(&mut batch).await {
            Ok(heads) => {
                // Where all had given up nothing was written.
                if !heads.is_empty() {
                    self.failing.works();
                }
                for (waiting, head) in batch.into_iter().zip(heads) {
                    let (seq, hash) = (head.seq.unsigned_abs(), head.hash.to_string());
                    let recorded = Recorded { seq, hash };
                    waiting.then.follow(&recorded);
                    // Whoever gave up meanwhile was told that it may be recorded.
                    let _ = waiting.reply.send(Ok(recorded));
                }
            }
            Err(error) => {
                self.failing.broke(&error, self.clock.now());
                let error = Arc::new(error);
                for waiting in batch {
                    let _ = waiting.reply.send(Err(Unrecorded::Failed(error.clone())));
                }
            }
        }
    }

    /// Writes all that wait in one transaction; where the chain ended after each.
    async fn commit(&mut self, batch: &mut Vec<Waiting>) -> Result<Vec<Head>, StoreError> {
        let mut durable = self.connected().await?;
        let connection = durable.connection();
        // All callers wait for each trip to SQLite's thread: the records and the end of the transaction go
        // together.
        let begun = sqlx::query("BEGIN IMMEDIATE").execute(&mut *connection).await;
        begun.map_err(failed("begin"))?;
        let mut rows: usize = batch.iter().map(|waiting| waiting.work.rows()).sum();
        while rows < TOGETHER
            && let Ok(next) = self.queue.try_recv()
        {
            rows += next.work.rows();
            batch.push(next);
        }
        batch.retain(|waiting| waiting.claim.take());
        let mut head = self.head;
        let link = |waiting: &Waiting| {
            if let Some(entry) = waiting.work.entry() {
                head = head.then(&entry.json);
            }
            head
        };
        let heads: Vec<Head> = batch.iter().map(link).collect();
        let incidents: Vec<_> = batch.iter().flat_map(|one| one.work.incidents()).collect();
        put_incidents(connection, &incidents).await?;
        let entries = batch.iter().map(|one| one.work.entry()).zip(&heads);
        let entries: Vec<_> = entries.filter_map(|(entry, head)| Some((entry?, *head))).collect();
        insert(connection, &entries).await?;
        self.connection = Some(durable);
        self.head = head;
        let records: usize = entries.iter().map(|(entry, _)| entry.json.len()).sum();
        self.move_log(records + incidents.len() * INCIDENT);
        Ok(heads)
    }

    /// Moves the log into the database beside the next commits, when it has grown.
    fn move_log(&mut self, written: usize) {
        self.logged += written;
        if self.logged >= LOG && self.moving.as_ref().is_none_or(JoinHandle::is_finished) {
            self.logged = 0;
            self.moving = Some(tokio::spawn(self.store.clone().move_log()));
        }
    }

    /// The connection to the file, taken out: it comes back when all went well.
    async fn connected(&mut self) -> Result<Durable, StoreError> {
        if let Some(durable) = self.connection.take() {
            self.store.is_in_place()?;
            return Ok(durable);
        }
        let mut durable = self.store.durable().await?;
        let end = heads::end(durable.connection()).await?;
        let (seq, expected) = (end.seq, self.head.seq);
        if seq < expected || (seq == expected && end != self.head) {
            tracing::error!(seq, expected, "records that were acknowledged are gone");
        } else if seq > expected {
            tracing::warn!(seq, expected, "a transaction that failed was written all the same");
        }
        self.head = end;
        Ok(durable)
    }

    /// Looks whether what failed works again, also when nobody asks.
    async fn try_again(&mut self) {
        if self.failing.since().is_none() {
            return;
        }
        match self.rewrite().await {
            Ok(()) => self.failing.works(),
            Err(error) => self.failing.broke(&error, self.clock.now()),
        }
    }

    /// Commits a page that says what it said: records are written only when there is one.
    async fn rewrite(&mut self) -> Result<(), StoreError> {
        let mut durable = self.connected().await?;
        let mut transaction = durable.begin().await?;
        let same = sqlx::query("PRAGMA user_version = 0").execute(&mut *transaction).await;
        same.map_err(failed("write a page"))?;
        transaction.commit().await.map_err(failed("commit a page"))?;
        self.connection = Some(durable);
        Ok(())
    }

    async fn sign_when_due(&mut self) {
        let now = self.clock.now();
        // A clock that was put back must not hold up the next one for longer.
        if self.signed.is_none_or(|(_, at)| (now - at).abs() >= SIGNED_EVERY) {
            self.sign(now).await;
        }
    }

    /// Signs the end, unless that was done already.
    async fn sign(&mut self, now: DateTime<Utc>) {
        if self.head.seq == self.signed.map_or(0, |(seq, _)| seq) {
            return;
        }
        if let Err(error) = self.keep_signed(now).await {
            self.failing.broke(&error, now);
        }
    }

    async fn keep_signed(&mut self, now: DateTime<Utc>) -> Result<(), StoreError> {
        let mut durable = self.connected().await?;
        let signed = self.key.sign(self.head, now);
        heads::keep(durable.connection(), &signed).await?;
        self.connection = Some(durable);
        self.signed = Some((signed.head.seq, signed.at));
        Ok(())
    }
}

/// Waits until a stop is asked for, or nobody is left who could ask for anything.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

/// Writes the records and ends the transaction.
async fn insert(
    connection: &mut SqliteConnection,
    entries: &[(&Entry, Head)],
) -> Result<(), StoreError> {
    if entries.is_empty() {
        let ended = sqlx::query("COMMIT").execute(connection).await;
        return ended.map(drop).map_err(failed("commit records"));
    }
    let mut query = QueryBuilder::<Sqlite>::new(
        "INSERT INTO records (seq, kind, id, at, service, environment, verdict, idempotency, \
         body_hash, hash, json) ",
    );
    query.push_values(entries, |mut row, (entry, head)| {
        let idempotency = entry.idempotency.as_ref();
        row.push_bind(head.seq)
            .push_bind(entry.kind.as_str())
            .push_bind(&entry.id)
            .push_bind(entry.at.timestamp_millis())
            .push_bind(&entry.service)
            .push_bind(&entry.environment)
            .push_bind(&entry.verdict)
            .push_bind(idempotency.map(|(key, _)| key))
            .push_bind(idempotency.map(|(_, body)| &body[..]))
            .push_bind(head.hash.0.to_vec())
            .push_bind(&entry.json);
    });
    query.push("; COMMIT");
    // The number of rows differs each time: such a statement is not kept prepared.
    let written = query.build().persistent(false).execute(connection).await;
    written.map_err(failed("write records"))?;
    Ok(())
}
