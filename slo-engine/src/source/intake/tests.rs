use slo_core::plan::{Defaults, shares};

use super::*;

const SERVICE: &str = "apiVersion: headroom/v1\nkind: Service\nservice: a\ntier: 1\nenvironment: p\n\
    slos:\n  - name: x\n    objective: 99%\n    indicator: {ratio: {total: t_total, bad: '{code=\"500\"}'}}\n\
    \x20 - name: y\n    objective: 99%\n    indicator: {ratio: {total: 't_total{code!=\"404\"}', bad: '{code=\"500\"}'}}\n";

fn intake() -> Intake {
    let set = slo_core::spec::load(&[("a.yaml".to_owned(), SERVICE.into())]).unwrap();
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
        intake.take(query, labels, vec![Sample { at, value }], None);
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
