//! A Prometheus as small as it can be: series in memory, range selectors answered with raw samples.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use slo_core::labels::Labels;
use slo_core::selector::Selector;
use slo_core::time::Span;
use slo_engine::clock::{Clock, SystemClock};

/// A series: labels and samples (Unix seconds, value).
pub(crate) type Series = (Vec<(&'static str, String)>, Vec<(i64, u64)>);

/// A running server; it ends with the tests.
pub(crate) struct Fake {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

/// A counter that grows by so much every minute of the `minutes` before `end` (Unix seconds).
pub(crate) fn counter(labels: &[(&'static str, &str)], end: i64, minutes: i64, by: u64) -> Series {
    let labels = labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    let sample = |at: i64| (end - (minutes - at) * 60 - 30, at.unsigned_abs() * by);
    (labels, (1..=minutes).map(sample).collect())
}

impl Fake {
    pub(crate) fn holding(series: Vec<Series>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (asked, series) = (Arc::new(Mutex::new(Vec::new())), Arc::new(series));
        let notes = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (series, notes) = (series.clone(), notes.clone());
                std::thread::spawn(move || serve(stream, &series, &notes));
            }
        });
        Self { url, asked }
    }

    /// The selectors that were asked for so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, series: &[Series], asked: &Mutex<Vec<String>>) -> Option<()> {
    let (path, body) = request(&mut stream)?;
    let data = match path.split('?').next()? {
        "/api/v1/query" => query(&body, series, asked),
        "/api/v1/status/buildinfo" => json!({"version": "0.0.1-fake"}),
        _ => json!([]),
    };
    let body = json!({"status": "success", "data": data}).to_string();
    let date = SystemClock.now().format("%a, %d %b %Y %H:%M:%S GMT");
    let head = format!("HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Type: application/json\r\n");
    let length = body.len();
    let rest = format!("Content-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    stream.write_all((head + &rest).as_bytes()).ok()
}

fn query(body: &str, series: &[Series], asked: &Mutex<Vec<String>>) -> Value {
    let field = |name: &str| {
        let mut pairs = body.split('&').filter_map(|pair| pair.split_once('='));
        decoded(pairs.find(|(key, _)| *key == name).unwrap_or_default().1)
    };
    let (query, to) = (field("query"), field("time").parse::<f64>().unwrap_or_default());
    let Some((selector, range)) = query.rsplit_once('[') else {
        return json!({"resultType": "vector", "result": [{"metric": {}, "value": [to, "1"]}]});
    };
    let (newest, selector) = selector
        .strip_prefix("last_over_time(")
        .map_or((false, selector), |selector| (true, selector));
    asked.lock().unwrap().push(selector.to_owned());
    let length = Span::parse(range.trim_end_matches([']', ')'])).unwrap();
    let from = to - length.as_millis() as f64 / 1e3;
    let selector = Selector::parse(selector).unwrap();
    let found = series.iter().filter(|s| selector.matches(&Labels::new(s.0.iter().cloned())));
    let shown = |(labels, samples): &Series| {
        let inside = samples.iter().filter(|(at, _)| from < *at as f64 && *at as f64 <= to);
        let values: Vec<Value> = inside.map(|(at, v)| json!([at, v.to_string()])).collect();
        let last = values.last()?.clone();
        let metric: serde_json::Map<String, Value> =
            labels.iter().map(|(k, v)| ((*k).to_owned(), json!(v))).collect();
        Some(match newest {
            true => json!({"metric": metric, "value": last}),
            false => json!({"metric": metric, "values": values}),
        })
    };
    let result: Vec<Value> = found.filter_map(shown).collect();
    json!({"resultType": if newest { "vector" } else { "matrix" }, "result": result})
}

/// The path of a request, and its body.
pub(crate) fn request(stream: &mut TcpStream) -> Option<(String, String)> {
    let (mut read, mut buffer) = (Vec::new(), [0; 4_096]);
    loop {
        let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        read.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&read);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let lower = head.to_ascii_lowercase();
        let length = lower.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.and_then(|l| l.trim().parse().ok()).unwrap_or(0);
        if body.len() >= length {
            return Some((head.split(' ').nth(1)?.to_owned(), body.to_owned()));
        }
    }
}

/// A form's value as text.
fn decoded(text: &str) -> String {
    let (mut out, mut bytes) = (Vec::new(), text.bytes());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [bytes.next().unwrap_or(b'0'), bytes.next().unwrap_or(b'0')];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    String::from_utf8(out).unwrap()
}
