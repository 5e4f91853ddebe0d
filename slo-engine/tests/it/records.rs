//! The record under `kill -9`: what was acknowledged is there, once, and the chain is whole.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use slo_engine::clock::{Clock, SystemClock};
use slo_engine::record::audit::audit;
use slo_engine::record::signing::Signing;
use slo_engine::record::{Entry, RecordKind, Recorder};
use slo_engine::store::Store;

use crate::support::Dice;

/// Where the child records; set for the child alone.
const FOLDER: &str = "HEADROOM_TEST_RECORDS";
const LIFE: &str = "HEADROOM_TEST_LIFE";
const KILLS: u64 = 30;

async fn opened(folder: &Path) -> Store {
    Store::open(&format!("sqlite://{}/headroom.db", folder.display())).await.unwrap()
}

fn entry(id: String, service: usize) -> Entry {
    Entry {
        kind: RecordKind::Decision,
        at: SystemClock.now(),
        service: format!("service-{service}"),
        environment: "production".to_owned(),
        verdict: Some("allow".to_owned()),
        json: format!(r#"{{"id": "{id}", "why": "{}"}}"#, "x".repeat(500)).into_bytes(),
        id,
        idempotency: None,
    }
}

/// The body of the child: sixteen callers record for ever and print what was acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn a_child_records_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let life = std::env::var(LIFE).unwrap();
    let store = opened(Path::new(&folder)).await;
    let key = Signing::default().key(&store).unwrap();
    let recorder = Recorder::start(store, Arc::new(SystemClock), key).await.unwrap();
    let caller = |caller: usize| {
        let (recorder, life) = (recorder.clone(), life.clone());
        tokio::spawn(async move {
            for at in 0.. {
                let id = format!("{life}-{caller}-{at}");
                let within = Duration::from_secs(10);
                let recorded = recorder.record(entry(id.clone(), caller), within).await.unwrap();
                writeln!(std::io::stdout().lock(), "recorded {} {id} .", recorded.seq).unwrap();
            }
        })
    };
    futures::future::join_all((0..16).map(caller)).await;
}

/// What a child acknowledged before it was killed after so many milliseconds of work.
fn killed(folder: &Path, life: u64, after: u64) -> Vec<(i64, String)> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "records::a_child_records_until_it_is_killed", "--nocapture"]);
    command.env(FOLDER, folder).env(LIFE, life.to_string());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let read = std::thread::spawn(move || lines.map_while(Result::ok).collect::<Vec<String>>());
    std::thread::sleep(Duration::from_millis(after));
    child.kill().unwrap();
    child.wait().unwrap();
    let acknowledged = |line: &String| {
        // The last line may be cut: a whole one ends in a full stop.
        let words: Vec<&str> = line.split(' ').collect();
        let [.., "recorded", seq, id, "."] = words[..] else { return None };
        Some((seq.parse().unwrap(), id.to_owned()))
    };
    read.join().unwrap().iter().filter_map(acknowledged).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_kills_at_random_instants_lose_nothing_and_double_nothing() {
    let folder = tempfile::tempdir().unwrap();
    opened(folder.path()).await.close().await;
    let mut dice = Dice(u64::from(std::process::id()));
    let mut acknowledged: Vec<(i64, String)> = Vec::new();
    for life in 0..KILLS {
        let (path, after) = (folder.path().to_owned(), 20 + dice.below(300));
        let died = tokio::task::spawn_blocking(move || killed(&path, life, after));
        acknowledged.extend(died.await.unwrap());
        let store = opened(folder.path()).await;
        let found = audit(&store, &[], None, &|_| {}).await.unwrap();
        assert!(found.is_whole(), "after life {life}: {found:?}");
        store.close().await;
    }
    check(folder.path(), &acknowledged).await;
}

async fn check(folder: &Path, acknowledged: &[(i64, String)]) {
    let url = format!("sqlite://{}/headroom.db", folder.display());
    let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
    let rows: Vec<(i64, String)> =
        sqlx::query_as("SELECT seq, id FROM records").fetch_all(&pool).await.unwrap();
    let ids: BTreeSet<&String> = rows.iter().map(|(_, id)| id).collect();
    assert_eq!(ids.len(), rows.len(), "nothing is doubled");
    let rows: BTreeSet<(i64, String)> = rows.iter().cloned().collect();
    let lost: Vec<_> = acknowledged.iter().filter(|one| !rows.contains(one)).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    assert!(acknowledged.len() > 100, "too little was recorded: {}", acknowledged.len());
}
