//! The server as a process: files that change under it, signals, a source that fails for a while.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use slo_engine::clock::{Clock, SystemClock};

use crate::support::fake::{Fake, counter};
use crate::support::faulty::{Answer, Faulty};
use crate::support::lab::{REQUESTS, service, slo};

/// 100 requests a minute until now, one of them bad.
pub(crate) fn traffic() -> Fake {
    let now = SystemClock.now().timestamp();
    let series = |code, by| {
        let labels = [("__name__", "http_requests_total"), ("job", "shop"), ("code", code)];
        counter(&labels, now, 120, by)
    };
    Fake::holding(vec![series("200", 99), series("500", 1)])
}

/// A running server; it is killed with this value.
pub(crate) struct Running {
    child: Child,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) url: String,
    environment: Vec<(String, String)>,
}

impl Running {
    /// Serves some SLOs from a source, ticking each second.
    pub(crate) async fn new(source: &str, slos: &str, watch: bool) -> Self {
        Self::with(source, slos, watch, &[]).await
    }

    /// The same with more variables of its environment.
    pub(crate) async fn with(
        source: &str,
        slos: &str,
        watch: bool,
        environment: &[(&str, &str)],
    ) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("slos")).unwrap();
        std::fs::write(folder.path().join("slos/shop.yaml"), slos).unwrap();
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let environment: Vec<_> = environment.iter().map(owned).collect();
        let (child, url) = start(folder.path(), source, watch, &environment);
        let running = Self { child, folder, url, environment };
        running.until("it answers", |said| said["status"].is_number()).await;
        running
    }

    pub(crate) fn write(&self, text: &str) {
        std::fs::write(self.folder.path().join("slos/shop.yaml"), text).unwrap();
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build().unwrap();
        match client.get(format!("{}{path}", self.url)).send().await {
            Err(_) => (0, Value::Null),
            Ok(answer) => {
                let status = answer.status().as_u16();
                let text = answer.text().await.unwrap_or_default();
                (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
            }
        }
    }

    /// Waits until what the server says of itself and of the SLO `requests` is so.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let (status, ready) = self.get("/readyz").await;
            let (found, slo) = self.get("/v1/slos/shop/requests").await;
            let said = serde_json::json!({"ready": ready, "found": found, "slo": slo});
            let status = if status == 0 { Value::Null } else { status.into() };
            let mut said = said;
            said["status"] = status;
            if is_so(&said) {
                return said;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "not within 30 s: {what}; {said:#}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    /// What a kill leaves behind, started again.
    pub(crate) async fn restart(&mut self, source: &str) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        (self.child, self.url) = start(self.folder.path(), source, false, &self.environment);
        self.until("it answers again", |said| said["status"].is_number()).await;
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(
    folder: &Path,
    source: &str,
    watch: bool,
    environment: &[(String, String)],
) -> (Child, String) {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let log = std::fs::File::create(folder.join("log")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_slo-engine"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HEADROOM")) {
        command.env_remove(name);
    }
    command.arg("serve").current_dir(folder).env("NO_PROXY", "127.0.0.1");
    command.env("HEADROOM__SERVER__LISTEN", &address).env("HEADROOM__SOURCES__0__URL", source);
    command.env("HEADROOM__SCHEDULE__TICK", "1s").env("HEADROOM__SPECS__WATCH", watch.to_string());
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    (command.spawn().unwrap(), format!("http://{address}"))
}

fn one() -> String {
    service(&slo("requests", REQUESTS))
}

fn is_counted(said: &Value) -> bool {
    said["slo"]["windows"][0]["bad"].as_f64() > Some(100.0) && said["slo"]["backfill"].is_null()
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_files_are_taken_over_and_one_with_an_error_changes_nothing() {
    let running = Running::new(&traffic().url, &one(), true).await;
    running.until("the past is counted", is_counted).await;
    running.write(&one().replace("99%", "100%"));
    let said = running
        .until("the error shows", |said| said["ready"]["files"].to_string().contains("100"))
        .await;
    let shown = said["ready"].to_string();
    assert!(shown.contains("slos/shop.yaml:9"), "{shown}");
    assert!(is_counted(&said) && said["status"] == 200, "{said:#}");
    running.write(&one().replace("99%", "98%"));
    let in_force =
        |said: &Value| said["slo"]["objective"] == 0.98 && said["ready"]["files"].is_null();
    let said = running.until("98 % is in force, and no error shows", in_force).await;
    assert!(is_counted(&said), "an edit of the objective resets nothing: {said:#}");
    running.write(&one().replace("name: requests", "name: renamed"));
    running.until("the old name is gone", |said| said["found"] == 404).await;
    assert_eq!(running.get("/v1/slos/shop/renamed").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn sighup_reads_the_files_again_and_sigterm_stops_in_order() {
    let mut running = Running::new(&traffic().url, &one(), false).await;
    running.until("the past is counted", is_counted).await;
    running.write(&one().replace("99%", "98%"));
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (_, slo) = running.get("/v1/slos/shop/requests").await;
    assert_eq!(slo["objective"], 0.99, "nobody asked for it yet");
    running.signal("-HUP");
    running.until("98 % is in force", |said| said["slo"]["objective"] == 0.98).await;
    let begun = Instant::now();
    running.signal("-TERM");
    let status = running.child.wait().unwrap();
    assert!(status.success() && begun.elapsed() < Duration::from_secs(6), "{status}");
    assert!(running.log().contains("stopped"), "{}", running.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_that_fails_shows_at_once_and_not_with_the_next_tick() {
    let tick = [("HEADROOM__SCHEDULE__TICK", "10m")];
    let running = Running::with(&traffic().url, &one(), false, &tick).await;
    running.write("apiVersion: headroom/v1\nkind: Servce\n");
    running.signal("-HUP");
    let said = running
        .until("the error shows", |said| said["ready"]["files"].to_string().contains("Servce"))
        .await;
    assert_eq!(said["status"], 200, "{said:#}");
    let (_, metrics) = running.get("/metrics").await;
    assert!(metrics.as_str().unwrap().contains("\nheadroom_files_error 1\n"));
    running.write(&one());
    running.signal("-HUP");
    running.until("no error shows", |said| said["ready"]["files"].is_null()).await;
}

#[test]
fn a_source_that_cannot_be_used_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("slos")).unwrap();
    std::fs::write(folder.path().join("slos/shop.yaml"), one()).unwrap();
    for (name, value, said) in [
        ("HEADROOM__SOURCES__0__CAFILE", "none.pem", "cannot read caFile none.pem"),
        (
            "HEADROOM__SOURCES__0__AUTH__BEARER",
            "{env: NONE}",
            "auth.bearer: the environment variable NONE",
        ),
        ("HEADROOM__SOURCES__0__HEADERS", "{'a b': c}", "`a b` cannot be the name of a header"),
    ] {
        let environment = [(name.to_owned(), value.to_owned())];
        let (mut child, _) = start(folder.path(), "http://127.0.0.1:1", false, &environment);
        assert_eq!(child.wait().unwrap().code(), Some(1), "{name}");
        let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
        assert!(log.contains(said) && !log.contains("listening"), "{log}");
        assert!(!folder.path().join("data").exists(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn exclusions_of_the_files_are_recorded_at_the_start_and_when_they_change() {
    let source = traffic();
    let exclusion = |reason: &str| {
        format!(
            "---\napiVersion: headroom/v1\nkind: Exclusion\nslos: [shop/*]\nfrom: 2026-11-20T02:00Z\n\
             until: 2026-11-20T02:40Z\nreason: {reason}\nauthor: ana\n"
        )
    };
    let running =
        Running::new(&source.url, &format!("{}{}", one(), exclusion("upgrade")), false).await;
    let recorded = async |reason: &str| {
        let begun = Instant::now();
        loop {
            let (_, page) = running.get("/v1/exclusions").await;
            let one = &page["items"][0];
            if one["reason"] == reason && one["at"].is_string() {
                return page["items"].as_array().unwrap().len();
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "{page:#}\n{}", running.log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    assert_eq!(recorded("upgrade").await, 1);
    running.write(&format!("{}{}", one(), exclusion("longer upgrade")));
    running.signal("-HUP");
    assert_eq!(recorded("longer upgrade").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_on_one_database_is_refused_before_it_says_that_it_listens() {
    let running = Running::new(&traffic().url, &one(), true).await;
    let (mut second, _) = start(running.folder.path(), "http://127.0.0.1:1", true, &[]);
    assert_eq!(second.wait().unwrap().code(), Some(1));
    let said = running.log();
    assert!(said.contains("another server") && !said.contains("listening"), "{said}");
    assert_eq!(running.get("/healthz").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_fails_for_a_while_leaves_the_numbers_with_the_reason_and_comes_back() {
    let (real, mode) = (traffic(), Arc::new(AtomicUsize::new(0)));
    let ahead: &'static str = Box::leak(
        (SystemClock.now() + chrono::TimeDelta::minutes(5))
            .format("Date: %a, %d %b %Y %H:%M:%S GMT\r\n")
            .to_string()
            .into_boxed_str(),
    );
    const EMPTY: &str = r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#;
    let now = mode.clone();
    let proxy = Faulty::before(&real.url, move |_| match now.load(Ordering::SeqCst) {
        0 => Answer::Forward,
        1 => Answer::Silence,
        2 => Answer::Reply(200, ahead, EMPTY),
        3 => Answer::Reply(429, "Retry-After: 2\r\n", "later"),
        _ => Answer::Truncated(EMPTY),
    });
    let running = Running::new(&proxy.url, &one(), true).await;
    let before = running.until("the past is counted", is_counted).await;
    let faults = [
        (1, "cannot reach"),
        (2, "s ahead of ours"),
        (3, "asks for a pause (429) of 2s"),
        (4, "cannot reach"),
    ];
    for (fault, expected) in faults {
        mode.store(fault, Ordering::SeqCst);
        let reason =
            |said: &Value| said["slo"]["sources"][0]["lastError"].as_str().map(str::to_owned);
        let close = |said: &Value| {
            let shown = said["ready"]["sources"]["prometheus"].is_string();
            shown && reason(said).is_some_and(|reason| reason.contains(expected))
        };
        let said = running.until(expected, close).await;
        let counted = |said: &Value| said["slo"]["windows"][0]["bad"].clone();
        assert_eq!(counted(&said), counted(&before), "nothing is guessed");
        assert_eq!(said["status"], 200, "{said:#}");
        mode.store(0, Ordering::SeqCst);
        running.until("it is read again", |said| reason(said).is_none()).await;
    }
}

/// Waits until two SLOs are so.
async fn both(running: &Running, what: &str, is_so: &dyn Fn(&Value, &Value) -> bool) {
    let begun = Instant::now();
    loop {
        let (_, http) = running.get("/v1/slos/shop/requests").await;
        let (_, pay) = running.get("/v1/slos/shop/pay").await;
        if is_so(&http, &pay) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(40), "{what}: {http:#} {pay:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Two metrics that count the same.
fn twice() -> Fake {
    let now = SystemClock.now().timestamp();
    let series = |name, code, by| {
        counter(&[("__name__", name), ("job", "shop"), ("code", code)], now, 180, by)
    };
    let of = |name| [series(name, "200", 99), series(name, "500", 1)];
    Fake::holding([of("http_requests_total"), of("pay_requests_total")].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_slo_that_is_refused_for_a_while_is_counted_from_where_it_was_and_the_others_meanwhile()
{
    let (real, refuses) = (twice(), Arc::new(AtomicBool::new(true)));
    let is_refused = refuses.clone();
    let proxy = Faulty::judging(&real.url, move |_, asked| {
        let is_it = asked.windows(3).any(|word| word == b"pay");
        match is_it && is_refused.load(Ordering::Relaxed) {
            true => Answer::Reply(400, "", REFUSED),
            false => Answer::Forward,
        }
    });
    let pay = slo("pay", &REQUESTS.replace("http", "pay"));
    let running = Running::new(&proxy.url, &format!("{}{pay}", one()), false).await;
    let total = |view: &Value| view["windows"][0]["total"].as_f64();
    let said = |view: &Value| view["sources"][0]["lastError"].to_string();
    let is_told = |http: &Value, pay: &Value| {
        said(pay).contains("(bad_data): no such thing") && said(http) == "null"
    };
    let is_same = |http: &Value, pay: &Value| {
        said(pay) == "null" && total(http) > Some(10_000.0) && total(http) == total(pay)
    };
    both(&running, "refused from the start", &|http, pay| {
        is_told(http, pay) && total(http) > Some(10_000.0) && total(pay).is_none()
    })
    .await;
    refuses.store(false, Ordering::Relaxed);
    both(&running, "answered", &is_same).await;
    refuses.store(true, Ordering::Relaxed);
    both(&running, "refused again", &is_told).await;
    refuses.store(false, Ordering::Relaxed);
    both(&running, "answered again", &is_same).await;
    assert_eq!(running.log().matches("an SLO is read again slo=shop/pay@").count(), 2);
}

const REFUSED: &str = r#"{"status":"error","errorType":"bad_data","error":"no such thing"}"#;
