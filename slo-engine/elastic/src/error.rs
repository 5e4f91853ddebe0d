//! Why nothing at all could be asked.

use std::time::Duration;

use slo_core::time::Span;
use thiserror::Error as ThisError;

/// A failed request. The address stands without secrets.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
pub enum Error {
    /// The client cannot be set up as configured.
    #[error("{0}")]
    Setup(String),
    /// No connection, or it broke.
    #[error("cannot reach {url}: {reason}")]
    Unreachable {
        /// The address.
        url: String,
        /// The chain of causes.
        reason: String,
    },
    /// No whole answer in time.
    #[error("no answer from {url} within {}", span(*.after))]
    Timeout {
        /// The address.
        url: String,
        /// The limit.
        after: Duration,
    },
    /// The cluster, or a proxy before it, asks for fewer requests (429).
    #[error("{url} asks for a pause (429){}: {reason}", pause(*.retry_after))]
    Throttled {
        /// The address.
        url: String,
        /// How long it wants to be left alone.
        retry_after: Option<Duration>,
        /// What it says about it.
        reason: String,
    },
    /// Any other status than 200.
    #[error("{url} answered {status}: {reason}{}", remedy(*.status, .reason))]
    Status {
        /// The address.
        url: String,
        /// The status.
        status: u16,
        /// What it says about it.
        reason: String,
    },
    /// The body is larger than any answer to these questions.
    #[error(
        "{url} answered more than {limit} bytes, which no search of ours asks for; is this the address of Elasticsearch or OpenSearch?"
    )]
    TooLarge {
        /// The address.
        url: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// The body is not what the search API promises.
    #[error(
        "{url} answered something that is not Elasticsearch or OpenSearch: {reason}; it begins with `{start}`"
    )]
    Garbage {
        /// The address.
        url: String,
        /// What the reader says.
        reason: String,
        /// The beginning of the body.
        start: String,
    },
}

fn span(duration: Duration) -> String {
    Span::millis(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)).to_string()
}

fn pause(after: Option<Duration>) -> String {
    after.map_or_else(String::new, |after| format!(" of {}", span(after)))
}

fn remedy(status: u16, reason: &str) -> &'static str {
    match status {
        400 if reason.contains("fixed_interval") => {
            "; Elasticsearch 7.10 or OpenSearch 1 is the oldest that is understood"
        }
        401 => "; check the source's `auth`",
        403 => "; give the user the index privilege `read`",
        413 => "; raise `http.max_content_length`, or the proxy's limit, to 1 MB",
        _ => "",
    }
}
