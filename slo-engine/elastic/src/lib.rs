//! Counts documents by minute in Elasticsearch 7.10 to 9 and OpenSearch 2 and 3.
//!
//! One `_msearch` asks for all queries, with one search per index pattern. What could not be counted whole is a
//! [`Fault`] and never zero. What the counts mean is the caller's affair: this crate knows no SLOs.

#![deny(missing_docs)]

mod count;
mod error;
mod fault;
mod groups;
mod http;
mod plan;
mod reply;

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use slo_core::time::Minute;

pub use error::Error;
pub use fault::{Fault, Kind};

/// Where the documents are, and how to get there.
#[derive(Clone)]
pub struct Config {
    /// The address, with its path prefix if it has one.
    pub url: String,
    /// How to authenticate.
    pub auth: Auth,
    /// Headers for every request.
    pub headers: Vec<(String, String)>,
    /// Certificates (PEM) to trust besides the system's.
    pub ca_pem: Option<Vec<u8>>,
    /// How long one request may take. The server stops its searches a fifth earlier.
    pub timeout: Duration,
    /// The field that says when a document's event happened: `@timestamp`.
    pub time_field: String,
}

/// How to authenticate.
#[derive(Clone)]
pub enum Auth {
    /// Not at all.
    None,
    /// A user and a password.
    Basic {
        /// The user's name.
        username: String,
        /// The password.
        password: String,
    },
    /// An API key: `id:key`, or the two encoded as the server hands them out.
    ApiKey(String),
    /// A bearer token.
    Bearer(String),
}

/// Documents that are to be counted.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// An index, a pattern, or several with commas between.
    pub index: String,
    /// Which documents count, in the query DSL.
    pub filter: Value,
    /// Which documents show that the shipper is alive; none means any document of the index.
    pub heartbeat: Option<Value>,
    /// How its documents are counted apart as well.
    pub groups: Option<Groups>,
}

/// Counts by the values of fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Groups {
    /// The fields; each has to be a keyword, a number or a boolean.
    pub by: Vec<String>,
    /// The most groups that are counted apart.
    pub max: usize,
    /// Groups that are counted whether they have documents or not: those found before. While there are fewer than `max`,
    /// others are looked for.
    pub known: Vec<Vec<String>>,
}

/// One group of a query's documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its values, in the order of the fields.
    pub key: Vec<String>,
    /// Documents by minute, as in [`Counts::minutes`].
    pub minutes: Vec<(Minute, u64)>,
}

/// What one query found in the minutes that were asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Documents by minute, the oldest first; minutes without documents are left out.
    pub minutes: Vec<(Minute, u64)>,
    /// The time of the newest heartbeat, Unix milliseconds. Documents after the last minute do not count.
    pub newest: Option<i64>,
    /// The known groups in their order, then the new ones. What they lack to the whole are documents of other groups and
    /// those without a value.
    pub groups: Vec<Group>,
}

/// The answer for all queries, and what it cost.
#[derive(Debug)]
pub struct Counted {
    /// One result per query, in their order.
    pub queries: Vec<Result<Counts, Fault>>,
    /// HTTP requests that were sent.
    pub requests: u32,
    /// Searches in them.
    pub searches: u32,
    /// The `Date` of the last answer. The servers send none, proxies before them do.
    pub date: Option<DateTime<Utc>>,
}

/// A client of one cluster.
#[derive(Debug, Clone)]
pub struct Elastic {
    http: http::Http,
    time_field: String,
    /// The limit that the server keeps for one search.
    search_timeout: Duration,
}

impl Elastic {
    /// A client as configured. Nothing is sent.
    ///
    /// # Errors
    /// What cannot be used: an address, a header, a certificate.
    pub fn new(config: &Config) -> Result<Self, Error> {
        Ok(Self {
            http: http::Http::new(config)?,
            time_field: config.time_field.clone(),
            search_timeout: config.timeout * 4 / 5,
        })
    }

    /// The address, without secrets.
    #[must_use]
    pub fn url(&self) -> &str {
        self.http.url()
    }

    /// Counts the documents of the minutes in `[from, to)`.
    ///
    /// # Errors
    /// Why nothing could be asked; what concerns single queries is their [`Fault`].
    pub async fn count(
        &self,
        queries: &[Query],
        from: Minute,
        to: Minute,
    ) -> Result<Counted, Error> {
        count::count(self, queries, from, to).await
    }

    /// The time (Unix milliseconds) of the oldest heartbeat that each query's index still holds; minutes before it
    /// cannot be measured. None: the index holds no heartbeat.
    ///
    /// # Errors
    /// Why nothing could be asked.
    pub async fn oldest(
        &self,
        queries: &[Query],
    ) -> Result<Vec<Result<Option<i64>, Fault>>, Error> {
        count::oldest(self, queries).await
    }
}
