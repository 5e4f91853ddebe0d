//! Copies of the database: what a file holds, a backup of it, and putting a backup in its place.
//! A file that is looked at is never changed.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use slo_core::time::Minute;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{ConnectOptions, Connection};

use super::durable::Identity;
use super::{Store, StoreError, failed, said};

mod holders;

pub use holders::holders;

/// How every SQLite database begins.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// What a database holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// SLOs, or former forms of them.
    pub ledgers: i64,
    /// How far the source that is furthest behind was read.
    pub until: Option<DateTime<Utc>>,
    /// Its size in bytes.
    pub bytes: i64,
}

/// What a restore did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// What the database holds now.
    pub held: Held,
    /// Where the old database is; `None` when there was none.
    pub kept: Option<PathBuf>,
}

impl Store {
    /// Opens a ledger that exists, to be looked at.
    ///
    /// # Errors
    /// Why the file is no ledger that this version can read.
    pub async fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        refuse_others(path)?;
        let options = SqliteConnectOptions::new().filename(path).read_only(true);
        let options = options.busy_timeout(Duration::from_secs(5));
        let unusable =
            |e: sqlx::Error| StoreError::Unusable { path: path.to_owned(), reason: said(&e) };
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await;
        let file = Identity::of(path)?;
        let pool = pool.map_err(unusable)?;
        let store = Self { writer: pool.clone(), pool, path: path.to_owned(), file };
        store.refuse_strangers().await?;
        store.refuse_newer().await?;
        Ok(store)
    }

    /// What it holds.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn held(&self) -> Result<Held, StoreError> {
        let count = sqlx::query_scalar("SELECT count(*) FROM ledgers").fetch_one(&self.pool);
        let ledgers = count.await.map_err(failed("count its ledgers"))?;
        let oldest = sqlx::query_scalar("SELECT min(minute) FROM watermarks").fetch_one(&self.pool);
        let oldest: Option<i64> = oldest.await.map_err(failed("read watermarks"))?;
        let until = oldest.map(|minute| Minute(minute).start());
        Ok(Held { ledgers, until, bytes: self.size().await? })
    }

    /// Writes a consistent copy to a file that does not exist yet, while the server runs. The file
    /// appears when it is whole and has been checked.
    ///
    /// # Errors
    /// Why there is no copy.
    pub async fn backup(&self, file: &Path) -> Result<Held, StoreError> {
        if file.exists() {
            return Err(StoreError::Exists(file.to_owned()));
        }
        let partial = beside(file, ".partial");
        let written = self.write_checked(&partial).await;
        let moved = match written {
            Ok(held) => fs::rename(&partial, file).map(|()| held).map_err(at("name", file)),
            Err(error) => Err(error),
        };
        if moved.is_err() {
            let _ = fs::remove_file(&partial);
        }
        moved
    }

    async fn write_checked(&self, file: &Path) -> Result<Held, StoreError> {
        self.copy_to(file).await?;
        let copy = Self::open_to_read(file).await?;
        let held = copy.sound().await;
        copy.close().await;
        held
    }

    /// Copies to a file that nobody else can read, from its first byte on; what a copy that was cut off
    /// left there is overwritten.
    async fn copy_to(&self, file: &Path) -> Result<(), StoreError> {
        if file.exists() {
            fs::remove_file(file).map_err(at("replace", file))?;
        }
        super::make_file(file)?;
        let copy = sqlx::query("VACUUM INTO ?").bind(file.display().to_string());
        copy.execute(&self.pool).await.map_err(failed("write a copy"))?;
        File::open(file).and_then(|f| f.sync_all()).map_err(at("write", file))
    }

    /// What it holds, when SQLite's own check finds nothing.
    ///
    /// # Errors
    /// What is damaged.
    pub async fn sound(&self) -> Result<Held, StoreError> {
        let found = self.check().await?;
        if found.is_empty() {
            return self.held().await;
        }
        let reason = format!("it is damaged: {}", found.join("; "));
        Err(StoreError::Unusable { path: self.path.clone(), reason })
    }

    async fn refuse_strangers(&self) -> Result<(), StoreError> {
        let tables = "SELECT count(*) FROM sqlite_master WHERE name IN ('ledgers', 'minutes', \
            'watermarks', '_sqlx_migrations')";
        let found: Result<i64, _> = sqlx::query_scalar(tables).fetch_one(&self.pool).await;
        let no_ledger = |reason| StoreError::NoLedger { path: self.path.clone(), reason };
        match found {
            Ok(4) => Ok(()),
            Ok(_) => Err(no_ledger("another program wrote it")),
            Err(e) => Err(StoreError::Unusable { path: self.path.clone(), reason: said(&e) }),
        }
    }
}

