//! What a broken Prometheus makes of the views: no data with the reason, never a guess, exit 0.

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use slo_core::counter::Rules;
use slo_core::plan::{Defaults, shares};
use slo_core::time::{Minute, Span};
use slo_core::view::{BudgetView, State};
use slo_engine::source::config::SourceConfig;
use slo_engine::source::intake::Intake;
use slo_engine::source::prometheus::Prometheus;

use crate::support::faulty::{Answer, Faulty};
use crate::support::lab::{END, Lab, REQUESTS, ask, at, engine, folder, service, slo, steady};

/// The view of an SLO that is read from an address.
fn view(url: &str, folder: &Path) -> BudgetView {
    let engine = engine(url).with("HEADROOM__SOURCES__0__TIMEOUT", "500ms");
    ask(&engine, folder, &slo("requests", REQUESTS), END * 1_000).remove(0)
}

/// Asserts that nothing is known, and gives the reason.
fn reason(view: &BudgetView) -> String {
    assert_eq!((view.state, view.data_until), (State::NoData, None));
    let window = &view.windows[0];
    let numbers = [window.good, window.bad, window.total, window.spent, window.remaining];
    assert_eq!((numbers, window.coverage), ([None; 5], None));
    let reasons: Vec<_> = view.sources.iter().filter_map(|s| s.last_error.clone()).collect();
    assert_eq!(reasons.len(), view.sources.len(), "every side says why");
    reasons.into_iter().next().unwrap()
}

/// What is said when every request gets this answer.
fn said(name: &str, answer: Answer) -> String {
    let faulty = Faulty::always(answer);
    let reason = reason(&view(&faulty.url, &folder(name)));
    assert!(reason.contains(&faulty.url), "{reason}");
    reason
}

#[test]
fn a_prometheus_that_is_down_or_whose_port_is_wrong_is_named_with_the_cause() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let reason = reason(&view(&format!("http://127.0.0.1:{port}"), &folder("down")));
    assert!(reason.contains("cannot reach") && reason.contains("refused"), "{reason}");
    let silent = said("silent", Answer::Silence);
    assert!(silent.contains("cannot reach"), "{silent}");
}

#[test]
fn statuses_of_4xx_and_5xx_are_shown_with_the_beginning_of_the_body() {
    let lost = said("404", Answer::Reply(404, "", "404 page not found\n"));
    assert!(lost.contains("answered 404: 404 page not found"), "{lost}");
    let denied = said("401", Answer::Reply(401, "", "no token"));
    assert!(denied.contains("answered 401: no token"), "{denied}");
    let ill = said("503", Answer::Reply(503, "", "upstream is ill"));
    assert!(ill.contains("answered 503: upstream is ill"), "{ill}");
}

#[test]
fn html_instead_of_json_is_recognised() {
    let html =
        said("html", Answer::Reply(200, "Content-Type: text/html\r\n", "<html>login</html>"));
    assert!(html.contains("not the Prometheus API"), "{html}");
    assert!(html.contains("begins with `<html>login"), "{html}");
}

#[test]
fn bodies_that_end_early_are_no_answers() {
    const HALF: &str = r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"#;
    let cut = said("cut", Answer::Truncated(HALF));
    assert!(cut.contains("cannot reach"), "{cut}");
    let half = said("half", Answer::Reply(200, "", HALF));
    assert!(half.contains("not the Prometheus API") && half.contains("EOF"), "{half}");
}

#[test]
fn errors_of_the_api_keep_their_type_and_message() {
    const REFUSED: &str = r#"{"status":"error","errorType":"execution","error":"expanding series: context canceled"}"#;
    for (name, status) in [("refused-422", 422), ("refused-200", 200)] {
        let refused = said(name, Answer::Reply(status, "", REFUSED));
        assert!(refused.contains("(execution): expanding series: context canceled"), "{refused}");
    }
}

#[test]
fn a_server_that_asks_for_a_pause_says_how_long() {
    let pause = said("429", Answer::Reply(429, "Retry-After: 90\r\n", "slow down"));
    assert!(pause.contains("asks for a pause (429) of 1m30s"), "{pause}");
}

