//! A connection of its own whose commits are on the disk when they return, and what tells from outside
//! that the database was written to.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Sqlite, SqliteConnection, Transaction};

use super::{Store, StoreError, failed};

/// A connection whose commits outlive a power cut.
#[derive(Debug)]
pub(crate) struct Durable(SqliteConnection);

/// Somebody waits for each commit of such a connection, and moving the log into the database takes many
/// times as long as one: [`Store::move_log`] and the ledger's commits do that. Only a log of 64 MiB is
/// moved here: what is left of it then is little, and it begins anew.
const CHECKPOINT_PAGES: &str = "16384";

/// Which file it is: another one may lie at its path one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity(u64, u64);

impl Identity {
    pub(super) fn of(path: &Path) -> Result<Self, StoreError> {
        match fs::metadata(path) {
            Ok(data) => Ok(Self(data.dev(), data.ino())),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                Err(StoreError::Missing(path.to_owned()))
            }
            Err(reason) => Err(StoreError::File { step: "look at", path: path.to_owned(), reason }),
        }
    }
}

/// Size and time of the database and of its log: whoever commits changes one of them. A commit within
/// the same few milliseconds as one that was seen may not show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp([Option<(u64, SystemTime)>; 2]);

impl Store {
    /// What shows whether the database was written to, without asking it.
    pub(crate) fn stamp(&self) -> Stamp {
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        let of = |path: &Path| {
            let data = fs::metadata(path).ok()?;
            Some((data.len(), data.modified().ok()?))
        };
        Stamp([of(&self.path), of(Path::new(&log))])
    }
}

impl Store {
    /// Opens such a connection.
    pub(crate) async fn durable(&self) -> Result<Durable, StoreError> {
        self.is_in_place()?;
        let options = SqliteConnectOptions::new()
            .filename(&self.path)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5))
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
            .foreign_keys(true);
        Ok(Durable(options.connect().await.map_err(failed("connect"))?))
    }

    /// Whether what is at the path is still the file that was opened. SQLite would go on writing one
    /// that nobody finds again; and into another one it would mix what belongs to the first, because
    /// the log beside them is that of both.
    ///
    /// # Errors
    /// When it is not.
    pub(crate) fn is_in_place(&self) -> Result<(), StoreError> {
        match Identity::of(&self.path)? == self.file {
            true => Ok(()),
            false => Err(StoreError::Replaced(self.path.clone())),
        }
    }
}

impl Store {
    /// Moves what the log holds into the database while others go on writing to it.
    pub(crate) async fn move_log(self) {
        let moved = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&self.pool).await;
        if let Err(error) = moved {
            tracing::warn!(%error, "cannot move the log into the database, a later commit will");
        }
    }
}

impl Durable {
    /// Begins a transaction that writes, waiting for others.
    pub(crate) async fn begin(&mut self) -> Result<Transaction<'_, Sqlite>, StoreError> {
        self.0.begin_with("BEGIN IMMEDIATE").await.map_err(failed("begin"))
    }

    /// For statements outside a transaction.
    pub(crate) const fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.0
    }

    /// Ends the connection in order; a transaction that was left open is undone.
    pub(crate) async fn close(self) {
        if let Err(error) = self.0.close().await {
            tracing::debug!(%error, "a connection to the database did not close in order");
        }
    }
}
