//! What the tests share: real nodes, servers that answer badly, and short ways to ask.

use std::time::Duration;

use serde_json::{Value, json};
use slo_core::time::Minute;
use slo_source_elastic::{Auth, Config, Counted, Counts, Elastic, Fault, Query};

pub(crate) mod fake;
pub(crate) mod node;

/// The first minute of all histories: 2026-01-01T00:00Z.
pub(crate) const START: Minute = Minute(29_453_760);

/// A configuration for an address.
pub(crate) fn config(url: &str) -> Config {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Config {
        url: url.to_owned(),
        auth: Auth::None,
        headers: Vec::new(),
        ca_pem: None,
        timeout: Duration::from_secs(20),
        time_field: "@timestamp".to_owned(),
    }
}

/// A client of an address.
pub(crate) fn client(url: &str) -> Elastic {
    Elastic::new(&config(url)).unwrap()
}

/// A query with any document as heartbeat.
pub(crate) fn query(index: &str, filter: Value) -> Query {
    Query { index: index.to_owned(), filter, heartbeat: None, groups: None }
}

/// Every document.
pub(crate) fn all(index: &str) -> Query {
    query(index, json!({ "match_all": {} }))
}

/// Counts from the start on.
pub(crate) async fn count(url: &str, queries: &[Query], minutes: i64) -> Counted {
    client(url).count(queries, START, START + minutes).await.unwrap()
}

/// Counts one query from the start on.
pub(crate) async fn one(url: &str, query: Query, minutes: i64) -> Result<Counts, Fault> {
    count(url, &[query], minutes).await.queries.remove(0)
}

/// The instant of so many milliseconds after the start of a minute.
pub(crate) fn at(minute: i64, millis: i64) -> i64 {
    (START + minute).start_millis() + millis
}

/// The same instant as documents write it.
pub(crate) fn stamp(minute: i64, millis: i64) -> String {
    let instant = chrono::DateTime::from_timestamp_millis(at(minute, millis)).unwrap();
    instant.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}
