//! The gate of a running server: what it knows beside budgets, and decisions that are recorded before
//! they count. A verdict is made from memory alone; only its record waits for the database.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::AtomicU64;
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
use tokio::sync::OwnedMutexGuard;
use tokio::time::{Instant, timeout_at};

use crate::declared::Declared;
use crate::evaluate::snapshot::{Found, Snapshot};
use crate::record::{Entry, RecordKind, Recorder, Unrecorded};
use crate::store::{Store, StoreError};
use event::Event;
use keys::{Kept, Keys};
use state::State;

pub mod event;
pub mod exclusion;
pub mod id;
mod keys;
mod load;
mod peek;
pub mod state;

pub(crate) use load::{decision, event, may_count};

/// How long an answer waits for its record: callers are promised one within 3 s.
const RECORD_WITHIN: Duration = Duration::from_secs(2);

/// The same with what went by before the gate was asked.
const ANSWER_WITHIN: Duration = Duration::from_millis(2_500);

/// How long a question waits for what it was answered before a restart.
const RECALL_WITHIN: Duration = Duration::from_millis(500);

/// The gate.
pub struct Gate {
    recorder: Recorder,
    store: Store,
    state: Arc<RwLock<State>>,
    /// How often it changed, to be read without waiting for it.
    changes: Arc<AtomicU64>,
    keys: Keys,
    /// Questions from before are looked up for a while.
    opened: DateTime<Utc>,
    changing: Lock,
    /// By the group of an incident's key.
    reporting: [Lock; 64],
    /// An incident that nothing confirms for so long is closed.
    incidents_close_after: Span,
    /// In front of every permalink.
    base: String,
}

