//! Latency on native histograms of a real Prometheus.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use headroom_bench::server::{Server, Tools};
use slo_core::view::{BudgetView, WindowView};

use crate::live::{self, Run};
use crate::support::Dice;
use crate::support::faulty::{Answer, Faulty};
use crate::support::lab::{END, ask, at, engine, folder, service, slo};
use crate::support::remote::{Native, Written, boundary, bucket_of, write};

const NAME: &str = "request_duration_seconds";

fn labels(name: &str, instance: &str, more: &[(&str, &str)]) -> Vec<(String, String)> {
    let own = [("__name__", name), ("job", "shop"), ("instance", instance)];
    own.iter().chain(more).map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
}

struct Lab {
    server: Server,
    folder: std::path::PathBuf,
}

impl Lab {
    async fn holding(name: &str, all: &[Written]) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = folder(name);
        let server = Tools::default().start(&folder.join("server")).unwrap();
        write(server.url(), all).await;
        Self { server, folder }
    }

    fn under(&self, threshold: &str) -> BudgetView {
        let indicator = format!("{{latency: {{histogram: '{NAME}{{}}', under: {threshold}}}}}");
        let slos = slo("latency", &indicator);
        ask(&engine(self.server.url()), &self.folder, &slos, END * 1_000).remove(0)
    }
}

/// Histograms of a process that observes the same values every minute; it has counted nothing at first.
fn steady(minutes: std::ops::Range<i64>, schema: i32, values: &[f64]) -> Vec<(i64, Native)> {
    let mut native = Native::new(schema);
    let mut all = Vec::new();
    for minute in minutes.clone() {
        if minute != minutes.start {
            values.iter().for_each(|value| native.observe(*value));
        }
        all.push((at(minute), native.clone()));
    }
    all
}

