//! What series feed, by the texts that their labels are written as: a server writes them the same way in
//! each answer, and reading them is most of what an answer costs.

use std::hash::BuildHasher;

use hashbrown::DefaultHashBuilder;
use hashbrown::hash_table::{Entry, HashTable};

use super::batch::Place;

/// The SLOs that each text's series feeds.
#[derive(Debug, Default)]
pub(super) struct Texts {
    known: HashTable<Known>,
    fed: Vec<Place>,
    hashers: [DefaultHashBuilder; 2],
}

#[derive(Debug)]
struct Known {
    key: Key,
    from: u32,
    to: u32,
}

/// A text of a query. Two hashes with seeds of their own stand for it: that they are the same for two
/// texts is less likely than a bit that flips by itself, and they take a tenth of the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key([u64; 2]);

impl Texts {
    pub(super) fn key(&self, query: usize, text: &str) -> Key {
        let hash = |at: usize| self.hashers[at].hash_one((query, text));
        Key([hash(0), hash(1)])
    }

    /// The SLOs that a text's series feeds, once it is known.
    pub(super) fn find(&self, key: Key) -> Option<&[Place]> {
        let known = self.known.find(key.0[0], |known| known.key == key)?;
        self.fed.get(known.from as usize..known.to as usize)
    }

    pub(super) fn add(&mut self, key: Key, fed: &[Place]) {
        let from = self.fed.len() as u32;
        self.fed.extend_from_slice(fed);
        let to = self.fed.len() as u32;
        let hash = |known: &Known| known.key.0[0];
        let place = self.known.entry(key.0[0], |known| known.key == key, hash);
        if let Entry::Vacant(place) = place {
            place.insert(Known { key, from, to });
        }
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Forgets all: series have new numbers.
    pub(super) fn clear(&mut self) {
        (self.known, self.fed) = (HashTable::new(), Vec::new());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_queries_are_told_apart_by_two_hashes_of_their_own() {
        let texts = Texts::default();
        let keys = [(0, "a"), (1, "a"), (0, "b"), (0, "")].map(|(at, text)| texts.key(at, text));
        let mut halves: Vec<u64> = keys.iter().flat_map(|key| key.0).collect();
        halves.sort_unstable();
        halves.dedup();
        assert_eq!(halves.len(), 8);
    }
}
