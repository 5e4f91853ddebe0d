//! What a replay says about one recorded decision.

use budget_gate::Decision;
use budget_gate::decision::{Kind, Verdict};
use chrono::{DateTime, Utc};
use serde::Serialize;

/// One recorded decision, asked again.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// Its id.
    pub id: Option<String>,
    /// Its place in the record.
    pub seq: Option<u64>,
    /// When it was made.
    pub at: DateTime<Utc>,
    /// The service.
    pub service: String,
    /// The environment.
    pub environment: Option<String>,
    /// The version that was to be deployed.
    pub version: Option<String>,
    /// What the deploy claimed to be.
    pub kind: Kind,
    /// What became of it.
    pub outcome: Outcome,
    /// The verdict that was recorded.
    pub recorded: Verdict,
    /// The verdict of the proposed policy; null where it is not known any more.
    pub replayed: Option<Verdict>,
    /// The verdict of the policies that are loaded, from the same numbers; null where it was not asked
    /// for, because the proposed policy says what was recorded.
    pub loaded: Option<Verdict>,
    /// The first reason for what is replayed, or why it is not known.
    pub reason: Option<String>,
    /// Budgets that the ledger tells otherwise now.
    pub ledger_changed: Vec<LedgerChange>,
}

/// What became of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// The proposed policy says what was recorded.
    Same,
    /// The proposed policy says something else.
    Changed,
    /// The verdict would differ, and not by the proposed policy: the one that decided then says so too.
    NotByPolicy,
    /// What it went by is not known any more.
    NotKnown,
}

/// A budget that was recorded, and what it is by the ledger of now.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerChange {
    /// The SLO.
    pub slo: String,
    /// The window.
    pub window: String,
    /// The share that remained, as it was recorded.
    pub recorded: f64,
    /// The share that remained, as the ledger tells now; null when it tells none.
    pub rebuilt: Option<f64>,
}

impl Item {
    pub(super) fn of(decision: &Decision) -> Self {
        Self {
            id: decision.id.clone(),
            seq: decision.recorded.as_ref().map(|recorded| recorded.seq),
            at: decision.at,
            service: decision.service.clone(),
            environment: decision.environment.clone(),
            version: decision.version.clone(),
            kind: decision.kind,
            outcome: Outcome::Same,
            recorded: decision.verdict,
            replayed: None,
            loaded: None,
            reason: None,
            ledger_changed: Vec::new(),
        }
    }

    pub(super) fn is_not_known(&mut self, reason: &str) {
        self.outcome = Outcome::NotKnown;
        self.reason = Some(reason.to_owned());
    }

    /// Whether there is anything to say about it.
    pub(super) fn is_worth_a_word(&self) -> bool {
        self.outcome != Outcome::Same || !self.ledger_changed.is_empty()
    }
}
