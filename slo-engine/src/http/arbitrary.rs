//! Whatever bytes are sent to whatever route: no failure of the engine, and every error is a problem.

use std::fmt;

use axum::http::{HeaderName, HeaderValue, Method};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestCaseResult, TestRunner};
use reqwest::Client;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::world::{Answer, World};
use crate::token::Scope;

/// One request.
#[derive(Clone)]
struct Sent {
    method: Method,
    path: String,
    has_token: bool,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Vec<u8>,
}

/// What a person can read.
impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, path, has_token, headers, body } = self;
        let start = String::from_utf8_lossy(&body[..body.len().min(300)]);
        let (length, token) = (body.len(), if *has_token { "a token" } else { "no token" });
        write!(f, "{method} {path} with {token}, {headers:.300?}, {length} bytes: {start:?}")
    }
}

/// Method and path of every operation.
fn routes() -> Vec<(Method, String)> {
    let document = super::openapi();
    let paths = document["paths"].as_object().unwrap().clone();
    let of = |(path, item): (String, Value)| {
        let methods: Vec<String> = item.as_object().unwrap().keys().cloned().collect();
        methods.into_iter().map(move |m| (m.to_uppercase().parse().unwrap(), path.clone()))
    };
    paths.into_iter().flat_map(of).collect()
}

fn percent(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("%{byte:02x}")).collect()
}

/// Words that lead further into a handler than noise does.
fn word() -> impl Strategy<Value = String> {
    let known = select(vec![
        "orders",
        "catalog",
        "production",
        "staging",
        "availability",
        "decisions",
        "deny",
        "rollback",
        "1",
        "0",
        "-1",
        "99999999999999999999",
        "2026-11-21T10:00:00Z",
        "-262143-01-01T00:00:00Z",
        "9999-12-31T23:59:60Z",
        "1h",
        "null",
        "true",
        "MQ",
        "..",
        "",
    ]);
    prop_oneof![3 => known.prop_map(str::to_owned), 1 => any::<String>()]
}

fn encoded() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => word().prop_map(|word| percent(word.as_bytes())),
        1 => vec(any::<u8>(), 0..40).prop_map(|bytes| percent(&bytes)),
    ]
}

/// The path of a route, with something in each of its places.
fn filled(path: String) -> impl Strategy<Value = String> {
    vec(encoded(), 4).prop_map(move |words| {
        let mut words = words.into_iter();
        let parts = path.split('/').map(|part| match part.starts_with('{') {
            true => words.next().unwrap_or_default(),
            false => part.to_owned(),
        });
        parts.collect::<Vec<_>>().join("/")
    })
}

const KEYS: [&str; 22] = [
    "service",
    "environment",
    "version",
    "commit",
    "digest",
    "identifier",
    "kind",
    "reason",
    "key",
    "severity",
    "title",
    "until",
    "at",
    "limit",
    "cursor",
    "from",
    "to",
    "step",
    "verdict",
    "state",
    "open",
    "owner",
];

fn query() -> impl Strategy<Value = String> {
    let pair = (select(KEYS.to_vec()), encoded()).prop_map(|(key, value)| format!("{key}={value}"));
    prop_oneof![
        2 => Just(String::new()),
        3 => vec(pair, 1..4).prop_map(|pairs| format!("?{}", pairs.join("&"))),
        1 => encoded().prop_map(|text| format!("?{text}")),
    ]
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => word().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => Just(json!([[{"a": []}]])),
    ]
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let object = vec((select(KEYS.to_vec()), scalar()), 0..8).prop_map(|fields| {
        let fields = fields.into_iter().map(|(key, value)| (key.to_owned(), value));
        Value::Object(fields.collect::<Map<_, _>>()).to_string().into_bytes()
    });
    let likely = (word(), word(), word()).prop_map(|(version, until, key)| {
        json!({"service": "catalog", "environment": "production", "version": version,
            "reason": key, "until": until, "severity": "minor", "title": key, "key": key})
    });
    let likely = (
        likely,
        select(vec![
            vec!["service", "environment", "version"],
            vec!["service", "environment", "reason", "until"],
            vec!["service", "severity", "title", "key"],
        ]),
    );
    let likely = likely.prop_map(|(mut all, kept)| {
        all.as_object_mut().unwrap().retain(|key, _| kept.contains(&key.as_str()));
        all.to_string().into_bytes()
    });
    prop_oneof![
        3 => likely,
        2 => object,
        1 => vec(any::<u8>(), 0..300),
        1 => Just(vec![b'['; 10_000]),
        1 => Just("{\"service\":".repeat(5_000).into_bytes()),
    ]
}

