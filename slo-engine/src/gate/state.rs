//! What is known of services beside their budgets, in memory: what runs where, overrides, claims,
//! exclusions and incidents. Built from the records at start, then kept up by what is recorded.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use budget_gate::deployment::Deployment;
use budget_gate::incident::Incident;
use budget_gate::overriding::{Override, WEEK};
use budget_gate::{Decision, Known};
use chrono::{DateTime, Duration, Utc};
use slo_core::time::Span;

use super::event::{Event, Step};
use super::exclusion::Exclusions;

/// Everything that is known beside budgets.
#[derive(Debug, Clone, Default)]
pub struct State {
    places: HashMap<String, Vec<Place>>,
    incidents: HashMap<String, Vec<Incident>>,
    /// Keys of incidents, with the services that have them.
    keys: BTreeSet<(String, String)>,
    /// Exclusions, of people and of files.
    pub exclusions: Exclusions,
    /// How often any of it changed.
    changes: Arc<AtomicU64>,
}

/// A service in an environment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Place {
    /// The environment.
    pub environment: String,
    /// What ran, oldest first; what was told of the same instant, by id.
    pub deployments: Vec<Deployment>,
    /// Overrides that may still matter.
    pub overrides: Vec<Override>,
    /// When claims were made that count against the quota.
    pub claims: Vec<DateTime<Utc>>,
}

impl Place {
    /// What a decision goes by.
    #[must_use]
    pub fn known(&self, asked_before: Option<DateTime<Utc>>) -> Known<'_> {
        Known {
            deployments: &self.deployments,
            overrides: &self.overrides,
            claims: &self.claims,
            asked_before,
        }
    }
}

/// Overrides that ended before this are history only.
const KEPT: Duration = Duration::days(8);
/// Closed incidents are listed for so long.
const LISTED: Duration = Duration::days(7);

impl State {
    /// How often anything changed that a decision may go by.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// The same, as it goes on.
    #[must_use]
    pub fn counter(&self) -> Arc<AtomicU64> {
        self.changes.clone()
    }

    /// What is known of a service in an environment.
    #[must_use]
    pub fn place(&self, service: &str, environment: &str) -> Option<&Place> {
        self.places.get(service)?.iter().find(|place| place.environment == environment)
    }

    fn place_mut(&mut self, service: &str, environment: &str) -> &mut Place {
        let places = self.places.entry(service.to_owned()).or_default();
        let at = places.iter().position(|place| place.environment == environment);
        let at = at.unwrap_or_else(|| {
            places.push(Place { environment: environment.to_owned(), ..Place::default() });
            places.len() - 1
        });
        &mut places[at]
    }

    /// Incidents of a service, open and lately closed.
    #[must_use]
    pub fn incidents(&self, service: &str) -> &[Incident] {
        self.incidents.get(service).map_or(&[], Vec::as_slice)
    }

    /// All incidents, open and lately closed.
    pub fn all_incidents(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.values().flatten()
    }

    /// Incidents whose keys begin so.
    pub fn incidents_below(&self, prefix: &str) -> impl Iterator<Item = &Incident> {
        let keys = self.keys.range((prefix.to_owned(), String::new())..);
        let keys = keys.take_while(move |(key, _)| key.starts_with(prefix));
        let services: BTreeSet<&String> = keys.map(|(_, service)| service).collect();
        let all = services.into_iter().flat_map(|service| self.incidents(service));
        all.filter(move |one| one.key.starts_with(prefix))
    }

    /// All places with their services.
    pub fn places(&self) -> impl Iterator<Item = (&str, &Place)> {
        self.places.iter().flat_map(|(name, all)| all.iter().map(move |p| (name.as_str(), p)))
    }

    /// An override by its id.
    #[must_use]
    pub fn overriding(&self, id: &str) -> Option<&Override> {
        self.places().flat_map(|(_, place)| &place.overrides).find(|one| one.id == id)
    }

    /// A deployment by its id.
    #[must_use]
    pub fn deployment(&self, id: &str) -> Option<&Deployment> {
        self.places().flat_map(|(_, place)| &place.deployments).find(|one| one.id == id)
    }

