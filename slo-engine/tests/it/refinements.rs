//! What a `bad` matcher finds, or does not find, in a real Prometheus.

use slo_core::view::State;

use crate::support::lab::{END, Lab, slo, steady};

fn lab(name: &str) -> Lab {
    let labels = [("job", "shop"), ("instance", "a"), ("route", "/cart"), ("code", "200")];
    Lab::holding(name, &[steady(&labels, -120..0, 1_000, 10)])
}

fn with_bad(matchers: &str) -> String {
    slo("requests", &format!("{{ratio: {{total: 'http_requests_total{{}}', bad: '{matchers}'}}}}"))
}

#[test]
fn a_bad_matcher_on_a_label_that_no_series_has_is_no_data_and_lists_the_labels_that_exist() {
    let lab = lab("missing-label");
    let view = lab.views(&with_bad(r#"{status=~"5.."}"#), END * 1_000).remove(0);
    assert_eq!(view.state, State::NoData);
    let finding = &view.findings[0];
    assert_eq!(finding.code, "missingLabel");
    let message = &finding.message;
    assert!(message.contains("label status"), "{message}");
    assert!(message.contains("code, instance, job, route"), "{message}");
}

#[test]
fn a_matcher_that_can_match_an_absent_label_is_no_mistake() {
    let lab = lab("absent-label");
    let view = lab.views(&with_bad(r#"{code=~"5..",status=""}"#), END * 1_000).remove(0);
    assert_eq!((view.state, view.windows[0].bad), (State::Healthy, Some(0.0)));
    let view = lab.views(&with_bad(r#"{code=~"5..",status!=""}"#), END * 1_000).remove(0);
    assert_eq!(view.state, State::NoData, "this one needs the label");
}

#[test]
fn a_missing_error_series_means_0_errors_and_a_warning_that_nothing_ever_matched() {
    let lab = lab("no-errors");
    let view = lab.views(&with_bad(r#"{code=~"5.."}"#), END * 1_000).remove(0);
    assert_eq!((view.state, view.windows[0].bad), (State::Healthy, Some(0.0)));
    assert_eq!(view.windows[0].total, Some(1_190.0));
    assert_eq!(view.findings[0].code, "neverMatched");
}

#[test]
fn a_metric_that_does_not_exist_is_no_data_and_other_slos_of_the_source_are_not_touched() {
    let lab = lab("no-metric");
    let none = slo("nothing", r#"{ratio: {total: 'no_such_total{}', bad: '{code=~"5.."}'}}"#);
    let views = lab.views(&format!("{none}{}", with_bad(r#"{code=~"5.."}"#)), END * 1_000);
    let states: Vec<State> = views.iter().map(|view| view.state).collect();
    assert_eq!(states, [State::NoData, State::Healthy]);
    let window = &views[0].windows[0];
    assert_eq!((window.total, window.spent, window.coverage), (None, None, None));
}
