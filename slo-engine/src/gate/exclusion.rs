//! Exclusions as the record knows them: those that somebody asked for, with what became of them, and
//! those that files declare.

use std::collections::BTreeSet;
use std::sync::Arc;

use budget_gate::exclusion::Exclusion;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::event::Event;
use super::{Gate, id};
use crate::evaluate::exclusion::InForce;
use crate::record::Unrecorded;

/// An exclusion that was asked for, approved and perhaps removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Requested {
    /// Its id.
    pub id: String,
    /// When it was asked for; what comes every week counts from then on.
    pub at: DateTime<Utc>,
    /// What is excluded, and why; its author is who asked, as the engine knows.
    pub exclusion: Exclusion,
    /// How many others had to approve it as things were then.
    pub approvals_needed: u32,
    /// Who approved it, as the engine knows; never the author, nobody twice.
    pub approvals: Vec<String>,
    /// Who removed it; null while it stands.
    pub removed_by: Option<String>,
    /// When it was removed.
    pub removed_at: Option<DateTime<Utc>>,
}

impl Requested {
    /// Who asked for it.
    #[must_use]
    pub fn author(&self) -> &str {
        self.exclusion.author.as_deref().unwrap_or_default()
    }

    /// How many approvals it lacks.
    #[must_use]
    pub fn lacks(&self) -> u32 {
        let others = self.approvals.iter().filter(|name| *name != self.author());
        let others = others.collect::<BTreeSet<_>>().len();
        self.approvals_needed.saturating_sub(u32::try_from(others).unwrap_or(u32::MAX))
    }

    /// As it acts; `None` while it lacks approvals, and once it is removed.
    fn in_force(&self) -> Option<InForce> {
        let in_force = self.lacks() == 0 && self.removed_at.is_none();
        in_force.then(|| InForce {
            name: self.id.clone(),
            exclusion: self.exclusion.clone(),
            since: Some(self.at),
        })
    }
}

/// A step in the life of an exclusion that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExclusionStep {
    /// Its id.
    pub id: String,
    /// Who did it, as the engine knows.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// An exclusion that a file declares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FromFile {
    /// What it says, as an id: the same wherever it stands.
    pub id: String,
    /// Where it stands.
    pub place: Option<String>,
    /// What it says.
    pub exclusion: Exclusion,
}

impl FromFile {
    /// Those that files declare, each once, by id.
    #[must_use]
    pub fn all(declared: &[Exclusion]) -> Vec<Self> {
        let mut all: Vec<Self> = declared.iter().map(Self::of).collect();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all.dedup_by(|later, first| later.id == first.id);
        all
    }

    fn of(declared: &Exclusion) -> Self {
        let exclusion = Exclusion { place: None, excerpt: String::new(), ..declared.clone() };
        let json = serde_json::to_vec(&exclusion).expect("texts and instants have a JSON");
        let hash = Sha256::digest(json);
        let id = hash[..6].iter().fold("file:".to_owned(), |id, byte| format!("{id}{byte:02x}"));
        Self { id, place: declared.place.as_ref().map(ToString::to_string), exclusion }
    }
}

/// All exclusions that the record knows. None is ever forgotten: whoever counts the past anew needs
/// them.
#[derive(Debug, Clone, Default)]
pub struct Exclusions {
    requested: Vec<Requested>,
    /// Those of them that are in force.
    in_force: Arc<[InForce]>,
    /// Those of the files as they were recorded last, by id, and since when each has been there.
    declared: Vec<(FromFile, DateTime<Utc>)>,
}

impl Exclusions {
    /// Those that were asked for, in this order.
    #[must_use]
    pub fn requested(&self) -> &[Requested] {
        &self.requested
    }

    /// Those that were asked for and are in force. The same list until that changes.
    #[must_use]
    pub const fn in_force(&self) -> &Arc<[InForce]> {
        &self.in_force
    }

    /// All that were in force as far as this is recorded: also those that files declared last.
    #[must_use]
    pub fn recorded(&self) -> Vec<InForce> {
        let files = self.declared.iter().map(|(one, _)| InForce {
            name: one.place.clone().unwrap_or_else(|| one.id.clone()),
            exclusion: one.exclusion.clone(),
            since: None,
        });
        files.chain(self.in_force.iter().cloned()).collect()
    }

    /// One that was asked for, by its id.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&Requested> {
        self.requested.iter().find(|one| one.id == id)
    }

    /// Since when files have declared an exclusion, as far as that was recorded.
    #[must_use]
    pub fn declared_since(&self, id: &str) -> Option<DateTime<Utc>> {
        self.declared.iter().find(|(one, _)| one.id == id).map(|(_, since)| *since)
    }

    /// Whether these are the ones that were recorded last, wherever they stand.
    fn are_declared(&self, all: &[FromFile]) -> bool {
        all.iter().map(|one| &one.id).eq(self.declared.iter().map(|(one, _)| &one.id))
    }

    pub(super) fn request(&mut self, one: Requested) {
        self.requested.push(one);
        self.look_anew();
    }

    pub(super) fn approve(&mut self, step: ExclusionStep) {
        if let Some(one) = self.find_mut(&step.id) {
            one.approvals.push(step.by);
        }
        self.look_anew();
    }

    pub(super) fn remove(&mut self, step: ExclusionStep) {
        if let Some(one) = self.find_mut(&step.id) {
            (one.removed_by, one.removed_at) = (Some(step.by), Some(step.at));
        }
        self.look_anew();
    }

    fn look_anew(&mut self) {
        self.in_force = self.requested.iter().filter_map(Requested::in_force).collect();
    }

    pub(super) fn declare(&mut self, all: Vec<FromFile>, at: DateTime<Utc>) {
        let since = |one: FromFile| {
            let since = self.declared_since(&one.id).unwrap_or(at);
            (one, since)
        };
        self.declared = all.into_iter().map(since).collect();
    }

    fn find_mut(&mut self, id: &str) -> Option<&mut Requested> {
        self.requested.iter_mut().find(|one| one.id == id)
    }
}

impl Gate {
    /// Records which exclusions the files declare, when these are others than were recorded last.
    ///
    /// # Errors
    /// Why they could not be recorded; the next call tries again.
    pub async fn note_declared(
        &self,
        declared: &[Exclusion],
        now: DateTime<Utc>,
    ) -> Result<(), Unrecorded> {
        let exclusions = FromFile::all(declared);
        if self.state().exclusions.are_declared(&exclusions) {
            return Ok(());
        }
        let changing = self.changing().await;
        let id = id::new(now);
        self.happen(changing, Event::ExclusionsDeclared { id, at: now, exclusions }, now).await
    }
}

#[cfg(test)]
pub(super) mod tests;
