//! A connection of its own whose commits are on the disk when they return.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Sqlite, SqliteConnection, Transaction};

use super::{Store, StoreError, failed};

/// A connection whose commits outlive a power cut.
#[derive(Debug)]
pub(crate) struct Durable {
    connection: SqliteConnection,
    /// The file that is open: another one may lie at its path one day.
    file: (u64, u64),
}

impl Store {
    /// Opens such a connection to the file that is there now.
    pub(crate) async fn durable(&self) -> Result<Durable, StoreError> {
        let file = identity(&self.path)?;
        let options = SqliteConnectOptions::new()
            .filename(&self.path)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5))
            .foreign_keys(true);
        let connection = options.connect().await.map_err(failed("connect"))?;
        Ok(Durable { connection, file })
    }
}

impl Durable {
    /// Whether what is at the path is still the file that is open: SQLite would go on writing one
    /// that nobody finds again.
    pub(crate) fn is_of(&self, store: &Store) -> Result<bool, StoreError> {
        Ok(identity(&store.path)? == self.file)
    }

    /// Begins a transaction that writes, waiting for others.
    pub(crate) async fn begin(&mut self) -> Result<Transaction<'_, Sqlite>, StoreError> {
        self.connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed("begin"))
    }

    /// For statements outside a transaction.
    pub(crate) const fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    /// Ends the connection in order; a transaction that was left open is undone.
    pub(crate) async fn close(self) {
        if let Err(error) = self.connection.close().await {
            tracing::debug!(%error, "a connection to the database did not close in order");
        }
    }
}

fn identity(path: &Path) -> Result<(u64, u64), StoreError> {
    match fs::metadata(path) {
        Ok(data) => Ok((data.dev(), data.ino())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            Err(StoreError::Missing(path.to_owned()))
        }
        Err(reason) => Err(StoreError::File { step: "look at", path: path.to_owned(), reason }),
    }
}
