use slo_core::plan::{Defaults, shares};

use super::*;

const SERVICE: &str = "apiVersion: headroom/v1\nkind: Service\nservice: a\ntier: 1\nenvironment: p\n\
    slos:\n  - name: x\n    objective: 99%\n    indicator: {ratio: {total: t_total, bad: '{code=\"500\"}'}}\n\
    \x20 - name: y\n    objective: 99%\n    indicator: {ratio: {total: 't_total{code!=\"404\"}', bad: '{code=\"500\"}'}}\n";

fn intake() -> Intake {
    intake_of(SERVICE)
}

fn intake_of(file: &str) -> Intake {
    let set = slo_core::spec::load(&[("a.yaml".to_owned(), file.into())]).unwrap();
    let rules = Rules {
        look_back: slo_core::time::Span::minutes(5),
        max_gap: slo_core::time::Span::minutes(60),
    };
    let fed = |slo: &Arc<slo_core::slo::Slo>| {
        let share = shares(slo, Defaults::default()).remove(0);
        (Arc::new(share.feeds), rules)
    };
    Intake::new(set.services[0].slos.iter().map(fed).collect(), Minute(0), 10_000)
}

fn labels(pod: &str, code: &str) -> Labels {
    Labels::new([("__name__", "t_total"), ("instance", pod), ("code", code)])
}

/// Counts one sample of a series, as every query shows it; the total of each SLO.
fn count(intake: &mut Intake, labels: &Labels, second: i64, value: f64) -> Vec<i64> {
    let at = second * 1_000;
    for query in 0..intake.queries().count() {
        intake.take(query, labels, &[Sample { at, value }], None);
    }
    let outcomes = intake.settle(&|_, _| None, at);
    let total = |(_, outcome): &(usize, Outcome)| {
        outcome.buckets.iter().map(|(_, bucket)| bucket.total).sum::<i64>()
    };
    let totals = outcomes.iter().map(total).collect();
    intake.close(Minute::of_millis(at) + 1);
    totals
}

#[test]
fn what_a_recording_rule_made_is_no_counter_whatever_matches_it() {
    let all = SERVICE.replace("t_total{code!=", "{__name__=~\".*t_total\",code!=");
    let mut intake = intake_of(&all);
    let recorded = Labels::new([("__name__", "job:t_total"), ("instance", "a"), ("code", "200")]);
    count(&mut intake, &labels("a", "200"), 60, 5.0);
    assert_eq!(intake.oddity(1), Some(Oddity::NeverMatched));
    count(&mut intake, &recorded, 60, 5.0);
    assert_eq!(intake.oddity(1), Some(Oddity::Recorded("job:t_total".to_owned())));
    assert_eq!(intake.oddity(0), Some(Oddity::NeverMatched), "it asks for t_total alone");
}

#[test]
fn series_of_pods_that_are_gone_are_forgotten_and_the_rest_counts_on() {
    let mut intake = intake();
    for pod in 0..50 {
        count(&mut intake, &labels(&format!("old-{pod}"), "200"), 60, 5.0);
    }
    count(&mut intake, &labels("new", "200"), 9_000, 100.0);
    assert_eq!(count(&mut intake, &labels("new", "200"), 9_060, 110.0), [10, 10]);
    intake.prune(7_200_000);
    assert_eq!(intake.known.len(), 1);
    assert!(intake.slos.iter().all(|unit| unit.counter.series() == 1));
    assert_eq!(count(&mut intake, &labels("new", "200"), 9_120, 117.0), [7, 7]);
    // One that comes back is met as if for the first time: its first value is nobody's difference.
    assert_eq!(count(&mut intake, &labels("old-0", "200"), 9_180, 5.0), [0, 0]);
    assert_eq!(count(&mut intake, &labels("old-0", "200"), 9_240, 8.0), [3, 3]);
}

/// Takes one sample of a series by its text in query 0, and counts it: the first SLO's total, and
/// whether the labels were read.
fn written(intake: &mut Intake, text: &str, second: i64, value: f64) -> (i64, bool) {
    let (at, mut is_read) = (second * 1_000, false);
    let read = || {
        is_read = true;
        Ok::<_, ()>(labels(text.trim(), "200"))
    };
    intake.take_written(0, text, &[Sample { at, value }], read).unwrap();
    let outcomes = intake.settle(&|_, _| None, at);
    intake.close(Minute::of_millis(at) + 1);
    (outcomes[0].1.buckets.iter().map(|(_, bucket)| bucket.total).sum(), is_read)
}

#[test]
fn labels_are_read_once_and_again_when_series_were_forgotten() {
    let mut intake = intake();
    assert_eq!(written(&mut intake, "old", 60, 1.0), (0, true));
    assert_eq!(written(&mut intake, "old", 120, 3.0), (2, false));
    assert_eq!(written(&mut intake, "pod", 9_000, 1.0), (0, true));
    // Another text of the same labels is the same series.
    assert_eq!(written(&mut intake, " pod", 9_060, 4.0), (3, true));
    assert_eq!(written(&mut intake, "pod", 9_120, 9.0), (5, false));
    // The series that is left has another number.
    intake.prune(7_200_000);
    assert_eq!(written(&mut intake, "pod", 9_180, 16.0), (7, true));
    assert_eq!(written(&mut intake, "pod", 9_240, 18.0), (2, false));
}

#[test]
fn nothing_is_taken_of_a_series_whose_labels_cannot_be_read() {
    let mut intake = intake();
    let sample = Sample { at: 60_000, value: 1.0 };
    assert_eq!(intake.take_written(0, "?", &[sample], || Err("no labels")), Err("no labels"));
    assert!(intake.batch.is_empty() && intake.known.is_empty() && intake.texts.len() == 0);
}

#[test]
fn a_server_that_writes_labels_in_ever_new_ways_does_not_fill_the_memory() {
    let mut intake = intake();
    for round in 1..100 {
        let text = format!("{}pod", " ".repeat(round));
        assert!(written(&mut intake, &text, round as i64 * 60, round as f64).1);
        assert!(intake.texts.len() <= 1 + 2 * intake.queries.len(), "{}", intake.texts.len());
    }
}

#[test]
fn a_counter_that_was_a_native_histogram_for_a_while_is_trusted_again_after_five_minutes() {
    let mut intake = intake();
    let (pod, odd) = (labels("a", "200"), Some(Oddity::NativeHistogram));
    count(&mut intake, &pod, 60, 100.0);
    intake.note_native(0, &pod, 120_000);
    assert_eq!(intake.oddity(0), odd);
    count(&mut intake, &pod, 419, 130.0);
    assert_eq!(intake.oddity(0), odd);
    // What came in between is counted where numbers are seen again.
    assert_eq!(count(&mut intake, &pod, 480, 140.0), [10, 10]);
    assert_eq!(intake.oddity(0), Some(Oddity::NeverMatched));
}
