//! Servers whose database holds minutes, for histories and what is counted from them.

use std::collections::BTreeMap;
use std::sync::Arc;

use slo_core::bucket::Bucket;
use slo_core::ledger::Hour;
use slo_core::slo::{Name, SloId};
use slo_core::time::Minute;

use super::{World, now, snapshot};
use crate::store::{Commit, LedgerKey};

impl World {
    /// A server with two hours of minutes up to 10:00 of SLOs of `orders` in production: 100 events
    /// each, so many of them bad in the minute that began so many minutes before 10:00; `None` was not
    /// measured.
    pub(crate) async fn with_minutes(
        slos: &[&str],
        bad: impl Fn(&str, i64) -> Option<i64>,
    ) -> Self {
        let world = Self::before_the_first_snapshot().await;
        let keys: Vec<LedgerKey> = slos.iter().map(|slo| key(slo)).collect();
        let registered = world.shared.store.register(&keys).await.unwrap();
        let end = Minute::of(now());
        let (mut commit, mut ledgers) = (Commit::default(), BTreeMap::new());
        for (LedgerKey { slo, .. }, ledger) in keys.into_iter().zip(&registered) {
            for back in 1..=2 {
                let first = 60 * back;
                let hour = hour(|at| bad(slo.slo.as_str(), first - at));
                commit.hours.push((end.hour() - back, ledger.id, hour.pack()));
            }
            commit.firsts.insert(ledger.id, end - 120);
            ledgers.insert(slo, ledger.id);
        }
        world.shared.store.commit(&commit).await.unwrap();
        let mut snapshot = snapshot();
        snapshot.ledgers = Arc::new(ledgers);
        world.shared.latest.publish(snapshot);
        world
    }
}

fn key(slo: &str) -> LedgerKey {
    let name = |text: &str| Name::parse(text).unwrap();
    let slo = SloId { service: name("orders"), slo: name(slo), environment: name("production") };
    LedgerKey { slo, fingerprint: "f".to_owned() }
}

fn hour(bad: impl Fn(i64) -> Option<i64>) -> Hour {
    let mut hour = Hour::default();
    for at in 0..60 {
        if let Some(bad) = bad(at) {
            let (good, at) = (100 - bad, usize::try_from(at).unwrap());
            hour.set(at, &Bucket { good, total: 100, measured: true, ..Bucket::default() });
        }
    }
    hour
}
