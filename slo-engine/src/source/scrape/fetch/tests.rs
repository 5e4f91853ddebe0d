//! Good and bad targets, played by a listener on a free port.

use std::error::Error as _;
use std::io::Write as _;
use std::time::Instant;

use chrono::TimeZone as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::source::scrape::attempt::{Attempt, attempt};
use crate::source::scrape::text::Kind;

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPEN: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What a fake target does after it has read the request.
enum Play {
    /// Send these bytes, then close.
    Send(Vec<u8>),
    /// Send the first, then the second for ever, with a pause after each.
    Repeat(Vec<u8>, Vec<u8>, Duration),
}

struct Fake {
    target: Target,
    request: tokio::task::JoinHandle<String>,
}

async fn fake(play: Play) -> Fake {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::parse(&listener.local_addr().unwrap().to_string(), "shop").unwrap();
    let request = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let request = request(&mut stream).await;
        perform(play, &mut stream).await;
        request
    });
    Fake { target, request }
}

async fn request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(bytes).unwrap()
}

/// Write errors are the client hanging up, which some tests are about.
async fn perform(play: Play, stream: &mut TcpStream) {
    match play {
        Play::Send(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Play::Repeat(first, then, pause) => {
            let mut alive = stream.write_all(&first).await.is_ok();
            while alive {
                alive = stream.write_all(&then).await.is_ok();
                tokio::time::sleep(pause).await;
            }
        }
    }
}

fn head(status: &str, headers: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n").into_bytes()
}

fn reply(status: &str, headers: &str, body: &[u8]) -> Play {
    let length = format!("Content-Length: {}\r\n{headers}", body.len());
    Play::Send([&head(status, &length), body].concat())
}

fn page(content_type: &str, body: &str) -> Play {
    reply("200 OK", &format!("Content-Type: {content_type}\r\n"), body.as_bytes())
}

fn test_client() -> Client {
    // The second and later tests of a process find it installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    client(Client::builder().no_proxy()).unwrap()
}

fn start() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 1, 2, 3, 4, 5).unwrap()
}

const LIMITS: Limits = Limits { timeout: Duration::from_secs(5), body: 1 << 20 };

async fn scraped(target: &Target, limits: Limits) -> Attempt {
    attempt(&test_client(), target, limits, start(), |name| name == "a_total").await
}

