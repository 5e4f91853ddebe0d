//! What every `MetricSource` must make of the same history, read minute by minute: the buckets are the
//! same, whichever way the samples came.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use headroom_bench::openmetrics::Series;
use slo_core::bucket::Bucket;
use slo_core::counter::Rules;
use slo_core::plan::{Defaults, Feeds, shares};
use slo_core::time::{Minute, Span};
use slo_engine::source::config::{SourceConfig, SourceKind, TargetConfig};
use slo_engine::source::error::SourceError;
use slo_engine::source::intake::Intake;
use slo_engine::source::prometheus::Prometheus;
use slo_engine::source::reader::MetricSource;
use slo_engine::source::scrape::source::Scrape;

use crate::support::lab::{Lab, at, series, service, slo};

const FIRST: i64 = -60;

/// A source that shows a history up to an instant.
struct Site {
    name: &'static str,
    source: Arc<dyn MetricSource>,
    /// Unix milliseconds.
    now: Arc<AtomicI64>,
}

fn sites(lab: &Lab, history: &[Series]) -> Vec<Site> {
    let api = |name, url: &str| {
        let config = SourceConfig { url: url.to_owned(), ..SourceConfig::default() };
        let source = Arc::new(Prometheus::new(&config).unwrap());
        Site { name, source, now: Arc::default() }
    };
    let now = Arc::new(AtomicI64::new(0));
    let instances: BTreeSet<&str> = history.iter().map(|s| s.label("instance")).collect();
    let target = |instance: &&str| {
        let own: Vec<Series> =
            history.iter().filter(|s| s.label("instance") == *instance).cloned().collect();
        TargetConfig::Named { url: page(own, now.clone()), job: "shop".to_owned() }
    };
    let targets = instances.iter().map(target).collect();
    let config = SourceConfig { kind: SourceKind::Scrape, targets, ..SourceConfig::default() };
    vec![
        api("Prometheus", lab.server.url()),
        api("VictoriaMetrics", lab.victoria.url()),
        Site { name: "scrape", source: Arc::new(Scrape::new(&config).unwrap()), now },
    ]
}

/// Serves what one target shows at `now`; a target without samples does not answer.
fn page(series: Vec<Series>, now: Arc<AtomicI64>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let series = Mutex::new(series);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let _ = stream.read(&mut [0; 2_048]);
            let now = now.load(Ordering::SeqCst);
            let mut body = String::new();
            for one in series.lock().unwrap().iter() {
                let Some((_, value)) = one.samples.iter().find(|(at, _)| *at == now) else {
                    continue;
                };
                let own = one.labels.iter().filter(|(n, _)| *n != "job" && *n != "instance");
                let labels: Vec<String> = own.map(|(n, v)| format!("{n}=\"{v}\"")).collect();
                writeln!(body, "{}{{{}}} {value}", one.name, labels.join(",")).unwrap();
            }
            if !body.is_empty() {
                let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\nconnection: close\r\n";
                let _ = write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len());
            }
        }
    });
    address
}

/// Reads a history minute by minute, as a running server does.
async fn read(site: &Site, fed: &Feeds, rules: Rules) -> BTreeMap<Minute, Bucket> {
    let (mut fed, mut buckets) = (fed.clone(), BTreeMap::new());
    site.now.store(at(FIRST), Ordering::SeqCst);
    site.source.prepare(&mut fed, at(FIRST), at(-1)).await.unwrap();
    'anew: loop {
        let from = Minute::of_millis(at(FIRST));
        let mut intake = Intake::new(vec![(Arc::new(fed.clone()), rules)], from, 64 * 1024);
        for minute in FIRST..0 {
            site.now.store(at(minute), Ordering::SeqCst);
            let read = match site.source.read(&mut intake, at(minute - 1), at(minute)).await {
                Err(SourceError::Mixed { .. }) => {
                    fed.mix();
                    continue 'anew;
                }
                read => read.unwrap(),
            };
            for (_, outcome) in read.outcomes {
                buckets.extend(outcome.buckets);
                for mark in outcome.marks {
                    let bucket: &mut Bucket = buckets.entry(mark.minute).or_default();
                    bucket.measured |= mark.measured;
                    bucket.partial |= mark.partial;
                }
            }
            intake.close(Minute::of_millis(at(minute)));
        }
        return buckets;
    }
}