    /// Takes what happened.
    pub fn apply(&mut self, event: Event) {
        self.changes.fetch_add(1, Ordering::AcqRel);
        match event {
            Event::Deployed { deployment: one } => {
                let all = &mut self.place_mut(&one.service, &one.environment).deployments;
                let after = all.partition_point(|other| (other.at, &other.id) < (one.at, &one.id));
                all.insert(after, one);
            }
            Event::OverrideCreated { one } => {
                let all = &mut self.place_mut(&one.service, &one.environment).overrides;
                all.retain(|old| one.at - old.until < KEPT);
                all.push(one);
            }
            Event::OverrideApproved(step) => {
                if let Some(one) = self.overriding_mut(&step) {
                    one.approvals.push(step.by);
                }
            }
            Event::OverrideRevoked(step) => {
                if let Some(one) = self.overriding_mut(&step) {
                    (one.revoked_by, one.revoked_at) = (Some(step.by), Some(step.at));
                }
            }
            Event::ExclusionCreated(one) => self.exclusions.request(one),
            Event::ExclusionApproved(step) => self.exclusions.approve(step),
            Event::ExclusionRemoved(step) => self.exclusions.remove(step),
            Event::ExclusionsDeclared { at, exclusions, .. } => {
                self.exclusions.declare(exclusions, at);
            }
        }
    }

    fn overriding_mut(&mut self, step: &Step) -> Option<&mut Override> {
        let place = self.place_mut(&step.service, &step.environment);
        place.overrides.iter_mut().find(|one| one.id == step.id)
    }

    /// Takes a recorded decision: its claim may count.
    pub fn decided(&mut self, decision: &Decision) {
        let environment = decision.environment.as_deref().unwrap_or_default();
        if decision.allow && decision.claim.as_ref().is_some_and(|claim| claim.counts) {
            self.changes.fetch_add(1, Ordering::AcqRel);
            let claims = &mut self.place_mut(&decision.service, environment).claims;
            claims.retain(|at| decision.at - *at < WEEK);
            claims.push(decision.at);
        }
    }

