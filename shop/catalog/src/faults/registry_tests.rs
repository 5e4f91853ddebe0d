//! Faults under tokio's paused clock: deadlines pass without waiting.

use chrono::DateTime;
use prometheus_client::metrics::counter::Counter;
use tokio::time::sleep;

use super::*;
use crate::faults::FaultKind;

fn faults() -> Arc<Faults> {
    let (log, _writer) = Log::start(Box::new(std::io::sink()), Counter::default());
    Faults::new(Clock::following(DateTime::UNIX_EPOCH), log)
}

fn errors(share: f64, seconds: u64, seed: u64) -> FaultSpec {
    FaultSpec { kind: FaultKind::Errors, share, latency_ms: None, route: None, seconds, seed }
}

fn hits(seed: u64) -> Vec<bool> {
    let faults = faults();
    faults.start(errors(0.3, 60, seed)).unwrap();
    (0..1_000).map(|_| faults.decide("/products").error.is_some()).collect()
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_hits_the_same_ordinals_and_another_seed_others() {
    assert_eq!(hits(42), hits(42));
    assert_ne!(hits(42), hits(43));
    let share = hits(42).iter().filter(|hit| **hit).count();
    assert!((250..=350).contains(&share), "{share} of 1000 at a share of 0.3");
}

#[tokio::test(start_paused = true)]
async fn a_fault_ends_by_itself_after_its_seconds_and_keeps_its_truth() {
    let faults = faults();
    let id = faults.start(errors(1.0, 60, 1)).unwrap().id;
    faults.decide("/products");
    sleep(Duration::from_millis(59_999)).await;
    assert!(faults.decide("/search").error.is_some());
    sleep(Duration::from_millis(2)).await;
    assert_eq!(faults.decide("/products"), Injection::default());
    let list = faults.list();
    assert!(list.active.is_empty());
    let past = &list.past[0];
    assert_eq!((past.id, past.requests_seen, past.requests_hit), (id, 2, 2));
    assert_eq!(past.ended_by, Some(EndedBy::Time));
    assert_eq!(past.ends_at - past.started_at, TimeDelta::seconds(60));
}

#[tokio::test(start_paused = true)]
async fn deleting_ends_a_fault_now_and_its_timer_changes_nothing_later() {
    let faults = faults();
    let id = faults.start(errors(1.0, 60, 1)).unwrap().id;
    sleep(Duration::from_secs(5)).await;
    let ended = faults.end(id, EndedBy::Deletion).unwrap();
    assert_eq!(ended.ends_at - ended.started_at, TimeDelta::seconds(5));
    sleep(Duration::from_secs(100)).await;
    assert_eq!(faults.list().past, vec![ended]);
    assert_eq!(faults.end(99, EndedBy::Deletion), None);
}

#[tokio::test(start_paused = true)]
async fn delays_of_faults_add_up_and_routes_are_kept_apart() {
    let faults = faults();
    let slow = |route: Option<&str>, ms| FaultSpec {
        kind: FaultKind::Latency,
        latency_ms: Some(ms),
        route: route.map(str::to_owned),
        ..errors(1.0, 60, 1)
    };
    faults.start(slow(None, 100)).unwrap();
    faults.start(slow(Some("/search"), 20)).unwrap();
    assert_eq!(faults.decide("/search").delay, Duration::from_millis(120));
    assert_eq!(faults.decide("/products").delay, Duration::from_millis(100));
    let seen: Vec<u64> = faults.list().active.iter().map(|fault| fault.requests_seen).collect();
    assert_eq!(seen, [2, 1]);
}

#[tokio::test(start_paused = true)]
async fn the_17th_active_fault_is_refused() {
    let faults = faults();
    for _ in 0..MOST_ACTIVE {
        faults.start(errors(0.0, 60, 1)).unwrap();
    }
    assert!(faults.start(errors(0.0, 60, 1)).is_err());
}
