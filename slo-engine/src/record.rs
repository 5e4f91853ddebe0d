//! What was decided and what changes decisions, kept for good: each record is durable before it
//! counts and chained to the one before. What records mean is their writers' matter.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub mod audit;
pub mod chain;
mod failing;
mod heads;
mod read;
mod recorder;
pub mod signing;
pub mod verdicts;
mod writer;

pub use heads::newest_head;
pub use read::{Filter, Records};
pub use recorder::{Recorder, Unrecorded};

use chain::Hash;

/// What a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RecordKind {
    /// A verdict that somebody asked for.
    Decision,
    /// An override, or a step of its life.
    Override,
    /// An exclusion, or a step of its life.
    Exclusion,
    /// A version that runs.
    Deployment,
}

impl RecordKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Decision, Self::Override, Self::Exclusion, Self::Deployment];

    /// The kind as it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Decision => "decision",
            Self::Override => "override",
            Self::Exclusion => "exclusion",
            Self::Deployment => "deployment",
        }
    }
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for RecordKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| format!("`{text}` is no kind of record"))
    }
}

/// What is to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is about.
    pub kind: RecordKind,
    /// Of the decision, override, exclusion or deployment.
    pub id: String,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// The service.
    pub service: String,
    /// The environment.
    pub environment: String,
    /// Of a decision.
    pub verdict: Option<String>,
    /// The record itself; these bytes are chained and never looked into.
    pub json: Vec<u8>,
    /// The key of the question, and the hash of its body.
    pub idempotency: Option<(String, [u8; 32])>,
}

/// What was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its number in the chain.
    pub seq: i64,
    /// The hash of the chain up to it.
    pub hash: Hash,
    /// What was given.
    pub entry: Entry,
}
