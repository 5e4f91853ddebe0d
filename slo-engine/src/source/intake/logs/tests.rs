use slo_core::counter::Rules;
use slo_core::plan::{Defaults, shares};
use slo_core::time::Span;

use super::*;

const MINUTE: i64 = 60_000;

fn intake() -> (Intake, LogFeed) {
    let text = "apiVersion: headroom/v1\nkind: Service\nservice: a\ntier: 1\nenvironment: p\nslos:\n  - name: x\n    objective: 99%\n    indicator: {ratio: {source: logs, index: l, total: 'a : b', bad: 'c : d'}}\n";
    let set = slo_core::spec::load(&[("a.yaml".to_owned(), text.into())]).unwrap();
    let feeds = shares(&set.services[0].slos[0], Defaults::default()).remove(0).feeds;
    let rules = Rules { look_back: Span::minutes(5), max_gap: Span::minutes(360) };
    let intake = Intake::new(vec![(Arc::new(feeds), rules)], Minute(0), 1_000);
    let feed = intake.logs().remove(0);
    (intake, feed)
}

fn found(total: &[(i64, i64)], bad: &[(i64, i64)], newest: Option<i64>) -> Found {
    let minutes = |all: &[(i64, i64)]| all.iter().map(|(m, n)| (Minute(*m), *n)).collect();
    Found { counts: vec![minutes(total), minutes(bad)], newest, subsets: Vec::new() }
}

fn measured_of(outcome: &Outcome) -> Vec<i64> {
    let open = outcome.buckets.iter().filter(|(_, b)| b.measured).map(|(m, _)| m.0);
    let more = outcome.more.iter().filter(|(_, b)| b.measured).map(|(m, _)| m.0);
    outcome.marks.iter().map(|mark| mark.minute.0).chain(open).chain(more).collect()
}

#[test]
fn open_minutes_are_replaced_whole_and_idle_ones_are_measured_up_to_the_newest_document() {
    let (mut intake, feed) = intake();
    let found = found(&[(10, 5)], &[(10, 2)], Some(12 * MINUTE));
    let outcome = intake.replace_logs(&feed, &found, (Minute(10), Minute(14)));
    let bucket = Bucket { good: 3, total: 5, measured: true, ..Bucket::default() };
    assert_eq!(outcome.buckets[0], (Minute(10), bucket));
    assert_eq!(outcome.buckets.len(), 4, "minutes without documents are said too");
    assert_eq!(measured_of(&outcome), [10, 11, 12]);
}

#[test]
fn a_document_after_a_silence_tells_that_the_silence_was_idle() {
    let (mut intake, feed) = intake();
    intake.replace_logs(&feed, &found(&[(10, 5)], &[], Some(10 * MINUTE)), (Minute(8), Minute(11)));
    let silent = intake.replace_logs(&feed, &found(&[], &[], None), (Minute(18), Minute(21)));
    assert!(measured_of(&silent).is_empty(), "a dead shipper is not an idle service");
    let heard = found(&[], &[], Some(30 * MINUTE));
    let again = intake.replace_logs(&feed, &heard, (Minute(28), Minute(31)));
    assert_eq!(measured_of(&again), (11..31).collect::<Vec<_>>());
}

#[test]
fn lines_are_added_once_and_measure_what_lies_between_them() {
    let (mut intake, feed) = intake();
    let first = intake.add_logs(&feed, &found(&[(10, 5), (12, 1)], &[(10, 2)], Some(12 * MINUTE)));
    assert_eq!(first.more[0].1, Bucket { good: 3, total: 5, measured: true, ..Bucket::default() });
    assert_eq!(measured_of(&first), [10, 11, 12]);
    // A late line changes its minute and no measure.
    let late = intake.add_logs(&feed, &found(&[(10, 1)], &[], Some(11 * MINUTE)));
    let one = Bucket { good: 1, total: 1, ..Bucket::default() };
    assert_eq!(late.more, [(Minute(10), one)]);
    let next = intake.add_logs(&feed, &found(&[], &[], Some(14 * MINUTE)));
    assert_eq!(measured_of(&next), [13, 14]);
}

#[test]
fn what_was_read_before_the_newest_is_known_is_measured_once_it_is() {
    let (mut intake, feed) = intake();
    intake.add_logs(&feed, &found(&[(10, 1)], &[], None));
    let all = intake.add_logs(&feed, &found(&[(14, 1)], &[], Some(15 * MINUTE)));
    assert_eq!(measured_of(&all), [10, 11, 12, 13, 14, 15]);
}
