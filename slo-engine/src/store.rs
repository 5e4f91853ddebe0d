//! The ledger's database (SQLite, WAL). One writer; readers do not wait for it. Nothing on the
//! gate's path comes here.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use slo_core::ledger::Hour;
use slo_core::slo::SloId;
use slo_core::time::Minute;
use sqlx::Sqlite;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use thiserror::Error;

mod callbacks;
mod chunk;
mod commit;
mod copy;
mod durable;
mod incidents;
mod load;
mod past;
mod positions;
mod subsets;
mod version;

pub use callbacks::{Callback, NewCallback};
pub(crate) use commit::damaged;
pub use commit::{Commit, Tail, Watermark};
pub use copy::{Held, Restored, holders, restore};
use durable::Identity;
pub(crate) use durable::{Durable, Stamp};
pub(crate) use incidents::put_incidents;
pub use load::Registered;
pub use subsets::{Kept, PartOf};

/// The migrations that this version knows.
static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("migrations/sqlite");

/// The database.
#[derive(Debug, Clone)]
pub struct Store {
    pool: SqlitePool,
    /// The one that ticks are written by. Where they take turns with others, each of them finds its pages
    /// and statements out of date.
    writer: SqlitePool,
    path: PathBuf,
    file: Identity,
}

/// Why the database cannot be used. Every variant says what to do.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The address is not one.
    #[error("store.url `{0}` is not sqlite://PATH")]
    Address(String),
    /// The folder cannot be made.
    #[error("cannot make the folder of {}: {reason}", path.display())]
    Folder {
        /// The database.
        path: PathBuf,
        /// What the system says.
        reason: std::io::Error,
    },
    /// There is none.
    #[error("there is no database {}", .0.display())]
    Missing(PathBuf),
    /// Another file lies in its place.
    #[error("the database {} was replaced while this runs: nothing is written to the new file before a restart", .0.display())]
    Replaced(PathBuf),
    /// A backup must not overwrite anything.
    #[error("{} exists already; choose another name", .0.display())]
    Exists(PathBuf),
    /// A backup that is the database.
    #[error("{} is the database itself; give the file of a backup", .0.display())]
    Same(PathBuf),
    /// A backup that cannot be read whole.
    #[error("the backup {} cannot be restored: {reason}; take another one", path.display())]
    BadBackup {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        reason: String,
    },
    /// A file that holds something else.
    #[error("{} is no ledger of Headroom: {reason}", path.display())]
    NoLedger {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        reason: &'static str,
    },
    /// Another process works with it.
    #[error("the database {} is open in {}; stop that first (`fuser {}` tells whether somebody still has it)", path.display(), named(by), path.display())]
    InUse {
        /// The database.
        path: PathBuf,
        /// The processes, as far as the system tells.
        by: Vec<String>,
    },
    /// A file could not be handled.
    #[error("cannot {step} {}: {reason}", path.display())]
    File {
        /// What was being done.
        step: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: std::io::Error,
    },
    /// It cannot be opened or is damaged.
    #[error("the database {} cannot be used: {reason}; it was left as it is. Restore a backup (`slo-engine restore FILE`) or move it away", path.display())]
    Unusable {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        reason: String,
    },
    /// A newer version wrote it.
    #[error("the database {} was written by a newer version (migration {found}, this one knows {known}); run that version, or restore an older backup", path.display())]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its newest migration.
        found: i64,
        /// The newest one that is known.
        known: i64,
    },
    /// An older version wrote it.
    #[error("the database {} is of an older version (migration {found} of {known}); the next `slo-engine serve` brings it up to date", path.display())]
    Older {
        /// The database.
        path: PathBuf,
        /// Its newest migration.
        found: i64,
        /// The newest one that is known.
        known: i64,
    },
    /// A statement failed.
    #[error("the database could not {step}: {reason}")]
    Failed {
        /// What was being done.
        step: &'static str,
        /// What SQLite says.
        reason: sqlx::Error,
    },
    /// A row is damaged.
    #[error(
        "the database holds a damaged row of {table}: {reason}; restore a backup (`slo-engine restore FILE`)"
    )]
    Damaged {
        /// The table.
        table: &'static str,
        /// What is wrong.
        reason: String,
    },
}

pub(crate) fn failed(step: &'static str) -> impl Fn(sqlx::Error) -> StoreError {
    move |reason| StoreError::Failed { step, reason }
}

/// The path of `sqlite://PATH`.
///
/// # Errors
/// When it is no such address.
pub fn path_of(url: &str) -> Result<PathBuf, StoreError> {
    let path = url.strip_prefix("sqlite://").filter(|path| !path.is_empty());
    path.map(PathBuf::from).ok_or_else(|| StoreError::Address(url.to_owned()))
}

