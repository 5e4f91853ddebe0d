//! Laws of accounts: coverage, and slices whose minutes are no longer in memory.

use std::sync::Arc;

use proptest::prelude::*;

use super::{Account, Facts, end_of};
use crate::bucket::Bucket;
use crate::slo::Slo;
use crate::spec;
use crate::time::{Minute, Span};

const SPEC: &str = "apiVersion: headroom/v1\nkind: Service\nservice: a\ntier: 1\n\
    environment: p\nslos:\n  - {name: x, objective: 99.9%, window: 6h, indicator: {ratio: {total: t, bad: b}}}\n";

fn slo() -> Arc<Slo> {
    let set = spec::load(&[("a.yaml".to_owned(), SPEC.into())]).unwrap();
    set.services[0].slos[0].clone()
}

fn coverage(account: &mut Account, end: Minute) -> f64 {
    let now = end.start();
    account.advance(end);
    let facts = Facts {
        now,
        data_until: Some(now),
        newest: Some(end - 1),
        stale_after: Some(Span::minutes(5)),
        ..Facts::default()
    };
    account.view(facts).windows[0].coverage.unwrap_or(0.0)
}

const SLICES: &str = "apiVersion: headroom/v1\nkind: Service\nservice: a\ntier: 1\n\
    environment: p\nslos:\n  - {name: x, objective: 99%, window: 1d, \
    budgeting: {timeslices: {size: 5m, goodWhen: 95%}}, indicator: {ratio: {total: t, bad: b}}}\n";

/// Bad slices of the window.
fn bad_slices(account: &mut Account, end: Minute) -> f64 {
    account.advance(end);
    let (now, newest) = (end.start(), Some(end - 1));
    let facts = Facts { now, data_until: Some(now), newest, ..Facts::default() };
    account.view(facts).windows[0].bad.unwrap_or(f64::NAN)
}

#[test]
fn slices_keep_their_outcome_when_the_past_is_filled_while_later_minutes_are_not_in_memory() {
    let set = spec::load(&[("a.yaml".to_owned(), SLICES.into())]).unwrap();
    let mut account = Account::new(set.services[0].slos[0].clone(), &[]);
    let end = end_of("2026-11-21T10:00:00Z".parse().unwrap());
    for minute in (1..=20 * 60).map(|back| end - back) {
        // The first five minutes of each hour are bad.
        let good = if minute.0.rem_euclid(60) < 5 { 0 } else { 10 };
        let bucket = Bucket { good, total: 10, measured: true, ..Bucket::default() };
        account.replace(minute, &bucket);
    }
    let before = bad_slices(&mut account, end);
    assert!((19.0..=21.0).contains(&before), "{before}");
    account.events_mut().evict(end - 60);
    for minute in (20 * 60 + 1..=20 * 60 + 60).map(|back| end - back) {
        account
            .replace(minute, &Bucket { good: 10, total: 10, measured: true, ..Bucket::default() });
    }
    assert!((bad_slices(&mut account, end) - before).abs() < 1e-9);
}

proptest! {
    #[test]
    fn a_minute_that_turns_unmeasured_never_raises_coverage(
        measured in prop::collection::vec(any::<bool>(), 2..500), which in any::<prop::sample::Index>(),
    ) {
        let end = end_of("2026-11-21T10:00:00Z".parse().unwrap());
        let mut account = Account::new(slo(), &[]);
        let first = end - measured.len() as i64;
        for (at, measured) in measured.iter().enumerate().filter(|(_, measured)| **measured) {
            let bucket = Bucket { good: 9, total: 10, measured: *measured, ..Bucket::default() };
            account.replace(first + at as i64, &bucket);
        }
        let before = coverage(&mut account, end);
        account.replace(first + which.index(measured.len()) as i64, &Bucket::default());
        prop_assert!(coverage(&mut account, end) <= before);
    }
}
