//! The scrape source end to end: a page whose counters are known, ticks, and kills in mid-tick.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use slo_core::view::{BudgetView, State};
use slo_engine::config::Config;
use slo_engine::declared;
use slo_engine::evaluate::engine::Engine;
use slo_engine::evaluate::snapshot::Latest;
use slo_engine::source::config::{Secret, SourceConfig, SourceKind, TargetConfig};
use slo_engine::store::Store;

use crate::support::Dice;

/// A `/metrics` page with two counters; `answer` may replace it.
#[derive(Default)]
struct Page {
    good: AtomicU64,
    bad: AtomicU64,
    answer: Mutex<Option<String>>,
    /// What was asked last.
    asked: Mutex<String>,
}

fn serve(page: &Arc<Page>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let page = page.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 2_048];
            let length = stream.read(&mut request).unwrap_or(0);
            *page.asked.lock().unwrap() = String::from_utf8_lossy(&request[..length]).into_owned();
            let body = page.answer.lock().unwrap().clone().unwrap_or_else(|| {
                let (good, bad) =
                    (page.good.load(Ordering::SeqCst), page.bad.load(Ordering::SeqCst));
                let mut body = format!("# TYPE t_total counter\nt_total{{code=\"200\"}} {good}\n");
                if bad > 0 {
                    body += &format!("t_total{{code=\"500\"}} {bad}\n");
                }
                body
            });
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\nconnection: close\r\n";
            let _ = write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len());
        }
    });
    address
}

struct Run {
    config: Config,
    paths: Vec<PathBuf>,
    page: Arc<Page>,
    engine: Option<Engine>,
    store: Option<Store>,
    latest: Latest,
}

const SLO: &str = "apiVersion: headroom/v1\nkind: Service\nservice: a\ntier: 2\nenvironment: p\nslos:\n  - name: x\n    objective: 99%\n    window: 1d\n    indicator: {ratio: {total: t_total, bad: '{code=\"500\"}'}}\n";

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000 + seconds, 0).unwrap()
}

