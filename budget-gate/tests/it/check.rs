//! `budget-gate check`: what it sends, how often, and what it makes of each answer.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::engine::{
    Engine, Reply, body, check, code, decision, folder, gate, header, json, problem, recorded,
    reply, stderr, stdout,
};

fn deciding(verdict: &str) -> Engine {
    Engine::replying(vec![json(201, &recorded(verdict))])
}

#[test]
fn the_exit_code_says_the_verdict() {
    for (verdict, expected) in [("allow", 0), ("warn", 0), ("deny", 20), ("unknown", 30)] {
        let output = check(&deciding(verdict).url, &[]);
        assert_eq!(code(&output), expected, "{verdict}: {}", stderr(&output));
        let first = format!("{}  orders 1.4.2 in production\n", verdict.to_uppercase());
        assert!(stdout(&output).starts_with(&first), "{}", stdout(&output));
        assert!(stdout(&output).contains("recorded 01JDECISION, number 812\n"));
        assert_eq!(stderr(&output), "");
    }
    let warned = check(&deciding("warn").url, &["--warn-exit-code", "10"]);
    assert_eq!(code(&warned), 10);
}

#[test]
fn everything_that_was_given_is_sent_and_nothing_else() {
    let digest = format!("sha256:{}", "0a".repeat(32));
    let engine = deciding("allow");
    let given = ["--commit", "9f1c", "--digest", &digest, "--identifier", "run 7"];
    let more = ["--reason", "é", "--actor", "ana", "--token", "hr_1_secret"];
    let output = check(&engine.url, &[&given[..], &more].concat());
    let asked = engine.asked().remove(0);
    assert!(asked.starts_with("POST /v1/gate/decisions HTTP/1.1\r\n"), "{asked}");
    let whole = serde_json::json!({
        "service": "orders", "environment": "production", "version": "1.4.2", "kind": "release",
        "commit": "9f1c", "digest": digest, "identifier": "run 7", "reason": "é"
    });
    assert_eq!(body(&asked), whole);
    assert_eq!(header(&asked, "x-headroom-actor").as_deref(), Some("ana"));
    assert_eq!(header(&asked, "authorization").as_deref(), Some("Bearer hr_1_secret"));
    assert_eq!(header(&asked, "content-type").as_deref(), Some("application/json"));
    assert!(!format!("{}{}", stderr(&output), stdout(&output)).contains("secret"));

    let short = deciding("allow");
    check(&short.url, &[]);
    let asked = short.asked().remove(0);
    let little = serde_json::json!({
        "service": "orders", "environment": "production", "version": "1.4.2", "kind": "release"
    });
    assert_eq!((body(&asked), header(&asked, "x-headroom-actor")), (little, None));
    assert_eq!(header(&asked, "authorization"), None);
}

#[test]
fn tries_of_one_run_share_a_key_that_no_other_run_has() {
    let key = || {
        let replies = vec![problem(500, "a"), problem(502, "b"), json(201, &recorded("allow"))];
        let engine = Engine::replying(replies);
        assert_eq!(code(&check(&engine.url, &[])), 0);
        let asked = engine.asked();
        let keys: Vec<_> = asked.iter().map(|q| header(q, "idempotency-key").unwrap()).collect();
        assert_eq!(keys.len(), 3);
        assert!(keys.iter().all(|key| *key == keys[0] && key.len() == 32), "{keys:?}");
        keys[0].clone()
    };
    assert_ne!(key(), key());
}

#[test]
fn a_key_that_was_given_is_the_key() {
    let engine = deciding("allow");
    check(&engine.url, &["--idempotency-key", "build-7"]);
    assert_eq!(header(&engine.asked()[0], "idempotency-key").as_deref(), Some("build-7"));
    let other_body = Engine::replying(vec![problem(422, "this key came with another question")]);
    let output = check(&other_body.url, &["--idempotency-key", "build-7"]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("another question (422)"), "{}", stderr(&output));
}

#[test]
fn a_failure_that_passes_is_tried_again() {
    let cut = Reply::Bytes(
        b"HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: 9999\r\n\r\n{"
            .to_vec(),
    );
    for first in [500, 502, 503, 504, 408, 425, 429].map(|status| problem(status, "not now")) {
        passes(first);
    }
    passes(cut);
    passes(Reply::Bytes(Vec::new()));
}

