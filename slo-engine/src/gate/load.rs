//! What the gate knows at start: from the records, and from the table of incidents.

use budget_gate::Decision;
use budget_gate::decision::Recorded;
use budget_gate::overriding::WEEK;
use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use slo_core::time::Span;

use super::event::Event;
use super::state::State;
use crate::record::{Record, RecordKind, Records};
use crate::store::{Store, StoreError};

/// Reads it.
pub(super) async fn load(
    store: &Store,
    incidents_close_after: Span,
    now: DateTime<Utc>,
) -> Result<State, StoreError> {
    let records = Records::of(store.clone());
    let mut state = State::default();
    let kinds = [RecordKind::Override, RecordKind::Exclusion, RecordKind::Deployment];
    let mut events = records.all_of(&kinds);
    while let Some(record) = events.try_next().await? {
        state.apply(event(&record)?);
    }
    drop(events);
    state.reported(store.incidents().await?, incidents_close_after, now);
    let week = now.checked_sub_signed(WEEK).unwrap_or(now);
    for record in records.that_count(week).await? {
        state.decided(&decision(&record)?);
    }
    Ok(state)
}

/// Whether a recorded decision's claim may count. Most claim nothing: those need not be read.
pub(crate) fn may_count(record: &Record) -> bool {
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
