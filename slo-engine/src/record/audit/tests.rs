use std::path::Path;
use std::time::Duration;

use super::*;
use crate::record::recorder::tests::{entry, started};
use crate::record::signing::SigningKey;
use crate::record::{Entry, newest_head};

/// A chain of ten with a head signed at 4 and one at 10.
async fn ten(folder: &Path) -> (Store, Vec<SignedHead>) {
    let mut heads = Vec::new();
    for (from, to) in [(1, 4), (5, 10)] {
        let (store, recorder) = started(folder).await;
        for at in from..=to {
            let id = format!("d{at}");
            let json = format!(
                r#"{{"id": "{id}", "at": "2026-11-21T10:00:00Z", "service": "orders", "verdict": "deny"}}"#
            );
            let entry = Entry { json: json.into_bytes(), ..entry(&id) };
            recorder.record(entry, Duration::from_secs(30)).await.unwrap();
        }
        recorder.stop().await;
        heads.push(newest_head(&store).await.unwrap().unwrap());
        store.close().await;
    }
    let store = Store::open(&format!("sqlite://{}/headroom.db", folder.display())).await.unwrap();
    (store, heads)
}

fn key(folder: &Path) -> Option<[u8; 32]> {
    SigningKey::read(&folder.join("heads.pem")).unwrap().map(|key| key.public())
}

fn anchor(signed: &SignedHead) -> Anchor {
    Anchor { head: signed.head, signed: Some(signed.clone()) }
}