/// Reads a history through every source; good and total must be these.
async fn agree(name: &str, indicator: &str, history: &[Series], counts: (i64, i64)) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let text = service(&slo("x", indicator));
    let set = slo_core::spec::load(&[("slo.yaml".to_owned(), text.into())]).unwrap();
    let fed = shares(&set.services[0].slos[0], Defaults::default()).remove(0).feeds;
    let rules = Rules { look_back: Span::minutes(5), max_gap: Span::minutes(360) };
    let lab = Lab::holding(&format!("conformance-{name}"), history);
    let mut all = Vec::new();
    for site in sites(&lab, history) {
        let buckets = read(&site, &fed, rules).await;
        let sum = |of: fn(&Bucket) -> i64| buckets.values().map(of).sum::<i64>();
        assert_eq!((sum(|b| b.good), sum(|b| b.total)), counts, "{name} by {}", site.name);
        all.push((site.name, buckets));
    }
    for (other, buckets) in &all[1..] {
        assert_eq!(buckets, &all[0].1, "{name}: {other} and {}", all[0].0);
    }
}

const RATIO: &str = r#"{ratio: {total: 'requests_total{}', bad: '{code="500"}'}}"#;

/// A counter of one target at some minutes.
fn requests(instance: &str, code: &str, points: &[(i64, f64)]) -> Series {
    let labels = [("job", "shop"), ("instance", instance), ("code", code)];
    series("requests_total", &labels, points)
}

fn growing(minutes: std::ops::Range<i64>, first: i64, by: i64) -> Vec<(i64, f64)> {
    let value = |minute: i64| (first + (minute - minutes.start) * by) as f64;
    minutes.clone().map(|minute| (minute, value(minute))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_that_fall_dip_pause_and_are_born() {
    let mut good = growing(FIRST..-40, 5_000, 10);
    good.extend(growing(-40..-30, 3, 10));
    good.extend(growing(-18..0, 200, 10));
    let history = [requests("a", "200", &good), requests("a", "500", &growing(-50..0, 4, 1))];
    // 19 x 10; reset to 3, 9 x 10; over the pause to 200, 17 x 10. Born with 4, 49 x 1.
    let good = 190 + 3 + 90 + (200 - 93) + 170;
    agree("falls", RATIO, &history, (good, good + 4 + 49)).await;
    let mut dips = growing(FIRST..-30, 5_000, 10);
    dips.extend([(-30, 5_250.0), (-29, 5_280.0)]);
    dips.extend(growing(-28..0, 5_310, 10));
    agree("dips", RATIO, &[requests("a", "200", &dips)], (310 + 270, 310 + 270)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_target_counts_from_its_process_start() {
    let start = |instance, began: i64| {
        let labels = [("job", "shop"), ("instance", instance)];
        let points: Vec<(i64, f64)> = (-30..0).map(|m| (m, began as f64)).collect();
        series("process_start_time_seconds", &labels, &points)
    };
    let history = [
        requests("a", "200", &growing(FIRST..0, 100, 10)),
        requests("b", "200", &growing(-30..0, 40, 10)),
        start("b", at(-31) / 1_000 + 20),
        requests("c", "200", &growing(-30..0, 9_000, 10)),
        start("c", at(-31) / 1_000 - 7_200),
    ];
    agree("targets", RATIO, &history, (590 + 40 + 290 + 290, 590 + 40 + 290 + 290)).await;
}

fn buckets(minutes: std::ops::Range<i64>, first: i64, spelled: &[(&str, i64)]) -> Vec<Series> {
    let bucket = |(le, by): &(&str, i64)| {
        let labels = [("job", "shop"), ("instance", "a"), ("le", *le)];
        series("wait_seconds_bucket", &labels, &growing(minutes.clone(), first * by, *by))
    };
    spelled.iter().map(bucket).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn histograms_with_one_layout_and_with_two() {
    let latency = "{latency: {histogram: 'wait_seconds{}', under: 400ms}}";
    let old = [("0.25", 6), ("1", 9), ("+Inf", 10)];
    agree("layout", latency, &buckets(FIRST..0, 1, &old), (59 * 6, 590)).await;
    let mut history = buckets(FIRST..-30, 1, &old);
    for new in buckets(-30..0, 1, &[("0.3", 7), ("1", 8), ("+Inf", 10)]) {
        match history.iter_mut().find(|one| one.labels == new.labels) {
            Some(one) => one.samples.extend(new.samples),
            None => history.push(new),
        }
    }
    agree("layouts", latency, &history, (29 * 6 + 30 * 7, 590)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gauges_count_by_sample() {
    let labels = [("job", "shop"), ("instance", "a")];
    let points: Vec<(i64, f64)> = (FIRST..0).map(|m| (m, (m.rem_euclid(4)) as f64)).collect();
    let history = [series("queue_length", &labels, &points)];
    agree("gauge", "{threshold: {gauge: 'queue_length{}', below: 3}}", &history, (45, 60)).await;
}
