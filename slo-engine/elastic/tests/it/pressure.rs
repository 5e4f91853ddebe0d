//! A node under pressure, or silent: it is used by nobody else meanwhile.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use slo_source_elastic::{Config, Counted, Elastic, Error, Kind};

use crate::support::node::Node;
use crate::support::{START, all, client, config, stamp};

/// What is counted while a setting of the cluster is in force.
async fn under(node: &Node, setting: &str, value: &str) -> Result<Counted, Error> {
    let documents = (0..5).map(|minute| {
        ("pressed".to_owned(), Value::Null, json!({ "@timestamp": stamp(minute, 0) }))
    });
    node.write(&documents.collect::<Vec<_>>()).await;
    node.set(setting, json!(value)).await;
    let counted = client(&node.url).count(&[all("pressed")], START, START + 5).await;
    node.set(setting, Value::Null).await;
    counted
}

pub(crate) async fn a_tripped_breaker_of_a_search_asks_for_a_pause(node: &Node) {
    let counted = under(node, "indices.breaker.request.limit", "1kb").await.unwrap();
    let fault = counted.queries[0].as_ref().unwrap_err();
    assert!(fault.asks_for_pause() && fault.kind == Kind::Throttled, "{fault}");
    assert!(fault.reason.contains("Data too large"), "{fault}");
}

pub(crate) async fn a_tripped_breaker_of_the_node_refuses_the_whole_request(node: &Node) {
    let error = under(node, "indices.breaker.total.limit", "1kb").await.unwrap_err();
    assert!(matches!(error, Error::Throttled { retry_after: None, .. }), "{error}");
    assert!(error.to_string().contains("Data too large"), "{error}");
}

/// Elasticsearch calls it 400, OpenSearch 503.
pub(crate) async fn too_few_buckets_are_said_with_the_remedy(node: &Node) {
    let counted = under(node, "search.max_buckets", "2").await.unwrap();
    let fault = counted.queries[0].as_ref().unwrap_err();
    assert_eq!(fault.kind, Kind::TooManyBuckets, "{fault}");
    assert!(fault.to_string().contains("set `search.max_buckets`"), "{fault}");
}

pub(crate) async fn a_silent_node_is_a_timeout_and_answers_again_afterwards(node: &Node) {
    let write = ("quiet".to_owned(), Value::Null, json!({ "@timestamp": stamp(0, 0) }));
    node.write(&[write]).await;
    let limit = Duration::from_millis(700);
    let hasty = Elastic::new(&Config { timeout: limit, ..config(&node.url) }).unwrap();
    node.pause();
    let began = Instant::now();
    let silent = hasty.count(&[all("quiet")], START, START + 1).await;
    node.resume();
    let error = silent.unwrap_err();
    assert!(matches!(error, Error::Timeout { after, .. } if after == limit), "{error}");
    assert!(began.elapsed() < limit * 4);
    let counted = client(&node.url).count(&[all("quiet")], START, START + 1).await.unwrap();
    assert_eq!(counted.queries[0].as_ref().unwrap().minutes, [(START, 1)]);
}
