use std::time::Duration;

use chrono::TimeDelta;

use super::super::recorder::tests::{entry, started};
use super::*;

const LONG: Duration = Duration::from_secs(30);

fn minute(at: i64) -> DateTime<Utc> {
    entry("").at + TimeDelta::minutes(at)
}

/// Six records: numbers 1 to 6, a minute apart, except that 5 and 6 were asked in the same one.
async fn six(folder: &std::path::Path) -> Records {
    let (_, recorder) = started(folder).await;
    let all = [
        (RecordKind::Decision, "d1", "orders", "production", Some("deny"), 0),
        (RecordKind::Override, "o1", "orders", "production", None, 1),
        (RecordKind::Override, "o1", "orders", "production", None, 2),
        (RecordKind::Deployment, "p1", "orders", "staging", None, 3),
        (RecordKind::Decision, "d2", "payment", "production", Some("allow"), 4),
        (RecordKind::Decision, "d3", "orders", "staging", Some("warn"), 4),
    ];
    for (kind, id, service, environment, verdict, at) in all {
        let (service, environment) = (service.to_owned(), environment.to_owned());
        let verdict = verdict.map(str::to_owned);
        let at = minute(at);
        let entry = Entry { kind, at, service, environment, verdict, ..entry(id) };
        recorder.record(entry, LONG).await.unwrap();
    }
    recorder.records().clone()
}

fn seqs(records: &[Record]) -> Vec<i64> {
    records.iter().map(|record| record.seq).collect()
}

#[tokio::test]
async fn what_was_recorded_is_read_as_it_was_given() {
    let folder = tempfile::tempdir().unwrap();
    let (_, recorder) = started(folder.path()).await;
    let plain = Entry { verdict: None, idempotency: None, ..entry("plain") };
    for entry in [entry("a"), plain] {
        let recorded = recorder.record(entry.clone(), LONG).await.unwrap();
        let read = recorder.records().by_id(&entry.id).await.unwrap().remove(0);
        assert_eq!(read.entry, entry);
        assert_eq!((read.seq.unsigned_abs(), read.hash.to_string()), (recorded.seq, recorded.hash));
    }
}

#[tokio::test]
async fn an_id_has_all_its_records_and_a_key_its_newest() {
    let folder = tempfile::tempdir().unwrap();
    let records = six(folder.path()).await;
    assert_eq!(seqs(&records.by_id("o1").await.unwrap()), [2, 3]);
    assert_eq!(records.newest_by_key("key of o1").await.unwrap().unwrap().seq, 3);
    assert!(records.newest_by_key("key of nobody").await.unwrap().is_none());
    assert!(records.by_id("nobody").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_start_reads_all_of_some_kinds_in_the_order_of_the_chain() {
    let folder = tempfile::tempdir().unwrap();
    let records = six(folder.path()).await;
    for (kinds, expected) in [
        (&[RecordKind::Deployment, RecordKind::Override][..], vec![2, 3, 4]),
        (&[RecordKind::Exclusion], vec![]),
        (&[RecordKind::Decision, RecordKind::Deployment], vec![1, 4, 5, 6]),
        (&[], vec![]),
    ] {
        let read: Vec<Record> = records.all_of(kinds).try_collect().await.unwrap();
        assert_eq!(seqs(&read), expected, "{kinds:?}");
    }
}

#[tokio::test]
async fn a_list_is_filtered_and_newest_first() {
    let folder = tempfile::tempdir().unwrap();
    let records = six(folder.path()).await;
    let text = |text: &str| Some(text.to_owned());
    let all = Filter::default;
    for (filter, expected) in [
        (all(), vec![6, 5, 4, 3, 2, 1]),
        (Filter { kind: Some(RecordKind::Decision), ..all() }, vec![6, 5, 1]),
        (Filter { service: text("orders"), ..all() }, vec![6, 4, 3, 2, 1]),
        (Filter { service: text("orders"), environment: text("staging"), ..all() }, vec![6, 4]),
        (Filter { verdict: text("deny"), ..all() }, vec![1]),
        (Filter { from: Some(minute(1)), to: Some(minute(4)), ..all() }, vec![4, 3, 2]),
        (Filter { service: text("' OR true --"), ..all() }, vec![]),
    ] {
        let listed = records.list(&filter, None, 100).await.unwrap();
        assert_eq!(seqs(&listed), expected, "{filter:?}");
    }
}

#[tokio::test]
async fn pages_of_a_list_miss_nothing_and_show_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let records = six(folder.path()).await;
    for limit in 1..=7 {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = records.list(&Filter::default(), after, limit).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some(last.seq);
            seen.extend(seqs(&page));
        }
        assert_eq!(seen, [6, 5, 4, 3, 2, 1], "{limit} a page");
    }
}

#[tokio::test]
async fn pages_onward_are_oldest_first_and_miss_nothing_of_one_instant() {
    let folder = tempfile::tempdir().unwrap();
    let records = six(folder.path()).await;
    for limit in 1..=7 {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = records.onward(&Filter::default(), after, limit).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some((last.entry.at, last.seq));
            seen.extend(seqs(&page));
        }
        assert_eq!(seen, [1, 2, 3, 4, 5, 6], "{limit} a page");
    }
}

#[tokio::test]
async fn no_list_sorts_everything_or_reads_rows_that_it_does_not_show() {
    let folder = tempfile::tempdir().unwrap();
    let records = six(folder.path()).await;
    let plan = async |query: &str| {
        let sql = AssertSqlSafe(format!("EXPLAIN QUERY PLAN SELECT json FROM records {query}"));
        let rows: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(sql).fetch_all(records.0.pool()).await.unwrap();
        rows.into_iter().map(|row| row.3).collect::<Vec<_>>().join("; ")
    };
    let lists = [
        "true",
        "at >= 1 AND at < 9 AND (at, seq) < (8, 7)",
        "service = 'a' AND environment = 'b' AND at < 9",
    ];
    for filter in lists {
        let by_at = "INDEXED BY records_by_at WHERE";
        let plan = plan(&format!("{by_at} {filter} ORDER BY at DESC, seq DESC LIMIT 5")).await;
        // Records of the same instant are sorted, nothing else.
        assert!(!plan.contains("TEMP B-TREE FOR ORDER BY"), "{filter}: {plan}");
    }
    for (query, index) in [
        ("WHERE idempotency = 'a' ORDER BY seq DESC LIMIT 1", "records_by_key"),
        ("WHERE id = 'a' ORDER BY seq", "records_by_id"),
        ("WHERE kind <> 'decision' AND kind IN ('override') ORDER BY seq", "records_of_state"),
    ] {
        let plan = plan(query).await;
        assert!(plan.contains(index), "{query}: {plan}");
    }
}
