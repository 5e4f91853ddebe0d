//! How an exclusion is shown, whoever wrote it.

use budget_gate::calendar::Weekly;
use budget_gate::exclusion::{Exclusion, Times};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use crate::gate::exclusion::{FromFile, Requested};

/// How an exclusion is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum ExclusionState {
    /// Approvals are missing: nothing is excluded.
    Waiting,
    /// It is in force, and its time is not over; perhaps it has not begun.
    Active,
    /// Its time is over; what it excluded stays excluded.
    Ended,
    /// Somebody removed it: nothing is excluded.
    Removed,
}

/// Who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum Source {
    /// Somebody asked for it.
    Api,
    /// A file declares it.
    File,
}

/// Times that are not to count against some SLOs, and how this is now.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Exclusion")]
pub(in crate::http) struct Shown {
    /// Its id; that of a file's is made from what it says.
    id: String,
    /// Who says so.
    source: Source,
    /// How it is now.
    state: ExclusionState,
    /// The SLOs: `service/slo[@environment]`, where `*` stands for any letters.
    slos: Vec<String>,
    /// The first instant; null for what comes every week.
    from: Option<DateTime<Utc>>,
    /// The first instant after it; null for what comes every week.
    until: Option<DateTime<Utc>>,
    /// Every week; null for what comes once.
    weekly: Option<Weekly>,
    /// No recurrence starts after this instant.
    expires: Option<DateTime<Utc>>,
    /// Why.
    reason: String,
    /// Who asked for it, as the engine knows, or who wrote it, as the file says.
    author: Option<String>,
    /// When it was asked for, or first seen in a file; null until that is recorded.
    at: Option<DateTime<Utc>>,
    /// How many others had to approve it when it was asked for.
    approvals_needed: u32,
    /// Who approved it.
    approvals: Vec<String>,
    /// How many approvals it still lacks.
    approvals_missing: u32,
    /// Who removed it.
    removed_by: Option<String>,
    /// When it was removed.
    removed_at: Option<DateTime<Utc>>,
    /// File, line and column; null unless a file declares it.
    place: Option<String>,
}

/// An exclusion that was asked for just now.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AcceptedExclusion")]
pub(in crate::http) struct Accepted {
    /// It.
    #[serde(flatten)]
    pub(super) exclusion: Shown,
    /// What cannot be meant; empty when there is nothing.
    pub(super) warnings: Vec<String>,
}

impl Shown {
    pub(super) fn requested(one: &Requested, now: DateTime<Utc>) -> Self {
        let state = match one.lacks() {
            _ if one.removed_at.is_some() => ExclusionState::Removed,
            0 => lasting(&one.exclusion, now),
            _ => ExclusionState::Waiting,
        };
        Self {
            id: one.id.clone(),
            source: Source::Api,
            state,
            at: Some(one.at),
            approvals_needed: one.approvals_needed,
            approvals: one.approvals.clone(),
            approvals_missing: one.lacks(),
            removed_by: one.removed_by.clone(),
            removed_at: one.removed_at,
            ..Self::of(&one.exclusion)
        }
    }

    pub(super) fn of_file(one: &FromFile, at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Self {
        Self {
            id: one.id.clone(),
            state: lasting(&one.exclusion, now),
            at,
            place: one.place.clone(),
            ..Self::of(&one.exclusion)
        }
    }

    /// What it says.
    fn of(exclusion: &Exclusion) -> Self {
        let (once, weekly, expires) = match exclusion.times {
            Times::Once(once) => (Some(once), None, None),
            Times::Weekly { weekly, expires } => (None, Some(weekly), expires),
        };
        Self {
            id: String::new(),
            source: Source::File,
            state: ExclusionState::Active,
            slos: exclusion.slos.iter().map(ToString::to_string).collect(),
            from: once.map(|once| once.from),
            until: once.map(|once| once.until),
            weekly,
            expires,
            reason: exclusion.reason.clone(),
            author: exclusion.author.clone(),
            at: None,
            approvals_needed: 0,
            approvals: Vec::new(),
            approvals_missing: 0,
            removed_by: None,
            removed_at: None,
            place: None,
        }
    }
}

fn lasting(exclusion: &Exclusion, now: DateTime<Utc>) -> ExclusionState {
    match exclusion.is_over(now) {
        true => ExclusionState::Ended,
        false => ExclusionState::Active,
    }
}
