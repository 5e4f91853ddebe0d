//! An engine that sends what a test wants and remembers what it was asked.
#![expect(clippy::unwrap_used, reason = "a fake that fails fails the test")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
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
                if tell.send(head(&mut stream)).is_err() {
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

fn head(stream: &mut TcpStream) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
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

/// `budget-gate peek` for orders 1.4.2 in production, without anything from the environment.
pub(crate) fn peek(url: &str, more: &[&str]) -> Output {
    let question =
        ["--service", "orders", "--environment", "production", "--version", "1.4.2", "--url", url];
    gate(&[&["peek"], &question[..], more].concat(), &[])
}

pub(crate) fn gate(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_budget-gate"));
    for name in ["HEADROOM_URL", "HEADROOM_TOKEN", "http_proxy", "HTTP_PROXY", "ALL_PROXY"] {
        command.env_remove(name);
    }
    command.args(arguments).envs(environment.iter().copied()).output().unwrap()
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