fn headers() -> impl Strategy<Value = Vec<(HeaderName, HeaderValue)>> {
    let name = select(vec![
        "authorization",
        "content-type",
        "idempotency-key",
        "x-headroom-actor",
        "x-request-id",
        "accept",
        "content-encoding",
        "if-none-match",
        "range",
        "cookie",
        "x-forwarded-for",
    ]);
    let value = prop_oneof![
        2 => vec(any::<u8>(), 0..300),
        1 => word().prop_map(String::into_bytes),
        1 => Just(vec![b'k'; 20_000]),
    ];
    vec((name, value), 0..4).prop_map(|all| {
        let held = all.into_iter().filter_map(|(name, value)| {
            let value = HeaderValue::from_bytes(&value).ok()?;
            Some((HeaderName::from_static(name), value))
        });
        held.collect()
    })
}

fn sent() -> impl Strategy<Value = Sent> {
    let route = select(routes()).prop_flat_map(|(method, path)| {
        let other = select(vec![Method::PUT, Method::PATCH, Method::OPTIONS, Method::TRACE]);
        (prop_oneof![9 => Just(method), 1 => other], filled(path))
    });
    (route, query(), any::<bool>(), headers(), body()).prop_map(
        |((method, path), query, has_token, headers, body)| Sent {
            method,
            path: path + &query,
            has_token,
            headers,
            body,
        },
    )
}

/// What was answered; nothing where the connection ended first.
async fn send(client: &Client, world: &World, token: &str, sent: &Sent) -> Option<Answer> {
    let url = format!("{}{}", world.address(), sent.path);
    let mut request = client.request(sent.method.clone(), url).body(sent.body.clone());
    request = request.header("content-type", "application/json");
    if sent.has_token {
        request = request.bearer_auth(token);
    }
    for (name, value) in &sent.headers {
        request = request.header(name, value);
    }
    let response = request.send().await.ok()?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Some(Answer { status, headers, body: response.bytes().await.ok()?.to_vec() })
}

/// A long body that is refused unread ends the connection, and may take the answer with it.
const SHORT: usize = 4_096;

fn judged(answer: &Answer, path: &str) -> TestCaseResult {
    let (status, text) = (answer.status, String::from_utf8_lossy(&answer.body));
    prop_assert!(status < 500 || status == 503, "{status}: {text}");
    prop_assert!((200..600).contains(&status));
    // Flagger shows its users the whole body.
    let is_text = path.starts_with("/v1/adapters/flagger") && ![401, 404, 405].contains(&status);
    if status >= 400 && is_text {
        prop_assert!(answer.header("content-type").starts_with("text/plain"));
    } else if status >= 400 {
        prop_assert_eq!(answer.header("content-type"), "application/problem+json");
        let problem: Value = serde_json::from_slice(&answer.body).unwrap();
        prop_assert_eq!(&problem["status"], status);
    }
    Ok(())
}

#[test]
fn whatever_is_sent_is_answered_or_refused_as_a_problem() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = runtime.block_on(World::new());
    // A connection whose last body was refused unread is closed: none is used twice.
    let client = Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
    let token = runtime.block_on(world.token("anybody", &[Scope::Admin]));
    let mut runner = TestRunner::new(Config { cases: 600, ..Config::default() });
    let tried = runner.run(&sent(), |sent| {
        match runtime.block_on(send(&client, &world, &token, &sent)) {
            Some(answer) => judged(&answer, &sent.path)?,
            None => prop_assert!(sent.body.len() > SHORT, "the connection ended"),
        }
        Ok(())
    });
    tried.unwrap();
    assert_eq!(runtime.block_on(world.get("/healthz")).status, 200);
}

/// What comes back for bytes that may not even be a request; nothing where the connection is closed.
async fn raw(address: &str, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(bytes).await?;
    stream.shutdown().await?;
    let mut back = Vec::new();
    stream.read_to_end(&mut back).await?;
    Ok(back)
}

#[test]
fn bytes_that_are_no_request_do_no_harm() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = runtime.block_on(World::new());
    let address = world.address().strip_prefix("http://").unwrap().to_owned();
    let head = "POST /v1/gate/decisions HTTP/1.1\r\nhost: a\r\n";
    let cases = prop_oneof![
        vec(any::<u8>(), 0..400),
        vec(any::<u8>(), 0..200)
            .prop_map(move |noise| [head.as_bytes(), &noise, b"\r\n\r\n"].concat()),
        select(vec![
            "content-length: 5\r\ncontent-length: 6\r\n\r\nabcdef",
            "content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /x",
            "transfer-encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFF\r\n",
            "transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
            "content-length: -1\r\n\r\n",
            "content-length: 99999999999999999999\r\n\r\n",
            "content-length: 10\r\n\r\nabc",
        ])
        .prop_map(move |rest| format!("{head}{rest}").into_bytes()),
    ];
    let mut runner = TestRunner::new(Config { cases: 300, ..Config::default() });
    let tried = runner.run(&cases, |bytes| {
        // Where the server closes first, the rest cannot be sent.
        let back = runtime.block_on(raw(&address, &bytes)).unwrap_or_default();
        let text = String::from_utf8_lossy(&back);
        prop_assert!(!text.starts_with("HTTP/1.1 5") || text.starts_with("HTTP/1.1 503"), "{text}");
        Ok(())
    });
    tried.unwrap();
    assert_eq!(runtime.block_on(world.get("/healthz")).status, 200);
}
