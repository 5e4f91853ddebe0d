use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::store::LedgerKey;
use slo_core::slo::{Name, SloId};

fn now() -> DateTime<Utc> {
    "2026-11-21T10:00:00Z".parse().unwrap()
}

fn key(slo: &str) -> LedgerKey {
    let name = |text: &str| Name::parse(text).unwrap();
    let slo = SloId { service: name("orders"), slo: name(slo), environment: name("production") };
    LedgerKey { slo, fingerprint: "f".to_owned() }
}

async fn store(path: &Path, slos: &[&str]) -> Store {
    let store = Store::open(&format!("sqlite://{}", path.display())).await.unwrap();
    let keys: Vec<LedgerKey> = slos.iter().map(|slo| key(slo)).collect();
    store.register(&keys).await.unwrap();
    store
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name());
    let mut names: Vec<String> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_backup_of_a_database_in_use_is_restored_and_the_old_one_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (database, backup) = (folder.path().join("a.db"), folder.path().join("b.db"));
    let running = store(&database, &["one"]).await;
    let reader = Store::open_to_read(&database).await.unwrap();
    assert_eq!(reader.backup(&backup).await.unwrap().ledgers, 1);
    assert!(matches!(reader.backup(&backup).await, Err(StoreError::Exists(_))));
    reader.close().await;
    running.register(&[key("two")]).await.unwrap();
    running.close().await;
    let restored = restore(&backup, &database, now()).await.unwrap();
    assert_eq!(restored.held.ledgers, 1);
    let kept = restored.kept.unwrap();
    assert!(kept.ends_with("a.db.before-restore-20261121T100000Z"), "{}", kept.display());
    assert_eq!(names(folder.path()), ["a.db", "a.db.before-restore-20261121T100000Z", "b.db"]);
    for (path, ledgers) in [(&database, 1), (&kept, 2)] {
        let store = Store::open_to_read(path).await.unwrap();
        assert_eq!(store.held().await.unwrap().ledgers, ledgers);
        store.close().await;
    }
}

#[tokio::test]
async fn what_a_restore_kept_stays_when_another_one_follows_within_the_second() {
    let folder = tempfile::tempdir().unwrap();
    let (database, backup) = (folder.path().join("a.db"), folder.path().join("b.db"));
    store(&backup, &["one"]).await.close().await;
    store(&database, &["one", "two"]).await.close().await;
    let first = restore(&backup, &database, now()).await.unwrap().kept.unwrap();
    let second = restore(&backup, &database, now()).await.unwrap().kept.unwrap();
    assert_ne!(first, second);
    for (path, ledgers) in [(&first, 2), (&second, 1)] {
        let store = Store::open_to_read(path).await.unwrap();
        assert_eq!(store.held().await.unwrap().ledgers, ledgers);
        store.close().await;
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn nobody_else_can_read_a_backup_or_what_is_restored_from_one_whatever_the_database_is_like()
{
    let folder = tempfile::tempdir().unwrap();
    let (database, backup) = (folder.path().join("a.db"), folder.path().join("b.db"));
    let running = store(&database, &["one"]).await;
    fs::set_permissions(&database, fs::Permissions::from_mode(0o644)).unwrap();
    // What a copy that was cut off left is no way in either.
    let partial = beside(&backup, ".partial");
    fs::write(&partial, b"half").unwrap();
    fs::set_permissions(&partial, fs::Permissions::from_mode(0o644)).unwrap();
    running.backup(&backup).await.unwrap();
    running.close().await;
    assert_eq!(mode(&backup), 0o600);
    fs::set_permissions(&backup, fs::Permissions::from_mode(0o644)).unwrap();
    restore(&backup, &database, now()).await.unwrap();
    assert_eq!(mode(&database), 0o600);
}

#[tokio::test]
async fn nobody_else_can_read_a_backup_while_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (database, partial) = (folder.path().join("a.db"), folder.path().join("b.db.partial"));
    let running = store(&database, &["one"]).await;
    let fill = "WITH RECURSIVE up (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up WHERE n < 20000) \
        INSERT INTO heads SELECT n, zeroblob(32), 0, zeroblob(32), randomblob(1000) FROM up";
    sqlx::query(fill).execute(&running.pool).await.unwrap();
    let file = partial.with_extension("");
    let written = tokio::spawn(async move { running.backup(&file).await });
    let mut seen = Vec::new();
    while !written.is_finished() {
        if let Ok(data) = fs::metadata(&partial) {
            seen.push(data.permissions().mode() & 0o777);
        }
        tokio::task::yield_now().await;
    }
    written.await.unwrap().unwrap();
    assert!(!seen.is_empty() && seen.iter().all(|mode| *mode == 0o600), "{seen:?}");
}

#[tokio::test]
async fn a_database_that_somebody_has_open_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (database, backup) = (folder.path().join("a.db"), folder.path().join("b.db"));
    let running = store(&database, &["one"]).await;
    running.backup(&backup).await.unwrap();
    let refused = restore(&backup, &database, now()).await.unwrap_err();
    assert!(matches!(refused, StoreError::InUse { .. }), "{refused}");
    assert!(refused.to_string().contains("fuser"), "{refused}");
    running.register(&[key("two")]).await.unwrap();
    running.close().await;
    assert!(!names(folder.path()).iter().any(|name| name.contains("restor")));
}

