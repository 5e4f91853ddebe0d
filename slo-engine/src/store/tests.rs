use slo_core::bucket::Bucket;
use slo_core::slo::Name;

use super::*;
use crate::source::jsonlog::{Identity, Position, Positions};

fn key(slo: &str) -> LedgerKey {
    let name = |text: &str| Name::parse(text).unwrap();
    let slo = SloId { service: name("orders"), slo: name(slo), environment: name("production") };
    LedgerKey { slo, fingerprint: "f".to_owned() }
}

fn url(folder: &tempfile::TempDir) -> String {
    format!("sqlite://{}/deep/headroom.db", folder.path().display())
}

fn hour(total: i64) -> Hour {
    let mut hour = Hour::default();
    hour.set(5, &Bucket { good: total - 1, total, measured: true, ..Bucket::default() });
    hour
}

#[tokio::test]
async fn a_new_database_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&url(&folder)).await.unwrap();
    store.register(&[key("a")]).await.unwrap();
    for ending in ["", "-wal", "-shm"] {
        let path = format!("{}{ending}", store.path().display());
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{path}");
    }
}

#[tokio::test]
async fn a_commit_is_read_back_and_joins_what_other_ledgers_have_in_the_same_row() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&url(&folder)).await.unwrap();
    let ids: Vec<u32> =
        store.register(&[key("a"), key("b")]).await.unwrap().iter().map(|r| r.id).collect();
    for (id, total) in [(ids[0], 10), (ids[1], 20), (ids[0], 30)] {
        let sums = hour(total).sums(0, 60);
        let commit = Commit {
            hours: vec![(100, id, hour(total).pack())],
            folds: [((100, id), sums), ((101, id), sums)].into(),
            firsts: [(id, Minute(6_005))].into(),
            stretches: [(id, vec![(Minute(0), Minute(60))])].into(),
            folded_to: Some(102),
            ..Commit::default()
        };
        store.commit(&commit).await.unwrap();
    }
    let minutes = store.minutes_from(100).await.unwrap();
    assert_eq!(minutes[&ids[0]][0].1.get(5).total, 30);
    assert_eq!(minutes[&ids[1]][0].1.get(5).total, 20);
    assert_eq!(store.history(ids[1], 100, 101).await.unwrap().len(), 1);
    let folds = store.folds(0).await.unwrap();
    let kept = |hour: &i64| folds[&ids[0]].fold(*hour) != slo_core::bucket::Sums::default();
    assert_eq!(folds[&ids[0]].hours().filter(kept).count(), 2);
    assert_eq!(store.folded_to().await.unwrap(), Some(102));
    let again = store.register(&[key("b")]).await.unwrap();
    assert_eq!((again[0].first, again[0].stretches.runs().len()), (Some(Minute(6_005)), 1));
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.db");
    std::fs::write(&file, "this is no database, and long enough to be read as a header".repeat(20))
        .unwrap();
    let before = std::fs::read(&file).unwrap();
    let error = Store::open(&format!("sqlite://{}", file.display())).await.unwrap_err();
    assert!(error.to_string().contains("left as it is"), "{error}");
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused_with_both_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&url(&folder)).await.unwrap();
    let newest = "UPDATE _sqlx_migrations SET version = 9999 \
        WHERE version = (SELECT max(version) FROM _sqlx_migrations)";
    sqlx::query(newest).execute(&store.pool).await.unwrap();
    store.close().await;
    let error = Store::open(&url(&folder)).await.unwrap_err().to_string();
    assert!(error.contains("9999") && error.contains("newer"), "{error}");
}

#[tokio::test]
async fn positions_of_a_source_are_replaced_whole_and_read_back_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&url(&folder)).await.unwrap();
    let position = |number: u64| Position {
        name: format!("{number}.log"),
        path: "/var/log/x.log".to_owned(),
        identity: (number > 1).then_some(Identity { device: u64::MAX, inode: u64::MAX - number }),
        offset: 1 << 40,
        beginning: vec![0, 0xff, b'{'],
        before: Vec::new(),
        is_skipping: number == 3,
        read_at: (number > 1).then_some((number, i64::MAX)),
        gone_since: (number == 1).then_some(5),
    };
    let two = Positions::new(vec![position(1), position(2)]);
    let many = Positions::new((3..5_000).map(position).collect());
    for (source, positions) in [("a", &two), ("b", &two), ("a", &many)] {
        let positions = [(source.to_owned(), positions.clone())].into();
        store.commit(&Commit { positions, ..Commit::default() }).await.unwrap();
    }
    store.commit(&Commit::default()).await.unwrap();
    assert!(store.positions("a").await.unwrap() == many);
    assert_eq!(store.positions("b").await.unwrap(), two);
    assert_eq!(store.positions("c").await.unwrap(), Positions::default());
}

