//! SLOs whose query a source refuses, while it answers those of the others.

use std::collections::{BTreeMap, BTreeSet};

use super::Intake;
use crate::source::error::SourceError;

/// SLOs of which nothing was read, by position, and why.
pub type Refused = BTreeMap<usize, String>;

impl Intake {
    /// Counts the others on where a source refuses the query of some.
    pub fn may_lapse(&mut self) {
        self.lapsed = Some(BTreeSet::new());
    }

    /// Whether it does ([`Self::may_lapse`]).
    pub(in crate::source) fn lapses(&self) -> bool {
        self.lapsed.is_some()
    }

    /// Notes that a query was refused for what it says; hands the error back where all stands or falls with it.
    pub(in crate::source) fn refuse(
        &self,
        slos: &[usize],
        error: SourceError,
        refused: &mut Refused,
    ) -> Result<(), SourceError> {
        let reason = error.to_string();
        refused.extend(slos.iter().map(|slo| (*slo, reason.clone())));
        // What everybody is told is the source's fault, not that of a query.
        if self.lapses() && refused.len() == self.slos.len() { Err(error) } else { Ok(()) }
    }

    /// The SLOs that a query asks for.
    pub(in crate::source) fn asked_by(&self, query: usize) -> &[usize] {
        &self.queries[query].0.slos
    }

    /// Leaves out what was taken of refused SLOs. One that is answered again has to be read anew: from where
    /// its series were seen last, a difference would hold all that happened since.
    pub(in crate::source) fn leave_out(&mut self, refused: &Refused) -> Result<(), SourceError> {
        let Some(lapsed) = &mut self.lapsed else { return Ok(()) };
        if lapsed.iter().any(|slo| !refused.contains_key(slo)) {
            return Err(SourceError::Answered);
        }
        if !refused.is_empty() {
            *lapsed = refused.keys().copied().collect();
            self.batch.retain(|part| !refused.contains_key(&part.slo));
        }
        Ok(())
    }
}
