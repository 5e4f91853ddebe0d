//! Births, new targets, resets, dips and gaps as real data of a real Prometheus.

use headroom_bench::openmetrics::Series;
use slo_core::view::State;

use crate::support::lab::{END, Lab, REQUESTS, at, counts, series, slo, steady};

const POD_A: [(&str, &str); 2] = [("job", "shop"), ("instance", "a")];
const POD_B: [(&str, &str); 2] = [("job", "shop"), ("instance", "b")];

fn labels<'a>(pod: &[(&'a str, &'a str)], code: &'a str) -> Vec<(&'a str, &'a str)> {
    pod.iter().copied().chain([("code", code)]).collect()
}

/// Pod A over two hours, 10 good requests a minute: 1,190 counted, the first 1,000 dropped.
fn pod_a() -> Series {
    steady(&labels(&POD_A, "200"), -120..0, 1_000, 10)
}

/// Pod B's last half hour: 40 good requests and 2 errors before its first scrape.
fn pod_b() -> [Series; 2] {
    [steady(&labels(&POD_B, "200"), -30..0, 40, 1), steady(&labels(&POD_B, "500"), -30..0, 2, 0)]
}

/// When pod B's process began, as its scrapes say.
fn began(instant: i64) -> Series {
    let points: Vec<(i64, f64)> = (-30..0).map(|m| (m, instant as f64 / 1e3)).collect();
    series("process_start_time_seconds", &POD_B, &points)
}

fn count(name: &str, history: &[Series]) -> [i64; 4] {
    let view = Lab::holding(name, history).requests();
    counts(&view.windows[0])
}

#[test]
fn a_childs_first_errors_count_because_its_target_was_there() {
    let child = steady(&labels(&POD_A, "500"), -60..0, 3, 0);
    assert_eq!(count("child", &[pod_a(), child]), [3, 1_193, 3, 1_000]);
}

#[test]
fn a_deploys_first_errors_count_when_its_process_began_after_the_jobs_last_scrape() {
    let [good, bad] = pod_b();
    let history = [pod_a(), good, bad, began(at(-31) + 1)];
    assert_eq!(count("deploy-young", &history), [2, 1_190 + 29 + 42, 42, 1_000]);
}

#[test]
fn a_new_targets_first_events_do_not_count_when_its_process_is_old_or_says_nothing() {
    let [good, bad] = pod_b();
    let old = [pod_a(), good.clone(), bad.clone(), began(at(-31))];
    assert_eq!(count("deploy-old", &old), [0, 1_190 + 29, 0, 1_042]);
    assert_eq!(count("deploy-silent", &[pod_a(), good, bad]), [0, 1_190 + 29, 0, 1_042]);
}

#[test]
fn a_reset_counts_the_new_value_and_a_dip_counts_nothing_until_it_caught_up() {
    let points =
        |values: &[(i64, f64)]| series("http_requests_total", &labels(&POD_A, "200"), values);
    let reset = points(&[(-5, 5_000.0), (-4, 5_010.0), (-3, 7.0), (-2, 9.0), (-1, 9.0)]);
    assert_eq!(count("reset", &[reset]), [0, 19, 0, 5_000]);
    let dip = points(&[(-5, 5_000.0), (-4, 5_010.0), (-3, 4_800.0), (-2, 4_990.0), (-1, 5_030.0)]);
    let lab = Lab::holding("dip", &[dip]);
    let view = lab.requests();
    assert_eq!(counts(&view.windows[0]), [0, 30, 0, 5_000]);
    assert!(view.findings.iter().any(|f| f.code == "dip"), "{:?}", view.findings);
}

#[test]
fn a_difference_over_six_hours_counts_at_the_later_sample_and_a_longer_one_is_dropped() {
    let over = |hole: i64| {
        let mut series = steady(&labels(&POD_A, "200"), -600..-500, 100, 1);
        series.samples.extend([(at(-500 + hole - 1), 799.0), (at(-500 + hole), 800.0)]);
        series
    };
    // 99 before the hole, 600 over it, 1 after it.
    let lab = Lab::holding("gap-short", &[over(360)]);
    let slos = slo("requests", REQUESTS);
    let counted = |at: i64| counts(&lab.views(&slos, at).remove(0).windows[0]);
    assert_eq!(counted(at(-140)), [0, 700, 0, 100]);
    assert_eq!(counted(at(-142)), [0, 99, 0, 100], "nothing yet within the hole");
    let coverage = lab.views(&slos, at(-140)).remove(0).windows[0].coverage.unwrap();
    assert!((coverage - 102.0 / 461.0).abs() < 1e-9, "{coverage}");
    assert_eq!(count("gap-long", &[over(363)]), [0, 100, 0, 899]);
}

