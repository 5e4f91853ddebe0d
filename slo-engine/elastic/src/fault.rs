//! Why a query could not be counted whole. It is never counted in part instead.

use std::fmt;

/// A query's index pattern, and what kept its documents from being counted whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The index pattern as asked.
    pub index: String,
    /// What happened.
    pub kind: Kind,
    /// What the server says about it; may be empty.
    pub reason: String,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// No index has the name, or none matches the pattern.
    NoIndex,
    /// The index is closed.
    Closed,
    /// The user may not read it.
    Denied,
    /// The server stopped before it had seen all documents.
    TimedOut,
    /// Shards or remote clusters are missing from the answer: the reason says which.
    Partial,
    /// The cluster had no room for the search: a full queue or a tripped breaker.
    Throttled,
    /// The server allows fewer buckets than a search needs.
    TooManyBuckets,
    /// The server does not accept the query, or not for all indices.
    Refused,
    /// The time field is not mapped as a date.
    NoTime,
    /// The query is larger than one request may be.
    TooLarge,
    /// Anything else.
    Failed,
}

impl Fault {
    pub(crate) fn new(index: &str, kind: Kind, reason: impl Into<String>) -> Self {
        Self { index: index.to_owned(), kind, reason: reason.into() }
    }

    /// Whether the cluster asks to be left alone for a while.
    #[must_use]
    pub fn asks_for_pause(&self) -> bool {
        self.kind == Kind::Throttled
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, remedy) = match self.kind {
            Kind::NoIndex => ("no such index", "correct the name or the pattern"),
            Kind::Closed => {
                ("the index is closed", "open it, or name a pattern that leaves it out")
            }
            Kind::Denied => ("reading is not allowed", "give the user the index privilege `read`"),
            Kind::TimedOut => {
                ("the search ran out of time and saw only a part", "raise the source's timeout")
            }
            Kind::Partial => ("not all shards answered", "see `_cluster/allocation/explain`"),
            Kind::Throttled => ("the cluster has no room for the search", ""),
            Kind::TooManyBuckets => (
                "the search needs more buckets than allowed",
                "set `search.max_buckets` to 10000 or more",
            ),
            Kind::Refused => ("the query is refused", ""),
            Kind::NoTime => ("documents have no usable time", "name the time field of this index"),
            Kind::TooLarge => ("the query is too large", "shorten its filter"),
            Kind::Failed => ("the search failed", ""),
        };
        write!(f, "index `{}`: {what}", self.index)?;
        if !self.reason.is_empty() {
            write!(f, ": {}", self.reason)?;
        }
        if remedy.is_empty() { Ok(()) } else { write!(f, "; {remedy}") }
    }
}

impl std::error::Error for Fault {}
