//! Peeks: a plain question is decided once for each snapshot, and answered by that while it lasts.

use std::sync::atomic::Ordering;

use budget_gate::lasting::Lasting;
use budget_gate::{Decision, Request, Verdict, prepare};
use chrono::{DateTime, Utc};

use super::Gate;
use crate::evaluate::peeks::Question;
use crate::evaluate::snapshot::{Found, Snapshot};

impl Gate {
    /// A verdict from memory as JSON. A plain question is decided once, and answered by that until
    /// something but an age changes.
    ///
    /// # Errors
    /// When a number in it has no JSON.
    pub fn peek(
        &self,
        snapshot: &Snapshot,
        found: Option<Found<'_>>,
        request: &Request,
        now: DateTime<Utc>,
    ) -> serde_json::Result<(Verdict, Vec<u8>)> {
        // Names that are not declared are without end.
        let Some(found) = found.filter(|_| request.is_plain()) else {
            let decision = self.look(snapshot, found, request, now);
            return Ok((decision.verdict, serde_json::to_vec(&decision)?));
        };
        let question = (request.service.as_str(), request.environment.as_deref());
        if let Some(kept) = self.kept(snapshot, question, now) {
            return Ok(kept);
        }
        let (decision, lasting, changes) = self.lasting(snapshot, found, request, now);
        let Some(lasting) = lasting else {
            return Ok((decision.verdict, serde_json::to_vec(&decision)?));
        };
        let text = lasting.json(now);
        snapshot.peeks.keep(question, changes, lasting, true);
        Ok((decision.verdict, text))
    }

    /// Answers the peeks that were asked of a snapshot for the one that follows it, before that is shown:
    /// who asks often waits no longer after a tick than before it.
    pub fn prepare(&self, before: &Snapshot, next: &Snapshot) {
        for (service, environment) in before.peeks.asked() {
            let environment = environment.as_deref();
            let is_meant = |found: &Found<'_>| {
                environment.is_none_or(|one| found.service.environment.as_str() == one)
            };
            let mut named = next.named(&service).filter(is_meant);
            let (Some(found), None) = (named.next(), named.next()) else { continue };
            let request =
                Request { environment: environment.map(str::to_owned), ..Request::of(&service) };
            let (_, lasting, changes) = self.lasting(next, found, &request, next.at);
            if let Some(lasting) = lasting {
                next.peeks.keep((&service, environment), changes, lasting, false);
            }
        }
    }

    /// A verdict, for as long as it lasts, and how many changes it knows of.
    fn lasting(
        &self,
        snapshot: &Snapshot,
        found: Found<'_>,
        request: &Request,
        now: DateTime<Utc>,
    ) -> (Decision, Option<Lasting>, u64) {
        let (asked, policies) = ((request, None), &snapshot.declared.policies);
        self.told(snapshot, Some(found), asked, |facts, changes| {
            let (decision, lasting) = prepare(request, facts, policies, now);
            (decision, lasting, changes)
        })
    }

    /// What is kept of a plain peek, if it still answers it.
    #[must_use]
    pub fn kept(
        &self,
        snapshot: &Snapshot,
        question: Question<'_>,
        now: DateTime<Utc>,
    ) -> Option<(Verdict, Vec<u8>)> {
        snapshot.peeks.answer(question, self.changes.load(Ordering::Acquire), now)
    }
}
