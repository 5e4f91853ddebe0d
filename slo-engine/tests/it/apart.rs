//! SLOs whose sides are apart, and composites: what is not known of one side or member is not healthy.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use slo_core::view::{BudgetView, Group, State};
use slo_engine::evaluate::backfill;
use slo_engine::evaluate::snapshot::Snapshot;

use crate::live::{Run, at};
use crate::support::faulty::{Answer, Faulty};
use crate::support::lab::{END, Lab, series, service, slo, steady};

const TOTAL: &str = "total: http_requests_total";

/// An SLO with its bad events in another source.
fn apart(name: &str, bad: &str) -> String {
    slo(name, &format!("{{ratio: {{{TOTAL}, bad: {{source: second, selector: '{bad}'}}}}}}"))
}

/// A server that reads from a Prometheus, and from the same or another one as `second`.
fn running(urls: [&str; 2], folder: &tempfile::TempDir, slos: &str) -> Run {
    std::fs::write(folder.path().join("slos.yaml"), service(slos)).unwrap();
    let mut run = Run::in_folder(urls[0], folder);
    let sources = &mut run.config_mut().sources;
    let mut second = sources[0].clone();
    (second.name, second.url) = ("second".to_owned(), urls[1].to_owned());
    sources.push(second);
    run
}

/// What the server says after it has read the past, which is what one read of the past says.
async fn views(lab: &Lab, slos: &str) -> Vec<Arc<BudgetView>> {
    let snapshot = snapshot(lab, slos).await;
    snapshot.all().cloned().collect()
}

async fn snapshot(lab: &Lab, slos: &str) -> Arc<Snapshot> {
    let folder = tempfile::tempdir().unwrap();
    let mut run = running([lab.server.url(); 2], &folder, slos);
    run.start(at(END)).await;
    run.engine.as_mut().unwrap().tick(at(END)).await;
    for _ in 0..3 {
        run.fill(at(END)).await;
    }
    run.compare(at(END)).await;
    run.kill().await;
    run.start(at(END)).await;
    run.compare(at(END)).await;
    run.snapshot()
}

fn requests(minutes: std::ops::Range<i64>) -> headroom_bench::openmetrics::Series {
    steady(&[("job", "a"), ("instance", "a"), ("code", "200")], minutes, 0, 10)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_side_that_was_never_seen_is_unknown_and_not_100_percent() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let failed: Vec<(i64, f64)> = (-60..1).map(|minute| (minute, 0.0)).collect();
    let failed = series("failed_total", &[("job", "a"), ("instance", "a")], &failed);
    let lab = Lab::holding("apart-never", &[requests(-3_000..1), failed]);
    let journey = slo("journey", "{composite: [{slo: shop/never}]}");
    let slos = apart("never", "nothing_total") + &apart("young", "failed_total") + &journey;
    let views = views(&lab, &slos).await;
    let [never, young, journey] = ["never", "young", "journey"]
        .map(|name| views.iter().find(|view| *view.slo == *name).unwrap());
    for view in [never, journey] {
        assert_eq!((view.state, view.windows[0].remaining), (State::NoData, None), "{}", view.slo);
    }
    assert_eq!(never.windows[0].total, None);
    assert!(never.findings[0].message.contains("nothing_total in `second`"));
    assert_eq!(journey.findings[0].code, "memberWithoutData");
    // An hour of failures that are known: what came before is youth, not health.
    let window = &young.windows[0];
    assert_eq!((young.state, window.total, window.bad), (State::Healthy, Some(600.0), Some(0.0)));
    assert!(window.maturity < 0.05, "{}", window.maturity);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_not_configured_is_named() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let lab = Lab::holding("apart-typo", &[requests(-100..1)]);
    let views = views(&lab, &apart("typo", "up").replace("source: second", "source: typo")).await;
    let said = views[0].sources[0].last_error.clone().unwrap();
    assert_eq!(said, "no source is called `typo`; the configuration has prometheus, second");
    assert_eq!((&*views[0].sources[0].name, views[0].state), ("typo", State::NoData));
}

