//! The least that a durable group commit can do: bytes into one table without an index.

use std::path::Path;

use anyhow::Context;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, QueryBuilder, Sqlite, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use crate::output;

const QUEUE: usize = 1_024;
const TOGETHER: usize = 512;

type Waiting = (Vec<u8>, oneshot::Sender<()>);

/// One writer; clones write to the same table.
#[derive(Clone)]
pub(super) struct Bare(mpsc::Sender<Waiting>);

impl Bare {
    pub(super) async fn start(file: &Path) -> anyhow::Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let mut connection = options.connect().await?;
        let table = "CREATE TABLE plain (id INTEGER PRIMARY KEY, json BLOB NOT NULL)";
        sqlx::query(table).execute(&mut connection).await?;
        let (queue, mut waiting) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
            while let Some(first) = waiting.recv().await {
                if let Err(error) = commit(&mut connection, first, &mut waiting).await {
                    output::say(&format!("the bare commit failed: {error:#}"));
                    return;
                }
            }
        });
        Ok(Self(queue))
    }

    pub(super) async fn write(&self, bytes: Vec<u8>) -> anyhow::Result<()> {
        let (done, answer) = oneshot::channel();
        self.0.send((bytes, done)).await.context("hand over bytes")?;
        answer.await.context("wait for the commit")
    }
}

async fn commit(
    connection: &mut SqliteConnection,
    first: Waiting,
    waiting: &mut mpsc::Receiver<Waiting>,
) -> anyhow::Result<()> {
    let mut batch = vec![first];
    while batch.len() < TOGETHER
        && let Ok(next) = waiting.try_recv()
    {
        batch.push(next);
    }
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let mut query = QueryBuilder::<Sqlite>::new("INSERT INTO plain (json) ");
    query.push_values(&batch, |mut row, (bytes, _)| {
        row.push_bind(bytes);
    });
    query.build().persistent(false).execute(&mut *transaction).await?;
    transaction.commit().await?;
    for (_, done) in batch {
        let _ = done.send(());
    }
    Ok(())
}
