//! SLOs whose sides are apart, and composites: what is not known of one side or member is not healthy.

use std::sync::Arc;

use slo_core::view::{BudgetView, State};

use crate::live::{Run, at};
use crate::support::lab::{END, Lab, series, service, slo, steady};

const TOTAL: &str = "total: http_requests_total";

/// An SLO with its bad events in another source.
fn apart(name: &str, bad: &str) -> String {
    slo(name, &format!("{{ratio: {{{TOTAL}, bad: {{source: second, selector: '{bad}'}}}}}}"))
}

/// What the server says after it has read the past, which is what one read of the past says.
async fn views(lab: &Lab, slos: &str) -> Vec<Arc<BudgetView>> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("slos.yaml"), service(slos)).unwrap();
    let mut run = Run::in_folder(lab.server.url(), &folder);
    let sources = &mut run.config_mut().sources;
    let mut second = sources[0].clone();
    second.name = "second".to_owned();
    sources.push(second);
    run.start(at(END)).await;
    run.engine.as_mut().unwrap().tick(at(END)).await;
    for _ in 0..3 {
        run.fill(at(END)).await;
    }
    run.compare(at(END)).await;
    run.kill().await;
    run.start(at(END)).await;
    run.compare(at(END)).await;
    run.views()
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
