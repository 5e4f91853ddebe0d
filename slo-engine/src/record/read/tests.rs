use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
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
    for filter in filters() {
        for query in [
            newest_first(&filter, None, 5),
            newest_first(&filter, Some(3), 5),
            oldest_first(&filter, None, 5),
            oldest_first(&filter, Some((minute(2), 3)), 5),
        ] {
            let sql = query.sql();
            let (_, rest) = sql.as_str().split_once("FROM records").unwrap();
            let plan = plan(rest).await;
            assert!(plan.contains("USING INDEX records_by_at"), "{rest}: {plan}");
            // Records of the same instant are sorted, nothing else.
            assert!(!plan.contains("TEMP B-TREE FOR ORDER BY"), "{rest}: {plan}");
        }
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

/// Some of each kind of filter, all of which let some records of any database through.
fn filters() -> [Filter; 4] {
    let (kind, service) = (Some(RecordKind::Decision), Some("orders".to_owned()));
    let (from, to) = (Some(minute(0)), Some(minute(1_000_000)));
    [
        Filter::default(),
        Filter { kind, from, to, ..Filter::default() },
        Filter { kind, service: service.clone(), from, ..Filter::default() },
        Filter { service, environment: Some("production".to_owned()), to, ..Filter::default() },
    ]
}

/// Fifty thousand decisions, a second apart.
async fn many(folder: &std::path::Path) -> Records {
    let (_, recorder) = started(folder).await;
    let sql = "WITH RECURSIVE up (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up WHERE n < 50000) \
        INSERT INTO records SELECT n, 'decision', 'd' || n, ? + n * 1000, 'orders', 'production', \
        'allow', NULL, NULL, zeroblob(32), x'7b7d' FROM up";
    let insert = sqlx::query(sql).bind(minute(0).timestamp_millis());
    insert.execute(recorder.records().0.pool()).await.unwrap();
    recorder.records().clone()
}

/// How many steps SQLite's machine took for a query.
async fn steps(records: &Records, mut query: QueryBuilder<Sqlite>) -> usize {
    let mut connection = records.0.pool().acquire().await.unwrap();
    let steps = Arc::new(AtomicUsize::new(0));
    let counted = steps.clone();
    let count = move || counted.fetch_add(1, Ordering::Relaxed) < usize::MAX;
    connection.lock_handle().await.unwrap().set_progress_handler(1, count);
    assert_eq!(query.build().fetch_all(&mut *connection).await.unwrap().len(), 50);
    connection.lock_handle().await.unwrap().remove_progress_handler();
    steps.load(Ordering::Relaxed)
}

#[tokio::test]
async fn the_hundredth_page_costs_no_more_than_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let records = many(folder.path()).await;
    let seq = 25_000;
    let at = minute(0) + TimeDelta::seconds(seq);
    for filter in filters() {
        for (first, later) in [
            (newest_first(&filter, None, 50), newest_first(&filter, Some(seq), 50)),
            (oldest_first(&filter, None, 50), oldest_first(&filter, Some((at, seq)), 50)),
        ] {
            let (first, later) = (steps(&records, first).await, steps(&records, later).await);
            assert!(later < 2 * first + 200, "{filter:?}: {first} and {later} steps");
        }
    }
}
