//! `audit` and what `doctor` says of the chain, on records of a database that nobody serves.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use slo_engine::clock::{Clock, SystemClock};
use slo_engine::record::signing::Signing;
use slo_engine::record::{Entry, RecordKind, Recorder};
use slo_engine::store::Store;

use super::Desk;

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(work)
}

fn url(desk: &Desk) -> String {
    format!("sqlite://{}", desk.path("data/headroom.db").display())
}

/// Records so many decisions more, as a server does, whose stop signs the end.
fn record(desk: &Desk, count: usize) {
    block_on(async {
        let store = Store::open(&url(desk)).await.unwrap();
        let key = Signing::default().key(&store).unwrap();
        let recorder = Recorder::start(store.clone(), Arc::new(SystemClock), key).await.unwrap();
        for number in 0..count {
            let at = SystemClock.now();
            let entry = Entry {
                kind: RecordKind::Decision,
                id: format!("d{number}"),
                at,
                service: "orders".to_owned(),
                environment: "production".to_owned(),
                verdict: Some("deny".to_owned()),
                json: format!(r#"{{"at": "{}"}}"#, at.to_rfc3339()).into_bytes(),
                idempotency: None,
            };
            recorder.record(entry, Duration::from_secs(30)).await.unwrap();
        }
        recorder.stop().await;
        store.close().await;
    });
}

fn tamper(desk: &Desk, sql: &'static str) {
    block_on(async {
        let pool = sqlx::SqlitePool::connect(&url(desk)).await.unwrap();
        sqlx::query(sql).execute(&pool).await.unwrap();
        pool.close().await;
    });
}

#[test]
fn a_head_that_was_kept_proves_the_chain_and_finds_a_rewrite_and_a_cut_tail() {
    let desk = Desk::with(&[]);
    record(&desk, 5);
    let head = desk.run(&["audit", "head", "--json"]);
    assert_eq!((head.code, head.json()["seq"].as_i64()), (0, Some(5)), "{head:?}");
    desk.write("kept.json", &head.out);
    let anchor = desk.run(&["audit", "head"]).out.lines().next().unwrap().to_owned();
    record(&desk, 2);
    for kept in ["kept.json", &anchor, &head.out] {
        let said = desk.run(&["audit", "verify", "--anchor", kept]);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
        assert!(said.out.starts_with("the chain is whole up to 7:sha256:"), "{}", said.out);
        let holds = "the anchor 5 holds; 2 records since, whole from there\n";
        assert!(said.out.ends_with(holds), "{}", said.out);
    }
    tamper(&desk, "DELETE FROM heads");
    tamper(&desk, "DELETE FROM records WHERE seq > 4");
    assert_eq!(desk.run(&["audit", "verify"]).code, 0, "nobody can tell without an anchor");
    let said = desk.run(&["audit", "verify", "--anchor", &anchor]);
    assert_eq!(said.code, 1);
    assert!(said.out.starts_with("record 5: it is gone, and all after it; the anchor says"));
    record(&desk, 2);
    let said = desk.run(&["audit", "verify", "--anchor", "kept.json", "--json"]);
    assert_eq!((said.code, said.json()["whole"].as_bool()), (1, Some(false)));
    assert_eq!(said.json()["findings"][0]["code"], "rewritten", "{}", said.out);
}

#[test]
fn the_first_broken_link_is_named_by_audit_and_doctor() {
    let desk = Desk::with(&[]);
    record(&desk, 5);
    tamper(&desk, "UPDATE records SET json = x'7b7d' WHERE seq = 3");
    let said = desk.run(&["audit", "verify"]);
    assert_eq!(said.code, 1);
    assert!(said.out.starts_with("record 3 (decision d2): its JSON"), "{}", said.out);
    assert!(said.out.contains("NOT WHOLE; up to 2:sha256:"), "{}", said.out);
    let said = desk.run(&["doctor"]);
    assert!(said.out.contains("the chain breaks at record 3"), "{}", said.out);
}

#[test]
fn a_key_that_others_can_read_is_told_by_audit_and_doctor() {
    let desk = Desk::with(&[]);
    record(&desk, 1);
    let said = desk.run(&["doctor"]);
    assert!(said.out.contains("1 recorded, the last 1 link of the chain hold"), "{}", said.out);
    let key = desk.path("data/heads.pem");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let said = desk.run(&["audit", "verify"]);
    assert!(said.code == 0 && said.err.contains("chmod 600"), "{said:?}");
    let said = desk.run(&["doctor"]);
    assert!(said.out.contains("FAIL  signing"), "{}", said.out);
}

#[test]
fn what_is_no_head_and_no_database_is_told_apart() {
    let desk = Desk::with(&[]);
    let said = desk.run(&["audit", "verify", "--anchor", "7:sha1:00"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("no head of a chain"), "{}", said.err);
    let said = desk.run(&["audit", "verify"]);
    assert!(said.code == 1 && said.err.contains("there is no database"), "{said:?}");
    record(&desk, 0);
    let said = desk.run(&["audit", "verify"]);
    assert_eq!((said.code, said.out.as_str()), (0, "nothing is recorded yet\n"));
    let said = desk.run(&["audit", "head"]);
    assert!(said.code == 1 && said.err.contains("no head was signed yet"), "{said:?}");
}
