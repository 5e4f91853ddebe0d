//! What the gate knows at start: from the records, and from the table of incidents.

use std::sync::Arc;

use budget_gate::Decision;
use budget_gate::decision::Recorded;
use budget_gate::overriding::WEEK;
use chrono::{DateTime, Utc};
use futures::TryStreamExt;

use super::REPEATED;
use super::event::Event;
use super::keys::Kept;
use super::state::State;
use crate::record::{Filter, Record, RecordKind, Records};
use crate::store::{Store, StoreError};

/// What there was.
pub(super) struct Loaded {
    pub(super) state: State,
    /// Decisions that may be repeated, by the key of their question, oldest first.
    pub(super) kept: Vec<(String, Kept)>,
}

/// A page of records.
const PAGE: u32 = 1_000;

/// Reads it.
pub(super) async fn load(store: &Store, now: DateTime<Utc>) -> Result<Loaded, StoreError> {
    let records = Records::of(store.clone());
    let mut state = State::default();
    let kinds = [RecordKind::Override, RecordKind::Deployment];
    let mut events = records.all_of(&kinds);
    while let Some(record) = events.try_next().await? {
        state.apply(event(&record)?);
    }
    drop(events);
    for incident in store.incidents().await? {
        state.reported(incident, now);
    }
    let mut kept = Vec::new();
    for record in lately(&records, now).await? {
        let decision = decision(&record)?;
        state.decided(&decision);
        if let (Some((key, body)), true) = (record.entry.idempotency, now - decision.at < REPEATED)
        {
            kept.push((key, Kept { body, decision: Arc::new(decision) }));
        }
    }
    Ok(Loaded { state, kept })
}

/// The decisions that claims or repeats may still hang on, oldest first.
async fn lately(records: &Records, now: DateTime<Utc>) -> Result<Vec<Record>, StoreError> {
    let filter = Filter {
        kind: Some(RecordKind::Decision),
        from: now.checked_sub_signed(WEEK),
        ..Filter::default()
    };
    let (mut lately, mut after) = (Vec::new(), None);
    loop {
        let page = records.list(&filter, after, PAGE).await?;
        after = page.last().map(|record| record.seq);
        lately.extend(
            page.into_iter().filter(|record| now - record.entry.at < REPEATED || counts(record)),
        );
        if after.is_none() {
            lately.reverse();
            return Ok(lately);
        }
    }
}

/// Whether a recorded decision's claim may count. Most claim nothing: those need not be read.
pub(crate) fn counts(record: &Record) -> bool {
    let part = br#""counts":true"#;
    record.entry.json.windows(part.len()).any(|window| window == part)
}

/// What happened, by its record.
///
/// # Errors
/// When it is none of an override or a deployment.
pub(crate) fn event(record: &Record) -> Result<Event, StoreError> {
    serde_json::from_slice(&record.entry.json).map_err(|error| unread(record, &error))
}

/// A recorded decision with its place in the record.
///
/// # Errors
/// When it is none.
pub(crate) fn decision(record: &Record) -> Result<Decision, StoreError> {
    let read = serde_json::from_slice::<Decision>(&record.entry.json);
    let mut decision = read.map_err(|error| unread(record, &error))?;
    let hash = record.hash.to_string();
    decision.recorded = Some(Recorded { seq: record.seq.unsigned_abs(), hash });
    Ok(decision)
}

fn unread(record: &Record, error: &serde_json::Error) -> StoreError {
    let reason = format!("record {} cannot be read: {error}", record.seq);
    StoreError::Damaged { table: "records", reason }
}
