//! Which questions were asked lately, so that the same one gets the same decision. One question is
//! answered at a time: callers of one key wait for each other.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use budget_gate::Decision;
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use super::{Asking, REPEATED};

/// A recorded decision, by the question that it answers.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) body: [u8; 32],
    pub(super) decision: Arc<Decision>,
}

type Slot = Arc<tokio::sync::Mutex<Option<Kept>>>;

/// A slot that nobody else may look into meanwhile.
pub(super) type Held = tokio::sync::OwnedMutexGuard<Option<Kept>>;

/// No more keys are remembered; the oldest are forgotten first.
const MOST: usize = 20_000;

/// Slots by key.
#[derive(Default)]
pub(super) struct Keys(Mutex<Remembered>);

#[derive(Default)]
struct Remembered {
    slots: HashMap<Arc<str>, Slot>,
    /// When each key was first used, in that order.
    order: VecDeque<(DateTime<Utc>, Arc<str>)>,
}

impl Keys {
    /// The slot of a key.
    pub(super) fn slot(&self, key: &str, now: DateTime<Utc>) -> Slot {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.forget(now);
        if let Some(slot) = remembered.slots.get(key) {
            return slot.clone();
        }
        let (key, slot) = (Arc::<str>::from(key), Slot::default());
        remembered.order.push_back((now, key.clone()));
        remembered.slots.insert(key, slot.clone());
        slot
    }
}

impl Remembered {
    /// A slot that somebody holds is kept: its question is being answered. So is one whose decision was
    /// made long after its key was first used and may still be repeated.
    fn forget(&mut self, now: DateTime<Utc>) {
        while let Some((since, key)) = self.order.front() {
            let are_many = self.order.len() > MOST;
            let is_held = self.slots.get(key).is_some_and(|slot| Arc::strong_count(slot) > 1);
            if !(now - *since >= REPEATED || are_many) || is_held {
                return;
            }
            let Some((_, key)) = self.order.pop_front() else { return };
            match self.slots.get(&key).and_then(made).filter(|at| now - *at < REPEATED) {
                Some(at) if !are_many => self.order.push_back((at, key)),
                _ => drop(self.slots.remove(&key)),
            }
        }
    }
}

/// When the decision of a slot was made.
fn made(slot: &Slot) -> Option<DateTime<Utc>> {
    slot.try_lock().ok()?.as_ref().map(|kept| kept.decision.at)
}

/// The key of a question: the caller's own, which is no other caller's, else what is asked about.
pub(super) fn key(asking: &Asking) -> String {
    if let Some(key) = &asking.key {
        return format!("{}\n{key}", asking.principal);
    }
    let request = &asking.request;
    let parts = [
        Some(&request.service),
        request.environment.as_ref(),
        request.version.as_ref(),
        request.commit.as_ref(),
        request.digest.as_ref(),
        request.identifier.as_ref(),
    ];
    let mut key = request.kind.as_str().to_owned();
    for part in parts {
        key.push('\n');
        key.push_str(part.map_or("", |part| part));
    }
    key
}

/// The hash of what is asked, which may not differ under one key of a caller's. Without such a key the
/// question is its own key, and the reason is no part of it.
pub(super) fn body(asking: &Asking) -> [u8; 32] {
    let mut request = asking.request.clone();
    request.reason = request.reason.filter(|_| asking.key.is_some());
    let json = serde_json::to_vec(&request).expect("a request consists of texts");
    Sha256::digest(json).into()
}

#[cfg(test)]
mod tests;