#[test]
fn data_that_ended_hours_ago_is_stale_and_keeps_its_numbers_over_the_whole_window() {
    let mut series = steady(&labels(&POD_A, "200"), -2_400..-300, 1_000, 10);
    series.samples.retain(|(instant, _)| *instant != at(-1_000));
    let view = Lab::holding("ended", &[series]).requests();
    assert_eq!(view.state, State::Stale);
    assert_eq!(view.data_until.unwrap().timestamp_millis(), at(-301));
    let window = &view.windows[0];
    assert_eq!((window.to.timestamp() - END) / 60, -300);
    assert_eq!(counts(window), [0, 14_400, 0, 0]);
    assert_eq!((window.coverage, window.maturity.to_bits()), (Some(1.0), 1f64.to_bits()));
}

#[test]
fn a_window_that_begins_in_a_hole_has_the_hole_in_its_coverage_and_is_no_young_one() {
    for (name, hole) in [("hole-short", 60), ("hole-long", 600)] {
        // The window of a day begins 10,080 minutes before the end's week; the hole lies around both.
        let before = steady(&labels(&POD_A, "200"), -10_400..-10_079, 1_000, 10);
        let mut all = before.clone();
        let after = steady(&labels(&POD_A, "200"), -10_080 + hole..0, 90_000, 10);
        all.samples.retain(|(instant, _)| *instant < at(-10_090));
        all.samples.extend(after.samples);
        let lab = Lab::holding(name, &[all]);
        let week = slo("requests", REQUESTS).replace("window: 1d", "window: 7d");
        let view = lab.views(&week, END * 1_000).remove(0);
        let window = &view.windows[0];
        let coverage = (10_080 - hole) as f64 / 10_080.0;
        assert!(
            (window.coverage.unwrap() - coverage).abs() < 1e-9,
            "{name}: {:?}",
            window.coverage
        );
        assert_eq!(window.maturity.to_bits(), 1f64.to_bits(), "{name}");
    }
}

#[test]
fn a_value_that_is_no_count_makes_the_slo_no_data_with_a_finding() {
    for (name, value) in
        [("nan", f64::NAN), ("negative", -3.0), ("broken", 12.5), ("inf", f64::INFINITY)]
    {
        let mut series = pod_a();
        series.samples.push((at(0) - 60_000 + 20_000, value));
        let lab = Lab::holding(&format!("no-count-{name}"), &[series]);
        // VictoriaMetrics keeps no NaN.
        let view = if value.is_nan() {
            lab.of_prometheus(&slo("requests", REQUESTS))
        } else {
            lab.requests()
        };
        assert_eq!((view.state, view.windows[0].total), (State::NoData, None), "{name}");
        assert!(view.findings.iter().any(|f| f.code == "noCount"), "{name}: {:?}", view.findings);
    }
}

#[test]
fn a_gauge_that_is_not_a_number_and_one_that_is_not_there_have_no_data_and_say_why() {
    let with = |gauge: &str| {
        let indicator = format!("{{threshold: {{gauge: '{gauge}', below: 10}}}}");
        slo("gauge", &indicator)
    };
    let mut nan = pod_a();
    nan.samples.iter_mut().for_each(|(_, value)| *value = f64::NAN);
    let lab = Lab::holding("gauges", &[nan]);
    for (gauge, code) in [("http_requests_total{}", "notANumber"), ("none{}", "noSamples")] {
        // VictoriaMetrics keeps no NaN.
        let view = lab.of_prometheus(&with(gauge));
        let window = &view.windows[0];
        assert_eq!(
            (view.state, window.sli, window.coverage),
            (State::NoData, None, None),
            "{gauge}"
        );
        let codes: Vec<&str> = view.findings.iter().map(|f| &*f.code).collect();
        assert_eq!(codes, [code], "{:?}", view.sources);
    }
}