/// Whoever holds it may change what verdicts go by: one at a time, so that nobody decides by what
/// another one is just changing.
#[derive(Debug)]
pub struct Changing(#[expect(dead_code, reason = "it is held")] OwnedMutexGuard<()>);

/// Whoever holds it may change the incidents of a group of keys.
#[derive(Debug)]
pub struct Reporting(#[expect(dead_code, reason = "it is held")] OwnedMutexGuard<()>);

type Lock = Arc<tokio::sync::Mutex<()>>;

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
    /// How long the question has been waiting already.
    pub waited: Duration,
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
        let state = load::load(&store, incidents_close_after, now).await?;
        Ok(Self {
            recorder,
            store,
            changes: state.counter(),
            state: Arc::new(RwLock::new(state)),
            keys: Keys::default(),
            opened: now,
            changing: Lock::default(),
            reporting: std::array::from_fn(|_| Lock::default()),
            incidents_close_after,
            base,
        })
    }

    /// What is known beside budgets.
    pub fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
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
        let policies = &snapshot.declared.policies;
        let asked = (request, asked_before);
        self.told(snapshot, found, asked, |facts, _| decide(request, facts, policies, now))
    }

    /// Asks with all that is known, and how often that changed.
    fn told<T>(
        &self,
        snapshot: &Snapshot,
        found: Option<Found<'_>>,
        (request, asked_before): (&Request, Option<DateTime<Utc>>),
        ask: impl FnOnce(&Facts<'_, Arc<BudgetView>>, u64) -> T,
    ) -> T {
        let state = self.state();
        let environment = found.map(|f| f.service.environment.as_str());
        let environment = environment.or(request.environment.as_deref());
        let place = state.place(&request.service, environment.unwrap_or_default());
        let others = |name: &str| others(snapshot, name, environment);
        let service = found.map(|found| found.service.as_ref());
        let (views, groups) = found.map_or((&[][..], &[][..]), |f| (f.views, f.groups));
        let facts = Facts {
            dependencies: &others,
            calendars: &snapshot.declared.calendars,
            incidents: state.incidents(&request.service),
            incidents_close_after: self.incidents_close_after,
            known: place.map_or_else(Known::default, |place| place.known(asked_before)),
            groups,
            ..Facts::of(service, views)
        };
        ask(&facts, state.changes())
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
        let within = RECORD_WITHIN.min(ANSWER_WITHIN.saturating_sub(asking.waited));
        let deadline = Instant::now() + within;
        let (key, body) = (keys::key(&asking), keys::body(&asking));
        let mut slot = timeout_at(deadline, self.keys.slot(&key, now).lock_owned()).await.ok();
        self.recall(slot.as_deref_mut(), &key, now, deadline).await;
        let kept = slot.as_ref().and_then(|slot| slot.as_ref());
        if kept.is_some_and(|kept| kept.body != body) {
            return Err(OtherQuestion);
        }
        let before = kept.map(|kept| kept.decision.at);
        let look = || self.look_again(snapshot, found, &asking.request, before, now);
        let mut decision = look();
        if let Some(kept) = kept.filter(|k| still_holds(&k.decision, &decision, now)) {
            return Ok(Answer { decision: kept.decision.clone(), is_repeated: true });
        }
        let mut changing = None;
        if counts(&decision) {
            // Two claims at once must not both be the last one that the quota allows.
            changing = timeout_at(deadline, self.changing()).await.ok();
            decision = look();
        }
        let is_alone = changing.is_some() || !counts(&decision);
        let holding = slot.filter(|_| is_alone).map(|slot| Holding { slot, changing });
        self.name(&mut decision, asking, now);
        let recorded = match holding {
            Some(holding) => self.record(&decision, (key, body), holding, deadline).await,
            None => Err(Unrecorded::Slow { within, under_way: false }),
        };
        let policy = deciding(&decision, &snapshot.declared.policies);
        match recorded {
            Ok(recorded) => decision.recorded = Some(recorded),
            Err(why) => {
                tracing::warn!(id = decision.id, %why, "a decision is not recorded");
                decision.unrecorded(policy, &why.to_string());
            }
        }
        Ok(Answer { decision: Arc::new(decision), is_repeated: false })
    }

    /// What was answered to a question before this process began. A database that does not say so at
    /// once has nothing to say: the question is then answered anew.
    async fn recall(
        &self,
        slot: Option<&mut Option<Kept>>,
        key: &str,
        now: DateTime<Utc>,
        deadline: Instant,
    ) {
        let Some(slot) = slot.filter(|slot| slot.is_none() && now - self.opened < REPEATED) else {
            return;
        };
        let until = deadline.min(Instant::now() + RECALL_WITHIN);
        let found = timeout_at(until, self.recorder.records().newest_by_key(key)).await;
        let record = found.ok().and_then(Result::ok).flatten();
        let Some(record) = record.filter(|record| now - record.entry.at < REPEATED) else {
            return;
        };
        let body = record.entry.idempotency.as_ref().map(|(_, body)| *body);
        if let (Ok(decision), Some(body)) = (load::decision(&record), body) {
            *slot = Some(Kept { body, decision: Arc::new(decision) });
        }
    }

    /// What a decision has that is more than a look.
    fn name(&self, decision: &mut Decision, asking: Asking, now: DateTime<Utc>) {
        let id = id::new(now);
        decision.permalink = Some(format!("{}/gate/decisions/{id}", self.base));
        decision.id = Some(id);
        (decision.actor, decision.principal) = (asking.actor, Some(asking.principal));
    }

    async fn record(
        &self,
        decision: &Decision,
        idempotency: (String, [u8; 32]),
        holding: Holding,
        deadline: Instant,
    ) -> Result<Recorded, Unrecorded> {
        let body = idempotency.1;
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
        let (state, mut decision) = (self.state.clone(), decision.clone());
        let kept = move |recorded: &Recorded| {
            let Holding { mut slot, changing } = holding;
            decision.recorded = Some(recorded.clone());
            write(&state).decided(&decision);
            *slot = Some(Kept { body, decision: Arc::new(decision) });
            drop((slot, changing));
        };
        self.recorder.record_then(entry, deadline - Instant::now(), kept).await
    }

    /// Records what happened; it counts from then on.
    ///
    /// # Errors
    /// Why it could not be recorded; then it did not happen, unless its writing is under way.
    pub async fn happen(
        &self,
        changing: Changing,
        event: Event,
        now: DateTime<Utc>,
    ) -> Result<(), Unrecorded> {
        let (state, entry) = (self.state.clone(), event.entry(now));
        let known = move |_: &Recorded| {
            write(&state).apply(event);
            drop(changing);
        };
        self.recorder.record_then(entry, RECORD_WITHIN, known).await.map(|_| ())
    }

    /// Who looks at how things are in order to change them holds this meanwhile.
    pub async fn changing(&self) -> Changing {
        Changing(self.changing.clone().lock_owned().await)
    }

    /// Who looks at an incident in order to change it holds this meanwhile. Keys that differ behind their
    /// last colon only are one group.
    pub async fn reporting(&self, key: &str) -> Reporting {
        let group = key.rsplit_once(':').map_or(key, |(group, _)| group);
        let mut hasher = DefaultHasher::new();
        group.hash(&mut hasher);
        let lock = &self.reporting[hasher.finish() as usize % self.reporting.len()];
        Reporting(lock.clone().lock_owned().await)
    }

    /// Writes incidents as they are now; they count from then on.
    ///
    /// # Errors
    /// When they cannot be written; then nothing changed, unless their writing is under way.
    pub async fn report(
        &self,
        reporting: Reporting,
        incidents: Vec<Incident>,
        now: DateTime<Utc>,
    ) -> Result<(), Unrecorded> {
        let (state, after) = (self.state.clone(), self.incidents_close_after);
        let changed = incidents.clone();
        let known = move || {
            write(&state).reported(changed, after, now);
            drop(reporting);
        };
        self.recorder.report_then(incidents, RECORD_WITHIN, known).await
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

/// What nobody else may have while a decision is being recorded.
struct Holding {
    slot: keys::Held,
    changing: Option<Changing>,
}

fn write(state: &RwLock<State>) -> RwLockWriteGuard<'_, State> {
    state.write().unwrap_or_else(PoisonError::into_inner)
}

fn counts(decision: &Decision) -> bool {
    decision.claim.as_ref().is_some_and(|claim| claim.counts)
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
