//! `budget-gate peek`: what it asks, what it says and how it exits.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::engine::{
    DENIED, Engine, Reply, code, decision, folder, gate, json, peek, problem, reply, stderr, stdout,
};

#[test]
fn the_exit_code_says_the_verdict() {
    for (verdict, expected) in [("allow", 0), ("warn", 0), ("deny", 20), ("unknown", 30)] {
        let output = peek(&Engine::deciding(verdict).url, &[]);
        assert_eq!(code(&output), expected, "{verdict}: {}", stderr(&output));
        let first = format!("{}  orders 1.4.2 in production\n", verdict.to_uppercase());
        assert!(stdout(&output).starts_with(&first), "{}", stdout(&output));
        assert_eq!(stderr(&output), "");
    }
}

#[test]
fn a_warning_exits_with_the_code_that_was_asked_for_and_nothing_else_does() {
    for (verdict, expected) in [("allow", 0), ("warn", 10), ("deny", 20), ("unknown", 30)] {
        let output = peek(&Engine::deciding(verdict).url, &["--warn-exit-code", "10"]);
        assert_eq!(code(&output), expected, "{verdict}");
    }
}

#[test]
fn the_question_carries_service_environment_version_kind_and_token() {
    let engine = Engine::deciding("deny");
    let url = format!("{}/headroom/", engine.url);
    let arguments = [
        "peek",
        "--service",
        "orders",
        "--environment",
        "production",
        "--version",
        "1.4.2+a b",
        "--kind",
        "hotfix",
    ];
    let output = gate(&arguments, &[("HEADROOM_URL", &url), ("HEADROOM_TOKEN", "hr_1_secret")]);
    let asked = engine.asked().join("");
    let line =
        "GET /headroom/v1/gate/orders?kind=hotfix&environment=production&version=1.4.2%2Ba+b";
    assert!(asked.starts_with(line), "{asked}");
    assert!(asked.to_lowercase().contains("authorization: bearer hr_1_secret"), "{asked}");
    assert!(!stderr(&output).contains("secret"));
}

#[test]
fn json_is_the_engines_decision_and_keeps_fields_that_are_not_known() {
    let newer = decision("deny").replacen('{', "{\"later\":{\"a\":1},", 1);
    let output = peek(&Engine::replying(vec![json(200, &newer)]).url, &["--format", "json"]);
    let said: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(said, serde_json::from_str::<serde_json::Value>(&newer).unwrap());
    assert_eq!(code(&output), 20);
}

#[test]
fn the_answer_goes_to_a_file_when_asked_and_the_verdict_to_the_log() {
    let folder = folder("peek");
    let file = folder.join("decision.json");
    let engine = Engine::deciding("deny");
    let output = peek(&engine.url, &["--format", "json", "--output", file.to_str().unwrap()]);
    assert_eq!((code(&output), stdout(&output).as_str()), (20, ""));
    assert!(stderr(&output).contains("DENY  orders 1.4.2 in production"), "{}", stderr(&output));
    let said: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(said["verdict"], "deny");
    std::fs::remove_dir_all(&folder).unwrap();
    let output = peek(&Engine::deciding("allow").url, &["--output", file.to_str().unwrap()]);
    assert_eq!(code(&output), 2, "an answer that cannot be written lets nothing go");
    assert!(stderr(&output).contains("cannot write the answer (ALLOW orders"));
}

#[test]
fn text_of_the_engine_cannot_act_on_the_log() {
    let evil = decision("deny").replace("the 30d budget is spent", "\\u001b[2J\\n::error::\\u009b");
    for format in ["text", "json"] {
        let engine = Engine::replying(vec![json(200, &evil)]);
        let said = stdout(&peek(&engine.url, &["--format", format]));
        assert!(said.contains("[2J"), "{said}");
        assert!(!said.chars().any(|c| c.is_control() && c != '\n'), "{said}");
        assert!(!said.lines().any(|line| line.trim_start().starts_with("::")), "{said}");
    }
}

#[test]
fn what_is_no_decision_is_no_answer() {
    let html = "<html>allow</html>";
    let large = format!("{}{}", decision("allow"), " ".repeat(1 << 20));
    let contradiction = DENIED.replace("\"allow\": false", "\"allow\": true");
    for (what, sent, words) in [
        ("html", reply(200, "text/html", html), "text/html instead of JSON"),
        ("html that says json", json(200, html), "its JSON is broken"),
        ("half a decision", json(200, &DENIED[..900]), "its JSON is broken"),
        ("another json", json(200, "{\"allow\": true}"), "its JSON is no decision"),
        ("a contradiction", json(200, &contradiction), "contradicts itself"),
        ("another service", json(200, &decision("allow").replace("orders", "other")), "another"),
        ("another kind", json(200, &decision("allow").replace("release", "hotfix")), "another"),
        ("more than 1 MiB", json(200, &large), "larger than 1 MiB"),
        ("nothing", json(204, ""), "204"),
        ("not found", problem(404, "There is no such page."), "There is no such page (404)"),
        ("a redirect", redirect(), "redirects to http://elsewhere.example/"),
        ("no http", Reply::Bytes(b"SSH-2.0-OpenSSH\r\n\r\n".to_vec()), "no answer from the engine"),
    ] {
        let engine = Engine::replying(vec![sent]);
        let output = peek(&engine.url, &["--timeout", "300ms"]);
        assert_eq!(code(&output), 30, "{what}");
        assert_eq!(stdout(&output), "", "{what}");
        assert!(stderr(&output).contains(words), "{what}: {}", stderr(&output));
        let output = peek(&engine.url, &["--timeout", "300ms", "--on-unreachable", "allow"]);
        assert_eq!(code(&output), 0, "{what}");
        assert!(stderr(&output).contains("goes without one"), "{what}");
    }
}