#[tokio::test]
async fn what_is_no_sound_ledger_is_not_restored() {
    let folder = tempfile::tempdir().unwrap();
    let (database, backup) = (folder.path().join("a.db"), folder.path().join("b.db"));
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let running = store(&database, &["one"]).await;
    running.backup(&backup).await.unwrap();
    running.close().await;
    let before = fs::read(&database).unwrap();
    let sound = fs::read(&backup).unwrap();
    let mut torn = sound.clone();
    torn[4_096..].fill(0xee);
    for (path, says) in [
        (folder.path().join("none.db"), "there is no"),
        (file("text", b"hello, this is no database"), "is not an SQLite database"),
        (file("empty", b""), "is not an SQLite database"),
        (file("torn.db", &torn), "cannot be restored"),
        (file("short.db", &sound[..8_192]), "cannot be restored"),
        (database.clone(), "is the database itself"),
    ] {
        let refused = restore(&path, &database, now()).await.unwrap_err().to_string();
        assert!(refused.contains(says), "{}: {refused}", path.display());
    }
    assert!(fs::read(&database).unwrap() == before, "the database is as it was");
}

#[tokio::test]
async fn a_newer_or_foreign_database_is_not_restored() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("a.db");
    let newer = store(&folder.path().join("n.db"), &["one"]).await;
    let add = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
        VALUES (99999999999999, 'x', 1, x'00', 0)";
    sqlx::query(add).execute(&newer.pool).await.unwrap();
    newer.close().await;
    let refused = restore(&folder.path().join("n.db"), &database, now()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Newer { .. }), "{refused}");
    let other = SqliteConnectOptions::new().filename(folder.path().join("o.db"));
    let mut other = other.create_if_missing(true).connect().await.unwrap();
    sqlx::query("CREATE TABLE shopping (item TEXT)").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    let refused = restore(&folder.path().join("o.db"), &database, now()).await.unwrap_err();
    assert!(refused.to_string().contains("another program wrote it"), "{refused}");
    assert!(!database.exists());
}

#[tokio::test]
async fn a_damaged_database_is_moved_away_with_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let (database, backup) = (folder.path().join("a.db"), folder.path().join("b.db"));
    let running = store(&database, &["one"]).await;
    running.backup(&backup).await.unwrap();
    running.close().await;
    fs::write(&database, b"not a database any more").unwrap();
    fs::write(beside(&database, "-wal"), b"rest").unwrap();
    let restored = restore(&backup, &database, now()).await.unwrap();
    let kept = restored.kept.unwrap();
    assert_eq!(fs::read(&kept).unwrap(), b"not a database any more");
    assert!(!beside(&database, "-wal").exists());
    assert!(Store::open(&format!("sqlite://{}", database.display())).await.is_ok());
}

#[tokio::test]
async fn a_backup_has_the_records_heads_tokens_and_incidents() {
    let folder = tempfile::tempdir().unwrap();
    let (database, backup) = (folder.path().join("a.db"), folder.path().join("b.db"));
    let running = store(&database, &["one"]).await;
    for sql in [
        "INSERT INTO records VALUES (1, 'decision', 'd', 0, 's', 'e', NULL, NULL, NULL, zeroblob(32), x'7b7d')",
        "INSERT INTO heads VALUES (1, zeroblob(32), 0, zeroblob(32), zeroblob(64))",
        "INSERT INTO tokens VALUES ('i', 'n', zeroblob(32), '[]', '[]', '[]', 0, NULL, NULL, NULL)",
        "INSERT INTO incidents VALUES ('i', 'k', 's', NULL, 'major', 't', 0, 0, NULL)",
    ] {
        sqlx::query(sql).execute(&running.pool).await.unwrap();
    }
    running.backup(&backup).await.unwrap();
    running.close().await;
    restore(&backup, &folder.path().join("c.db"), now()).await.unwrap();
    let restored = Store::open_to_read(&folder.path().join("c.db")).await.unwrap();
    let counted = "SELECT (SELECT count(*) FROM records) + (SELECT count(*) FROM heads) \
        + (SELECT count(*) FROM tokens) + (SELECT count(*) FROM incidents)";
    let rows: i64 = sqlx::query_scalar(counted).fetch_one(&restored.pool).await.unwrap();
    assert_eq!(rows, 4);
}