fn passes(first: Reply) {
    let engine = Engine::replying(vec![first, json(200, &recorded("allow"))]);
    let output = check(&engine.url, &["--timeout", "5s"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(engine.asked().len(), 2);
}

#[test]
fn an_engine_that_asks_for_a_pause_gets_it() {
    let busy = Reply::Bytes(
        b"HTTP/1.1 429 Busy\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            .to_vec(),
    );
    let started = Instant::now();
    passes(busy);
    assert!(started.elapsed() >= Duration::from_secs(1));
}

#[test]
fn what_is_no_answer_to_the_question_never_opens() {
    let sent = recorded("allow");
    let other = |from: &str, to: &str| json(201, &sent.replace(from, to));
    for (what, reply, words) in [
        ("garbage", json(201, "not json"), "its JSON is broken"),
        ("truncated", json(201, &sent[..900]), "its JSON is broken"),
        ("html", reply(200, "text/html", "<p>allow</p>"), "text/html instead of JSON"),
        ("no decision", json(201, "{\"allow\": true}"), "is no decision"),
        ("another service", other("\"orders\"", "\"other\""), "another question"),
        ("another environment", other("\"production\"", "\"staging\""), "another question"),
        ("another version", other("1.4.2", "1.4.3"), "another question"),
        ("another kind", other("\"release\"", "\"rollback\""), "another question"),
        ("a contradiction", other("\"verdict\":\"allow\"", "\"verdict\":\"deny\""), "contradicts"),
        ("no content", json(204, ""), "204"),
        ("accepted", json(202, &sent), "202"),
        ("no route", reply(404, "text/html", "<p>"), "is HEADROOM_URL the engine's address?"),
        ("no method", problem(405, "not offered"), "no answer from the engine: not offered (405)"),
        ("a redirect", redirect(), "redirects to http://elsewhere.example/"),
        ("no http", Reply::Bytes(b"SSH-2.0\r\n\r\n".to_vec()), "no answer from the engine"),
    ] {
        let engine = Engine::replying(vec![reply]);
        let output = check(&engine.url, &["--timeout", "300ms"]);
        assert_eq!(code(&output), 30, "{what}");
        assert_eq!(stdout(&output), "", "{what}");
        assert!(stderr(&output).contains(words), "{what}: {}", stderr(&output));
        let output = check(&engine.url, &["--timeout", "300ms", "--on-unreachable", "allow"]);
        assert_eq!(code(&output), 0, "{what}");
        assert!(stderr(&output).contains("WARNING: THE GATE GAVE NO VERDICT"), "{what}");
    }
}

fn redirect() -> Reply {
    let head = "HTTP/1.1 307 Elsewhere\r\nlocation: http://elsewhere.example/\r\n";
    Reply::Bytes(format!("{head}content-length: 0\r\n\r\n").into_bytes())
}

#[test]
fn an_engine_that_is_slow_or_not_there_is_given_up_when_the_time_is_over() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let slow = Engine::replying(vec![Reply::Silence(Duration::from_secs(20))]);
    for (url, words) in
        [(format!("http://{free}"), "refused"), (slow.url.clone(), "nothing came within 300ms")]
    {
        let started = Instant::now();
        let output = check(&url, &["--timeout", "300ms"]);
        assert_eq!(code(&output), 30);
        assert!(stderr(&output).contains(words), "{}", stderr(&output));
        assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    }
}

#[test]
fn a_caller_that_is_refused_stays_closed_and_learns_the_remedy() {
    for (status, words) in [(401, "set HEADROOM_TOKEN"), (403, "slo-engine token list")] {
        let engine = Engine::replying(vec![problem(status, "who are you?")]);
        let output = check(&engine.url, &["--on-unreachable", "allow", "--wait", "10s"]);
        assert_eq!(code(&output), 30, "{status}");
        let said = stderr(&output);
        assert!(said.contains("who are you?") && said.contains(words), "{said}");
        assert_eq!(engine.asked().len(), 1, "it is not tried again");
    }
}

#[test]
fn a_wrong_question_is_wrong_usage_with_each_fault() {
    let body = serde_json::json!({"title": "No", "detail": "two things are wrong", "errors": [
        {"field": "reason", "detail": "a hotfix needs one"},
        {"field": "environment", "detail": "orders has production and staging"}]});
    for status in [400, 422] {
        let sent = reply(status, "application/problem+json", &body.to_string());
        let output = check(&Engine::replying(vec![sent]).url, &["--on-unreachable", "allow"]);
        assert_eq!(code(&output), 2);
        let said = stderr(&output);
        assert!(said.contains("reason: a hotfix needs one; environment: orders has"), "{said}");
    }
}

#[test]
fn each_format_can_go_to_a_file_while_the_log_gets_the_text() {
    let folder = folder("check");
    for (format, words) in [
        ("text", "DENY  orders"),
        ("json", "\"verdict\": \"deny\""),
        ("junit", "<testsuite name=\"DENY orders"),
        ("markdown", "### DENY orders"),
        ("sarif", "\"version\": \"2.1.0\""),
    ] {
        let file = folder.join(format);
        let engine = deciding("deny");
        let to_file = ["--format", format, "--output", file.to_str().unwrap()];
        let output = check(&engine.url, &to_file);
        assert_eq!((code(&output), stdout(&output).as_str()), (20, ""));
        assert!(stderr(&output).starts_with("DENY  orders 1.4.2 in"), "{}", stderr(&output));
        let said = std::fs::read_to_string(&file).unwrap();
        assert!(said.contains(words), "{said}");
        let output = check(&engine.url, &["--format", format]);
        assert_eq!(stdout(&output), said);
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn an_answer_that_cannot_be_written_never_exits_as_go() {
    let engine = deciding("allow");
    let to_file = ["--format", "json", "--output", "/no/such/folder/x.json"];
    let output = check(&engine.url, &to_file);
    assert_eq!(code(&output), 2);
    assert!(
        stderr(&output).contains("cannot write the answer (ALLOW orders"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn wrong_arguments_exit_2_and_name_the_fault() {
    let digest = ["--service", "orders", "--digest", "latest"];
    for (arguments, words) in [
        (&["--environment", "production"][..], "which service? Give --service"),
        (&digest[..], "sha256:"),
        (&["--service", "orders", "--idempotency-key", "a b"][..], "1 to 200"),
        (&["--service", "orders", "--wait", "long"][..], "duration"),
        (&["--service", "orders", "--format", "xml"][..], "junit"),
    ] {
        let all = [&["check", "--url", "http://127.0.0.1:1"], arguments].concat();
        let output = gate(&all, &[]);
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert!(stderr(&output).contains(words), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn an_answer_that_was_not_recorded_is_shown_as_it_is() {
    let output = check(&Engine::replying(vec![json(201, &decision("warn"))]).url, &[]);
    assert_eq!(code(&output), 0);
    assert!(!stdout(&output).contains("recorded"), "{}", stdout(&output));
}