fn counts(window: &WindowView) -> (Option<f64>, Option<f64>) {
    (window.bad, window.total)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_threshold_on_a_boundary_is_exact_and_one_between_has_both_bounds() {
    let values = [0.0, 0.1, 0.26, 0.4, 0.6, 3.0];
    let histograms = steady(-101..0, 0, &values);
    let series = Written { labels: labels(NAME, "a", &[]), histograms, ..Written::default() };
    let lab = Lab::holding("native-steady", &[series]).await;
    let view = lab.under("500ms");
    assert_eq!(counts(&view.windows[0]), (Some(200.0), Some(600.0)), "{:?}", view.findings);
    assert_eq!((view.windows[0].bounds, view.findings.len()), (None, 0));
    // 0.26 and 0.4 lie in the bucket from 0.25 to 0.5.
    let view = lab.under("300ms");
    assert_eq!(counts(&view.windows[0]), (Some(400.0), Some(600.0)));
    let bounds = view.windows[0].bounds.unwrap();
    assert!((bounds.spent_low - 100.0 / 3.0).abs() < 1e-9, "{bounds:?}");
    assert!((bounds.spent_high - 200.0 / 3.0).abs() < 1e-9, "{bounds:?}");
    let finding = &view.findings[0];
    assert_eq!(finding.code, "betweenBuckets");
    assert!(finding.message.contains("0.25 below and 0.5 above"), "{}", finding.message);
}

/// Three targets with restarts, and resolution that falls as clients do it. Also what must be
/// counted: slow requests at 0.5 s, those slow for sure at 0.3 s and those perhaps, and all.
fn eventful(seed: u64) -> (Vec<Written>, [f64; 4]) {
    let (mut dice, mut truth) = (Dice(seed), [0.0; 4]);
    let mut all = Vec::new();
    for instance in ["a", "b", "c"] {
        let mut native = Native::new(4);
        let mut histograms = vec![(at(-600), native.clone())];
        let mut restart = 40 + dice.below(200);
        for minute in -599..0 {
            if restart == 0 {
                (native, restart) = (Native::new(4), 60 + dice.below(200));
            } else if dice.below(70) == 0 && native.schema > -1 {
                native.halve_resolution();
            }
            restart -= 1;
            for _ in 0..5 + dice.below(20) {
                let value = 0.01 * 1.000_7_f64.powi(i32::try_from(dice.below(8_000)).unwrap());
                native.observe(value);
                let top = boundary(bucket_of(value, native.schema), native.schema);
                let low = boundary(bucket_of(value, native.schema) - 1, native.schema);
                truth[0] += f64::from(u8::from(value > 0.5));
                truth[1] += f64::from(u8::from(low >= 0.3));
                truth[2] += f64::from(u8::from(top > 0.3));
                truth[3] += 1.0;
            }
            histograms.push((at(minute), native.clone()));
        }
        let labels = labels(NAME, instance, &[]);
        all.push(Written { labels, histograms, ..Written::default() });
    }
    (all, truth)
}

#[tokio::test(flavor = "multi_thread")]
async fn restarts_and_falling_resolution_lose_and_invent_nothing() {
    for seed in 1..=4 {
        let (series, [slow, least, most, all]) = eventful(seed);
        let lab = Lab::holding(&format!("native-eventful-{seed}"), &series).await;
        let window = &lab.under("500ms").windows[0];
        let (bad, total) = counts(window);
        assert_eq!(total, Some(all), "{seed}");
        // Below schema 0 the boundaries 0.25 and 0.0625 are the nearest ones.
        let bounds = window.bounds.map(|b| [b.spent_low, b.spent_high].map(|s| s * all * 0.01));
        let [low, high] = bounds.unwrap_or([slow, slow]);
        assert!(low <= slow + 1e-6 && slow <= high + 1e-6, "{seed}: {low} {slow} {high}");
        assert!(bad.is_some_and(|bad| bad >= slow && bad < slow * 1.5), "{seed}: {bad:?} {slow}");
        let window = &lab.under("300ms").windows[0];
        let bounds = window.bounds.unwrap();
        let spent = [bounds.spent_low, bounds.spent_high].map(|s| (s * all * 0.01).round());
        assert_eq!((window.bad, spent), (Some(most), [least, most]), "{seed}");
    }
}

/// A service whose client library changes with a deploy, from classic histograms to native ones.
fn switched() -> Vec<Written> {
    let bucket = |(le, growth): &(&str, i64)| {
        let numbers = (-101..-50).map(|minute| (at(minute), ((minute + 101) * growth) as f64));
        let name = format!("{NAME}_bucket");
        let labels = labels(&name, "a", &[("le", le)]);
        Written { labels, numbers: numbers.collect(), ..Written::default() }
    };
    let mut all: Vec<Written> =
        [("0.25", 8), ("0.5", 9), ("+Inf", 10)].iter().map(bucket).collect();
    let mut histograms = steady(-51..0, 2, &[0.1, 0.2, 0.7, 0.9]);
    histograms.remove(0);
    all.push(Written { labels: labels(NAME, "a", &[]), histograms, ..Written::default() });
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_from_classic_to_native_histograms_goes_on_counting() {
    let lab = Lab::holding("native-switched", &switched()).await;
    let view = lab.under("500ms");
    // 50 minutes of 1 slow one of 10, then 50 of 2 of 4.
    assert_eq!(counts(&view.windows[0]), (Some(150.0), Some(700.0)), "{:?}", view.findings);
    assert_eq!(view.windows[0].bounds, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_both_kinds_are_exposed_the_classic_one_counts() {
    let mut all = switched();
    all[3].histograms = steady(-101..-50, 2, &[0.1, 0.1, 0.7]);
    let lab = Lab::holding("native-both", &all).await;
    let view = lab.under("500ms");
    assert_eq!(counts(&view.windows[0]), (Some(50.0), Some(500.0)), "{:?}", view.findings);
}

/// Where classic buckets are no longer exposed beside native ones, the process goes on.
#[tokio::test(flavor = "multi_thread")]
async fn classic_buckets_that_are_switched_off_leave_the_native_ones_to_go_on() {
    let mut all = switched();
    // Native ones have been there all the time: 4 a minute, 2 of them slow.
    all[3].histograms = steady(-101..0, 2, &[0.1, 0.2, 0.7, 0.9]);
    let lab = Lab::holding("native-alone", &all).await;
    let view = lab.under("500ms");
    assert_eq!(counts(&view.windows[0]), (Some(150.0), Some(700.0)), "{:?}", view.findings);
    tick_over(lab.server.url(), &["500ms"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_objectives_that_read_one_histogram_by_two_queries_count_it_each_for_itself() {
    let native = |handler| {
        let histograms = steady(-101..0, 2, &[0.1, 0.2, 0.7]);
        let labels = labels(NAME, "a", &[("handler", handler)]);
        Written { labels, histograms, ..Written::default() }
    };
    let lab = Lab::holding("native-two", &[native("/cart"), native("/pay")]).await;
    let one = |name: &str, matchers: &str| {
        slo(name, &format!("{{latency: {{histogram: '{NAME}{{{matchers}}}', under: 500ms}}}}"))
    };
    for names in [["a", "b"], ["b", "a"]] {
        let slos = one(names[0], "job=\"shop\"")
            + &one(names[1], "job=\"shop\",handler=\"/pay\"")
            + &one("c", "handler=\"/pay\"");
        let views = ask(&engine(lab.server.url()), &lab.folder, &slos, END * 1_000);
        let of = |name: &str| counts(&views.iter().find(|v| &*v.slo == name).unwrap().windows[0]);
        assert_eq!(of(names[0]), (Some(200.0), Some(600.0)), "{names:?}");
        assert_eq!(of(names[1]), (Some(100.0), Some(300.0)), "{names:?}");
        assert_eq!(of("c"), (Some(100.0), Some(300.0)), "{names:?}");
    }
}

/// Ticks every minute over a past, with a kill in between, and compares with one read of it.
pub(crate) async fn tick_over(url: &str, thresholds: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let slos: String = thresholds.iter().map(|under| one(under)).collect();
    std::fs::write(folder.path().join("slos.yaml"), service(&slos)).unwrap();
    let mut run = Run::in_folder(url, &folder);
    run.start(live::at(END - 4_800)).await;
    for minute in -80..=1 {
        let now = live::at(END + minute * 60);
        if minute == -20 {
            run.kill().await;
            run.start(now).await;
        }
        run.engine.as_mut().unwrap().tick(now).await;
        if minute == -79 {
            run.fill(now).await;
        }
    }
    run.compare(live::at(END + 60)).await;
    assert!(run.views().iter().all(|view| view.windows[0].total > Some(500.0)));
}

fn one(under: &str) -> String {
    let indicator = format!("{{latency: {{histogram: '{NAME}{{}}', under: {under}}}}}");
    slo(&format!("under-{under}"), &indicator)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_server_follows_histograms_that_change() {
    let lab = Lab::holding("native-live-switched", &switched()).await;
    tick_over(lab.server.url(), &["500ms", "300ms"]).await;
    let lab = Lab::holding("native-live-eventful", &eventful(9).0).await;
    tick_over(lab.server.url(), &["500ms", "300ms"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_fails_now_and_then_while_histograms_change_costs_no_event() {
    let lab = Lab::holding("native-flaky", &switched()).await;
    let flaky = Arc::new(AtomicBool::new(false));
    let now = flaky.clone();
    let proxy = Faulty::before(lab.server.url(), move |nth| {
        match now.load(Ordering::SeqCst) && nth % 3 == 1 {
            true => Answer::Reply(500, "", "ill"),
            false => Answer::Forward,
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let slos = one("500ms") + &one("300ms");
    std::fs::write(folder.path().join("slos.yaml"), service(&slos)).unwrap();
    let mut run = Run::in_folder(&proxy.url, &folder);
    run.start(live::at(END - 4_800)).await;
    for minute in -80..=3 {
        // The past has been read, and the last ticks go well.
        flaky.store((-70..0).contains(&minute), Ordering::SeqCst);
        let now = live::at(END + minute * 60);
        run.engine.as_mut().unwrap().tick(now).await;
        if minute < -75 {
            run.fill(now).await;
        }
    }
    run.compare(live::at(END + 180)).await;
    assert!(run.views().iter().all(|view| view.windows[0].total == Some(700.0)));
}
