use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use budget_gate::policy::rule::Severity;
use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;

use super::super::chain::{Head, Link};
use super::super::{RecordKind, newest_head};
use super::*;
use crate::clock::FixedClock;

const LONG: Duration = Duration::from_secs(30);

fn now() -> DateTime<Utc> {
    "2026-11-21T10:00:00Z".parse().unwrap()
}

pub(in crate::record) fn entry(id: &str) -> Entry {
    Entry {
        kind: RecordKind::Decision,
        id: id.to_owned(),
        at: now(),
        service: "orders".to_owned(),
        environment: "production".to_owned(),
        verdict: Some("deny".to_owned()),
        json: format!(r#"{{"id": "{id}", "verdict": "deny"}}"#).into_bytes(),
        idempotency: Some((format!("key of {id}"), [7; 32])),
    }
}

async fn opened(folder: &Path) -> Store {
    Store::open(&format!("sqlite://{}/headroom.db", folder.display())).await.unwrap()
}

fn key(folder: &Path) -> SigningKey {
    let path = folder.join("heads.pem");
    SigningKey::read(&path).unwrap().unwrap_or_else(|| SigningKey::make(&path).unwrap())
}

pub(in crate::record) async fn started(folder: &Path) -> (Store, Recorder) {
    let store = opened(folder).await;
    let clock = Arc::new(FixedClock::at(now()));
    (store.clone(), Recorder::start(store, clock, key(folder)).await.unwrap())
}

/// The ids in the order of the chain, which must be whole.
async fn chained(store: &Store) -> Vec<String> {
    let rows: Vec<(i64, String, Vec<u8>, Vec<u8>)> =
        sqlx::query_as("SELECT seq, id, json, hash FROM records ORDER BY seq")
            .fetch_all(store.pool())
            .await
            .unwrap();
    let follow = |head: Head, (seq, _, json, hash): &(i64, String, Vec<u8>, Vec<u8>)| {
        head.follow(&Link { seq: *seq, json, hash })
    };
    rows.iter().try_fold(Head::default(), follow).unwrap();
    rows.into_iter().map(|(_, id, _, _)| id).collect()
}

async fn run(store: &Store, sql: &'static str) {
    sqlx::query(sql).execute(store.pool()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_writers_at_once_are_recorded_once_each_without_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let (store, recorder) = started(folder.path()).await;
    let writer = |writer: usize| {
        let recorder = recorder.clone();
        tokio::spawn(async move {
            let mut seqs = Vec::new();
            for at in 0..20 {
                let recorded = recorder.record(entry(&format!("{writer}-{at}")), LONG).await;
                seqs.push(recorded.unwrap().seq);
            }
            assert!(seqs.is_sorted(), "{seqs:?}");
            seqs
        })
    };
    let all = join_all((0..64).map(writer)).await;
    let seqs: BTreeSet<u64> = all.into_iter().flat_map(Result::unwrap).collect();
    assert_eq!(seqs, (1..=1_280).collect());
    let ids = chained(&store).await;
    assert_eq!((ids.len(), ids.iter().collect::<BTreeSet<_>>().len()), (1_280, 1_280));
}

#[tokio::test]
async fn a_restart_continues_the_chain() {
    let folder = tempfile::tempdir().unwrap();
    let (store, first) = started(folder.path()).await;
    assert_eq!(first.record(entry("a"), LONG).await.unwrap().seq, 1);
    first.stop().await;
    assert!(matches!(first.record(entry("late"), LONG).await, Err(Unrecorded::Stopped)));
    store.close().await;
    let (store, second) = started(folder.path()).await;
    let recorded = second.record(entry("b"), LONG).await.unwrap();
    let head = Head::default().then(&entry("a").json).then(&entry("b").json);
    assert_eq!((recorded.seq, recorded.hash), (2, head.hash.to_string()));
    assert_eq!(chained(&store).await, ["a", "b"]);
}

#[tokio::test]
async fn nothing_is_written_to_a_database_that_was_moved_away_and_the_chain_goes_on_when_it_is_back()
 {
    let folder = tempfile::tempdir().unwrap();
    let (store, recorder) = started(folder.path()).await;
    recorder.record(entry("a"), LONG).await.unwrap();
    let away = folder.path().join("away.db");
    std::fs::rename(store.path(), &away).unwrap();
    for _ in 0..2 {
        let refused = recorder.record(entry("lost"), LONG).await.unwrap_err();
        assert!(matches!(&refused, Unrecorded::Failed(e) if matches!(**e, StoreError::Missing(_))));
    }
    assert!(!store.path().exists(), "none is made anew");
    std::fs::rename(&away, store.path()).unwrap();
    assert_eq!(recorder.record(entry("b"), LONG).await.unwrap().seq, 2);
    assert_eq!(chained(&store).await, ["a", "b"]);
}

#[tokio::test]
async fn a_database_that_was_put_in_the_place_of_the_old_one_is_not_written_before_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (store, recorder) = started(folder.path()).await;
    recorder.record(entry("a"), LONG).await.unwrap();
    let (copy, old) = (folder.path().join("copy.db"), folder.path().join("old.db"));
    store.backup(&copy).await.unwrap();
    recorder.record(entry("after the copy"), LONG).await.unwrap();
    std::fs::rename(store.path(), &old).unwrap();
    std::fs::rename(&copy, store.path()).unwrap();
    for _ in 0..2 {
        let refused = recorder.record(entry("lost"), LONG).await.unwrap_err();
        assert!(
            matches!(&refused, Unrecorded::Failed(e) if matches!(**e, StoreError::Replaced(_)))
        );
    }
    recorder.stop().await;
    store.close().await;
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", store.path().display()));
    }
    let (store, recorder) = started(folder.path()).await;
    assert_eq!(recorder.record(entry("b"), LONG).await.unwrap().seq, 2);
    assert_eq!(chained(&store).await, ["a", "b"]);
}

