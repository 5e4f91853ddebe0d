//! `budget-gate watch`: looks until somebody should roll back or the time is over.

use std::process::Output;
use std::time::{Duration, Instant};

use crate::engine::{Engine, Reply, code, gate, json, problem, stderr, stdout};

fn watch(url: &str, length: &str) -> Output {
    let place = ["watch", "--service", "orders", "--environment", "production"];
    let how = ["--for", length, "--interval", "1s", "--timeout", "300ms", "--url", url];
    gate(&[&place[..], &how].concat(), &[])
}

fn says(verdict: &str, reasons: &[&str]) -> Reply {
    let seen = serde_json::json!({"verdict": verdict, "reasons": reasons,
        "since": "2026-11-21T10:00:00Z", "rules": []});
    json(200, &seen.to_string())
}

#[test]
fn a_rollback_at_any_look_ends_the_watch_with_20() {
    let crossed = "availability: 40 times the allowed rate since the deploy\u{1b}";
    let engine = Engine::replying(vec![says("ok", &[]), says("rollback", &[crossed])]);
    let started = Instant::now();
    let output = watch(&engine.url, "1h");
    assert_eq!(code(&output), 20, "{}", stderr(&output));
    assert_eq!(
        stdout(&output),
        "ROLL BACK orders in production: availability: 40 times the allowed rate since the \
         deploy� (since 2026-11-21 10:00 UTC)\n"
    );
    assert!(stderr(&output).contains("orders in production: no reason to roll back"));
    assert!(started.elapsed() < Duration::from_secs(5));
    let asked = engine.asked();
    let line = "GET /v1/gate/orders/watch?environment=production HTTP";
    assert!(asked.len() == 2 && asked[0].starts_with(line), "{asked:?}");
}

#[test]
fn the_last_answer_decides_at_the_end() {
    let unknown = || says("unknown", &["availability: no numbers since the deploy"]);
    for (what, replies, expected) in [
        ("ok", vec![says("ok", &[])], 0),
        ("ok after all", vec![unknown(), problem(500, "x"), says("ok", &[])], 0),
        ("unknown", vec![says("ok", &[]), unknown()], 30),
        ("silent", vec![says("ok", &[]), problem(500, "broken")], 30),
        ("garbage", vec![says("ok", &[]), json(200, "{\"verdict\": \"fine\"}")], 30),
    ] {
        let engine = Engine::replying(replies);
        let output = watch(&engine.url, "1s");
        assert_eq!(code(&output), expected, "{what}: {}", stderr(&output));
    }
}

#[test]
fn what_is_said_again_is_not_told_again() {
    let engine = Engine::replying(vec![says("ok", &[])]);
    let output = watch(&engine.url, "2s");
    assert_eq!(code(&output), 0);
    assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
    assert!(stdout(&output).starts_with("OK orders in production: no reason to roll back"));
}

#[test]
fn an_engine_that_declines_ends_the_watch_at_once() {
    for (status, expected) in [(401, 1), (403, 1), (404, 1), (400, 2), (422, 2)] {
        let engine = Engine::replying(vec![problem(status, "no such service")]);
        let output = watch(&engine.url, "1h");
        assert_eq!(code(&output), expected, "{status}");
        assert!(stderr(&output).contains("no such service"), "{}", stderr(&output));
    }
}
