//! A law of coverage.

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