#[tokio::test]
async fn a_transaction_that_fails_is_told_to_all_in_it_and_leaves_no_gap() {
    let folder = tempfile::tempdir().unwrap();
    let (store, recorder) = started(folder.path()).await;
    recorder.record(entry("a"), LONG).await.unwrap();
    run(
        &store,
        "CREATE TRIGGER broken BEFORE INSERT ON records WHEN new.id = 'x3' \
         BEGIN SELECT RAISE(ABORT, 'disk I/O error'); END",
    )
    .await;
    // Four that wait together while another writes share a transaction.
    let other = store.pool().begin_with("BEGIN IMMEDIATE").await.unwrap();
    let asked = ["x1", "x2", "x3", "x4"].map(|id| recorder.record(entry(id), LONG));
    let release = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        other.rollback().await.unwrap();
    };
    let (answers, ()) = tokio::join!(join_all(asked), release);
    for answer in answers {
        let why = answer.unwrap_err();
        let cause = std::error::Error::source(&why).unwrap().to_string();
        assert!(cause.contains("disk I/O error"), "{cause}");
        // A caller learns nothing of the database.
        assert!(!why.to_string().contains("disk I/O error"), "{why}");
    }
    run(&store, "DROP TRIGGER broken").await;
    assert_eq!(recorder.record(entry("b"), LONG).await.unwrap().seq, 2);
    assert_eq!(chained(&store).await, ["a", "b"]);
}

#[tokio::test]
async fn callers_wait_no_longer_than_they_said_and_what_they_gave_up_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let (store, recorder) = started(folder.path()).await;
    let other = store.pool().begin_with("BEGIN IMMEDIATE").await.unwrap();
    let begun = Instant::now();
    let short = Duration::from_millis(200);
    let hurried = ["h1", "h2", "h3"].map(|id| recorder.record(entry(id), short));
    for answer in join_all(hurried).await {
        let slow = answer.unwrap_err();
        assert!(matches!(slow, Unrecorded::Slow { under_way: false, .. }), "{slow:?}");
    }
    assert!(begun.elapsed() < Duration::from_secs(3));
    // One that goes away without a word has given up too.
    let gone = tokio::time::timeout(short, recorder.record(entry("gone"), LONG)).await;
    assert!(gone.is_err());
    let patient = tokio::spawn({
        let recorder = recorder.clone();
        async move { recorder.record(entry("patient"), LONG).await }
    });
    tokio::time::sleep(short).await;
    other.rollback().await.unwrap();
    assert_eq!(patient.await.unwrap().unwrap().seq, 1);
    assert_eq!(chained(&store).await, ["patient"]);
}

#[tokio::test]
async fn the_log_is_moved_into_the_database_beside_the_records() {
    let folder = tempfile::tempdir().unwrap();
    let (store, recorder) = started(folder.path()).await;
    let size = || std::fs::metadata(store.path()).unwrap().len();
    let before = size();
    for at in 0..40 {
        let entry = Entry { json: vec![b'x'; 100_000], ..entry(&at.to_string()) };
        recorder.record(entry, LONG).await.unwrap();
    }
    let grown = async {
        while size() < before + 2_000_000 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LONG, grown).await.expect("it is moved");
    recorder.record(entry("last"), LONG).await.unwrap();
}

