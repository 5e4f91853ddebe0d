//! What changes verdicts beside budgets, as it is recorded: overrides, deployments and exclusions.
//! A record's JSON says in `record` which of them it is; a decision has no such field.

use budget_gate::deployment::Deployment;
use budget_gate::overriding::Override;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::exclusion::{ExclusionStep, FromFile, Requested};
use crate::record::{Entry, RecordKind};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all_fields = "camelCase")]
pub enum Event {
    /// A version runs.
    #[serde(rename = "deployment")]
    Deployed {
        /// It.
        deployment: Deployment,
    },
    /// An override was asked for.
    #[serde(rename = "override.created")]
    OverrideCreated {
        /// It.
        #[serde(rename = "override")]
        one: Override,
    },
    /// An override was approved.
    #[serde(rename = "override.approved")]
    OverrideApproved(Step),
    /// An override was revoked.
    #[serde(rename = "override.revoked")]
    OverrideRevoked(Step),
    /// An exclusion was asked for.
    #[serde(rename = "exclusion.created")]
    ExclusionCreated(Requested),
    /// An exclusion was approved.
    #[serde(rename = "exclusion.approved")]
    ExclusionApproved(ExclusionStep),
    /// An exclusion was removed.
    #[serde(rename = "exclusion.removed")]
    ExclusionRemoved(ExclusionStep),
    /// The files declare other exclusions than before.
    #[serde(rename = "exclusions.declared")]
    ExclusionsDeclared {
        /// Of the record.
        id: String,
        /// When it was seen.
        at: DateTime<Utc>,
        /// All that they declare now, by id.
        exclusions: Vec<FromFile>,
    },
}

/// A step in the life of something that was recorded before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Its id.
    pub id: String,
    /// The service.
    pub service: String,
    /// The environment.
    pub environment: String,
    /// Who did it, as the engine knows.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
}

impl Event {
    /// The record of it.
    ///
    /// # Panics
    /// Never: it consists of texts and instants.
    #[must_use]
    pub fn entry(&self, at: DateTime<Utc>) -> Entry {
        let (kind, id, (service, environment)) = self.about();
        Entry {
            kind,
            id: id.to_owned(),
            at,
            service: service.to_owned(),
            environment: environment.to_owned(),
            verdict: None,
            json: serde_json::to_vec(self).expect("texts and instants have a JSON"),
            idempotency: None,
        }
    }

    /// What it is about: kind, id, and the service with its environment. An exclusion is about
    /// patterns of them, so it is found by its kind and id alone.
    fn about(&self) -> (RecordKind, &str, (&str, &str)) {
        match self {
            Self::Deployed { deployment: one } => {
                (RecordKind::Deployment, &one.id, (&one.service, &one.environment))
            }
            Self::OverrideCreated { one } => {
                (RecordKind::Override, &one.id, (&one.service, &one.environment))
            }
            Self::OverrideApproved(step) | Self::OverrideRevoked(step) => {
                (RecordKind::Override, &step.id, (&step.service, &step.environment))
            }
            Self::ExclusionCreated(Requested { id, .. })
            | Self::ExclusionApproved(ExclusionStep { id, .. })
            | Self::ExclusionRemoved(ExclusionStep { id, .. })
            | Self::ExclusionsDeclared { id, .. } => (RecordKind::Exclusion, id, ("", "")),
        }
    }
}
