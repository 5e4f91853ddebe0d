//! Latency on classic histograms of a real Prometheus.

use headroom_bench::openmetrics::Series;
use slo_core::view::{BudgetView, State};

use crate::live::{self, Run};
use crate::native::tick_over;
use crate::support::lab::{END, Lab, service, slo, steady};

/// A minute's requests below each boundary; 100 in all.
fn histogram(spelled: &[(&str, i64)]) -> Vec<Series> {
    let bucket = |(le, growth): &(&str, i64)| {
        let labels = [("job", "shop"), ("instance", "a"), ("le", *le)];
        let mut series = steady(&labels, -101..0, 0, *growth);
        series.name = "request_duration_seconds_bucket".to_owned();
        series
    };
    spelled.iter().map(bucket).collect()
}

fn under(lab: &Lab, threshold: &str) -> BudgetView {
    let indicator =
        format!("{{latency: {{histogram: 'request_duration_seconds{{}}', under: {threshold}}}}}");
    lab.views(&slo("latency", &indicator), END * 1_000).remove(0)
}

#[test]
fn a_threshold_on_a_boundary_is_exact_however_le_is_spelled() {
    for (name, half) in [("plain", "0.5"), ("zero", "0.50"), ("power", "5e-1")] {
        let buckets = histogram(&[("0.25", 90), (half, 99), ("1.0", 100), ("+Inf", 100)]);
        let view = under(&Lab::holding(&format!("latency-{name}"), &buckets), "500ms");
        let window = &view.windows[0];
        assert_eq!((window.bad, window.total), (Some(100.0), Some(10_000.0)), "{name}");
        assert_eq!((window.bounds, view.findings.len()), (None, 0), "{name}");
    }
}

#[test]
fn a_threshold_between_boundaries_counts_the_lower_bucket_as_good_and_reports_both_bounds() {
    let lab = Lab::holding(
        "latency-between",
        &histogram(&[("0.25", 98), ("0.5", 99), ("1", 100), ("+Inf", 100)]),
    );
    let view = under(&lab, "300ms");
    let window = &view.windows[0];
    assert_eq!((window.bad, window.total), (Some(200.0), Some(10_000.0)));
    let bounds = window.bounds.unwrap();
    assert!((bounds.spent_low - 1.0).abs() < 1e-9 && (bounds.spent_high - 2.0).abs() < 1e-9);
    let finding = &view.findings[0];
    assert_eq!(finding.code, "betweenBuckets");
    assert!(finding.message.contains("0.25 below and 0.5 above"), "{}", finding.message);
}

#[test]
fn a_boundary_that_changes_its_spelling_goes_on_as_the_same_series() {
    // Servers give series by label: the old spelling comes first, and then last.
    for (before, after) in [("1", "1.0"), ("1.0", "1")] {
        let mut old = histogram(&[(before, 99), ("+Inf", 100)]);
        let mut new = histogram(&[(after, 99)]);
        let middle = old[0].samples[50].0;
        old[0].samples.retain(|(at, _)| *at < middle);
        new[0].samples.retain(|(at, _)| *at >= middle);
        old.append(&mut new);
        let view = under(&Lab::holding(&format!("latency-respelled-{after}"), &old), "1s");
        let window = &view.windows[0];
        assert_eq!((window.bad, window.total), (Some(100.0), Some(10_000.0)), "{after}");
        assert!(view.burn.iter().all(|burn| burn.rate == Some(1.0)), "{:?}", view.burn);
    }
}

/// Every minute 100 requests, counted by one process until the middle and by the next one after it.
fn redeployed(before: &[(&str, i64)], after: &[(&str, i64)]) -> Vec<Series> {
    let bucket = |(minutes, (le, growth)): (std::ops::Range<i64>, &(&str, i64))| {
        let labels = [("job", "shop"), ("instance", "a"), ("le", *le)];
        // The new process has counted a minute when it is first seen.
        let first = if minutes.start == -50 { *growth } else { 0 };
        let mut series = steady(&labels, minutes, first, *growth);
        series.name = "request_duration_seconds_bucket".to_owned();
        series
    };
    let of = |minutes: std::ops::Range<i64>, all: &[(&str, i64)]| -> Vec<Series> {
        all.iter().map(|one| bucket((minutes.clone(), one))).collect()
    };
    let mut all = of(-101..-50, before);
    for new in of(-50..0, after) {
        match all.iter_mut().find(|old| old.labels == new.labels) {
            Some(old) => old.samples.extend(new.samples),
            None => all.push(new),
        }
    }
    all
}