#[tokio::test]
async fn what_fails_is_said_from_its_first_failure_to_the_next_record() {
    let folder = tempfile::tempdir().unwrap();
    let (store, clock) = (opened(folder.path()).await, Arc::new(FixedClock::at(now())));
    let recorder = Recorder::start(store.clone(), clock.clone(), key(folder.path())).await.unwrap();
    recorder.record(entry("a"), LONG).await.unwrap();
    assert_eq!(recorder.failing_since(), None);
    let away = folder.path().join("away.db");
    std::fs::rename(store.path(), &away).unwrap();
    for minute in [0, 5] {
        clock.set(now() + TimeDelta::minutes(minute));
        recorder.record(entry("lost"), LONG).await.unwrap_err();
        assert_eq!(recorder.failing_since(), Some(now()), "minute {minute}");
    }
    std::fs::rename(&away, store.path()).unwrap();
    recorder.record(entry("b"), LONG).await.unwrap();
    assert_eq!(recorder.failing_since(), None);
}

#[tokio::test]
async fn a_caller_that_waits_in_vain_is_a_failure_until_something_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let (store, recorder) = started(folder.path()).await;
    let other = store.pool().begin_with("BEGIN IMMEDIATE").await.unwrap();
    recorder.record(entry("a"), Duration::from_millis(50)).await.unwrap_err();
    assert_eq!(recorder.failing_since(), Some(now()));
    other.rollback().await.unwrap();
    recorder.record(entry("b"), LONG).await.unwrap();
    assert_eq!(recorder.failing_since(), None);
}

#[tokio::test]
async fn what_works_again_is_noticed_without_a_caller_and_changes_no_record() {
    let folder = tempfile::tempdir().unwrap();
    let (store, clock) = (opened(folder.path()).await, Arc::new(FixedClock::at(now())));
    let check = Duration::from_millis(20);
    let recorder = Recorder::checking(store.clone(), clock, key(folder.path()), check).await;
    let recorder = recorder.unwrap();
    recorder.record(entry("a"), LONG).await.unwrap();
    let away = folder.path().join("away.db");
    std::fs::rename(store.path(), &away).unwrap();
    recorder.record(entry("lost"), LONG).await.unwrap_err();
    tokio::time::sleep(5 * check).await;
    assert_eq!(recorder.failing_since(), Some(now()), "it was tried again and fails");
    std::fs::rename(&away, store.path()).unwrap();
    let works = async {
        while recorder.failing_since().is_some() {
            tokio::time::sleep(check).await;
        }
    };
    tokio::time::timeout(LONG, works).await.expect("it is noticed");
    assert_eq!(chained(&store).await, ["a"]);
}

#[tokio::test]
async fn who_gives_up_while_it_is_written_is_told_that_it_may_be_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let (store, recorder) = started(folder.path()).await;
    run(
        &store,
        "CREATE TABLE some AS WITH RECURSIVE up (value) AS \
         (SELECT 1 UNION ALL SELECT value + 1 FROM up WHERE value < 300) SELECT value FROM up",
    )
    .await;
    run(
        &store,
        "CREATE TRIGGER slow BEFORE INSERT ON records \
         BEGIN SELECT count(a.value + b.value + c.value) FROM some a, some b, some c; END",
    )
    .await;
    let short = Duration::from_millis(250);
    let (then, follows) = std::sync::mpsc::channel();
    let tell = move |recorded: &Recorded| then.send(recorded.seq).unwrap();
    let slow = recorder.record_then(entry("a"), short, tell).await.unwrap_err();
    assert!(matches!(slow, Unrecorded::Slow { under_way: true, .. }), "{slow:?}");
    assert!(slow.to_string().ends_with("it may still be, because writing had begun"), "{slow}");
    assert_eq!(recorder.record(entry("b"), LONG).await.unwrap().seq, 2);
    assert_eq!(chained(&store).await, ["a", "b"]);
    assert_eq!(follows.try_recv(), Ok(1), "what follows from it happened all the same");
}

#[tokio::test]
async fn a_full_queue_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (store, recorder) = started(folder.path()).await;
    let other = store.pool().begin_with("BEGIN IMMEDIATE").await.unwrap();
    let within = Duration::from_millis(500);
    let asked = (0..QUEUE + 10).map(|at| recorder.record(entry(&at.to_string()), within));
    let answers = join_all(asked).await;
    let full = answers.iter().filter(|a| matches!(a, Err(Unrecorded::Full))).count();
    // The writer may have one in its hands.
    assert!((9..=10).contains(&full), "{full}");
    other.rollback().await.unwrap();
    recorder.record(entry("a"), LONG).await.unwrap();
    assert_eq!(chained(&store).await, ["a"]);
}

