//! Reads a long past in slices: a day or more at a time, of so many SLOs that an answer stays small.

use std::sync::Arc;

use slo_core::counter::Outcome;
use slo_core::time::Minute;

use super::Prometheus;
use crate::source::agreement::Now;
use crate::source::error::SourceError;
use crate::source::intake::{Fed, Intake, Refused};

const HOUR: i64 = 3_600_000;
const LONGEST: i64 = 7 * 24 * HOUR;
const SHORTEST: i64 = HOUR / 6;
/// Samples that an answer should bring at most, where a source sets no lower limit. Prometheus builds
/// each answer as one text, and uses more for the same samples where these are larger.
const AT_A_TIME: usize = 200_000;

/// A stretch of the past to be counted.
#[derive(Debug, Clone, Copy)]
pub struct Stretch {
    /// The first minute that is counted. Samples are read from `max_gap` earlier.
    pub from: Minute,
    /// Up to and including this instant, Unix milliseconds.
    pub to: i64,
    /// What the time is, where the source's clock must agree.
    pub now: Option<Now>,
}

/// SLOs that were read together, and their counting state at the end of the stretch.
#[derive(Debug)]
pub struct Group {
    /// Positions in the input.
    pub slos: Vec<usize>,
    /// Their counters.
    pub intake: Intake,
    /// Which of them have samples of the total shortly before the stretch, by position here.
    pub older: Vec<bool>,
}

/// What came of a stretch.
#[derive(Debug, Default)]
pub struct Replayed {
    /// SLOs that were read, raw ratios that the source refuses among them.
    pub groups: Vec<Group>,
    /// SLOs whose query the source refuses, by position in the input, and why.
    pub refused: Refused,
}

/// Reads a stretch, oldest first, and hands each SLO's outcomes to `each`.
///
/// # Errors
/// Why it could not be read whole.
pub async fn replay(
    source: &Prometheus,
    slos: &[Fed],
    stretch: Stretch,
    each: &mut (dyn FnMut(usize, Outcome) + Send),
    progress: &(dyn Fn(f64) + Sync),
) -> Result<Replayed, SourceError> {
    let mut slos = slos.to_vec();
    let mut waiting = vec![(0..slos.len()).collect::<Vec<usize>>()];
    let (mut done, mut replayed) = (0_usize, Replayed::default());
    while let Some(members) = waiting.pop() {
        let share = |of_group: f64| {
            progress((done as f64 + of_group * members.len() as f64) / slos.len().max(1) as f64);
        };
        let mut replay = Replay::new(source, &slos, &members, stretch);
        let older = match replay.whole(&members, each, &share).await {
            Ok(Some(older)) => older,
            Ok(None) => {
                halve(&members, &mut waiting);
                continue;
            }
            // What was handed out is replaced, minute by minute.
            Err(SourceError::Mixed { slos: mixed }) => {
                for at in mixed {
                    Arc::make_mut(&mut slos[members[at]].feeds).mix();
                }
                waiting.push(members);
                continue;
            }
            // Of SLOs that are read together one is refused: it is found by halves.
            Err(error) if error.is_of_query() && slos.len() > 1 => {
                if let [only] = members[..] {
                    replayed.refused.insert(only, error.to_string());
                    done += 1;
                } else {
                    halve(&members, &mut waiting);
                }
                continue;
            }
            Err(error) => return Err(error),
        };
        done += members.len();
        replayed.refused.extend(replay.refused.into_iter().map(|(at, why)| (members[at], why)));
        replayed.groups.push(Group { slos: members, intake: replay.intake, older });
    }
    Ok(replayed)
}

fn halve(members: &[usize], waiting: &mut Vec<Vec<usize>>) {
    let (a, b) = members.split_at(members.len() / 2);
    waiting.extend([b.to_vec(), a.to_vec()]);
}

struct Replay<'a> {
    source: &'a Prometheus,
    intake: Intake,
    /// Raw ratios that could not be worked out, by position in the intake: no others depend on them.
    refused: Refused,
    stretch: Stretch,
    at: i64,
    slice: i64,
}

impl<'a> Replay<'a> {
    fn new(source: &'a Prometheus, slos: &[Fed], members: &[usize], stretch: Stretch) -> Self {
        let chosen: Vec<Fed> = members.iter().map(|at| slos[*at].clone()).collect();
        let gap = chosen.iter().map(|fed| fed.rules.max_gap.as_millis()).max().unwrap_or(0);
        let mut intake = Intake::new(chosen, stretch.from, source.config().max_query_bytes);
        intake.keep_notes();
        intake.now = stretch.now;
        let at = stretch.from.start_millis() - gap;
        Self { source, intake, refused: Refused::new(), stretch, at, slice: 24 * HOUR }
    }

    /// Reads everything; says which SLOs have samples before the stretch, or nothing when there are
    /// too many SLOs to be read together.
    async fn whole(
        &mut self,
        members: &[usize],
        each: &mut (dyn FnMut(usize, Outcome) + Send),
        share: &(dyn Fn(f64) + Sync),
    ) -> Result<Option<Vec<bool>>, SourceError> {
        if !self.warm_up(members.len()).await? {
            return Ok(None);
        }
        let older = (0..members.len()).map(|slo| self.intake.newest(slo).is_some()).collect();
        self.run(members, each, share).await?;
        Ok(Some(older))
    }

    /// Reads the samples before the stretch, which make the tails; tells by their number how long a
    /// slice may be, or that the SLOs are too many.
    async fn warm_up(&mut self, members: usize) -> Result<bool, SourceError> {
        // A sample at the first minute's beginning belongs to it.
        let to = (self.stretch.from.start_millis() - 1).min(self.stretch.to);
        let length = to - self.at;
        if length <= 0 {
            return Ok(true);
        }
        let read = match self.source.read(&mut self.intake, self.at, to).await {
            Err(e) if e.is_too_much() && members > 1 => return Ok(false),
            read => read?,
        };
        self.refused.extend(read.failed);
        let per_day = read.samples as f64 * (24 * HOUR) as f64 / length as f64;
        let most = self.source.config().max_samples.min(AT_A_TIME) as f64;
        if per_day > most && members > 1 {
            return Ok(false);
        }
        if per_day > 0.0 {
            self.slice = ((most / per_day) as i64).clamp(1, 7) * 24 * HOUR;
        }
        self.at = to;
        Ok(true)
    }

    async fn run(
        &mut self,
        members: &[usize],
        each: &mut (dyn FnMut(usize, Outcome) + Send),
        share: &(dyn Fn(f64) + Sync),
    ) -> Result<(), SourceError> {
        let (start, end) = (self.at, self.stretch.to);
        while self.at < end {
            let to = (self.at + self.slice.min(LONGEST)).min(end);
            match self.source.read(&mut self.intake, self.at, to).await {
                Err(e) if e.is_too_much() && self.slice > SHORTEST => self.slice /= 2,
                read => {
                    let read = read?;
                    self.refused.extend(read.failed);
                    for (slo, outcome) in read.outcomes {
                        each(members[slo], outcome);
                    }
                    self.intake.close(Minute::of_millis(to));
                    self.at = to;
                    share((to - start) as f64 / (end - start).max(1) as f64);
                }
            }
        }
        Ok(())
    }
}