#[test]
fn a_deploy_that_changes_the_buckets_is_counted_by_the_nearest_ones_at_any_time() {
    let before = [("0.25", 98), ("1", 99), ("+Inf", 100)];
    let after = [("0.1", 40), ("0.3", 97), ("1", 98), ("+Inf", 100)];
    // At most 0.4 s: 2 slow ones of 100 before, 3 after; and at best 1, then 2.
    let lab = Lab::holding("latency-redeployed", &redeployed(&before, &after));
    let window = &under(&lab, "400ms").windows[0];
    assert_eq!((window.bad, window.total), (Some(250.0), Some(10_000.0)));
    let bounds = window.bounds.unwrap();
    assert!((bounds.spent_low - 1.5).abs() < 1e-9, "{bounds:?}");
    assert!((bounds.spent_high - 2.5).abs() < 1e-9, "{bounds:?}");
    let lab = Lab::holding("latency-redeployed-back", &redeployed(&after, &before));
    let window = &under(&lab, "400ms").windows[0];
    assert_eq!((window.bad, window.total), (Some(250.0), Some(10_000.0)));
    // A boundary that only one of them has: exact there.
    let window = &under(&lab, "300ms").windows[0];
    assert_eq!((window.bad, window.total), (Some(250.0), Some(10_000.0)));
}

#[test]
fn a_bucket_that_is_no_longer_exposed_leaves_its_neighbour_to_go_on() {
    // 0.5 is dropped in the middle by the scrape's configuration; the process lives on.
    let mut all = histogram(&[("0.25", 90), ("0.5", 95), ("1", 99), ("+Inf", 100)]);
    let middle = all[1].samples[51].0;
    all[1].samples.retain(|(at, _)| *at < middle);
    let window = &under(&Lab::holding("latency-dropped", &all), "500ms").windows[0];
    assert_eq!((window.bad, window.total), (Some(50.0 * 5.0 + 50.0 * 10.0), Some(10_000.0)));
}

#[test]
fn processes_with_another_bucket_above_have_bounds_of_their_own() {
    let mut all = histogram(&[("0.25", 90), ("0.5", 95), ("+Inf", 100)]);
    for mut other in histogram(&[("0.25", 90), ("1", 99), ("+Inf", 100)]) {
        other.labels.insert("instance".to_owned(), "b".to_owned());
        all.push(other);
    }
    let window = &under(&Lab::holding("latency-above", &all), "300ms").windows[0];
    assert_eq!((window.bad, window.total), (Some(2_000.0), Some(20_000.0)));
    let bounds = window.bounds.unwrap();
    assert!((bounds.spent_low - 3.0).abs() < 1e-9, "(5 + 1) x 100 of 200: {bounds:?}");
    assert!((bounds.spent_high - 10.0).abs() < 1e-9, "{bounds:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_server_counts_on_when_a_deploy_changes_the_buckets() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let before = [("0.25", 98), ("1", 99), ("+Inf", 100)];
    let after = [("0.1", 40), ("0.3", 97), ("1", 98), ("+Inf", 100)];
    let lab = Lab::holding("latency-live-redeployed", &redeployed(&before, &after));
    tick_over(lab.server.url(), &["400ms", "300ms", "50ms"]).await;
    let lab = Lab::holding("latency-live-redeployed-back", &redeployed(&after, &before));
    tick_over(lab.server.url(), &["400ms", "300ms", "50ms"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_buckets_while_nothing_was_read_for_days_leaves_no_hole() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let part = |minutes: std::ops::Range<i64>, le: &str, first: i64, growth: i64| {
        let labels = [("job", "shop"), ("instance", "a"), ("le", le)];
        let mut series = steady(&labels, minutes, first, growth);
        series.name = "request_duration_seconds_bucket".to_owned();
        series
    };
    let mut total = part(-7_200..-1_500, "+Inf", 0, 100);
    total.samples.extend(part(-1_500..0, "+Inf", 100, 100).samples);
    let history = [part(-7_200..-1_500, "0.25", 0, 98), part(-1_500..0, "0.3", 97, 97), total];
    let lab = Lab::holding("latency-downtime", &history);
    let folder = tempfile::tempdir().unwrap();
    let indicator = "{latency: {histogram: 'request_duration_seconds{}', under: 400ms}}";
    let text = service(&slo("latency", indicator).replace("window: 1d", "window: 4d"));
    std::fs::write(folder.path().join("slos.yaml"), text).unwrap();
    let mut run = Run::in_folder(lab.server.url(), &folder);
    // It has read for a minute, then not for three days.
    run.start(live::at(END - 3 * 86_400)).await;
    for now in [END - 3 * 86_400, END - 3 * 86_400 + 60, END].map(live::at) {
        run.engine.as_mut().unwrap().tick(now).await;
        run.fill(now).await;
    }
    run.compare(live::at(END)).await;
    let window = run.views()[0].windows[0].clone();
    assert_eq!((window.total, window.coverage), (Some(576_000.0), Some(1.0)));
    assert_eq!(window.bad, Some(4_260.0 * 2.0 + 1_500.0 * 3.0));
}

#[test]
fn a_histogram_without_buckets_is_no_data() {
    let lab = Lab::holding("latency-none", &[steady(&[("job", "shop")], -10..0, 0, 1)]);
    assert_eq!(under(&lab, "500ms").state, State::NoData);
}