async fn refusal(play: Play, limits: Limits) -> String {
    let fake = fake(play).await;
    let attempt = scraped(&fake.target, limits).await;
    assert!(!attempt.is_up() && attempt.samples() == 0);
    let error = attempt.outcome.unwrap_err();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    assert!(text.contains(&fake.target.to_string()), "{text} does not name the target");
    text
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_good_page_of_0_0_4_becomes_rows_with_the_targets_labels() {
    let body =
        "# TYPE a_total counter\na_total{code=\"200\"} 5\na_total{code=\"500\"} 1 1000\nb 1\n";
    let fake = fake(page(TEXT, body)).await;
    let attempt = scraped(&fake.target, LIMITS).await;
    assert!(attempt.is_up());
    assert_eq!((attempt.samples(), attempt.started), (3, start()));
    assert!(attempt.duration > Duration::ZERO && attempt.duration < LIMITS.timeout);
    let rows = attempt.outcome.unwrap().rows;
    assert_eq!(
        rows[0].labels.to_string(),
        format!("a_total{{code=\"200\",instance=\"{}\",job=\"shop\"}}", fake.target.instance())
    );
    assert_eq!((rows[0].millis, rows[0].kind), (Some(start().timestamp_millis()), Kind::Counter));
    assert_eq!((rows.len(), rows[1].millis), (2, Some(1_000)));
}

#[tokio::test]
async fn a_good_page_of_openmetrics_brings_its_created_instants() {
    let body = "# TYPE a counter\na_total 5 # {t=\"1\"} 1\na_created 1500000000\n# EOF\n";
    let fake = fake(page(OPEN, body)).await;
    let scrape = scraped(&fake.target, LIMITS).await.outcome.unwrap();
    assert_eq!((scrape.samples, scrape.rows.len()), (2, 1));
    assert_eq!(scrape.rows[0].created, Some(1_500_000_000_000));
}

#[tokio::test]
async fn both_formats_and_gzip_are_offered() {
    let fake = fake(page(TEXT, "a_total 1\n")).await;
    scraped(&fake.target, LIMITS).await.outcome.unwrap();
    let request = fake.request.await.unwrap();
    assert!(request.starts_with("GET /metrics HTTP/1.1\r\n"), "{request}");
    for offered in
        ["application/openmetrics-text;version=1.0.0", "text/plain;version=0.0.4", "gzip"]
    {
        assert!(request.contains(offered), "{request}");
    }
}

#[tokio::test]
async fn the_date_header_tells_the_targets_clock() {
    for (header, date) in [
        ("Date: Fri, 02 Jan 2026 03:09:05 GMT\r\n", Some(start() + chrono::TimeDelta::minutes(5))),
        ("Date: yesterday\r\n", None),
        ("", None),
    ] {
        let headers = format!("Content-Type: {TEXT}\r\n{header}");
        let fake = fake(reply("200 OK", &headers, b"a_total 1\n")).await;
        let scrape = scraped(&fake.target, LIMITS).await.outcome.unwrap();
        assert_eq!(scrape.date, date, "{header}");
    }
}

#[tokio::test]
async fn a_gzipped_page_is_read() {
    let headers = format!("Content-Type: {TEXT}\r\nContent-Encoding: gzip\r\n");
    let fake = fake(reply("200 OK", &headers, &gzip(b"a_total 7\n"))).await;
    let rows = scraped(&fake.target, LIMITS).await.outcome.unwrap().rows;
    assert_eq!(rows[0].value.to_bits(), 7_f64.to_bits());
}

#[tokio::test]
async fn a_gzip_bomb_is_refused_at_the_limit_of_decompressed_bytes() {
    let bomb = gzip(&vec![b'\n'; 64 << 20]);
    assert!(bomb.len() < LIMITS.body, "the compressed page is within the limit");
    let headers = format!("Content-Type: {TEXT}\r\nContent-Encoding: gzip\r\n");
    let text = refusal(reply("200 OK", &headers, &bomb), LIMITS).await;
    assert!(text.contains("sent more than 1048576 bytes (decompressed)"), "{text}");
}

#[tokio::test]
async fn an_endless_body_is_refused_at_the_limit() {
    let began = Instant::now();
    let first = head("200 OK", &format!("Content-Type: {TEXT}\r\n"));
    let endless = Play::Repeat(first, b"a_total 1\n".repeat(4_096), Duration::ZERO);
    let text = refusal(endless, LIMITS).await;
    assert!(text.contains("sent more than 1048576 bytes") && text.contains("raise the limit"));
    assert!(began.elapsed() < LIMITS.timeout);
}

#[tokio::test]
async fn a_body_announced_beyond_the_limit_is_not_read_at_all() {
    let headers = format!("Content-Type: {TEXT}\r\nContent-Length: 99999999\r\n");
    let silent = Play::Repeat(head("200 OK", &headers), Vec::new(), Duration::from_secs(1));
    let text = refusal(silent, LIMITS).await;
    assert!(text.contains("sent more than 1048576 bytes"), "{text}");
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_read() {
    let fake = fake(page(TEXT, "a_total 1\n")).await;
    let limits = Limits { body: 10, ..LIMITS };
    assert_eq!(scraped(&fake.target, limits).await.samples(), 1);
}

#[tokio::test]
async fn a_slow_drip_ends_at_the_timeout_of_the_whole_request() {
    let limits = Limits { timeout: Duration::from_millis(300), ..LIMITS };
    let first = head("200 OK", &format!("Content-Type: {TEXT}\r\n"));
    for (first, drop) in [(first, b"#".to_vec()), (b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'x'])]
    {
        let began = Instant::now();
        let drip = Play::Repeat(first, drop, Duration::from_millis(20));
        let text = refusal(drip, limits).await;
        assert!(text.contains("did not send its whole page within 300ms"), "{text}");
        assert!(began.elapsed() < Duration::from_secs(3));
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_its_location_is_named() {
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect"] {
        let play = reply(status, "Location: http://127.0.0.1:1/login\r\n", b"");
        let text = refusal(play, LIMITS).await;
        assert!(text.contains("redirects to http://127.0.0.1:1/login; redirects are not followed"));
    }
}

#[tokio::test]
async fn a_client_that_followed_a_redirect_brings_no_samples_either() {
    let end = fake(page(TEXT, "a_total 1\n")).await;
    let headers = format!("Location: {}\r\n", end.target);
    let begin = fake(reply("302 Found", &headers, b"")).await;
    test_client();
    let follows = Client::builder().no_proxy().build().unwrap();
    let error = fetch(&follows, &begin.target, LIMITS, start()).await.unwrap_err();
    assert!(
        matches!(error, FetchError::Redirect { location, .. } if location == end.target.to_string())
    );
}

#[tokio::test]
async fn an_html_page_is_refused_with_its_first_bytes() {
    let html = format!("<!doctype html>\r\n<title>\u{1b}[31m{}", "x".repeat(500));
    let text = refusal(page("text/html; charset=utf-8", &html), LIMITS).await;
    let wanted = "sent text/html; charset=utf-8, beginning with \
                  `<!doctype html>\\r\\n<title>\\u{1b}[31mxxx";
    assert!(text.contains(wanted) && text.contains("xxx...`; metrics are"), "{text}");
    assert!(text.len() < 400, "{text}");
}

#[tokio::test]
async fn a_page_without_a_content_type_is_refused() {
    let text = refusal(reply("200 OK", "", b"a_total 1\n"), LIMITS).await;
    assert!(text.contains("sent no Content-Type, beginning with `a_total 1\\n`"), "{text}");
}

#[tokio::test]
async fn html_that_calls_itself_plain_text_is_refused_in_its_first_line() {
    let text = refusal(page(TEXT, "<html>\n"), LIMITS).await;
    assert!(text.contains("was refused: line 1: expected one metric name"), "{text}");
}

#[tokio::test]
async fn other_answers_than_200_are_refused_with_status_and_beginning() {
    for (status, body, wanted) in [
        (
            "500 Internal Server Error",
            "oh\nno",
            "answered 500 Internal Server Error instead of 200 OK, beginning with `oh\\nno`",
        ),
        ("404 Not Found", "", "answered 404 Not Found instead of 200 OK"),
        ("204 No Content", "", "answered 204 No Content instead of 200 OK"),
        ("304 Not Modified", "", "answered 304 Not Modified instead of 200 OK"),
    ] {
        let headers = format!("Content-Type: {TEXT}\r\n");
        let text = refusal(reply(status, &headers, body.as_bytes()), LIMITS).await;
        assert!(text.contains(wanted), "{text}");
    }
}

#[tokio::test]
async fn a_refusal_whose_body_hangs_is_told_as_the_refusal() {
    let first = head("503 Service Unavailable", "Content-Length: 10\r\n");
    let text = refusal(Play::Repeat(first, Vec::new(), Duration::from_millis(50)), LIMITS).await;
    assert!(text.contains("answered 503 Service Unavailable"), "{text}");
}

#[tokio::test]
async fn a_body_shorter_than_its_content_length_broke_off() {
    let headers = format!("Content-Type: {TEXT}\r\nContent-Length: 1000\r\n");
    let cut = Play::Send([head("200 OK", &headers), b"a_total 1\n".to_vec()].concat());
    let text = refusal(cut, LIMITS).await;
    assert!(text.contains("broke off after 10 bytes: "), "{text}");
}

#[tokio::test]
async fn a_gzipped_body_that_is_cut_or_garbage_broke_off() {
    let zipped = gzip(b"a_total 1\n");
    for body in [&zipped[..zipped.len() - 6], b"garbage!" as &[u8]] {
        let headers = format!("Content-Type: {TEXT}\r\nContent-Encoding: gzip\r\n");
        let text = refusal(reply("200 OK", &headers, body), LIMITS).await;
        assert!(text.contains("broke off after"), "{text}");
    }
}

#[tokio::test]
async fn a_body_without_length_that_ends_in_mid_line_was_cut_short() {
    let first = head("200 OK", &format!("Content-Type: {TEXT}\r\n"));
    let text = refusal(Play::Send([first, b"a_total 12".to_vec()].concat()), LIMITS).await;
    assert!(text.contains("line 1 has no line feed"), "{text}");
}

#[tokio::test]
async fn an_encoding_that_was_not_offered_is_refused() {
    let headers = format!("Content-Type: {TEXT}\r\nContent-Encoding: br\r\n");
    let text = refusal(reply("200 OK", &headers, b"x"), LIMITS).await;
    assert!(text.contains("Content-Encoding br, which was not asked for"), "{text}");
}

#[tokio::test]
async fn a_page_that_is_not_utf_8_is_refused_with_its_line() {
    let headers = format!("Content-Type: {TEXT}\r\n");
    let text = refusal(reply("200 OK", &headers, b"a_total 1\nb{x=\"\xff\"} 1\n"), LIMITS).await;
    assert!(text.contains("is not UTF-8 in line 2"), "{text}");
}

#[tokio::test]
async fn duplicate_series_and_missing_eof_refuse_the_whole_page() {
    let text = refusal(page(TEXT, "a_total 1\na_total 2\n"), LIMITS).await;
    assert!(text.contains("was refused: line 2: a_total{} stands in line 1 already"), "{text}");
    let text = refusal(page(OPEN, "a_total 1\n"), LIMITS).await;
    assert!(text.contains("without `# EOF`"), "{text}");
}

#[tokio::test]
async fn many_targets_are_scraped_at_once_from_tasks() {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let fake = fake(page(TEXT, "a_total 1\n")).await;
        tasks.spawn(async move { scraped(&fake.target, LIMITS).await.samples() });
    }
    assert_eq!(tasks.join_all().await, [1; 8]);
}

#[tokio::test]
async fn nobody_listening_and_no_http_are_told_with_their_cause() {
    let text = refusal(Play::Send(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()), LIMITS).await;
    assert!(text.contains("failed: "), "{text}");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::parse(&listener.local_addr().unwrap().to_string(), "shop").unwrap();
    drop(listener);
    let error = fetch(&test_client(), &target, LIMITS, start()).await.unwrap_err();
    assert_eq!(error.to_string(), format!("asking {target} failed"));
    assert!(error.source().is_some());
}
