//! Recorded decisions in the order of time, each with what had been told and asked before it.

use std::collections::VecDeque;
use std::sync::Arc;

use budget_gate::incident::Incident;
use budget_gate::overriding::WEEK;
use budget_gate::{Decision, Known};
use chrono::{DateTime, Utc};
use futures::TryStreamExt;

use super::Replay;
use crate::evaluate::exclusion::InForce;
use crate::gate::state::{Place, State};
use crate::gate::{REPEATED, decision, event, may_count};
use crate::record::{Filter, Record, RecordKind, Records};
use crate::store::StoreError;

/// A decision that was asked for.
pub(super) struct Asked {
    pub(super) decision: Decision,
    /// The key of its question.
    key: Option<String>,
}

/// The walk through the records.
pub(super) struct Timeline {
    records: Records,
    filter: Filter,
    from: DateTime<Utc>,
    page: VecDeque<Record>,
    /// The last record that was read; `None` at the beginning.
    last: Option<(DateTime<Utc>, i64)>,
    state: State,
    /// Steps of exclusions that are yet to come: they are about patterns, so no filter finds them.
    exclusions: VecDeque<Record>,
    /// Those that are in force.
    excluded: Arc<[InForce]>,
    incidents: Vec<Incident>,
    /// Decisions of the last minutes whose claims count, by the keys of their questions.
    claims: VecDeque<(String, DateTime<Utc>)>,
}

/// A page of records.
const PAGE: u32 = 1_000;

impl Timeline {
    /// Begins with what had happened before; claims count for a week.
    pub(super) async fn open(replay: &Replay<'_>) -> Result<Self, StoreError> {
        let (from, to) = replay.between;
        let start = from.checked_sub_signed(WEEK).unwrap_or(from);
        let records = Records::of(replay.store.clone());
        let mut state = State::default();
        let kinds = [RecordKind::Override, RecordKind::Deployment];
        let mut events = records.all_of(&kinds);
        while let Some(record) = events.try_next().await? {
            if record.entry.at < start {
                state.apply(event(&record)?);
            }
        }
        drop(events);
        let exclusions = records.all_of(&[RecordKind::Exclusion]).try_collect().await?;
        let after = replay.incidents_close_after;
        let filter = Filter {
            service: replay.service.map(str::to_owned),
            environment: replay.environment.map(str::to_owned),
            from: Some(start),
            to: Some(to),
            ..Filter::default()
        };
        Ok(Self {
            records,
            filter,
            from,
            page: VecDeque::new(),
            last: None,
            state,
            exclusions,
            excluded: Arc::default(),
            incidents: replay.store.incidents_between(replay.between, after).await?,
            claims: VecDeque::new(),
        })
    }

    /// The next decision; all that happened before it has been taken.
    pub(super) async fn next(&mut self) -> Result<Option<Asked>, StoreError> {
        while let Some(record) = self.record().await? {
            match record.entry.kind {
                RecordKind::Override | RecordKind::Deployment => self.state.apply(event(&record)?),
                RecordKind::Decision if record.entry.at >= self.from => {
                    self.exclude_until((record.entry.at, record.seq))?;
                    let key = record.entry.idempotency.as_ref().map(|(key, _)| key.clone());
                    return Ok(Some(Asked { decision: decision(&record)?, key }));
                }
                RecordKind::Decision if may_count(&record) => {
                    self.state.decided(&decision(&record)?);
                }
                RecordKind::Decision | RecordKind::Exclusion => {}
            }
        }
        Ok(None)
    }

    /// Takes what became of exclusions before a decision.
    fn exclude_until(&mut self, decision: (DateTime<Utc>, i64)) -> Result<(), StoreError> {
        let is_before = |record: &Record| (record.entry.at, record.seq) < decision;
        let mut changed = false;
        while let Some(record) = self.exclusions.pop_front_if(|record| is_before(record)) {
            self.state.apply(event(&record)?);
            changed = true;
        }
        if changed {
            self.excluded = self.state.exclusions.recorded().into();
        }
        Ok(())
    }

    /// The exclusions that were in force when the last decision was made.
    pub(super) const fn excluded(&self) -> &Arc<[InForce]> {
        &self.excluded
    }

    async fn record(&mut self) -> Result<Option<Record>, StoreError> {
        if self.page.is_empty() {
            self.page = self.records.onward(&self.filter, self.last, PAGE).await?.into();
            self.last = self.page.back().map(|record| (record.entry.at, record.seq)).or(self.last);
        }
        Ok(self.page.pop_front())
    }

    /// Takes a decision as something that has happened.
    pub(super) fn pass(&mut self, asked: Asked) {
        let Asked { decision, key } = asked;
        self.state.decided(&decision);
        while self.claims.front().is_some_and(|(_, at)| decision.at - *at >= REPEATED) {
            self.claims.pop_front();
        }
        let claims = decision.allow && decision.claim.is_some_and(|claim| claim.counts);
        if let Some(key) = key.filter(|_| claims) {
            self.claims.push_back((key, decision.at));
        }
    }

    /// What was known of the place that a decision is about.
    pub(super) fn known(&self, asked: &Asked) -> Known<'_> {
        let Decision { service, environment, at, .. } = &asked.decision;
        let before = self
            .claims
            .iter()
            .rev()
            .find(|(key, before)| Some(key) == asked.key.as_ref() && *at - *before < REPEATED);
        let place = self.state.place(service, environment.as_deref().unwrap_or_default());
        place.map_or_else(Known::default, |place: &Place| place.known(before.map(|(_, at)| *at)))
    }

    /// The incidents of a decision's service that were open then. Of the times at which one was
    /// confirmed only the last is kept: until then it had been confirmed in time, or it would have
    /// closed.
    pub(super) fn incidents(&self, decision: &Decision) -> Vec<Incident> {
        let at = decision.at;
        let then = |one: &&Incident| {
            one.service == decision.service
                && one.opened_at <= at
                && one.closed_at.is_none_or(|closed| at < closed)
        };
        let open = self.incidents.iter().filter(then).cloned();
        open.map(|one| Incident { confirmed_at: one.confirmed_at.min(at), closed_at: None, ..one })
            .collect()
    }
}
