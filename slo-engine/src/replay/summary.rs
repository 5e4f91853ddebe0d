//! How many decisions would have been others, by service.

use budget_gate::decision::Verdict;
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::item::{Item, Outcome};

/// All decisions of a replay.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// The first instant.
    pub from: DateTime<Utc>,
    /// The first instant after the last.
    pub to: DateTime<Utc>,
    /// Of all services.
    #[serde(flatten)]
    pub all: Counts,
    /// By service and environment.
    pub services: Vec<OfService>,
}

/// The decisions on one service in an environment.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OfService {
    /// Its name.
    pub service: String,
    /// The environment; null for a service that is declared in none.
    pub environment: Option<String>,
    /// How many.
    #[serde(flatten)]
    pub counts: Counts,
    /// Why the first one that is not known is not.
    pub not_known_because: Option<String>,
}

/// How many decisions, and what became of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// All.
    pub decisions: u64,
    /// Those of which the proposed policy says something else.
    pub changed: u64,
    /// From which verdict to which.
    pub changes: Vec<Transition>,
    /// Those that would differ, and not by the proposed policy.
    pub not_by_policy: u64,
    /// Those whose budgets the ledger tells otherwise now, whatever became of them.
    pub ledger_changed: u64,
    /// Those that are not known any more.
    pub not_known: u64,
}

/// Verdicts that would have been others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Transition {
    /// What was recorded.
    pub from: Verdict,
    /// What the proposed policy says.
    pub to: Verdict,
    /// How many.
    pub count: u64,
}

impl Summary {
    pub(super) fn new((from, to): (DateTime<Utc>, DateTime<Utc>)) -> Self {
        Self { from, to, all: Counts::default(), services: Vec::new() }
    }

    pub(super) fn add(&mut self, item: &Item) {
        self.all.add(item);
        let key = (item.service.as_str(), item.environment.as_deref());
        let place = |one: &OfService| key.cmp(&(one.service.as_str(), one.environment.as_deref()));
        let found = self.services.binary_search_by(|one| place(one).reverse());
        let at = found.unwrap_or_else(|at| {
            self.services.insert(at, OfService::of(item));
            at
        });
        let service = &mut self.services[at];
        service.counts.add(item);
        if item.outcome == Outcome::NotKnown && service.not_known_because.is_none() {
            service.not_known_because.clone_from(&item.reason);
        }
    }
}

impl OfService {
    fn of(item: &Item) -> Self {
        Self {
            service: item.service.clone(),
            environment: item.environment.clone(),
            counts: Counts::default(),
            not_known_because: None,
        }
    }
}

impl Counts {
    fn add(&mut self, item: &Item) {
        self.decisions += 1;
        self.ledger_changed += u64::from(!item.ledger_changed.is_empty());
        match (item.outcome, item.replayed) {
            (Outcome::Changed, Some(to)) => self.change(item.recorded, to),
            (Outcome::NotByPolicy, _) => self.not_by_policy += 1,
            (Outcome::NotKnown, _) => self.not_known += 1,
            (Outcome::Same | Outcome::Changed, _) => {}
        }
    }

    fn change(&mut self, from: Verdict, to: Verdict) {
        self.changed += 1;
        match self.changes.iter_mut().find(|one| (one.from, one.to) == (from, to)) {
            Some(one) => one.count += 1,
            None => self.changes.push(Transition { from, to, count: 1 }),
        }
        self.changes.sort_by_key(|one| (std::cmp::Reverse(one.count), one.from, one.to));
    }
}
