//! What the load saw equals what the catalogue's counters say, route by route and code by code.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use shop_load::report::Report;

use crate::support::{Shop, load, run};

fn seen(report: &Report) -> BTreeMap<(String, String, u16), u64> {
    let mut seen = BTreeMap::new();
    for route in &report.routes {
        for (code, count) in &route.codes {
            seen.insert((route.method.clone(), route.route.clone(), *code), *count);
        }
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_seconds_at_1000_a_second_with_faults_leave_no_difference() {
    let shop = Shop::open().await;
    shop.fault(&json!({"kind": "errors", "share": 0.2, "seconds": 60, "seed": 3})).await;
    let slow = json!({"kind": "both", "share": 0.05, "latencyMs": 30, "route": "/search",
        "seconds": 60, "seed": 4});
    shop.fault(&slow).await;
    let report = run(&load(shop.address, &["--rate", "1000", "--seconds", "2"])).await;
    assert!((1_800..=2_200).contains(&report.scheduled), "{report:?}");
    assert_eq!((report.in_flight, report.transport_errors.total()), (0, 0), "{report:?}");
    let counted = shop.counts().await;
    assert_eq!(seen(&report), counted);
    let bad: u64 = counted.iter().filter(|((_, _, code), _)| *code >= 500).map(|(_, n)| n).sum();
    assert_eq!(report.bad, bad);
    let faults: Value = serde_json::from_str(&shop.get("/faults").await).unwrap();
    assert_eq!(faults["active"][0]["requestsSeen"], report.sent);
    assert!((0.17..0.25).contains(&(bad as f64 / report.sent as f64)), "{bad}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_default_mix_on_a_healthy_catalogue_meets_only_success_and_honest_404() {
    let shop = Shop::open().await;
    let flags = ["--rate", "1000", "--seconds", "1", "--spacing", "even"];
    let report = run(&load(shop.address, &flags)).await;
    assert_eq!((report.scheduled, report.bad), (1_000, 0));
    let usual = [200, 201, 204, 404];
    assert!(report.codes.keys().all(|code| usual.contains(code)), "{:?}", report.codes);
    let with_404 = report.routes.iter().filter(|route| route.codes.contains_key(&404));
    assert!(with_404.into_iter().all(|route| route.method == "DELETE"), "{report:?}");
    assert_eq!(seen(&report), shop.counts().await);
}