/// Puts a backup in the place of the database, which is kept beside it. Nothing is changed unless
/// the backup is sound and nobody has the database open.
///
/// # Errors
/// Why the database is as it was.
pub async fn restore(
    backup: &Path,
    database: &Path,
    now: DateTime<Utc>,
) -> Result<Restored, StoreError> {
    let source = Store::open_to_read(backup).await.map_err(of_backup)?;
    let held = source.sound().await.map_err(of_backup)?;
    let is_same = |a: &Path, b: &Path| fs::canonicalize(a).ok() == fs::canonicalize(b).ok();
    if database.exists() {
        if is_same(backup, database) {
            return Err(StoreError::Same(database.to_owned()));
        }
        refuse_in_use(database).await?;
    }
    super::make_folder(database)?;
    let fresh = beside(database, ".restoring");
    source.copy_to(&fresh).await?;
    source.close().await;
    let kept = keep(database, now)?;
    fs::rename(&fresh, database).map_err(at("put the backup at", database))?;
    Ok(Restored { held, kept })
}

/// A backup that is damaged calls for another one.
fn of_backup(error: StoreError) -> StoreError {
    match error {
        StoreError::Unusable { path, reason } => StoreError::BadBackup { path, reason },
        other => other,
    }
}

fn refuse_others(path: &Path) -> Result<(), StoreError> {
    if !path.exists() {
        return Err(StoreError::Missing(path.to_owned()));
    }
    let mut head = [0; 16];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut head));
    match read {
        Ok(()) if head == *MAGIC => Ok(()),
        Err(e) if e.kind() != std::io::ErrorKind::UnexpectedEof => Err(at("read", path)(e)),
        _ => {
            let reason = "it is not an SQLite database";
            Err(StoreError::NoLedger { path: path.to_owned(), reason })
        }
    }
}

/// Refuses a database that another process has open. As a side effect what its write-ahead log
/// holds moves into the database file, where it is sound.
async fn refuse_in_use(path: &Path) -> Result<(), StoreError> {
    let in_use = |by| Err(StoreError::InUse { path: path.to_owned(), by });
    let by = holders(path);
    if !by.is_empty() {
        return in_use(by);
    }
    let options = SqliteConnectOptions::new().filename(path).busy_timeout(Duration::from_secs(1));
    // SQLite leaves WAL only when nobody else has the database open.
    let Ok(mut alone) = options.connect().await else { return Ok(()) };
    let mode: Result<String, sqlx::Error> =
        sqlx::query_scalar("PRAGMA journal_mode = DELETE").fetch_one(&mut alone).await;
    let _ = alone.close().await;
    match mode {
        Ok(mode) if mode == "wal" => in_use(by),
        Err(e) if said(&e).contains("locked") => in_use(by),
        // A damaged database is what one restores for.
        _ => Ok(()),
    }
}

/// Moves a database away, with the files that SQLite keeps beside it.
fn keep(database: &Path, now: DateTime<Utc>) -> Result<Option<PathBuf>, StoreError> {
    let suffix = now.format(".before-restore-%Y%m%dT%H%M%SZ").to_string();
    let first = beside(database, &suffix);
    let others = (2..).map(|count| beside(&first, &format!("-{count}")));
    // What an earlier restore of the same second kept stays.
    let mut names = std::iter::once(first.clone()).chain(others);
    let kept = names.find(|name| !name.exists()).unwrap_or(first.clone());
    for part in ["-wal", "-shm", "-journal", ""] {
        let (from, to) = (beside(database, part), beside(&kept, part));
        if from.exists() {
            fs::rename(&from, &to).map_err(at("move away", &from))?;
        }
    }
    Ok(kept.exists().then_some(kept))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn at<'a>(step: &'static str, path: &'a Path) -> impl Fn(std::io::Error) -> StoreError + 'a {
    move |reason| StoreError::File { step, path: path.to_owned(), reason }
}

#[cfg(test)]
mod tests;