#[tokio::test]
async fn the_first_end_is_signed_at_once_the_next_after_an_hour_and_the_last_at_a_stop() {
    let folder = tempfile::tempdir().unwrap();
    let (store, clock) = (opened(folder.path()).await, Arc::new(FixedClock::at(now())));
    let check = Duration::from_millis(10);
    let start = || Recorder::checking(store.clone(), clock.clone(), key(folder.path()), check);
    let recorder = start().await.unwrap();
    let signed = async |seq: i64| {
        for _ in 0..500 {
            tokio::time::sleep(check).await;
            let newest = newest_head(&store).await.unwrap();
            if let Some(newest) = newest.filter(|newest| newest.head.seq >= seq) {
                assert!(newest.is_genuine());
                return (newest.head.seq, newest.at);
            }
        }
        panic!("no head of {seq}");
    };
    recorder.record(entry("a"), LONG).await.unwrap();
    assert_eq!(signed(1).await, (1, now()));
    recorder.record(entry("b"), LONG).await.unwrap();
    clock.set(now() + TimeDelta::minutes(59));
    tokio::time::sleep(check * 20).await;
    assert_eq!(newest_head(&store).await.unwrap().unwrap().head.seq, 1);
    clock.set(now() + TimeDelta::hours(1));
    assert_eq!(signed(2).await, (2, now() + TimeDelta::hours(1)));
    recorder.record(entry("c"), LONG).await.unwrap();
    recorder.stop().await;
    assert_eq!(newest_head(&store).await.unwrap().unwrap().head.seq, 3);
    start().await.unwrap().stop().await;
    let heads: i64 =
        sqlx::query_scalar("SELECT count(*) FROM heads").fetch_one(store.pool()).await.unwrap();
    assert_eq!(heads, 3, "nothing was written since");
}

fn incident(id: &str) -> Incident {
    Incident {
        id: id.to_owned(),
        key: id.to_owned(),
        service: "orders".to_owned(),
        environment: None,
        severity: Severity::Major,
        title: "slow".to_owned(),
        opened_at: now(),
        confirmed_at: now(),
        closed_at: None,
    }
}

#[tokio::test]
async fn incidents_are_written_beside_records_and_are_no_part_of_the_chain() {
    let folder = tempfile::tempdir().unwrap();
    let (store, recorder) = started(folder.path()).await;
    let many: Vec<_> = (0..2_500).map(|at| incident(&format!("m{at:04}"))).collect();
    let closed = Incident { closed_at: Some(now()), ..incident("m0007") };
    let (a, reported, again, b) = tokio::join!(
        recorder.record(entry("a"), LONG),
        recorder.report_then(many, LONG, || {}),
        recorder.report_then(vec![closed], LONG, || {}),
        recorder.record(entry("b"), LONG),
    );
    reported.unwrap();
    again.unwrap();
    assert_eq!((a.unwrap().seq, b.unwrap().seq), (1, 2));
    assert_eq!(chained(&store).await, ["a", "b"]);
    let all = store.incidents().await.unwrap();
    assert_eq!(all.len(), 2_500);
    let closed: Vec<_> = all.iter().filter(|one| one.closed_at.is_some()).collect();
    assert_eq!(closed.iter().map(|one| &one.id).collect::<Vec<_>>(), ["m0007"]);
}

#[tokio::test]
async fn an_incident_that_somebody_gave_up_is_not_written_and_nothing_follows() {
    let folder = tempfile::tempdir().unwrap();
    let (store, recorder) = started(folder.path()).await;
    let other = store.pool().begin_with("BEGIN IMMEDIATE").await.unwrap();
    let short = Duration::from_millis(200);
    // The writer waits for the lock with this one in its hands.
    let first = tokio::spawn({
        let recorder = recorder.clone();
        async move { recorder.record(entry("a"), LONG).await }
    });
    tokio::time::sleep(short).await;
    let follows = || panic!("it was given up");
    let slow = recorder.report_then(vec![incident("i")], short, follows).await.unwrap_err();
    assert!(matches!(slow, Unrecorded::Slow { under_way: false, .. }), "{slow:?}");
    other.rollback().await.unwrap();
    first.await.unwrap().unwrap();
    assert_eq!(store.incidents().await.unwrap(), []);
}
