//! `budget-gate check --wait`: asks anew until the gate opens.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::engine::{Engine, check, code, header, json, problem, recorded, stderr, stdout};

fn keys(engine: &Engine) -> Vec<String> {
    engine.asked().iter().filter_map(|asked| header(asked, "idempotency-key")).collect()
}

#[test]
fn a_gate_that_opens_lets_go_and_each_question_had_its_own_key() {
    let engine =
        Engine::replying(vec![json(201, &recorded("deny")), json(201, &recorded("allow"))]);
    let output = check(&engine.url, &["--wait", "1s"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stdout(&output).starts_with("ALLOW  orders"), "only the last answer is shown");
    let said = stderr(&output);
    assert!(said.contains("DENY orders 1.4.2 in production: waiting for: availability: enough"));
    assert!(said.contains("asking again in 1s, for 1s at most"), "{said}");
    let keys = keys(&engine);
    assert_eq!((keys.len(), keys.iter().collect::<HashSet<_>>().len()), (2, 2), "{keys:?}");
}

#[test]
fn tries_of_one_question_share_its_key_and_a_given_key_is_numbered() {
    let replies =
        vec![json(201, &recorded("deny")), problem(503, "a moment"), json(201, &recorded("allow"))];
    let engine = Engine::replying(replies);
    let output = check(&engine.url, &["--wait", "1s", "--idempotency-key", "build-7"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(keys(&engine), ["build-7", "build-7-2", "build-7-2"]);
}

#[test]
fn a_gate_that_stays_shut_is_asked_once_more_at_the_end() {
    let engine = Engine::replying(vec![json(201, &recorded("deny"))]);
    let started = Instant::now();
    let output = check(&engine.url, &["--wait", "1s"]);
    assert_eq!(code(&output), 20);
    assert_eq!(keys(&engine).len(), 2);
    let took = started.elapsed();
    assert!(took > Duration::from_millis(900) && took < Duration::from_secs(4), "{took:?}");
}

#[test]
fn a_gate_that_should_open_soon_is_asked_then() {
    let soon = recorded("deny").replace("2026-11-24T14:10:00Z", "2026-11-21T10:00:02Z");
    let engine = Engine::replying(vec![json(201, &soon), json(201, &recorded("warn"))]);
    let started = Instant::now();
    let output = check(&engine.url, &["--wait", "1h"]);
    assert_eq!(code(&output), 0);
    assert!(stderr(&output).contains("asking again in 5s, for 1h"), "{}", stderr(&output));
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_deny_holds_when_the_engine_falls_silent_whatever_on_unreachable_says() {
    let engine = Engine::replying(vec![json(201, &recorded("deny")), problem(500, "broken")]);
    let more = ["--wait", "1s", "--timeout", "300ms", "--on-unreachable", "allow"];
    let output = check(&engine.url, &more);
    assert_eq!(code(&output), 20, "{}", stderr(&output));
    assert!(stderr(&output).contains("what it said last holds"), "{}", stderr(&output));
    assert!(stdout(&output).starts_with("DENY"), "{}", stdout(&output));
}

#[test]
fn an_engine_that_comes_back_within_the_wait_is_heard() {
    let replies = vec![problem(500, "starting"); 2];
    let replies = [replies, vec![json(201, &recorded("allow"))]].concat();
    let output = check(&Engine::replying(replies).url, &["--wait", "1s", "--timeout", "250ms"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
}

#[test]
fn a_deploy_that_may_go_does_not_wait() {
    let engine = Engine::replying(vec![json(201, &recorded("warn"))]);
    let output = check(&engine.url, &["--wait", "1h"]);
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
    assert_eq!(keys(&engine).len(), 1);
}