fn redirect() -> Reply {
    Reply::Bytes(
        b"HTTP/1.1 302 Found\r\nlocation: http://elsewhere.example/\r\ncontent-length: 0\r\n\r\n"
            .to_vec(),
    )
}

#[test]
fn an_endless_body_is_left_after_1_mib() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n".to_vec();
    let endless = Reply::Endless([head, vec![b' '; 4096]].concat());
    let output = peek(&Engine::replying(vec![endless]).url, &["--timeout", "5s"]);
    assert_eq!(code(&output), 30);
    assert!(stderr(&output).contains("larger than 1 MiB"), "{}", stderr(&output));
}

#[test]
fn a_slow_engine_is_given_up_when_the_time_is_over() {
    let started = Instant::now();
    let engine = Engine::replying(vec![Reply::Silence(Duration::from_secs(20))]);
    let output = peek(&engine.url, &["--timeout", "300ms"]);
    assert_eq!(code(&output), 30);
    assert!(stderr(&output).contains("nothing came within 300ms"), "{}", stderr(&output));
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

#[test]
fn an_engine_that_is_not_there_is_tried_until_the_time_is_over() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let started = Instant::now();
    let output = peek(&format!("http://{free}"), &["--timeout", "500ms"]);
    assert_eq!(code(&output), 30);
    assert!(stderr(&output).contains("refused"), "{}", stderr(&output));
    assert!(started.elapsed() > Duration::from_millis(200));
}

#[test]
fn a_failure_that_passes_is_tried_again() {
    let cut = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9999\r\n\r\n{}",
        &DENIED[..500]
    );
    for first in [
        problem(500, "broken"),
        problem(503, "starting"),
        problem(429, "too many"),
        Reply::Bytes(cut.into_bytes()),
        Reply::Bytes(Vec::new()),
    ] {
        let engine = Engine::replying(vec![first, json(200, &decision("allow"))]);
        let output = peek(&engine.url, &["--timeout", "5s"]);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        assert_eq!(engine.asked().len(), 2);
    }
}

#[test]
fn an_engine_that_stays_broken_says_why() {
    let output =
        peek(&Engine::replying(vec![problem(503, "no snapshot yet")]).url, &["--timeout", "300ms"]);
    assert_eq!(code(&output), 30);
    assert!(stderr(&output).contains("no snapshot yet (503)"), "{}", stderr(&output));
}

#[test]
fn a_wrong_question_is_wrong_usage_with_the_engines_words() {
    let engine = Engine::replying(vec![problem(400, "orders has production and staging\u{1b}[2J")]);
    let output = peek(&engine.url, &["--on-unreachable", "allow"]);
    assert_eq!(code(&output), 2);
    let said = stderr(&output);
    assert!(said.contains("does not accept the question: orders has production"), "{said}");
    assert!(!said.contains('\u{1b}'), "{said}");
    assert_eq!(engine.asked().len(), 1);
}

#[test]
fn a_caller_that_is_refused_stays_closed_whatever_on_unreachable_says() {
    for (status, words) in [(401, "set HEADROOM_TOKEN"), (403, "may not ask this")] {
        let engine = Engine::replying(vec![problem(status, "who are you?")]);
        let output = peek(&engine.url, &["--on-unreachable", "allow"]);
        assert_eq!(code(&output), 30, "{status}");
        let said = stderr(&output);
        assert!(said.contains("who are you?") && said.contains(words), "{said}");
        assert_eq!(engine.asked().len(), 1, "it is not tried again");
    }
}

#[test]
fn wrong_arguments_exit_2_and_name_the_fault() {
    for (arguments, words) in [
        (&["peek", "--service", "orders"][..], "--url"),
        (&["peek", "--url", "http://127.0.0.1:1"][..], "--service"),
        (&["peek", "--service", "Orders", "--url", "http://127.0.0.1:1"][..], "is not a name"),
        (&["peek", "--service", "..", "--url", "http://127.0.0.1:1"][..], "is not a name"),
        (&["peek", "--service", "orders", "--url", "ftp://x"][..], "http://"),
        (&["peek", "--service", "o", "--url", "http://x", "--kind", "party"][..], "rollback"),
        (&["peek", "--service", "o", "--url", "http://x", "--timeout", "soon"][..], "duration"),
        (&["deploy"][..], "deploy"),
    ] {
        let output = gate(arguments, &[]);
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert!(stderr(&output).contains(words), "{arguments:?}: {}", stderr(&output));
        assert_eq!(stdout(&output), "");
    }
}
