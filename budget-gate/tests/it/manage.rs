//! `budget-gate explain`, `override`, `approve` and `deployed`: what they send, show and refuse.

use std::process::Output;
use std::time::{Duration, SystemTime};

use crate::engine::{
    Engine, Reply, body, code, gate, header, json, problem, recorded, reply, stderr, stdout,
};

const ID: &str = "01JDECISION";
const OVERRIDE: [&str; 7] =
    ["override", "--service", "orders", "--reason", "the fix is in it", "--for", "2h"];

fn run(arguments: &[&str], url: &str) -> Output {
    run_within("5s", arguments, url)
}

fn run_within(timeout: &str, arguments: &[&str], url: &str) -> Output {
    gate(
        &[arguments, &["--url", url, "--timeout", timeout]].concat(),
        &[("HEADROOM_TOKEN", "hr_1_s")],
    )
}

/// Each command with an answer that does it.
fn commands() -> [(Vec<&'static str>, String); 4] {
    let kept =
        r#"{"id": "01JX", "approvalsMissing": 1, "until": "2026-11-21T12:00:00Z"}"#.to_owned();
    [
        (vec!["explain", ID], recorded("deny")),
        (OVERRIDE.to_vec(), kept.clone()),
        (vec!["approve", "01JX"], kept.clone()),
        (vec!["deployed", "--service", "orders", "--version", "1.4.2"], kept),
    ]
}

#[test]
fn explain_shows_a_decision_and_exits_0_whatever_it_says() {
    for verdict in ["allow", "deny", "unknown"] {
        let engine = Engine::replying(vec![json(200, &recorded(verdict))]);
        let output = run(&["explain", ID], &engine.url);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        assert!(stdout(&output).starts_with(&verdict.to_uppercase()), "{}", stdout(&output));
        let asked = engine.asked().remove(0);
        assert!(asked.starts_with("GET /v1/gate/decisions/01JDECISION HTTP"), "{asked}");
        assert_eq!(header(&asked, "authorization").as_deref(), Some("Bearer hr_1_s"));
    }
    let engine = Engine::replying(vec![json(200, &recorded("deny"))]);
    for (format, words) in [("json", "\"seq\": 812"), ("markdown", "### DENY")] {
        let output = run(&["explain", ID, "--format", format], &engine.url);
        assert!(stdout(&output).contains(words), "{}", stdout(&output));
    }
}

#[test]
fn explain_takes_no_other_decision_for_the_one_asked_for() {
    let engine = Engine::replying(vec![json(200, &recorded("allow"))]);
    let output = run(&["explain", "01JOTHER"], &engine.url);
    assert_eq!((code(&output), stdout(&output).as_str()), (30, ""));
    assert!(stderr(&output).contains("another decision"), "{}", stderr(&output));
}

#[test]
fn an_id_that_would_lead_elsewhere_is_wrong_usage() {
    let engine = Engine::replying(vec![json(200, &recorded("allow"))]);
    for id in ["..", "a/b", "", "a?b", "é"] {
        for command in ["explain", "approve"] {
            assert_eq!(code(&run(&[command, id], &engine.url)), 2, "{command} {id}");
        }
    }
    assert!(engine.asked().is_empty());
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the program under test reads the system clock")]
fn an_override_is_asked_for_with_its_end_and_says_who_must_approve() {
    let kept = r#"{"id": "01JX", "approvalsMissing": 1, "until": "2026-11-21T12:00:00Z"}"#;
    let engine = Engine::replying(vec![json(201, kept)]);
    let more = ["--environment", "production", "--commit", "9f1c"];
    let output = run(&[&OVERRIDE[..], &more].concat(), &engine.url);
    assert_eq!((code(&output), stdout(&output).as_str()), (0, "01JX\n"));
    let words = "once 1 more person approves; somebody else runs: budget-gate approve 01JX";
    assert!(stderr(&output).contains(words), "{}", stderr(&output));
    let asked = engine.asked().remove(0);
    assert!(asked.starts_with("POST /v1/gate/overrides HTTP"), "{asked}");
    let mut sent = body(&asked);
    let until = sent["until"].take();
    let until: chrono::DateTime<chrono::Utc> = until.as_str().unwrap().parse().unwrap();
    let off = SystemTime::from(until).duration_since(SystemTime::now()).unwrap();
    assert!(off > Duration::from_secs(7_190) && off <= Duration::from_secs(7_200), "{off:?}");
    let expected = serde_json::json!({"service": "orders", "environment": "production",
        "commit": "9f1c", "reason": "the fix is in it", "until": null});
    assert_eq!(sent, expected);
}

#[test]
fn an_override_needs_a_reason_and_a_length() {
    for arguments in [
        &["override", "--service", "orders", "--for", "2h"][..],
        &["override", "--service", "orders", "--reason", "x"],
        &["override", "--service", "orders", "--reason", "  ", "--for", "2h"],
        &["override", "--reason", "x", "--for", "2h"],
    ] {
        assert_eq!(code(&run(arguments, "http://127.0.0.1:1")), 2, "{arguments:?}");
    }
}

#[test]
fn an_approval_names_the_override_and_nobody() {
    let kept = r#"{"id": "01JX", "approvalsMissing": 0, "until": "2026-11-21T12:00:00Z"}"#;
    let engine = Engine::replying(vec![json(200, kept)]);
    let output = run(&["approve", "01JX"], &engine.url);
    assert_eq!((code(&output), stdout(&output).as_str()), (0, "01JX\n"));
    assert!(stderr(&output).contains("override 01JX holds until 2026-11-21 12:00 UTC\n"));
    let asked = engine.asked().remove(0);
    assert!(asked.starts_with("POST /v1/gate/overrides/01JX/approve HTTP"), "{asked}");
    assert_eq!(body(&asked), serde_json::json!({}));
}

#[test]
fn a_version_that_runs_is_told_with_what_is_known_of_it() {
    let digest = format!("sha256:{}", "0a".repeat(32));
    let engine = Engine::replying(vec![json(201, r#"{"id": "01JD", "since": "later"}"#)]);
    let place = ["deployed", "--service", "orders", "--environment", "production"];
    let what = ["--version", "1.4.2", "--digest", &digest, "--commit", "9f1c"];
    let at = ["--at", "2026-11-21T10:00:00Z"];
    let output = run(&[&place[..], &what, &at].concat(), &engine.url);
    assert_eq!((code(&output), stdout(&output).as_str()), (0, "01JD\n"));
    assert!(stderr(&output).contains("orders 1.4.2 runs in production"), "{}", stderr(&output));
    let asked = engine.asked().remove(0);
    assert!(asked.starts_with("POST /v1/deployments HTTP"), "{asked}");
    let expected = serde_json::json!({"service": "orders", "environment": "production",
        "version": "1.4.2", "digest": digest, "commit": "9f1c", "at": "2026-11-21T10:00:00Z"});
    assert_eq!(body(&asked), expected);
    let without = run(&["deployed", "--service", "orders"], &engine.url);
    assert_eq!(code(&without), 2);
    assert!(stderr(&without).contains("Give --version"), "{}", stderr(&without));
}

#[test]
fn what_the_engine_declines_exits_1_with_its_words_and_the_remedy() {
    for (arguments, _) in commands() {
        for (status, words) in [
            (401, "set HEADROOM_TOKEN"),
            (403, "slo-engine token list"),
            (404, "nothing of the kind"),
            (409, "nothing of the kind"),
        ] {
            let engine = Engine::replying(vec![problem(status, "nothing of the kind")]);
            let output = run(&arguments, &engine.url);
            assert_eq!(code(&output), 1, "{arguments:?} {status}");
            assert!(stderr(&output).contains(words), "{}", stderr(&output));
            assert_eq!((stdout(&output).as_str(), engine.asked().len()), ("", 1));
        }
    }
}

#[test]
fn what_the_engine_does_not_accept_exits_2_with_each_fault() {
    let fault = r#"{"detail": "no", "errors": [{"field": "until", "detail": "4 h at most"}]}"#;
    for (arguments, _) in commands() {
        let engine = Engine::replying(vec![reply(422, "application/problem+json", fault)]);
        let output = run(&arguments, &engine.url);
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert!(stderr(&output).contains("no (422); until: 4 h at most"), "{}", stderr(&output));
    }
}

#[test]
fn without_an_answer_that_can_be_relied_on_they_exit_30() {
    for (arguments, _) in commands() {
        for sent in [
            json(200, "{}"),
            json(200, "garbage"),
            reply(200, "text/html", "<p>"),
            problem(500, "broken"),
            Reply::Bytes(Vec::new()),
            Reply::Silence(Duration::from_secs(9)),
        ] {
            let engine = Engine::replying(vec![sent]);
            let output = run_within("150ms", &arguments, &engine.url);
            assert_eq!(code(&output), 30, "{arguments:?}: {}", stderr(&output));
            assert_eq!(stdout(&output), "");
        }
    }
}

#[test]
fn only_what_may_be_repeated_is_tried_again_after_a_failure() {
    for (arguments, done) in commands() {
        let is_counted = matches!(arguments[0], "override" | "approve");
        let engine = Engine::replying(vec![problem(500, "broken"), json(200, &done)]);
        let output = run(&arguments, &engine.url);
        let (expected, tries) = if is_counted { (30, 1) } else { (0, 2) };
        assert_eq!(code(&output), expected, "{arguments:?}: {}", stderr(&output));
        assert_eq!(engine.asked().len(), tries, "{arguments:?}");
        let warned = stderr(&output).contains("it may be done all the same");
        assert_eq!(warned, is_counted, "{}", stderr(&output));
        // Told before anything was done, so nothing is done twice.
        let engine = Engine::replying(vec![problem(503, "starting"), json(200, &done)]);
        assert_eq!(code(&run(&arguments, &engine.url)), 0, "{arguments:?}");
    }
}