    /// Takes incidents as they are now, each once. Those that nothing confirms for so long close by
    /// themselves.
    pub fn reported(&mut self, incidents: Vec<Incident>, after: Span, now: DateTime<Utc>) {
        self.changes.fetch_add(1, Ordering::AcqRel);
        let mut by_service: HashMap<String, Vec<Incident>> = HashMap::new();
        for one in incidents {
            self.keys.insert((one.key.clone(), one.service.clone()));
            by_service.entry(one.service.clone()).or_default().push(one);
        }
        let is_over =
            |one: &Incident| now - one.closed_at.unwrap_or_else(|| one.lapses_at(after)) >= LISTED;
        for (service, new) in by_service {
            let all = self.incidents.entry(service.clone()).or_default();
            let ids: HashSet<&str> = new.iter().map(|one| one.id.as_str()).collect();
            all.retain(|old| !ids.contains(old.id.as_str()));
            all.extend(new);
            let forgotten: Vec<_> = all.extract_if(.., |one| is_over(one)).collect();
            if forgotten.is_empty() {
                continue;
            }
            let kept: HashSet<&str> = all.iter().map(|one| one.key.as_str()).collect();
            for Incident { key, .. } in forgotten {
                if !kept.contains(key.as_str()) {
                    self.keys.remove(&(key, service.clone()));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::exclusion::ExclusionStep;
    use crate::gate::exclusion::tests::{declared, requested};

    fn at(minute: i64) -> DateTime<Utc> {
        "2026-11-21T10:00:00Z".parse::<DateTime<Utc>>().unwrap() + Duration::minutes(minute)
    }

    fn deployed(version: &str, minute: i64) -> Event {
        Event::Deployed {
            deployment: Deployment {
                id: format!("d{version}"),
                service: "orders".to_owned(),
                environment: "production".to_owned(),
                version: version.to_owned(),
                digest: None,
                commit: None,
                at: at(minute),
                principal: "token:ci".to_owned(),
            },
        }
    }

    fn created(id: &str) -> Event {
        Event::OverrideCreated {
            one: Override {
                id: id.to_owned(),
                service: "orders".to_owned(),
                environment: "production".to_owned(),
                commit: None,
                reason: "the queue has to move".to_owned(),
                author: "token:ana".to_owned(),
                at: at(0),
                until: at(60),
                approvals: Vec::new(),
                revoked_by: None,
                revoked_at: None,
            },
        }
    }

    fn step(by: &str) -> Step {
        Step {
            id: "o1".to_owned(),
            service: "orders".to_owned(),
            environment: "production".to_owned(),
            by: by.to_owned(),
            at: at(5),
        }
    }

    #[test]
    fn deployments_are_in_the_order_of_time_whenever_they_are_told() {
        let mut state = State::default();
        for event in [deployed("2", 10), deployed("1", 0), deployed("3", 20)] {
            state.apply(event);
        }
        let place = state.place("orders", "production").unwrap();
        let versions: Vec<&str> = place.deployments.iter().map(|d| d.version.as_str()).collect();
        assert_eq!(versions, ["1", "2", "3"]);
        assert_eq!(state.deployment("d2").unwrap().at, at(10));
        assert!(state.place("orders", "staging").is_none());
    }

    #[test]
    fn an_override_is_approved_and_revoked_by_those_who_did_it() {
        let mut state = State::default();
        state.apply(created("o1"));
        state.apply(Event::OverrideApproved(step("token:ben")));
        assert_eq!(state.overriding("o1").unwrap().approvals, ["token:ben"]);
        state.apply(Event::OverrideRevoked(step("token:eve")));
        let one = state.overriding("o1").unwrap();
        assert_eq!((one.revoked_by.as_deref(), one.revoked_at), (Some("token:eve"), Some(at(5))));
    }

    #[test]
    fn every_event_about_exclusions_reads_back_from_its_record_and_is_applied() {
        let step = |by: &str| ExclusionStep { id: "e1".into(), by: by.into(), at: at(5) };
        let mut state = State::default();
        for event in [
            Event::ExclusionCreated(requested("e1")),
            Event::ExclusionApproved(step("token:ben")),
            Event::ExclusionRemoved(step("token:eve")),
            Event::ExclusionsDeclared { id: "e2".into(), at: at(6), exclusions: declared() },
        ] {
            let entry = event.entry(at(0));
            assert_eq!(serde_json::from_slice::<Event>(&entry.json).unwrap(), event);
            assert_eq!((entry.kind.as_str(), entry.service.as_str()), ("exclusion", ""));
            state.apply(event);
        }
        let one = state.exclusions.find("e1").unwrap();
        assert_eq!((one.lacks(), one.removed_by.as_deref()), (1, Some("token:eve")));
        assert_eq!(state.exclusions.declared_since(&declared()[0].id), Some(at(6)));
    }

    #[test]
    fn every_event_reads_back_from_its_record() {
        for event in [
            deployed("1", 0),
            created("o1"),
            Event::OverrideApproved(step("token:ben")),
            Event::OverrideRevoked(step("token:eve")),
        ] {
            let entry = event.entry(at(0));
            assert_eq!(serde_json::from_slice::<Event>(&entry.json).unwrap(), event);
            assert_eq!(
                (entry.service.as_str(), entry.environment.as_str()),
                ("orders", "production")
            );
        }
    }

    #[test]
    fn incidents_that_ended_a_week_ago_are_forgotten_also_those_that_closed_by_themselves() {
        let incident = |id: &str, closed_at| Incident {
            id: id.to_owned(),
            key: id.to_owned(),
            service: "orders".to_owned(),
            environment: None,
            severity: budget_gate::policy::rule::Severity::Major,
            title: "slow".to_owned(),
            opened_at: at(0),
            confirmed_at: at(0),
            closed_at,
        };
        let (mut state, after, week) = (State::default(), Span::minutes(240), 7 * 1_440);
        let (closed, lapsed) = (incident("closed", Some(at(10))), incident("lapsed", None));
        state.reported(vec![closed, lapsed], after, at(10));
        let mut ids = |now| {
            let new = Incident { confirmed_at: at(now), ..incident("new", None) };
            state.reported(vec![new], after, at(now));
            let mut by_key: Vec<_> = state.incidents_below("").map(|one| &one.id).collect();
            by_key.sort();
            let all = state.incidents("orders").iter();
            assert_eq!(by_key, all.map(|one| &one.id).collect::<Vec<_>>());
            by_key.into_iter().cloned().collect::<Vec<_>>()
        };
        assert_eq!(ids(week + 9), ["closed", "lapsed", "new"]);
        assert_eq!(ids(week + 239), ["lapsed", "new"]);
        assert_eq!(ids(week + 240), ["new"]);
        assert_eq!(state.keys.len(), 1, "keys that nobody has are forgotten");
    }

    #[test]
    fn incidents_are_found_by_how_their_keys_begin_in_any_service() {
        let mut state = State::default();
        for (id, key, service) in [
            ("1", "alertmanager:ab:1", "orders"),
            ("2", "alertmanager:ab:1", "payment"),
            ("3", "alertmanager:ab:2", "orders"),
            ("4", "alertmanager:abc:1", "orders"),
            ("5", "alertmanager:aa:1", "orders"),
        ] {
            let one = Incident {
                id: id.to_owned(),
                key: key.to_owned(),
                service: service.to_owned(),
                environment: None,
                severity: budget_gate::policy::rule::Severity::Major,
                title: "slow".to_owned(),
                opened_at: at(0),
                confirmed_at: at(0),
                closed_at: None,
            };
            state.reported(vec![one], Span::minutes(240), at(0));
        }
        let found: BTreeSet<_> =
            state.incidents_below("alertmanager:ab:").map(|one| &*one.id).collect();
        assert_eq!(found, BTreeSet::from(["1", "2", "3"]));
    }
}
