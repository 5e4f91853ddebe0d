//! The gate of a running server: what it knows beside budgets, and decisions that are recorded before
//! they count. A verdict is made from memory alone; only its record waits for the database.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use budget_gate::decision::Recorded;
use budget_gate::incident::Incident;
use budget_gate::overriding::used;
use budget_gate::policy::Policy;
use budget_gate::repeat::still_holds;
use budget_gate::select::{Selection, Subject, select};
use budget_gate::{Decision, Facts, Known, Request, decide};
use chrono::{DateTime, TimeDelta, Utc};
use slo_core::time::Span;
use slo_core::view::BudgetView;

use crate::declared::Declared;
use crate::evaluate::snapshot::{Found, Snapshot};
use crate::record::{Entry, RecordKind, Recorder, Unrecorded};
use crate::store::{Store, StoreError};
use event::Event;
use keys::{Kept, Keys};
use state::State;

pub mod event;
pub mod id;
mod keys;
mod load;
pub mod state;

pub(crate) use load::{counts, decision, event};

/// How long an answer waits for its record: callers are promised one within 3 s.
const RECORD_WITHIN: Duration = Duration::from_secs(2);

/// The gate.
pub struct Gate {
    recorder: Recorder,
    store: Store,
    state: RwLock<State>,
    keys: Keys,
    changing: tokio::sync::Mutex<()>,
    /// An incident that nothing confirms for so long is closed.
    incidents_close_after: Span,
    /// In front of every permalink.
    base: String,
}

/// Somebody asks for a verdict that is to be recorded.
#[derive(Debug, Clone)]
pub struct Asking {
    /// What is asked; its environment is that of the declared service.
    pub request: Request,
    /// Who deploys, as the caller said.
    pub actor: Option<String>,
    /// Who asks.
    pub principal: String,
    /// The caller's own key for the question.
    pub key: Option<String>,
}

/// The answer to it.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The decision.
    pub decision: Arc<Decision>,
    /// Whether it was made before.
    pub is_repeated: bool,
}

/// The caller's key was used for another question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OtherQuestion;

