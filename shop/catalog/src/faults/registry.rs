//! Which faults are active, what they decide for each request, and those that are over.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until};
use utoipa::ToSchema;

use super::{EndedBy, Fault, FaultSpec};
use crate::clock::Clock;
use crate::log::{FaultLine, Head, Log};

const MOST_ACTIVE: usize = 16;
const MOST_PAST: usize = 1_000;

/// The faults of one process.
#[derive(Debug)]
pub struct Faults {
    clock: Clock,
    log: Log,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last_id: u64,
    active: Vec<Active>,
    past: VecDeque<Fault>,
}

#[derive(Debug)]
struct Active {
    fault: Fault,
    deadline: Instant,
}

/// What a request has to suffer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Injection {
    pub delay: Duration,
    /// The fault that answers with an error in the service's place.
    pub error: Option<u64>,
}

/// The body of `GET /faults`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FaultList {
    pub active: Vec<Fault>,
    /// The newest first.
    pub past: Vec<Fault>,
}

#[derive(Debug, thiserror::Error)]
#[error("{MOST_ACTIVE} faults are active already; delete one or wait for its end")]
pub struct TooManyFaults;

impl Faults {
    pub fn new(clock: Clock, log: Log) -> Arc<Self> {
        Arc::new(Self { clock, log, state: Mutex::default() })
    }

    /// Starts a fault that ends by itself after its seconds.
    pub fn start(self: &Arc<Self>, spec: FaultSpec) -> Result<Fault, TooManyFaults> {
        let deadline = Instant::now() + Duration::from_secs(spec.seconds);
        let fault = {
            let mut state = self.state();
            if state.active.len() >= MOST_ACTIVE {
                return Err(TooManyFaults);
            }
            let fault = state.next(spec, &self.clock);
            state.active.push(Active { fault: fault.clone(), deadline });
            fault
        };
        self.tell("fault-started", &fault);
        let (faults, id) = (Arc::clone(self), fault.id);
        tokio::spawn(async move {
            sleep_until(deadline).await;
            faults.end(id, EndedBy::Time);
        });
        Ok(fault)
    }

    /// What the active faults do to the next request of this route.
    pub fn decide(&self, route: &str) -> Injection {
        let now = Instant::now();
        let mut injection = Injection::default();
        let mut state = self.state();
        let live = state.active.iter_mut().filter(|active| now < active.deadline);
        for Active { fault, .. } in live.filter(|active| active.fault.spec.concerns(route)) {
            let hit = fault.spec.hits(fault.requests_seen);
            fault.requests_seen += 1;
            if !hit {
                continue;
            }
            fault.requests_hit += 1;
            injection.delay += fault.spec.delay();
            if fault.spec.fails() {
                injection.error = injection.error.or(Some(fault.id));
            }
        }
        injection
    }

    /// Ends an active fault; one that is over is answered as it is, an unknown one with nothing.
    pub fn end(&self, id: u64, by: EndedBy) -> Option<Fault> {
        let ended = {
            let mut state = self.state();
            let Some(position) = state.active.iter().position(|active| active.fault.id == id)
            else {
                return state.past.iter().find(|fault| fault.id == id).cloned();
            };
            let mut fault = state.active.remove(position).fault;
            fault.ended_by = Some(by);
            fault.ends_at = fault.ends_at.min(self.clock.now());
            state.past.push_front(fault.clone());
            state.past.truncate(MOST_PAST);
            fault
        };
        self.tell("fault-ended", &ended);
        Some(ended)
    }

    /// Ends all active faults because the process ends.
    pub fn shut_down(&self) {
        let ids: Vec<u64> = self.state().active.iter().map(|active| active.fault.id).collect();
        for id in ids {
            self.end(id, EndedBy::Shutdown);
        }
    }

    pub fn list(&self) -> FaultList {
        let state = self.state();
        FaultList {
            active: state.active.iter().map(|active| active.fault.clone()).collect(),
            past: state.past.iter().cloned().collect(),
        }
    }

    fn tell(&self, action: &'static str, fault: &Fault) {
        let Fault { id, requests_seen: seen, requests_hit: hit, .. } = fault;
        let message = match action {
            "fault-started" => format!("fault {id} started"),
            _ => format!("fault {id} ended: {hit} of {seen} requests hit"),
        };
        let head = Head::info(self.clock.now(), "catalog.fault", message);
        self.log.write(&FaultLine { head, action, fault });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn next(&mut self, spec: FaultSpec, clock: &Clock) -> Fault {
        self.last_id += 1;
        let started_at = clock.now();
        Fault {
            id: self.last_id,
            ends_at: started_at + TimeDelta::seconds(spec.seconds.cast_signed()),
            spec,
            started_at,
            ended_by: None,
            requests_seen: 0,
            requests_hit: 0,
        }
    }
}

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;
