//! What ticks ask a search node for.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use slo_core::time::Minute;

use super::logs;
use crate::live::{Run, at};
use crate::support::fake::request;

/// 2026-05-01T00:00:50Z.
const BEGIN: i64 = 1_777_593_650;

/// A node whose every filter finds a document in each minute; it keeps what it was asked.
fn node() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let notes = asked.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let (path, body) = request(&mut stream).unwrap();
            answer(&mut stream, &body);
            notes.lock().unwrap().push(format!("{path}\n{body}"));
        }
    });
    (url, asked)
}

fn answer(stream: &mut TcpStream, body: &str) {
    let answers: Vec<Value> = searches(body).iter().map(found).collect();
    let body = json!({ "responses": answers }).to_string();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
    write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len()).unwrap();
}

/// The searches of a request, without the lines that name their indices.
fn searches(body: &str) -> Vec<Value> {
    body.lines().skip(1).step_by(2).map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn found(search: &Value) -> Value {
    let (from, to) = range(search);
    let minutes: Vec<Value> = (from.0..to.0)
        .map(|minute| json!({ "key": Minute(minute).start_millis(), "doc_count": 1 }))
        .collect();
    let bucket =
        json!({ "minutes": { "buckets": minutes }, "edge": { "value": to.start_millis() - 1 } });
    let filters = search["aggs"]["filters"]["filters"]["filters"].as_array().unwrap().len();
    json!({
        "timed_out": false,
        "_shards": { "total": 1, "successful": 1, "failed": 0 },
        "aggregations": { "filters": { "buckets": vec![bucket; filters] } },
    })
}

/// Which minutes a search looks at.
fn range(search: &Value) -> (Minute, Minute) {
    let range = &search["query"]["bool"]["filter"][0]["range"]["@timestamp"];
    let minute = |edge: &str| Minute::of_millis(range[edge].as_i64().unwrap());
    (minute("gte"), minute("lt"))
}

/// A service with two hundred SLOs, each with filters of its own, on three patterns.
fn two_hundred() -> String {
    let mut text = "apiVersion: headroom/v1\nkind: Service\nservice: shop\ntier: 2\nenvironment: test\nslos:\n".to_owned();
    for slo in 0..200 {
        let (source, pattern) = ("source: logs, index", slo % 3);
        let indicator = match slo % 2 {
            0 => format!(
                "ratio: {{{source}: 'logs-{pattern}-*', total: 'route : \"{slo}\"', bad: 'status >= 500'}}"
            ),
            _ => format!(
                "latency: {{{source}: 'logs-{pattern}-*', query: 'route : \"{slo}\"', field: took, unit: ms, under: 300ms}}"
            ),
        };
        text += &format!(
            "  - {{name: s{slo}, objective: 99%, window: [1d, 1h], indicator: {{{indicator}}}}}\n"
        );
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_of_two_hundred_slos_is_one_request_of_three_searches_of_the_open_minutes() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (url, asked) = node();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("slos.yaml"), two_hundred()).unwrap();
    let mut run = Run::in_folder("http://127.0.0.1:9", &folder);
    run.config_mut().sources = vec![logs(&url)];
    run.start(at(BEGIN)).await;
    let engine = run.engine.as_mut().unwrap();
    engine.tick(at(BEGIN)).await;
    for (second, open) in [(15, -2..1), (75, -2..2), (135, -1..3)] {
        asked.lock().unwrap().clear();
        engine.tick(at(BEGIN + second)).await;
        let requests = asked.lock().unwrap().clone();
        let [request] = &requests[..] else { panic!("{} requests", requests.len()) };
        let (path, body) = request.split_once('\n').unwrap();
        assert!(path.starts_with("/_msearch?"), "{path}");
        // Two minutes after its end a minute is closed; the last read was 15 or 60 s ago.
        let begin = Minute::of(at(BEGIN));
        let expected = (begin + open.start, begin + open.end);
        assert_eq!(searches(body).iter().map(range).collect::<Vec<_>>(), [expected; 3]);
    }
    assert_eq!(run.views().len(), 200);
    assert!(run.views().iter().all(|view| view.windows[0].total.is_some()));
}