#[tokio::test]
async fn a_backup_opens_as_a_database_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&url(&folder)).await.unwrap();
    store.register(&[key("a")]).await.unwrap();
    let file = folder.path().join("copy.db");
    store.backup(&file).await.unwrap();
    let copy = Store::open(&format!("sqlite://{}", file.display())).await.unwrap();
    assert_eq!(copy.register(&[key("a")]).await.unwrap()[0].id, 1);
    assert!(copy.check().await.unwrap().is_empty());
    assert!(store.backup(&file).await.is_err(), "an existing file is not overwritten");
}

#[tokio::test]
async fn an_address_that_is_not_sqlite_is_refused() {
    assert!(matches!(Store::open("mysql://x").await, Err(StoreError::Address(_))));
}

#[tokio::test]
async fn one_server_at_a_time_has_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&url(&folder)).await.unwrap();
    let first = store.lock().unwrap();
    let refused = store.lock().unwrap_err().to_string();
    assert!(refused.contains("open in another server"), "{refused}");
    drop(first);
    store.lock().unwrap();
}

#[tokio::test]
async fn a_database_that_was_deleted_fails_the_next_commit() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&url(&folder)).await.unwrap();
    store.commit(&Commit::default()).await.unwrap();
    std::fs::remove_file(store.path()).unwrap();
    let refused = store.commit(&Commit::default()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Missing(_)), "{refused}");
}

#[tokio::test]
async fn a_database_in_whose_place_another_lies_fails_the_next_commit() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&url(&folder)).await.unwrap();
    store.commit(&Commit::default()).await.unwrap();
    let other = folder.path().join("other.db");
    store.backup(&other).await.unwrap();
    std::fs::rename(&other, store.path()).unwrap();
    let refused = store.commit(&Commit::default()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Replaced(_)), "{refused}");
}

#[tokio::test]
async fn commits_go_on_when_a_full_disk_has_room_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&url(&folder)).await.unwrap();
    let mut connection = store.writer.acquire().await.unwrap();
    sqlx::query("PRAGMA max_page_count = 1").execute(&mut *connection).await.unwrap();
    drop(connection);
    let hours = (0..2_000).map(|at| (at, 1, hour(at + 2).pack())).collect();
    let commit = Commit { hours, ..Commit::default() };
    let refused = store.commit(&commit).await.unwrap_err().to_string();
    assert!(refused.contains("full"), "{refused}");
    // The connection that met the full disk is replaced by one that knows no limit.
    store.commit(&commit).await.unwrap();
}

#[tokio::test]
async fn a_database_of_an_older_version_is_brought_up_to_date_and_keeps_what_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("deep")).unwrap();
    let options = SqliteConnectOptions::new().filename(folder.path().join("deep/headroom.db"));
    let old = SqlitePool::connect_with(options.create_if_missing(true)).await.unwrap();
    let first = MIGRATIONS.iter().take(1).cloned().collect();
    sqlx::migrate::Migrator::with_migrations(first).run(&old).await.unwrap();
    let packed = hour(10).pack();
    let chunk = chunk::pack(&[], &[(1, &packed)]).unwrap();
    for row in 0..300 {
        let insert = sqlx::query("INSERT INTO minutes (hour, shard, chunk) VALUES (?, 0, ?)");
        insert.bind(row).bind(&chunk).execute(&old).await.unwrap();
    }
    old.close().await;
    let store = Store::open(&url(&folder)).await.unwrap();
    assert_eq!(store.register(&[key("a")]).await.unwrap()[0].id, 1);
    let minutes = &store.minutes_from(0).await.unwrap()[&1];
    assert_eq!(minutes.iter().map(|(hour, _)| *hour).collect::<Vec<_>>(), Vec::from_iter(0..300));
    assert!(minutes.iter().all(|(_, hour)| hour.get(5).total == 10));
    let records: i64 =
        sqlx::query_scalar("SELECT count(*) FROM records").fetch_one(&store.pool).await.unwrap();
    assert_eq!(records, 0);
}

#[tokio::test]
async fn who_is_waited_for_does_not_move_the_log_into_the_database_and_the_ledger_does() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&format!("sqlite://{}/h.db", folder.path().display())).await.unwrap();
    sqlx::query("CREATE TABLE some (bytes BLOB)").execute(store.pool()).await.unwrap();
    let size = || std::fs::metadata(store.path()).unwrap().len();
    let mut durable = store.durable().await.unwrap();
    for _ in 0..8 {
        let fill = sqlx::query("INSERT INTO some VALUES (zeroblob(1048576))");
        fill.execute(durable.connection()).await.unwrap();
    }
    assert!(size() < 1_048_576, "{}", size());
    sqlx::query("INSERT INTO some VALUES (NULL)").execute(store.pool()).await.unwrap();
    assert!(size() > 8 * 1_048_576, "{}", size());
}
