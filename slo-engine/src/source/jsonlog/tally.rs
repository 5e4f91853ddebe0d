//! Counts of the lines of one file, by minute.

use std::collections::HashMap;
use std::fmt;

use slo_core::time::Minute;

use super::OfSubsets;
use super::line;
use super::questions::{Answers, Questions};

/// Times from so long ago are not kept by any ledger.
const OLDEST: i64 = 800 * DAY;

/// Times so far ahead are nobody's clock.
const AHEAD: i64 = DAY;

const DAY: i64 = 86_400_000;

/// Why a line is not counted.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It is no JSON object.
    NoJson(serde_json::Error),
    /// It does not say when it happened.
    NoTime,
    /// It says something that cannot be.
    WrongTime,
    /// It is longer than what is read.
    TooLong,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoJson(error) => write!(f, "is no JSON object: {error}"),
            Self::NoTime => f.write_str("has no time; name its field in `timeField`"),
            Self::WrongTime => {
                f.write_str("has a time more than a day ahead or more than 800 days ago")
            }
            Self::TooLong => f.write_str("is longer than 1 MB"),
        }
    }
}

/// What the lines of a file came to.
#[derive(Debug)]
pub(super) struct Tally<'q> {
    questions: &'q Questions,
    now: i64,
    answers: Answers,
    rows: Vec<Row>,
    by_minute: HashMap<i64, usize>,
    /// The row of the last line.
    last: usize,
    /// The newest line of each filter, and of all.
    newest: Vec<i64>,
    newest_of_all: i64,
    /// By filter and cut.
    subsets: HashMap<(usize, usize), OfSubsets>,
    /// Lines that were counted.
    pub(super) lines: u64,
    /// Lines that were not.
    pub(super) refused: u64,
    /// Where the first of them begins in its file, and what is wrong with it.
    pub(super) first_refused: Option<(u64, Refusal)>,
}

#[derive(Debug)]
struct Row {
    minute: i64,
    /// By filter.
    counts: Vec<i64>,
}

/// No line was found.
const NONE: i64 = i64::MIN;

impl<'q> Tally<'q> {
    pub(super) fn new(questions: &'q Questions, now: i64) -> Self {
        Self {
            questions,
            now,
            answers: Answers::default(),
            rows: Vec::new(),
            by_minute: HashMap::new(),
            last: 0,
            newest: vec![NONE; questions.filters()],
            newest_of_all: NONE,
            subsets: HashMap::new(),
            lines: 0,
            refused: 0,
            first_refused: None,
        }
    }

    /// Counts a line that begins at an offset, or refuses it. A blank one is none.
    pub(super) fn add(&mut self, line: &[u8], offset: u64) {
        // A writer that went on where a file was before it was emptied leaves zeros in front.
        let zeros = line.iter().take_while(|byte| **byte == 0).count();
        let line = line[zeros..].trim_ascii();
        if !line.is_empty()
            && let Err(why) = self.count(line)
        {
            self.refuse(offset, why);
        }
    }

    pub(super) fn refuse(&mut self, offset: u64, why: Refusal) {
        self.refused += 1;
        self.first_refused.get_or_insert((offset, why));
    }

    /// Counts a line.
    ///
    /// # Errors
    /// Why it is none that can be counted.
    pub(super) fn count(&mut self, line: &[u8]) -> Result<(), Refusal> {
        line::read(line, self.questions, &mut self.answers).map_err(Refusal::NoJson)?;
        let time = self.answers.time.ok_or(Refusal::NoTime)?;
        if time > self.now + AHEAD || time < self.now - OLDEST {
            return Err(Refusal::WrongTime);
        }
        self.lines += 1;
        self.newest_of_all = self.newest_of_all.max(time);
        let row = self.row(time);
        for filter in self.questions.found(&self.answers) {
            self.rows[row].counts[filter] += 1;
            self.newest[filter] = self.newest[filter].max(time);
            for (cut, subsets) in self.questions.subsets(filter, &self.answers) {
                let found = self.subsets.entry((filter, cut)).or_default();
                for subset in subsets {
                    *found
                        .entry(subset)
                        .or_default()
                        .entry(Minute::of_millis(time))
                        .or_default() += 1;
                }
            }
        }
        Ok(())
    }

    fn row(&mut self, time: i64) -> usize {
        let Minute(minute) = Minute::of_millis(time);
        if self.rows.get(self.last).is_none_or(|row| row.minute != minute) {
            self.last = *self.by_minute.entry(minute).or_insert_with(|| {
                self.rows.push(Row { minute, counts: vec![0; self.newest.len()] });
                self.rows.len() - 1
            });
        }
        self.last
    }

    /// How many lines a filter found in each minute, where it found some.
    pub(super) fn counts(&self, filter: usize) -> impl Iterator<Item = (Minute, i64)> + '_ {
        let counts = self.rows.iter().map(move |row| (Minute(row.minute), row.counts[filter]));
        counts.filter(|(_, lines)| *lines > 0)
    }

    /// The same for subsets of them.
    pub(super) fn subsets(&self, filter: usize, cut: usize) -> Option<&OfSubsets> {
        self.subsets.get(&(filter, cut))
    }

    /// The time of the newest line that a filter found; without one, of any line.
    pub(super) fn newest(&self, filter: Option<usize>) -> Option<i64> {
        let newest = filter.map_or(self.newest_of_all, |filter| self.newest[filter]);
        (newest != NONE).then_some(newest)
    }
}
