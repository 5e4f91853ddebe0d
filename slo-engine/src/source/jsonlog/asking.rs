//! Asks the lines of one file after the other what the queries want to know.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read};

use slo_core::time::Minute;

use super::file::Opened;
use super::position::Position;
use super::questions::Questions;
use super::tally::{Refusal, Tally};
use super::{Index, OfSubsets, Polled, Query};

/// Longer lines are refused.
const LONGEST: u64 = 1_000_000;

/// A file that was changed so lately may change again and show the same time, in milliseconds.
const SETTLED: i64 = 2_000;

/// All queries, and what is known of them so far.
pub(super) struct Asking {
    questions: Questions,
    asked: Vec<Asked>,
    counts: Vec<BTreeMap<Minute, i64>>,
    /// Bytes that may still be read.
    left: u64,
    pub(super) now: i64,
    pub(super) polled: Polled,
}

/// A query with its filters by number.
struct Asked {
    index: Option<Index>,
    what: usize,
    heartbeat: Option<usize>,
    /// By what its lines are told apart, by number.
    cut: Option<usize>,
}

impl Asked {
    fn is_about(&self, name: &str) -> bool {
        self.index.as_ref().is_none_or(|index| index.holds(name))
    }
}

impl Asking {
    pub(super) fn new(time_field: &str, queries: &[Query], limit: u64, now: i64) -> Self {
        let mut questions = Questions::new(time_field);
        let asked = queries.iter().map(|query| {
            let what = questions.add(&query.what);
            let heartbeat = query.heartbeat.as_ref().map(|filter| questions.add(filter));
            let cut = query.cuts.as_ref().map(|cuts| questions.tell_apart(what, cuts));
            Asked { index: query.index.clone(), what, heartbeat, cut }
        });
        let asked = asked.collect();
        let (newest, subsets) = (vec![None; queries.len()], vec![OfSubsets::new(); queries.len()]);
        let polled = Polled { newest, subsets, ..Polled::default() };
        let counts = vec![BTreeMap::new(); queries.len()];
        Self { questions: questions.connect(), asked, counts, left: limit, now, polled }
    }

    /// Whether no more is to be read; then there is more.
    pub(super) fn is_full(&mut self) -> bool {
        self.polled.is_behind |= self.left == 0;
        self.polled.is_behind
    }

    pub(super) fn polled(mut self) -> Polled {
        let counts = self.counts.into_iter();
        self.polled.counts = counts.map(|minutes| minutes.into_iter().collect()).collect();
        self.polled
    }

    /// Reads a file from a position to another one, and moves the first.
    pub(super) fn read_to(
        &mut self,
        opened: &Opened,
        position: &mut Position,
        until: &Position,
    ) -> io::Result<()> {
        if position.offset >= until.offset || !opened.holds(until)? {
            return Ok(());
        }
        self.read_part(opened, position, until.offset)
    }

    /// Reads a file from a position on and moves that.
    pub(super) fn read(&mut self, opened: &Opened, position: &mut Position) -> io::Result<()> {
        self.read_part(opened, position, u64::MAX)
    }

    fn read_part(&mut self, opened: &Opened, position: &mut Position, end: u64) -> io::Result<()> {
        if !opened.holds(position)? {
            return Ok(());
        }
        let mut tally = Tally::new(&self.questions, self.now);
        let mut next = position.clone();
        let read = lines(opened, &mut next, &mut tally, (end, &mut self.left));
        opened.mark(&mut next)?;
        // Emptied and written anew in the meantime: what was read belongs nowhere.
        if !opened.holds(&next)? {
            return Ok(());
        }
        for (at, asked) in self.asked.iter().enumerate() {
            if !asked.is_about(&next.name) {
                continue;
            }
            for (minute, lines) in tally.counts(asked.what) {
                *self.counts[at].entry(minute).or_default() += lines;
            }
            if let Some(found) = asked.cut.and_then(|cut| tally.subsets(asked.what, cut)) {
                super::add(&mut self.polled.subsets[at], found.clone());
            }
            let newest = &mut self.polled.newest[at];
            *newest = (*newest).max(tally.newest(asked.heartbeat));
        }
        self.polled.lines += tally.lines;
        self.polled.refused += tally.refused;
        if let Some((offset, why)) = tally.first_refused {
            let said = || format!("{}: the line at byte {offset} {why}", next.path);
            self.polled.first_refused.get_or_insert_with(said);
        }
        let is_settled = self.now - opened.modified / 1_000_000 > SETTLED;
        let is_whole = matches!(read, Ok(true));
        next.read_at = (is_whole && is_settled).then_some((opened.size, opened.modified));
        *position = next;
        self.polled.is_behind |= !read?;
        Ok(())
    }
}

/// Counts lines from a position up to an end; whether all were read.
fn lines(
    opened: &Opened,
    position: &mut Position,
    tally: &mut Tally<'_>,
    (end, left): (u64, &mut u64),
) -> io::Result<bool> {
    let mut content = opened.content(position.offset)?;
    let mut line = Vec::new();
    while position.offset < end {
        if *left == 0 {
            return Ok(false);
        }
        line.clear();
        content.by_ref().take(LONGEST + 1).read_until(b'\n', &mut line)?;
        let is_whole = line.ends_with(b"\n");
        if position.is_skipping {
            position.is_skipping = !is_whole;
        } else if is_whole {
            tally.add(&line, position.offset);
        } else if line.len() as u64 > LONGEST {
            tally.refuse(position.offset, Refusal::TooLong);
            position.is_skipping = true;
        } else if tally.count(&line).is_err() {
            // Its rest is to come. A whole object counts: nothing can follow that would change it.
            return Ok(true);
        }
        if line.is_empty() {
            return Ok(true);
        }
        position.advance(&line);
        *left = left.saturating_sub(line.len() as u64);
    }
    Ok(true)
}