impl Run {
    fn new(folder: &tempfile::TempDir) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let page = Arc::new(Page { good: AtomicU64::new(7), ..Page::default() });
        let target = TargetConfig::Address(serve(&page));
        std::fs::write(folder.path().join("a.yaml"), SLO).unwrap();
        let source = SourceConfig {
            name: "scrape".to_owned(),
            kind: SourceKind::Scrape,
            targets: vec![target],
            scrape_interval: slo_core::time::Span::seconds(10),
            ..SourceConfig::default()
        };
        let mut config = Config { sources: vec![source], ..Config::default() };
        config.store.url = format!("sqlite://{}/h.db", folder.path().display());
        let paths = vec![folder.path().to_owned()];
        Self { config, paths, page, engine: None, store: None, latest: Latest::default() }
    }

    async fn start(&mut self, now: i64) {
        let declared = Arc::new(declared::read(&self.paths, None).unwrap());
        let store = Store::open(&self.config.store.url).await.unwrap();
        self.latest = Latest::default();
        let (latest, requested) = (self.latest.clone(), Arc::default());
        let engine =
            Engine::start(&self.config, declared, store.clone(), latest, requested, at(now)).await;
        self.engine = Some(engine.unwrap());
        self.store = Some(store);
    }

    async fn kill(&mut self) {
        self.engine = None;
        self.store.take().unwrap().close().await;
    }

    async fn tick(&mut self, now: i64) -> Arc<BudgetView> {
        self.engine.as_mut().unwrap().tick(at(now)).await;
        self.view()
    }

    fn view(&self) -> Arc<BudgetView> {
        self.latest.get().unwrap().all().next().unwrap().clone()
    }

    fn counts(&self) -> (u64, u64) {
        let window = &self.view().windows[0];
        (window.good.unwrap_or(0.0) as u64, window.bad.unwrap_or(0.0) as u64)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_kills_in_mid_tick_lose_and_double_no_event() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::new(&folder);
    let mut dice = Dice(3);
    let mut now = 0;
    run.start(now).await;
    run.tick(now).await;
    let before = run.page.good.load(Ordering::SeqCst);
    for _ in 0..200 {
        for _ in 0..dice.below(4) {
            now += 10;
            run.page.good.fetch_add(dice.below(50), Ordering::SeqCst);
            run.page.bad.fetch_add(dice.below(5), Ordering::SeqCst);
            run.tick(now).await;
        }
        now += 10;
        run.page.good.fetch_add(dice.below(50), Ordering::SeqCst);
        let cut = Duration::from_micros(dice.below(5_000));
        let _ = tokio::time::timeout(cut, run.engine.as_mut().unwrap().tick(at(now))).await;
        run.kill().await;
        now += i64::try_from(dice.below(40)).unwrap();
        run.start(now).await;
    }
    now += 10;
    run.tick(now).await;
    let (good, bad) = (run.page.good.load(Ordering::SeqCst), run.page.bad.load(Ordering::SeqCst));
    assert_eq!(run.counts(), (good - before, bad));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_is_asked_with_the_headers_and_the_token_of_its_source() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::new(&folder);
    let source = &mut run.config.sources[0];
    source.auth.bearer = Some(Secret::Text("s3cret".to_owned()));
    source.headers.insert("X-Scope-OrgID".to_owned(), Secret::Text("shop".to_owned()));
    run.start(0).await;
    run.tick(10).await;
    let asked = run.page.asked.lock().unwrap().to_lowercase();
    assert!(asked.contains("\r\nauthorization: bearer s3cret\r\n"), "{asked}");
    assert!(asked.contains("\r\nx-scope-orgid: shop\r\n"), "{asked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_breaks_makes_the_slo_stale_with_the_reason_and_nothing_is_guessed() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::new(&folder);
    run.start(0).await;
    for now in (0..120).step_by(10) {
        run.page.good.fetch_add(10, Ordering::SeqCst);
        run.tick(now).await;
    }
    let healthy = run.counts();
    assert_eq!(run.view().state, State::Healthy);
    *run.page.answer.lock().unwrap() = Some("t_total{code=\"200\" 12\n".to_owned());
    for now in (120..800).step_by(10) {
        run.tick(now).await;
    }
    let view = run.view();
    assert_eq!((view.state, run.counts()), (State::Stale, healthy));
    assert!(
        view.sources[0].last_error.as_ref().unwrap().contains("line 1"),
        "{:?}",
        view.sources[0].last_error
    );
    *run.page.answer.lock().unwrap() = None;
    run.page.good.fetch_add(5, Ordering::SeqCst);
    assert_eq!(run.tick(810).await.state, State::Healthy);
    assert_eq!(run.counts().0, healthy.0 + 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_boundary_that_is_spelled_anew_is_the_same_boundary() {
    const SLOW: &str = "{latency: {histogram: 'wait_seconds{}', under: 500ms}}";
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::new(&folder);
    let ratio = "{ratio: {total: t_total, bad: '{code=\"500\"}'}}";
    std::fs::write(folder.path().join("a.yaml"), SLO.replace(ratio, SLOW)).unwrap();
    let page = |le: &str, good: u64, all: u64| {
        format!(
            "# TYPE wait_seconds histogram\nwait_seconds_bucket{{le=\"{le}\"}} {good}\n\
             wait_seconds_bucket{{le=\"+Inf\"}} {all}\nwait_seconds_count {all}\nwait_seconds_sum 1\n"
        )
    };
    *run.page.answer.lock().unwrap() = Some(page("0.5", 1_000, 1_200));
    run.start(0).await;
    for (nth, le) in ["0.5", "0.5", "0.50", "5e-1", "0.5"].into_iter().enumerate() {
        let more = 10 * u64::try_from(nth).unwrap();
        *run.page.answer.lock().unwrap() = Some(page(le, 1_000 + more, 1_200 + 2 * more));
        run.tick(30 + 10 * i64::try_from(nth).unwrap()).await;
    }
    run.tick(90).await;
    assert_eq!(run.counts(), (40, 40));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timestamp_that_is_still_to_come_is_refused_and_hides_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::new(&folder);
    run.start(0).await;
    for now in (0..120).step_by(10) {
        run.page.good.fetch_add(10, Ordering::SeqCst);
        run.tick(now).await;
    }
    let before = run.counts();
    let later = at(420).timestamp_millis();
    *run.page.answer.lock().unwrap() = Some(format!("t_total{{code=\"200\"}} 999 {later}\n"));
    let view = run.tick(120).await;
    let reason = view.sources[0].last_error.clone().unwrap();
    assert!(reason.contains("a sample is stamped 300 s ahead of our clock"), "{reason}");
    *run.page.answer.lock().unwrap() = None;
    run.page.good.fetch_add(5, Ordering::SeqCst);
    assert_eq!(run.tick(130).await.sources[0].last_error, None);
    assert_eq!(run.counts(), (before.0 + 5, before.1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_histogram_that_is_missing_because_its_target_is_down_keeps_nobody_else_from_counting() {
    const SLOW: &str = "{latency: {histogram: 'wait_seconds{}', under: 500ms}}";
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::new(&folder);
    let slow = SLO.replace("service: a", "service: b");
    let slow = format!("{}indicator: {SLOW}\n", slow.split("indicator").next().unwrap());
    std::fs::write(folder.path().join("b.yaml"), slow).unwrap();
    run.config.sources[0].targets.push(TargetConfig::Address("127.0.0.1:1".to_owned()));
    run.start(0).await;
    for now in (0..200).step_by(10) {
        run.tick(now).await;
        run.page.good.fetch_add(10, Ordering::SeqCst);
    }
    assert_eq!(run.counts(), (190, 0));
    let slow = |run: &Run| run.latest.get().unwrap().all().nth(1).unwrap().clone();
    assert_eq!(slow(&run).state, State::NoData);
    assert!(slow(&run).sources[0].last_error.as_ref().unwrap().contains("127.0.0.1:1"));
    // The histogram comes: it is found within a minute, and the counter goes on.
    let page = |nth: u64| {
        let bucket = |le, by: u64| format!("wait_seconds_bucket{{le=\"{le}\"}} {}\n", nth * by);
        format!("t_total{{code=\"200\"}} {}\n{}{}", 207 + nth, bucket("0.5", 3), bucket("+Inf", 4))
    };
    for nth in 0..20 {
        *run.page.answer.lock().unwrap() = Some(page(nth));
        run.tick(200 + i64::try_from(nth).unwrap() * 10).await;
    }
    assert_eq!(run.counts(), (219, 0));
    let window = slow(&run).windows[0].clone();
    let total = window.total.unwrap();
    assert!(total > 40.0, "{window:?}");
    assert_eq!(window.bad, Some(total / 4.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_dead_ages_its_own_slos_at_once_and_is_not_told_of_others() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::new(&folder);
    let other = Arc::new(Page::default());
    *other.answer.lock().unwrap() = Some("other_total{code=\"200\"} 5\n".to_owned());
    run.config.sources[0].targets.push(TargetConfig::Address(serve(&other)));
    let of_other = SLO.replace("service: a", "service: b").replace("t_total", "other_total");
    std::fs::write(folder.path().join("b.yaml"), of_other).unwrap();
    run.start(0).await;
    for now in (0..60).step_by(10) {
        run.tick(now).await;
    }
    // Where its page cannot be read, nothing newer than the last page is known.
    *other.answer.lock().unwrap() = Some("broken{\n".to_owned());
    let view = |run: &Run, nth: usize| run.latest.get().unwrap().all().nth(nth).unwrap().clone();
    for now in (60..100).step_by(10) {
        run.tick(now).await;
        let (a, b) = (view(&run, 0), view(&run, 1));
        assert_eq!((a.age_seconds, &a.sources[0].last_error), (Some(0.0), &None));
        assert_eq!(b.age_seconds, Some((now - 50) as f64));
        assert!(b.sources[0].last_error.as_ref().unwrap().contains("line 1"));
    }
    // A restart changes nothing of it.
    run.kill().await;
    run.start(100).await;
    run.tick(100).await;
    assert_eq!(view(&run, 1).age_seconds, Some(50.0));
    *other.answer.lock().unwrap() = Some("other_total{code=\"200\"} 9\n".to_owned());
    run.tick(110).await;
    let b = view(&run, 1);
    assert_eq!((b.age_seconds, &b.sources[0].last_error), (Some(0.0), &None));
    assert_eq!(b.windows[0].total, Some(4.0));
}