#[test]
fn an_answer_that_takes_longer_than_the_timeout_is_given_up() {
    let late = said("late", Answer::Wait(Duration::from_secs(5)));
    assert!(late.contains("no answer") && late.contains("within 500ms"), "{late}");
}

#[test]
fn an_answer_in_part_is_not_counted() {
    const PART: &str = r#"{"status":"success","warnings":["2 stores did not respond"],"data":{"resultType":"matrix","result":[]}}"#;
    let part = said("part", Answer::Reply(200, "", PART));
    assert!(part.contains("in part only: 2 stores did not respond"), "{part}");
    const STORAGE: &str =
        r#"{"status":"success","isPartial":true,"data":{"resultType":"matrix","result":[]}}"#;
    let storage = said("storage", Answer::Reply(200, "", STORAGE));
    assert!(storage.contains("in part only: some of its storage did not answer"), "{storage}");
}

#[test]
fn samples_of_instants_that_were_not_asked_for_are_no_answer() {
    for (name, at, fault) in [
        ("later", "99999999999", "a sample from after the asked time"),
        ("huge", "1e300", "a sample from after the asked time"),
        ("earlier", "-1772752201", "a sample from before the asked time"),
    ] {
        let values = format!(r#"[[{at},"5"]]"#);
        let body = format!(
            r#"{{"status":"success","data":{{"resultType":"matrix","result":[{{"metric":{{"__name__":"http_requests_total"}},"values":{values}}}]}}}}"#
        );
        let stray = said(name, Answer::Reply(200, "", body.leak()));
        assert!(stray.contains(fault), "{stray}");
    }
}

#[test]
fn the_newest_values_in_the_place_of_all_are_no_answer() {
    const NEWEST: &str = r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;
    let newest = said("newest", Answer::Reply(200, "", NEWEST));
    assert!(newest.contains("a result of type `vector`, and a matrix was asked for"), "{newest}");
}

#[test]
fn redirects_and_empty_answers_are_called_so() {
    const TO: &str = "Location: https://login.example/start?state=s3cret\r\n";
    let moved = said("moved", Answer::Reply(302, TO, ""));
    assert!(moved.contains("302: it redirects to https://login.example/start, which"), "{moved}");
    assert!(!moved.contains("s3cret"), "{moved}");
    let empty = said("empty", Answer::Reply(200, "", ""));
    assert!(empty.ends_with("not the Prometheus API: its answer is empty"), "{empty}");
}

fn history(name: &str) -> Lab {
    let labels = [("job", "shop"), ("instance", "a"), ("code", "200")];
    Lab::holding(name, &[steady(&labels, -3_000..0, 1_000, 10)])
}

#[test]
fn a_prometheus_that_fails_in_the_middle_leaves_no_number_behind() {
    let lab = history("midway");
    let whole = Faulty::before(lab.server.url(), |_| Answer::Forward);
    assert_eq!(view(&whole.url, &lab.folder).windows[0].total, Some(14_400.0));
    for good in [2, 5, 8] {
        let failing = move |nth| match nth < good {
            true => Answer::Forward,
            false => Answer::Reply(500, "", "out of memory"),
        };
        let proxy = Faulty::before(lab.server.url(), failing);
        let reason = reason(&view(&proxy.url, &lab.folder));
        assert!(reason.contains("answered 500: out of memory"), "{reason}");
    }
}

#[test]
fn slos_of_another_source_are_not_touched() {
    let lab = history("beside");
    let faulty = Faulty::always(Answer::Reply(500, "", "ill"));
    let (url, config) = (lab.server.url(), lab.folder.join("config.yaml"));
    let sources = [("prometheus", url), ("other", faulty.url.as_str())];
    let sources = sources.map(|(name, url)| format!("  - {{name: {name}, url: '{url}'}}\n"));
    std::fs::write(&config, format!("sources:\n{}", sources.concat())).unwrap();
    let engine = engine(url).with("HEADROOM_CONFIG", config.to_str().unwrap());
    let other = r#"{ratio: {total: {source: other, selector: 'http_requests_total{}'}, bad: '{code="500"}'}}"#;
    let slos = format!("{}{}", slo("other", other), slo("requests", REQUESTS));
    let views = ask(&engine, &lab.folder, &slos, END * 1_000);
    assert!(reason(&views[0]).contains("answered 500: ill"));
    assert_eq!((views[1].state, views[1].windows[0].total), (State::Healthy, Some(14_400.0)));
}

#[test]
fn a_query_that_prometheus_refuses_costs_no_other_slo_its_numbers() {
    let lab = history("refuses-one");
    let star = slo("star", r#"{ratio: {total: '{__name__=~".*"}', bad: '{code="500"}'}}"#);
    let raw = slo("raw", r"{raw: {errorRatio: 'sum(rate(up[5m])'}}");
    let raw = format!("{raw}    budgeting: {{timeslices: {{size: 5m, goodWhen: 95%}}}}\n");
    let times =
        slo("times", r#"{latency: {histogram: 's_seconds{a=~"\\p{Alphabetic}"}', under: 1s}}"#);
    let matched = raw
        .replace("name: raw", "name: matched")
        .replace("sum(rate(up[5m])", "label_replace(http_requests_total, \"9\", \"\", \"\", \"\")");
    let slos = format!("{star}{raw}{}{times}{matched}", slo("requests", REQUESTS));
    let views = ask(&engine(lab.server.url()), &lab.folder, &slos, END * 1_000);
    let reason_of_matched = reason(&views[4]);
    assert!(reason_of_matched.contains("(execution)"), "{reason_of_matched}");
    for (view, said) in [
        (&views[0], "must contain at least one non-empty matcher"),
        (&views[1], "unclosed left parenthesis"),
        (&views[3], "invalid character class range"),
    ] {
        let reason = reason(view);
        assert!(reason.contains("(bad_data)") && reason.contains(said), "{reason}");
    }
    assert_eq!((views[2].state, views[2].windows[0].total), (State::Healthy, Some(14_400.0)));
}

#[test]
fn more_samples_than_one_answer_may_hold_are_read_in_smaller_slices() {
    let lab = history("slices");
    let engine = engine(lab.server.url()).with("HEADROOM__SOURCES__0__MAXSAMPLES", "100");
    let views = ask(&engine, &lab.folder, &slo("requests", REQUESTS), END * 1_000);
    assert_eq!(views[0].windows[0].total, Some(14_400.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_raw_ratio_that_fails_costs_the_counters_beside_it_no_event() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let lab = history("raw-beside");
    // The first read asks for counters and then for the ratio, which fails.
    let proxy = Faulty::before(lab.server.url(), |nth| match nth {
        1 => Answer::Reply(500, "", "ill"),
        _ => Answer::Forward,
    });
    let raw = "  - name: raw\n    objective: 99%\n    window: 1d\n    budgeting: {timeslices: {size: 1m, goodWhen: 99%}}\n    \
               indicator: {raw: {errorRatio: 'vector(0)'}}\n";
    let text = service(&format!("{}{raw}", slo("requests", REQUESTS)));
    let set = slo_core::spec::load(&[("slos.yaml".to_owned(), text.into())]).unwrap();
    let rules = Rules { look_back: Span::minutes(5), max_gap: Span::minutes(360) };
    let fed = set.services[0]
        .slos
        .iter()
        .map(|slo| (Arc::new(shares(slo, Defaults::default()).remove(0).feeds), rules));
    let config = SourceConfig { url: proxy.url.clone(), ..SourceConfig::default() };
    let source = Prometheus::new(&config).unwrap();
    let mut intake = Intake::new(fed.collect(), Minute::of_millis(at(-10)), 64 * 1024);
    assert!(source.read(&mut intake, at(-20), at(-5)).await.is_err());
    let read = source.read(&mut intake, at(-20), at(-1)).await.unwrap();
    let buckets = read.outcomes.iter().filter(|(slo, _)| *slo == 0).flat_map(|(_, o)| &o.buckets);
    assert_eq!(buckets.map(|(_, bucket)| bucket.total).sum::<i64>(), 10 * 10);
}