impl Gate {
    /// The gate with what was recorded before.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn open(
        recorder: Recorder,
        store: Store,
        incidents_close_after: Span,
        base: String,
        now: DateTime<Utc>,
    ) -> Result<Self, StoreError> {
        let loaded = load::load(&store, now).await?;
        Ok(Self {
            recorder,
            store,
            state: RwLock::new(loaded.state),
            keys: Keys::with(loaded.kept),
            changing: tokio::sync::Mutex::default(),
            incidents_close_after,
            base,
        })
    }

    /// What is known beside budgets.
    pub fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who writes the records.
    #[must_use]
    pub const fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// The database of the records.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// How long an incident stays open that nothing confirms.
    #[must_use]
    pub const fn incidents_close_after(&self) -> Span {
        self.incidents_close_after
    }

    /// A verdict from memory.
    #[must_use]
    pub fn look(
        &self,
        snapshot: &Snapshot,
        found: Option<Found<'_>>,
        request: &Request,
        now: DateTime<Utc>,
    ) -> Decision {
        self.look_again(snapshot, found, request, None, now)
    }

    /// The same, where the question was asked before: the claim of then is not held against itself.
    fn look_again(
        &self,
        snapshot: &Snapshot,
        found: Option<Found<'_>>,
        request: &Request,
        asked_before: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Decision {
        let state = self.state();
        let environment = found.map(|f| f.service.environment.as_str());
        let environment = environment.or(request.environment.as_deref());
        let place = environment.and_then(|e| state.place(&request.service, e));
        let others = |name: &str| others(snapshot, name, environment);
        let (service, views) =
            found.map_or((None, &[][..]), |f| (Some(f.service.as_ref()), f.views));
        let facts = Facts {
            dependencies: &others,
            calendars: &snapshot.declared.calendars,
            incidents: state.incidents(&request.service),
            incidents_close_after: self.incidents_close_after,
            known: place.map_or_else(Known::default, |place| place.known(asked_before)),
            ..Facts::of(service, views)
        };
        decide(request, &facts, &snapshot.declared.policies, now)
    }

    /// A verdict that is recorded before it is given; the same question again gets the same decision
    /// while it holds.
    ///
    /// # Errors
    /// When the caller's key was used for another question.
    pub async fn decide(
        &self,
        snapshot: &Snapshot,
        found: Option<Found<'_>>,
        asking: Asking,
        now: DateTime<Utc>,
    ) -> Result<Answer, OtherQuestion> {
        let key = keys::key(&asking);
        let body = keys::body(&asking.request);
        let slot = self.keys.slot(&key, now);
        let mut slot = slot.lock().await;
        if slot.as_ref().is_some_and(|kept| kept.body != body) {
            return Err(OtherQuestion);
        }
        let before = slot.as_ref().map(|kept| kept.decision.at);
        let mut decision = self.look_again(snapshot, found, &asking.request, before, now);
        if let Some(kept) = slot.as_ref().filter(|k| still_holds(&k.decision, &decision, now)) {
            return Ok(Answer { decision: kept.decision.clone(), is_repeated: true });
        }
        let id = id::new(now);
        decision.permalink = Some(format!("{}/gate/decisions/{id}", self.base));
        decision.id = Some(id);
        (decision.actor, decision.principal) = (asking.actor, Some(asking.principal));
        let policy = deciding(&decision, &snapshot.declared.policies);
        match self.record(&decision, (key, body)).await {
            Ok(recorded) => decision.recorded = Some(recorded),
            Err(why) => decision.unrecorded(policy, &why.to_string()),
        }
        let decision = Arc::new(decision);
        if decision.recorded.is_some() {
            self.state_mut().decided(&decision);
            *slot = Some(Kept { body, decision: decision.clone() });
        }
        Ok(Answer { decision, is_repeated: false })
    }

    async fn record(
        &self,
        decision: &Decision,
        idempotency: (String, [u8; 32]),
    ) -> Result<Recorded, Unrecorded> {
        let entry = Entry {
            kind: RecordKind::Decision,
            id: decision.id.clone().unwrap_or_default(),
            at: decision.at,
            service: decision.service.clone(),
            environment: decision.environment.clone().unwrap_or_default(),
            verdict: Some(decision.verdict.as_str().to_owned()),
            json: decision.record().expect("a decision has finite numbers only"),
            idempotency: Some(idempotency),
        };
        self.recorder.record(entry, RECORD_WITHIN).await
    }

    /// Records what happened; it counts from then on.
    ///
    /// # Errors
    /// Why it could not be recorded; then it did not happen.
    pub async fn happen(&self, event: Event, now: DateTime<Utc>) -> Result<(), Unrecorded> {
        self.recorder.record(event.entry(now), RECORD_WITHIN).await?;
        self.state_mut().apply(event);
        Ok(())
    }

    /// Who looks at how things are in order to change them holds this meanwhile.
    pub async fn changing(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.changing.lock().await
    }

    /// Writes an incident as it is now.
    ///
    /// # Errors
    /// When it cannot be written; then nothing changed.
    pub async fn report(&self, incident: Incident, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.store.put_incident(&incident).await?;
        self.state_mut().reported(incident, now);
        Ok(())
    }

    /// How many overrides and claims count in the last 7 days.
    #[must_use]
    pub fn quota_used(
        &self,
        policy: &Policy,
        service: &str,
        environment: &str,
        now: DateTime<Utc>,
    ) -> u32 {
        let state = self.state();
        let place = state.place(service, environment);
        place.map_or(0, |place| used(policy, &place.overrides, &place.claims, now))
    }

    /// The policy that would decide on a service in an environment; `None` where none would.
    #[must_use]
    pub fn policy<'a>(
        declared: &'a Declared,
        found: Option<Found<'_>>,
        service: &str,
        environment: &str,
    ) -> Option<&'a Policy> {
        let undeclared = Subject { service, environment: Some(environment), declared: None };
        let subject = found.map_or(undeclared, |found| Subject::from(found.service.as_ref()));
        match select(&declared.policies, &subject) {
            Selection::One(policy) => Some(policy),
            Selection::Nothing | Selection::Tie(..) => None,
        }
    }
}

fn deciding<'a>(decision: &Decision, policies: &'a [Policy]) -> Option<&'a Policy> {
    let name = &decision.policy.as_ref()?.name;
    policies.iter().find(|policy| policy.name.as_str() == *name)
}

/// The views of another service in the same environment.
fn others<'a>(
    snapshot: &'a Snapshot,
    name: &str,
    environment: Option<&str>,
) -> Option<&'a [Arc<BudgetView>]> {
    let same = |found: &Found<'_>| Some(found.service.environment.as_str()) == environment;
    snapshot.named(name).find(same).map(|found| found.views)
}

/// Decisions that are younger may be repeated.
pub(crate) const REPEATED: TimeDelta = TimeDelta::minutes(10);