impl Store {
    /// Opens the database, makes it when there is none, and brings it up to date.
    ///
    /// # Errors
    /// Why it cannot be used; a database that is damaged or newer is left as it is.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let path = path_of(url)?;
        make_folder(&path)?;
        make_file(&path)?;
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(Duration::from_secs(5))
            // What a statement would need to be undone alone is not worth a file each tick.
            .pragma("temp_store", "memory")
            .foreign_keys(true);
        let unusable =
            |e: sqlx::Error| StoreError::Unusable { path: path.clone(), reason: said(&e) };
        let writer = SqlitePoolOptions::new().max_connections(1).test_before_acquire(false);
        let writer = writer.idle_timeout(None).max_lifetime(None);
        let writer = writer.connect_lazy_with(options.clone());
        let pool = SqlitePoolOptions::new().max_connections(4).connect_with(options).await;
        let pool = pool.map_err(unusable)?;
        let store = Self { pool, writer, path: path.clone(), file: Identity::of(&path)? };
        store.refuse_newer().await?;
        let migrated = MIGRATIONS.run(&store.pool).await;
        migrated.map_err(|e| StoreError::Unusable { path: path.clone(), reason: e.to_string() })?;
        Ok(store)
    }

    /// Takes the database for one server: the lock holds until what is returned is dropped or the
    /// process ends, however it ends. Commands that read need none.
    ///
    /// # Errors
    /// When another server has it.
    pub fn lock(&self) -> Result<File, StoreError> {
        let mut name = self.path.clone().into_os_string();
        name.push(".lock");
        let path = PathBuf::from(name);
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let broken = |reason| StoreError::File { step: "open", path: path.clone(), reason };
        let file = file.map_err(broken)?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => {
                let by = vec!["another server".to_owned()];
                Err(StoreError::InUse { path: self.path.clone(), by })
            }
            Err(TryLockError::Error(reason)) => {
                Err(StoreError::File { step: "lock", path, reason })
            }
        }
    }

    /// Where the database is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Connections for statements that may wait a while.
    pub(crate) const fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    /// What SQLite's own check finds; empty when all is well.
    ///
    /// # Errors
    /// When it cannot be checked.
    pub async fn check(&self) -> Result<Vec<String>, StoreError> {
        let said: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(20)")
            .fetch_all(&self.pool)
            .await
            .map_err(failed("check itself"))?;
        Ok(said.into_iter().filter(|line| line != "ok").collect())
    }

    /// Closes the database; what was committed stays.
    pub async fn close(&self) {
        self.writer.close().await;
        self.pool.close().await;
    }

    /// The size of the database in bytes.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn size(&self) -> Result<i64, StoreError> {
        sqlx::query_scalar("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
            .fetch_one(&self.pool)
            .await
            .map_err(failed("tell its size"))
    }
}

/// Closes a connection whose transaction failed: on a full disk SQLite rolls back by itself, and the
/// connection could begin no other.
async fn give_up(connection: PoolConnection<Sqlite>) {
    if let Err(error) = connection.close().await {
        tracing::debug!(%error, "a connection to the database did not close in order");
    }
}

fn make_folder(path: &Path) -> Result<(), StoreError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let made = folder.map_or(Ok(()), std::fs::create_dir_all);
    made.map_err(|reason| StoreError::Folder { path: path.to_owned(), reason })
}

/// A database of nobody else's: what was decided is for those who have a token. SQLite gives the files
/// beside it the same permissions, and leaves alone those of one that is there.
fn make_file(path: &Path) -> Result<(), StoreError> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match made {
        Ok(_) => Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(reason) => {
            let reason = reason.to_string();
            Err(StoreError::Unusable { path: path.to_owned(), reason })
        }
    }
}

fn named(by: &[String]) -> String {
    if by.is_empty() { "another process".to_owned() } else { by.join(", ") }
}

fn said(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(database) => database.message().to_owned(),
        other => other.to_string(),
    }
}

/// Where a ledger's data lies.
const fn shard(ledger: u32) -> (i64, u32) {
    ((ledger / chunk::SLOTS) as i64, ledger % chunk::SLOTS)
}

const fn ledger(shard: i64, slot: u32) -> u32 {
    shard as u32 * chunk::SLOTS + slot
}

/// So many ledgers with numbers beside each other share the rows of the database.
pub(crate) const NEIGHBOURS: u32 = chunk::SLOTS;

/// The hours of one ledger, as [`Hour`]s or as sums.
pub(crate) type ByLedger<T> = BTreeMap<u32, Vec<(i64, T)>>;

/// What identifies a ledger.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LedgerKey {
    /// The SLO.
    pub slo: SloId,
    /// Of its indicator and source.
    pub fingerprint: String,
}

#[cfg(test)]
mod tests;
