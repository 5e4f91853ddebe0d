//! Files of JSON lines, counted by minute. It knows queries, and nothing of what their counts are for.
//!
//! A line is counted once: positions are kept with the counts that they brought. Content is known
//! again by its first bytes wherever rotation puts it, so a file that was renamed, copied or packed is
//! read on where it was left, and one that was emptied begins anew.

use std::collections::BTreeMap;
use std::sync::Arc;

use slo_core::filter::Filter;
use slo_core::subset::{Cuts, Subset};
use slo_core::time::Minute;

mod again;
mod asking;
mod file;
mod find;
mod index;
mod line;
mod poll;
mod position;
mod questions;
pub mod source;
mod tally;
mod time;

pub use index::Index;
pub use position::{Identity, Position, Positions};

use asking::Asking;
use poll::Poll;

/// A question to the lines of a source.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// Which files it is about; `None` is all files.
    pub index: Option<Index>,
    /// Which lines are counted.
    pub what: Filter,
    /// Which lines prove that the shipper lives; `None` is any of the files.
    pub heartbeat: Option<Filter>,
    /// By which fields lines are told apart.
    pub cuts: Option<Arc<Cuts>>,
}

/// Lines by minute, of subsets of those that a query found.
pub type OfSubsets = BTreeMap<Subset, BTreeMap<Minute, i64>>;

/// Files of JSON lines.
#[derive(Debug, Clone)]
pub struct Jsonlog {
    globs: Vec<String>,
    time_field: String,
}

/// What one reading brought.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Polled {
    /// For each query, how many more lines it found in which minute; oldest first.
    pub counts: Vec<Vec<(Minute, i64)>>,
    /// The same for the subsets of each query.
    pub subsets: Vec<OfSubsets>,
    /// For each query, the newest line that proves that its shipper lives, Unix milliseconds.
    pub newest: Vec<Option<i64>>,
    /// Lines that were read.
    pub lines: u64,
    /// Lines that could not be counted.
    pub refused: u64,
    /// The first of them: its file, its place in bytes, and why.
    pub first_refused: Option<String>,
    /// What could not be read although the rest was, each with its place.
    pub problems: Vec<String>,
    /// There was more than was to be read at once.
    pub is_behind: bool,
}

impl Polled {
    /// What this reading and the one before it brought together.
    #[must_use]
    pub fn after(mut self, before: Self) -> Self {
        for (mine, theirs) in self.counts.iter_mut().zip(before.counts) {
            let mut all: BTreeMap<Minute, i64> = theirs.into_iter().collect();
            for (minute, count) in mine.drain(..) {
                *all.entry(minute).or_default() += count;
            }
            mine.extend(all);
        }
        for (mine, theirs) in self.subsets.iter_mut().zip(before.subsets) {
            add(mine, theirs);
        }
        for (mine, theirs) in self.newest.iter_mut().zip(before.newest) {
            *mine = (*mine).max(theirs);
        }
        self.lines += before.lines;
        self.refused += before.refused;
        self.first_refused = before.first_refused.or(self.first_refused);
        self.problems.extend(before.problems);
        self
    }
}

fn add(to: &mut OfSubsets, more: OfSubsets) {
    for (subset, minutes) in more {
        let sum = to.entry(subset).or_default();
        minutes.into_iter().for_each(|(minute, lines)| *sum.entry(minute).or_default() += lines);
    }
}

impl Jsonlog {
    /// A source of the files that globs name. They should also name what rotation makes of the files,
    /// such as `/var/log/orders.json*`: what was written while nothing read is found by them alone.
    ///
    /// # Errors
    /// What cannot be used.
    pub fn new(files: &[String], time_field: &str) -> Result<Self, String> {
        if files.is_empty() {
            return Err("it has no files; list paths such as /var/log/orders.json*".to_owned());
        }
        for pattern in files {
            glob::Pattern::new(pattern)
                .map_err(|e| format!("`{pattern}` is no pattern of files: {}", e.msg))?;
        }
        if time_field.is_empty() {
            return Err("it has no time field; name one such as @timestamp".to_owned());
        }
        Ok(Self { globs: files.to_vec(), time_field: time_field.to_owned() })
    }

    /// Reads what came since the positions, at most about `limit` bytes, and moves them. It blocks.
    /// Counts and positions belong together: whoever loses one must lose the other.
    pub fn poll(
        &self,
        positions: &mut Positions,
        queries: &[Query],
        limit: u64,
        now: i64,
    ) -> Polled {
        let asking = Asking::new(&self.time_field, queries, limit, now);
        let (polled, moved) = Poll::new(asking, positions).run(&self.globs);
        *positions = moved;
        polled
    }

    /// Reads what lies before `until` once more, for queries that were not asked then: from `done` on, at
    /// most about `limit` bytes, and moves `done`. It blocks.
    pub fn again(
        &self,
        done: &mut Positions,
        until: &Positions,
        queries: &[Query],
        limit: u64,
        now: i64,
    ) -> Polled {
        let asking = Asking::new(&self.time_field, queries, limit, now);
        again::run(asking, done, until, &self.globs)
    }
}

#[cfg(test)]
mod tests;
