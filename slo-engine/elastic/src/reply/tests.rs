//! Answers as the servers give them, each of which is whole or a fault.

use serde_json::{Value, json};
use slo_core::time::Minute;

use super::*;

fn answer(shards: &Value) -> Value {
    json!({
        "took": 3, "timed_out": false, "_shards": shards,
        "hits": { "max_score": null, "hits": [] }, "status": 200,
        "aggregations": { "filters": { "buckets": [{
            "doc_count": 3,
            "minutes": { "buckets": [{ "key_as_string": "any", "key": 120_000, "doc_count": 3 }] },
            "edge": { "value": 150_000.7, "value_as_string": "any" }
        }]}}
    })
}

fn fault(response: Value) -> Fault {
    read(response, "logs-*", 1).unwrap_err()
}

#[test]
fn a_whole_answer_is_counted_with_its_skipped_shards() {
    let whole = json!({ "total": 5, "successful": 5, "skipped": 4, "failed": 0 });
    let bucket = Bucket { minutes: vec![(Minute(2), 3)], edge: Some(150_000) };
    assert_eq!(read(answer(&whole), "logs-*", 1), Ok(vec![bucket]));
}

#[test]
fn missing_shards_are_seen_by_both_vendors_habits() {
    let silent = fault(answer(&json!({ "total": 2, "successful": 1, "skipped": 0, "failed": 0 })));
    assert_eq!((silent.kind, silent.reason.as_str()), (Kind::Partial, "1 of 2 shards answered"));
    let told = fault(answer(&json!({
        "total": 2, "successful": 1, "skipped": 0, "failed": 1,
        "failures": [{ "shard": 1, "index": "logs-7", "node": null, "reason": {
            "type": "no_shard_available_action_exception", "reason": null
        }}]
    })));
    assert_eq!(told.kind, Kind::Partial);
    let reason = "1 of 2 shards failed, logs-7: no_shard_available_action_exception";
    assert_eq!(told.reason, reason);
}

#[test]
fn a_remote_cluster_that_was_skipped_is_no_zero() {
    let mut away = answer(&json!({ "total": 1, "successful": 1, "skipped": 0, "failed": 0 }));
    away["_clusters"] = json!({ "total": 2, "successful": 1, "skipped": 1 });
    let fault = fault(away);
    assert_eq!(fault.kind, Kind::Partial);
    assert!(fault.reason.contains("of 2 clusters 1 were skipped"), "{fault}");
}

#[test]
fn no_shard_at_all_and_an_expired_timeout_are_faults() {
    let none = json!({ "total": 0, "successful": 0, "skipped": 0, "failed": 0 });
    assert_eq!(fault(answer(&none)).kind, Kind::NoIndex);
    let mut late = answer(&json!({ "total": 1, "successful": 1, "skipped": 0, "failed": 0 }));
    late["timed_out"] = json!(true);
    assert_eq!(fault(late).kind, Kind::TimedOut);
}

#[test]
fn errors_are_known_by_their_types_and_else_by_their_status() {
    let kinds = [
        (404, "index_not_found_exception", Kind::NoIndex),
        (400, "index_closed_exception", Kind::Closed),
        (403, "security_exception", Kind::Denied),
        (400, "parsing_exception", Kind::Refused),
        (400, "too_many_buckets_exception", Kind::TooManyBuckets),
        (503, "too_many_buckets_exception", Kind::TooManyBuckets),
        (429, "es_rejected_execution_exception", Kind::Throttled),
        (500, "rejected_execution_exception", Kind::Throttled),
        (429, "task_cancelled_exception", Kind::Throttled),
        (500, "time_exceeded_exception", Kind::TimedOut),
        (503, "cluster_block_exception", Kind::Partial),
        (500, "null_pointer_exception", Kind::Failed),
    ];
    for (status, ty, kind) in kinds {
        let cause = json!({ "type": ty, "reason": "so it is" });
        let whole = json!({ "error": cause, "status": status });
        assert_eq!(fault(whole).kind, kind, "{ty}");
        let shards = json!({ "status": status, "error": {
            "type": "search_phase_execution_exception", "reason": "all shards failed",
            "root_cause": [cause], "failed_shards": []
        }});
        let fault = fault(shards);
        assert_eq!(fault.kind, kind, "{ty} of all shards");
        assert_eq!(fault.reason.contains("so it is"), kind != Kind::TimedOut, "{fault}");
    }
}

#[test]
fn a_reason_names_the_outer_place_and_the_inner_cause() {
    let said = fault(json!({ "status": 400, "error": {
        "root_cause": [{ "type": "x_content_parse_exception", "reason": "[1:84] failed to parse [bool]" }],
        "type": "x_content_parse_exception", "reason": "[1:84] failed to parse [bool]",
        "caused_by": { "type": "parsing_exception", "reason": null, "caused_by": {
            "type": "illegal_argument_exception", "reason": "a string\nis too long"
        }}
    }}));
    let reason = "x_content_parse_exception: [1:84] failed to parse [bool]: a string is too long";
    assert_eq!(said.reason, reason);
}

#[test]
fn an_answer_of_another_shape_is_a_fault() {
    let whole = json!({ "total": 1, "successful": 1, "skipped": 0, "failed": 0 });
    assert_eq!(read(answer(&whole), "logs-*", 2).unwrap_err().kind, Kind::Failed);
    let mut bare = answer(&whole);
    bare.as_object_mut().unwrap().remove("aggregations");
    assert_eq!(fault(bare).kind, Kind::Failed);
    assert_eq!(fault(json!({ "status": 200 })).kind, Kind::Failed);
    assert_eq!(fault(json!({ "error": 7 })).kind, Kind::Failed);
    assert!(fault(json!({ "error": "no handler", "status": 400 })).reason.contains("no handler"));
}
