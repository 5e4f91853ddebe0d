//! `decide --replay`: on a database that a real engine and a real gate filled.

use slo_core::bucket::Bucket;
use slo_core::time::Minute;
use slo_engine::store::Commit;

use super::{Desk, END, ORDERS, POLICY, Said, traffic};
use crate::live::at;
use crate::support::shop::Shop;

const STRICT: &str = "denyBelow: 75%, warnBelow: 80%";

/// Three decisions within two hours, each with 60 % of the budget left.
fn desk() -> Desk {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let desk = Desk::with(&[("slos/orders.yaml", ORDERS), ("slos/policy.yaml", POLICY)]);
    desk.write("strict.yaml", &POLICY.replace("denyBelow: 0%, warnBelow: 25%", STRICT));
    let fake = traffic(4);
    runtime().block_on(async {
        let begin = at(END - 7_200);
        let mut shop = Shop::open(&desk.path(""), &fake.url, begin).await;
        for (number, back) in [7_200, 3_600, 60].into_iter().enumerate() {
            shop.engine.tick(at(END - back)).await;
            shop.fill(at(END - back)).await;
            shop.decide(&format!("1.0.{number}"), at(END - back + 5)).await;
        }
        shop.close().await;
    });
    desk
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().unwrap()
}

/// Six hours ago 720 more failed in a minute than the source had told: 5 % of the budget.
fn late_data(desk: &Desk) {
    runtime().block_on(async {
        let shop = Shop::open(&desk.path(""), "http://127.0.0.1:1", at(END)).await;
        let ledger = *shop.latest.get().unwrap().ledgers.values().next().unwrap();
        let hour = Minute::of(at(END - 6 * 3_600)).hour();
        let (_, mut minutes) = shop.store.history(ledger, hour, hour + 1).await.unwrap().remove(0);
        let was = minutes.get(0);
        minutes.set(0, &Bucket { good: was.good - 720, ..was });
        let mut commit = Commit::default();
        commit.folds.insert((hour, ledger), minutes.sums(0, 60));
        commit.hours.push((hour, ledger, minutes.pack()));
        shop.store.commit(&commit).await.unwrap();
        shop.close().await;
    });
}

fn replay(desk: &Desk, more: &[&str]) -> Said {
    let from = (END - 86_400).to_string();
    let end = END.to_string();
    let asked = ["decide", "--replay", "--from", &from, "--to", &end, "--policy"];
    desk.run(&[&asked[..], more].concat())
}

#[test]
fn a_policy_is_tried_on_what_was_decided_and_the_exit_code_says_whether_anything_changes() {
    let desk = desk();
    let same = replay(&desk, &["slos/policy.yaml"]);
    assert_eq!((same.code, same.err.as_str()), (0, ""), "{same:?}");
    let none = "3 decisions from 2026-09-30 00:00 UTC to 2026-10-01 00:00 UTC: none would have been another\n";
    assert!(same.out.ends_with(none), "{}", same.out);

    let strict = replay(&desk, &["strict.yaml"]);
    assert_eq!((strict.code, strict.err.as_str()), (1, ""), "{strict:?}");
    let head = "2026-09-30 22:00:05  orders production 1.0.0  allow -> deny\n  \
        availability: 60 % of the 1d budget remains; the policy denies below 75 %\n";
    assert!(strict.out.starts_with(head), "{}", strict.out);
    assert!(strict.out.contains("3 allow -> deny"), "{}", strict.out);
    assert!(
        strict.out.ends_with("3 would have been another (3 allow -> deny)\n"),
        "{}",
        strict.out
    );

    let elsewhere = replay(&desk, &["strict.yaml", "--environment", "staging"]);
    assert!(elsewhere.code == 0 && elsewhere.out.contains("0 decisions from"), "{elsewhere:?}");
    let one = replay(&desk, &["strict.yaml", "--service", "orders", "--json"]);
    assert_eq!((one.code, one.json()["summary"]["changed"].as_i64()), (1, Some(3)));
}

#[test]
fn late_data_is_marked_and_no_source_is_asked() {
    let desk = desk();
    late_data(&desk);
    let said = replay(&desk, &["slos/policy.yaml"]);
    assert_eq!(said.code, 0, "{said:?}");
    let line = "  ledger changed since: availability had 60 % of its 1d budget left; now 55 %\n";
    assert_eq!(said.out.matches(line).count(), 3, "{}", said.out);
    assert!(said.out.ends_with("none would have been another; 3 with another ledger since\n"));

    let json = replay(&desk, &["strict.yaml", "--json"]).json();
    let item = &json["items"][2];
    assert_eq!(item["outcome"], "changed");
    assert_eq!(
        (&item["recorded"], &item["replayed"], &item["loaded"]),
        (&"allow".into(), &"deny".into(), &"allow".into())
    );
    assert_eq!((&item["version"], &item["at"]), (&"1.0.2".into(), &"2026-09-30T23:59:05Z".into()));
    let change = &item["ledgerChanged"][0];
    assert_eq!((&change["slo"], &change["window"]), (&"availability".into(), &"1d".into()));
    assert!((change["rebuilt"].as_f64().unwrap() - 0.55).abs() < 1e-9, "{change}");
    let summary = &json["summary"];
    assert_eq!(
        summary["changes"][0],
        serde_json::json!({"from": "allow", "to": "deny", "count": 3})
    );
    assert_eq!(
        (&summary["services"][0]["service"], &summary["services"][0]["decisions"]),
        (&"orders".into(), &3.into())
    );
}

#[test]
fn a_replay_that_cannot_be_meant_exits_with_2() {
    let desk = Desk::with(&[("slos/orders.yaml", ORDERS), ("slos/policy.yaml", POLICY)]);
    let policy = ["--policy", "slos/policy.yaml"];
    for wrong in [
        &["--from", "1790000000"][..],
        &[&policy[..], &["--to", "1790000000"]].concat(),
        &[&policy[..], &["--from", "1790000000", "--to", "1790000000"]].concat(),
        &[&policy[..], &["--from", "1790000000", "--at", "1790000000"]].concat(),
        &[&policy[..], &["--from", "1790000000", "--kind", "hotfix"]].concat(),
    ] {
        let said = desk.run(&[&["decide", "--replay"], wrong].concat());
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{wrong:?} {said:?}");
    }
    let said = replay(&desk, &["slos/policy.yaml"]);
    assert!(said.code == 2 && said.err.contains("there is no database"), "{said:?}");
}

#[test]
fn a_dry_run_is_told_that_it_denies_nothing() {
    let desk = desk();
    let trial = POLICY.replace("rules:", "mode: dryRun\nrules:");
    desk.write("trial.yaml", &trial.replace("denyBelow: 0%, warnBelow: 25%", STRICT));
    let said = replay(&desk, &["trial.yaml"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.contains("policy `strict` is a dry run and denies nothing"), "{}", said.err);
}
