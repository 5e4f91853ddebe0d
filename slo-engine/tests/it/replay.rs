//! What a replay rebuilds of decisions that a real engine and a real gate made and recorded.

use std::path::Path;

use chrono::TimeDelta;

use crate::live::at;
use crate::support::Dice;
use crate::support::fake::{Fake, Series};
use crate::support::shop::Shop;

/// The end of the traffic, Unix seconds.
const END: i64 = 1_790_812_800;

const SERVICE: &str = r#"apiVersion: headroom/v1
kind: Service
service: orders
tier: 1
environment: production
dependsOn: [payment]
slos:
  - name: availability
    objective: 99%
    window: [1d, 6h]
    indicator: {ratio: {total: 'http_requests_total{service="orders"}', bad: '{code=~"5.."}'}}
  - name: week
    objective: 99%
    window: {calendar: week, zone: Europe/Paris}
    indicator: {ratio: {total: 'http_requests_total{service="orders"}', bad: '{code=~"5.."}'}}
---
apiVersion: headroom/v1
kind: Service
service: payment
tier: 1
environment: production
slos:
  - name: availability
    objective: 99%
    window: 1d
    indicator: {ratio: {total: 'http_requests_total{service="payment"}', bad: '{code=~"5.."}'}}
---
apiVersion: headroom/v1
kind: Exclusion
slos: ["orders/*"]
weekly: {from: "Mon..Sun 16:40", until: "17:35", zone: Europe/Paris}
reason: nightly import
author: ana@example.com
"#;

const POLICY: &str = "apiVersion: headroom/v1\nkind: Policy\npolicy: trial\nrules:\n  \
    - budget: {denyBelow: 20%, warnBelow: 40%}\n  - burn: {window: 1h, deny: 3, warn: 1.5}\n  - exhaustion: {warnWithin: 2h}\n  \
    - coverage: {min: 50%}\n  - dependencies: {denyBelow: 0%}\nonUnknown: deny\nnoSlo: deny\n";

/// Requests every 15 s, of which now and then some fail.
fn traffic(service: &str, seed: u64) -> Vec<Series> {
    let mut dice = Dice(seed);
    let (mut counts, mut all) = ([0_u64; 2], [Vec::new(), Vec::new()]);
    for step in -4 * 60 * 48..=0_i64 {
        let is_bad_hour = (step.div_euclid(240) + i64::try_from(seed).unwrap()).rem_euclid(7) == 0;
        counts[0] += 200 + dice.below(100);
        counts[1] += dice.below(if is_bad_hour { 15 } else { 2 });
        for (samples, count) in all.iter_mut().zip(counts) {
            samples.push((END + step * 15, count));
        }
    }
    let labels = |code: &str| {
        let name = ("__name__", "http_requests_total".to_owned());
        vec![name, ("service", service.to_owned()), ("code", code.to_owned()), ("job", "a".into())]
    };
    let [good, bad] = all;
    vec![(labels("200"), good), (labels("500"), bad)]
}

/// Ticks at odd instants, decisions between them, restarts now and then.
async fn played(folder: &Path, url: &str) -> Shop {
    let mut dice = Dice(3);
    let mut now = at(END - 8 * 3_600);
    let mut shop = Shop::open(folder, url, now).await;
    shop.engine.tick(now).await;
    shop.fill(now).await;
    let mut number = 0;
    while now < at(END) - TimeDelta::seconds(60) {
        now += TimeDelta::milliseconds(15_000 + i64::try_from(dice.below(90_000)).unwrap());
        shop.engine.tick(now).await;
        if dice.below(3) == 0 {
            let asked =
                now + TimeDelta::microseconds(i64::try_from(dice.below(9_000_000)).unwrap());
            shop.decide(&format!("1.0.{number}"), asked).await;
            number += 1;
        }
        if dice.below(60) == 0 {
            shop.close().await;
            shop = Shop::open(folder, url, now).await;
        }
    }
    shop
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_policies_say_of_a_day_of_recorded_decisions_what_they_said_then() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let fake = Fake::holding([traffic("orders", 1), traffic("payment", 5)].concat());
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("slos")).unwrap();
    std::fs::write(folder.path().join("slos/orders.yaml"), SERVICE).unwrap();
    let policy = folder.path().join("slos/policy.yaml");
    std::fs::write(&policy, POLICY).unwrap();
    let shop = played(folder.path(), &fake.url).await;

    let day = (at(END - 86_400), at(END + 60));
    let (items, summary) = shop.replay(&policy, day).await;
    assert!(summary.all.decisions > 100, "{summary:?}");
    assert_eq!((items, summary.all.changed), (Vec::new(), 0), "{summary:?}");

    let strict = folder.path().join("strict.yaml");
    std::fs::write(&strict, POLICY.replace("20%, warnBelow: 40%", "100%")).unwrap();
    let (items, summary) = shop.replay(&strict, day).await;
    assert!(items.iter().all(|item| item.ledger_changed.is_empty()), "{items:?}");
    let changes = &summary.all.changes;
    assert!(changes.len() > 1 && changes.iter().all(|one| one.count > 5), "{summary:?}");
    shop.close().await;
}