async fn tamper(store: &Store, statements: &[&'static str]) {
    for sql in statements {
        sqlx::query(*sql).execute(store.pool()).await.unwrap();
    }
}

/// Codes and records of what is found.
async fn found(store: &Store, anchors: &[Anchor], key: Option<[u8; 32]>) -> Vec<(Code, i64)> {
    let audit = audit(store, anchors, key, &|_| {}).await.unwrap();
    audit.findings.iter().map(|finding| (finding.code, finding.seq)).collect()
}

/// Computes the hashes from a record on anew, as somebody would who can write the database.
async fn rehash(store: &Store, from: i64) {
    let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as("SELECT seq, json FROM records ORDER BY seq")
        .fetch_all(store.pool())
        .await
        .unwrap();
    let mut head = Head::default();
    for (seq, json) in rows {
        head = Head { seq, ..head.then(&json) };
        if seq >= from {
            let update = sqlx::query("UPDATE records SET hash = ? WHERE seq = ?");
            let update = update.bind(head.hash.0.to_vec()).bind(seq);
            update.execute(store.pool()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn an_untouched_chain_is_whole_and_its_anchors_hold() {
    let folder = tempfile::tempdir().unwrap();
    let (store, heads) = ten(folder.path()).await;
    let anchors: Vec<Anchor> = heads.iter().map(anchor).collect();
    let audit = audit(&store, &anchors, key(folder.path()), &|_| {}).await.unwrap();
    assert!(audit.is_whole(), "{audit:?}");
    assert_eq!((audit.end, audit.heads), (heads[1].head, 2));
    assert!(audit.anchors.iter().all(|(_, holds)| *holds));
    assert_eq!(last_links(&store, 5).await.unwrap().end, heads[1].head);
    assert_eq!(last_links(&store, 5_000).await.unwrap().broken, None);
}

#[tokio::test]
async fn the_first_broken_link_is_named_with_what_differs() {
    for (statements, seq, says) in [
        (
            vec![
                "UPDATE records SET json = CAST(replace(json, 'deny', 'wait') AS BLOB) WHERE seq IN (3, 7)",
            ],
            3,
            "JSON",
        ),
        (vec!["UPDATE records SET hash = zeroblob(32) WHERE seq = 6"], 6, "sha256:0000"),
        (vec!["DELETE FROM records WHERE seq = 5"], 6, "record 5 is missing"),
        (vec!["DELETE FROM records WHERE seq < 3"], 3, "records 1 to 2 are missing"),
        (
            vec![
                "UPDATE records SET seq = 99 WHERE seq = 5",
                "UPDATE records SET seq = 5 WHERE seq = 6",
                "UPDATE records SET seq = 6 WHERE seq = 99",
            ],
            5,
            "place was changed",
        ),
        (
            vec![
                "INSERT INTO records SELECT -4, kind, id, at, service, environment, verdict, \
                  idempotency, body_hash, hash, json FROM records WHERE seq = 1",
            ],
            -4,
            "no place",
        ),
        (vec!["UPDATE records SET verdict = 'allow' WHERE seq = 8"], 8, "column `verdict`"),
        (vec!["UPDATE records SET service = 'payment' WHERE seq = 8"], 8, "column `service`"),
        (vec!["UPDATE records SET at = at + 1 WHERE seq = 8"], 8, "column `at`"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = ten(folder.path()).await;
        tamper(&store, &statements).await;
        let audit = audit(&store, &[], key(folder.path()), &|_| {}).await.unwrap();
        let first = &audit.findings[0];
        assert_eq!((first.code, first.seq), (Code::Broken, seq), "{statements:?}: {audit:?}");
        assert!(first.message.contains(says) && first.id.is_some(), "{first:?}");
    }
}

#[tokio::test]
async fn a_chain_that_was_computed_anew_is_a_rewrite_by_the_heads_and_by_an_anchor() {
    let folder = tempfile::tempdir().unwrap();
    let (store, heads) = ten(folder.path()).await;
    tamper(&store, &["UPDATE records SET json = x'7b7d' WHERE seq = 6"]).await;
    rehash(&store, 6).await;
    let key = key(folder.path());
    assert_eq!(found(&store, &[], key).await, [(Code::Rewritten, 10)]);
    tamper(&store, &["DELETE FROM heads"]).await;
    assert_eq!(found(&store, &[], key).await, [], "nobody kept anything");
    let (early, late) = (anchor(&heads[0]), anchor(&heads[1]));
    assert_eq!(found(&store, &[early, late], key).await, [(Code::Rewritten, 10)]);
}

#[tokio::test]
async fn a_tail_that_was_cut_is_found_by_the_heads_and_by_an_anchor() {
    let folder = tempfile::tempdir().unwrap();
    let (store, heads) = ten(folder.path()).await;
    tamper(&store, &["DELETE FROM records WHERE seq > 7"]).await;
    let key = key(folder.path());
    assert_eq!(found(&store, &[], key).await, [(Code::Cut, 10)]);
    tamper(&store, &["DELETE FROM heads WHERE seq > 7"]).await;
    assert_eq!(found(&store, &[], key).await, []);
    let anchors: Vec<Anchor> = heads.iter().map(anchor).collect();
    assert_eq!(found(&store, &anchors, key).await, [(Code::Cut, 10)]);
}

#[tokio::test]
async fn a_head_with_a_wrong_signature_or_of_another_key_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (store, heads) = ten(folder.path()).await;
    let own = key(folder.path());
    let other = SigningKey::make(&folder.path().join("other.pem")).unwrap();
    let strange = other.sign(heads[0].head, heads[0].at);
    let put = "UPDATE heads SET public_key = ?, signature = ? WHERE seq = 4";
    let put = sqlx::query(put).bind(&strange.public_key[..]).bind(&strange.signature[..]);
    put.execute(store.pool()).await.unwrap();
    assert_eq!(found(&store, &[], own).await, [(Code::Key, 4)]);
    let trusted = anchor(&strange);
    assert_eq!(found(&store, &[trusted], own).await, [], "somebody kept a head of that key");
    assert_eq!(found(&store, &[], None).await, [(Code::Key, 10)], "of two keys one is strange");
    tamper(&store, &["UPDATE heads SET at = at + 1000 WHERE seq = 4"]).await;
    assert_eq!(found(&store, &[], own).await, [(Code::Signature, 4)]);
    let mut forged = anchor(&heads[0]);
    forged.signed.as_mut().unwrap().signature[0] ^= 1;
    tamper(&store, &["DELETE FROM heads WHERE seq = 4"]).await;
    assert_eq!(found(&store, &[forged], own).await, [(Code::Signature, 4)]);
}

#[tokio::test]
async fn a_chain_that_broke_before_an_anchor_is_walked_on_from_there() {
    let folder = tempfile::tempdir().unwrap();
    let (store, heads) = ten(folder.path()).await;
    tamper(&store, &["UPDATE records SET json = x'7b7d' WHERE seq = 2"]).await;
    let audit = audit(&store, &[anchor(&heads[0])], None, &|_| {}).await.unwrap();
    assert_eq!(audit.findings.len(), 1);
    assert_eq!((audit.end.seq, audit.from_anchor), (1, Some(heads[1].head)));
}

#[test]
fn an_anchor_is_read_from_text_and_json() {
    let hash = Head::default().then(b"{}").hash;
    let text = format!("7:{hash}");
    let expected = Anchor { head: Head { seq: 7, hash }, signed: None };
    assert_eq!(text.parse(), Ok(expected.clone()));
    assert_eq!(format!(r#"{{"seq": 7, "hash": "{hash}"}}"#).parse(), Ok(expected));
    for wrong in ["", "7", "0:sha256:00", "-1:x", "{}", r#"{"seq": 1, "hash": "sha256:0"}"#] {
        assert!(wrong.parse::<Anchor>().is_err(), "{wrong}");
    }
}