#[tokio::test(flavor = "multi_thread")]
async fn as_much_of_the_past_is_read_as_delays_and_the_windows_of_composites_need() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let lab = Lab::holding("apart-past", &[requests(-18_000..1)]);
    let late =
        "{ratio: {total: http_requests_total, good: {selector: http_requests_total, delay: 2d}}}";
    let slos = slo("late", late).replace("window: 1d", "window: 8d")
        + &slo("plain", "{ratio: {total: http_requests_total, bad: '{code=\"500\"}'}}")
        + &slo("journey", "{composite: [{slo: shop/plain}]}").replace("window: 1d", "window: 10d");
    let views = views(&lab, &slos).await;
    for name in ["late", "journey"] {
        let window = &views.iter().find(|view| *view.slo == *name).unwrap().windows[0];
        assert_eq!((window.maturity, window.coverage), (1.0, Some(1.0)), "{name}");
    }
    let late = &views.iter().find(|view| &*view.slo == "late").unwrap().windows[0];
    assert_eq!((late.good, late.total), (Some(115_200.0), Some(115_200.0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_whose_past_cannot_be_read_holds_up_no_other() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let lab = Lab::holding("apart-down", &[requests(-3_000..1)]);
    let is_down = Arc::new(AtomicBool::new(false));
    let down = is_down.clone();
    let faulty = Faulty::before(lab.server.url(), move |_| match down.load(Ordering::Relaxed) {
        true => Answer::Reply(503, "", "upstream is ill"),
        false => Answer::Forward,
    });
    let ratio = |source| {
        let side = |more| format!("{{source: {source}, selector: 'http_requests_total{more}'}}");
        format!("{{ratio: {{total: {}, bad: {}}}}}", side(""), side("{code=\"500\"}"))
    };
    let slos = slo("down", &ratio("prometheus")) + &slo("up", &ratio("second"));
    let folder = tempfile::tempdir().unwrap();
    let mut run = running([&faulty.url, lab.server.url()], &folder, &slos);
    run.start(at(END)).await;
    let engine = run.engine.as_mut().unwrap();
    engine.tick(at(END)).await;
    is_down.store(true, Ordering::Relaxed);
    let (sender, mut results) = tokio::sync::mpsc::channel(1);
    let task = tokio::spawn(backfill::run(engine.jobs(at(END)), sender));
    let soon = Duration::from_secs(5);
    while let Ok(Some(filled)) = tokio::time::timeout(soon, results.recv()).await {
        engine.filled(filled, at(END)).await;
    }
    drop(results);
    task.await.unwrap();
    engine.publish(at(END)).await;
    let total = |view: &BudgetView| (view.windows[0].total, view.backfill.is_some());
    let views = run.views();
    assert_eq!(
        [total(&views[0]), total(&views[1])],
        [(Some(100.0), true), (Some(14_400.0), false)]
    );
    // The next run goes on where this one ended.
    is_down.store(false, Ordering::Relaxed);
    run.fill(at(END)).await;
    assert_eq!(total(&run.views()[0]), (Some(14_400.0), false));
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_of_sides_that_are_apart_add_up() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let of = |route: &'static str| [("job", "a"), ("instance", "a"), ("route", route)];
    let failed = |route, first: i64, growth: i64| {
        let count = |minute: i64| ((minute - first).max(0) * growth) as f64;
        let points: Vec<(i64, f64)> = (-3_000..1).map(|minute| (minute, count(minute))).collect();
        series("failed_total", &of(route), &points)
    };
    let history = [
        steady(&of("/cart"), -3_000..1, 0, 10),
        steady(&of("/pay"), -3_000..1, 0, 5),
        failed("/cart", -100, 3),
        failed("/lost", -10, 1),
    ];
    let lab = Lab::holding("apart-groups", &history);
    let grouped = apart("apart", "failed_total") + "    groupBy: [route]\n";
    let snapshot = snapshot(&lab, &grouped).await;
    let whole = &snapshot.all().next().unwrap().windows[0];
    assert_eq!((whole.bad, whole.total), (Some(306.0), Some(21_600.0)));
    let group = |view: &Arc<BudgetView>| {
        let Some(Group::Labels { labels }) = &view.group else { panic!("{:?}", view.group) };
        let window = &view.windows[0];
        (labels["route"].clone(), view.state, window.bad.zip(window.total))
    };
    let mut groups: Vec<_> = snapshot.groups.iter().flatten().map(group).collect();
    groups.sort_by(|a, b| a.0.cmp(&b.0));
    // Of what failed without a total of its own nothing can be said; in the whole it counts.
    let expected = [
        ("/cart", State::Exhausted, Some((297.0, 14_400.0))),
        ("/lost", State::NoData, None),
        ("/pay", State::Healthy, Some((0.0, 7_200.0))),
    ];
    assert_eq!(groups, expected.map(|(route, state, sums)| (route.to_owned(), state, sums)));
}
