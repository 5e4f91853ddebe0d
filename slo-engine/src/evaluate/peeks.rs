//! Answers to plain peeks, kept while they last.

use std::array::from_fn;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use budget_gate::Verdict;
use budget_gate::lasting::Lasting;
use chrono::{DateTime, Utc};
use hashbrown::DefaultHashBuilder;
use hashbrown::hash_table::{Entry, HashTable};

/// Services that are asked about at once seldom share a part.
const PARTS: usize = 64;

/// The last answer to each plain peek, for as long as it lasts. It goes with its snapshot.
///
/// Answers lie in the table itself: among ten thousand, each place in memory that must be read before
/// the text is found is a cold one.
#[derive(Debug)]
pub struct Peeks {
    parts: [RwLock<HashTable<Kept>>; PARTS],
    hasher: DefaultHashBuilder,
}

#[derive(Debug)]
struct Kept {
    service: Box<str>,
    environment: Option<Box<str>>,
    /// How many changes the gate knew of.
    changes: u64,
    lasting: Lasting,
    /// Whether somebody asked; otherwise somebody asked the snapshot before.
    is_asked: AtomicBool,
}

impl Kept {
    fn answers(&self, (service, environment): Question<'_>) -> bool {
        *self.service == *service && self.environment.as_deref() == environment
    }
}

/// The service that is asked about, and the environment where one is named.
pub type Question<'a> = (&'a str, Option<&'a str>);

impl Default for Peeks {
    fn default() -> Self {
        Self { parts: from_fn(|_| RwLock::default()), hasher: DefaultHashBuilder::default() }
    }
}

/// Nothing has been asked of a copy.
impl Clone for Peeks {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Peeks {
    /// The answer to a question that was kept after so many changes, if it holds at an instant.
    #[must_use]
    pub fn answer(
        &self,
        question: Question<'_>,
        changes: u64,
        now: DateTime<Utc>,
    ) -> Option<(Verdict, Vec<u8>)> {
        let hash = self.hasher.hash_one(question);
        let part = self.part(hash).read().unwrap_or_else(PoisonError::into_inner);
        let Kept { lasting, is_asked, .. } = part
            .find(hash, |kept| kept.answers(question))
            .filter(|kept| kept.changes == changes && kept.lasting.holds(now))?;
        if !is_asked.load(Ordering::Relaxed) {
            is_asked.store(true, Ordering::Relaxed);
        }
        Some((lasting.verdict, lasting.json(now)))
    }

    /// The questions that were asked.
    #[must_use]
    pub fn asked(&self) -> Vec<(Box<str>, Option<Box<str>>)> {
        let asked = |part: &RwLock<HashTable<Kept>>| {
            let part = part.read().unwrap_or_else(PoisonError::into_inner);
            let asked = part.iter().filter(|kept| kept.is_asked.load(Ordering::Relaxed));
            asked.map(|kept| (kept.service.clone(), kept.environment.clone())).collect::<Vec<_>>()
        };
        self.parts.iter().flat_map(asked).collect()
    }

    /// Keeps an answer, to one who asked or before anybody does.
    pub fn keep(&self, question: Question<'_>, changes: u64, lasting: Lasting, is_asked: bool) {
        let (service, environment) = question;
        let hash = self.hasher.hash_one(question);
        let kept = Kept {
            service: service.into(),
            environment: environment.map(Box::from),
            changes,
            lasting,
            is_asked: is_asked.into(),
        };
        let hash_of = |kept: &Kept| {
            let question: Question<'_> = (&kept.service, kept.environment.as_deref());
            self.hasher.hash_one(question)
        };
        let mut part = self.part(hash).write().unwrap_or_else(PoisonError::into_inner);
        match part.entry(hash, |kept| kept.answers(question), hash_of) {
            Entry::Occupied(mut old) => *old.get_mut() = kept,
            Entry::Vacant(place) => drop(place.insert(kept)),
        }
    }

    /// By bits that places within a table do not go by.
    fn part(&self, hash: u64) -> &RwLock<HashTable<Kept>> {
        &self.parts[(hash >> 48) as usize % PARTS]
    }
}
