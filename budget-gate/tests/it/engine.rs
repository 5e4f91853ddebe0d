//! An engine that sends what a test wants and remembers what it was asked.
#![expect(clippy::unwrap_used, reason = "a fake that fails fails the test")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

pub(crate) const DENIED: &str = include_str!("denied.json");

/// What one connection gets.
#[derive(Clone)]
pub(crate) enum Reply {
    /// These bytes, then the end.
    Bytes(Vec<u8>),
    /// Nothing, for so long.
    Silence(Duration),
    /// These bytes over and over.
    Endless(Vec<u8>),
}

/// An engine on a free port; each connection gets the next reply, the last one for ever.
pub(crate) struct Engine {
    pub(crate) url: String,
    asked: Receiver<String>,
}

impl Engine {
    pub(crate) fn replying(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (tell, asked) = channel();
        thread::spawn(move || {
            for (at, stream) in listener.incoming().enumerate() {
                let reply = replies[at.min(replies.len() - 1)].clone();
                let mut stream = stream.unwrap();
                if tell.send(question(&mut stream)).is_err() {
                    return;
                }
                thread::spawn(move || send(&mut stream, &reply));
            }
        });
        Self { url, asked }
    }

    pub(crate) fn deciding(verdict: &str) -> Self {
        Self::replying(vec![json(200, &decision(verdict))])
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.try_iter().collect()
    }
}

/// Head and body.
fn question(stream: &mut TcpStream) -> String {
    let (mut said, mut byte) = (Vec::new(), [0]);
    while !said.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
        said.push(byte[0]);
    }
    let head = String::from_utf8(said.clone()).unwrap().to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).unwrap();
    said.extend(body);
    String::from_utf8(said).unwrap()
}

/// The JSON that a question carried.
pub(crate) fn body(question: &str) -> serde_json::Value {
    serde_json::from_str(question.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// A header of a question.
pub(crate) fn header(question: &str, name: &str) -> Option<String> {
    let head = question.split_once("\r\n\r\n").unwrap().0;
    let mut lines = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
}

/// A client that hangs up early is one of the things under test.
fn send(stream: &mut TcpStream, reply: &Reply) {
    match reply {
        Reply::Bytes(bytes) => {
            let _ = stream.write_all(bytes);
        }
        Reply::Silence(length) => thread::sleep(*length),
        Reply::Endless(bytes) => while stream.write_all(bytes).is_ok() {},
    }
}

/// The denied decision, with another verdict.
pub(crate) fn decision(verdict: &str) -> String {
    let mut json: serde_json::Value = serde_json::from_str(DENIED).unwrap();
    json["verdict"] = verdict.into();
    json["allow"] = matches!(verdict, "allow" | "warn").into();
    json.to_string()
}

pub(crate) fn json(status: u16, body: &str) -> Reply {
    reply(status, "application/json", body)
}

pub(crate) fn reply(status: u16, kind: &str, body: &str) -> Reply {
    let length = body.len();
    Reply::Bytes(
        format!(
            "HTTP/1.1 {status} Said\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\
             connection: close\r\n\r\n{body}"
        )
        .into_bytes(),
    )
}

pub(crate) fn problem(status: u16, detail: &str) -> Reply {
    let body = serde_json::json!({"type": "about:blank", "title": "No", "detail": detail});
    reply(status, "application/problem+json", &body.to_string())
}

/// The denied decision, recorded, with another verdict.
pub(crate) fn recorded(verdict: &str) -> String {
    let mut json: serde_json::Value = serde_json::from_str(&decision(verdict)).unwrap();
    json["id"] = "01JDECISION".into();
    json["recorded"] = serde_json::json!({"seq": 812, "hash": "sha256:11"});
    json["permalink"] = "https://headroom.example/gate/decisions/01JDECISION".into();
    if json["allow"] == true {
        json["unblocks"] = serde_json::Value::Null;
    }
    json.to_string()
}

/// The question of the tests: orders 1.4.2 in production.
const QUESTION: [&str; 6] =
    ["--service", "orders", "--environment", "production", "--version", "1.4.2"];

/// `budget-gate peek`, without anything from the environment.
pub(crate) fn peek(url: &str, more: &[&str]) -> Output {
    gate(&[&["peek"], &QUESTION[..], &["--url", url], more].concat(), &[])
}

/// `budget-gate check`, without anything from the environment.
pub(crate) fn check(url: &str, more: &[&str]) -> Output {
    gate(&[&["check"], &QUESTION[..], &["--url", url], more].concat(), &[])
}

/// The program in an environment that has these variables and no others.
pub(crate) fn gate(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_budget-gate"));
    let environment = environment.iter().copied();
    command.env_clear().args(arguments).envs(environment).output().unwrap()
}

/// A new folder for one test.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("budget-gate-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
