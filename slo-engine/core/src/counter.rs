//! Exact differences of counters: resets, dips, gaps, births, new targets. Depends on samples
//! alone: however the samples are cut into batches, the buckets are the same.
//!
//! One [`Counter`] belongs to one SLO, because births are judged within an SLO. It keeps the tail of
//! every series and the buckets of the minutes that are still open, and hands out whole buckets.

use crate::bucket::{Bucket, Lump};
use crate::time::{Minute, Span};

mod birth;
mod cover;
mod note;
mod target;

pub use note::Note;
pub use target::TargetKey;

use cover::Runs;
use target::Target;

/// One sample of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Unix milliseconds.
    pub at: i64,
    /// The value.
    pub value: f64,
}

/// What an event of a series counts as, as weights: a series of the total with good and bad told
/// apart by a refinement is `total: 1, good: 0 or 1`; bad events of another metric are `good: -1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Weights {
    /// Added to the total per event.
    pub total: i32,
    /// Added to the good ones per event.
    pub good: i32,
    /// Added to the events between two histogram buckets.
    pub slack: i32,
}

/// How samples become events.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// The samples are running totals; differences are events.
    Counter,
    /// Each sample is one event, good when its value lies in the range.
    Gauge(crate::sli::Range),
}

/// The rules that an SLO may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Samples further apart leave a hole.
    pub look_back: Span,
    /// A difference over a longer gap is dropped.
    pub max_gap: Span,
}

/// New samples of one series, oldest first.
#[derive(Debug, Clone, Copy)]
pub struct SeriesBatch<'a> {
    /// The number that [`Counter::register`] gave.
    pub series: u32,
    /// The samples; those not newer than the series' tail are ignored.
    pub samples: &'a [Sample],
    /// When the counter was created (Unix milliseconds), if the source says so.
    pub created: Option<i64>,
    /// The value that the tail is taken to have, where the samples before were told by other buckets.
    pub tail: Option<i64>,
    /// Whether its differences count; where they do not, it only moves the tail: another series tells
    /// the same events better.
    pub counts: bool,
}

/// A target whose process start must be known before a batch can be counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTarget {
    /// Which target.
    pub target: TargetKey,
    /// Its first sample, Unix milliseconds.
    pub at: i64,
}

/// When processes began: by target and instant (Unix milliseconds both ways).
pub type Starts<'a> = &'a dyn Fn(&TargetKey, i64) -> Option<i64>;

/// What a batch changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Whole buckets of minutes that are still open, replacing what was known.
    pub buckets: Vec<(Minute, Bucket)>,
    /// Marks on minutes that are closed already; they only ever set a flag.
    pub marks: Vec<Mark>,
    /// Dips seen: the minute and by how much the value fell.
    pub dips: Vec<(Minute, i64)>,
    /// Events on top of what is known of their minutes, from sources that hand out each event once.
    pub more: Vec<(Minute, Bucket)>,
}

/// A closed minute that turned out to be measured or partial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The minute.
    pub minute: Minute,
    /// It is measured.
    pub measured: bool,
    /// It is partial.
    pub partial: bool,
}

/// The counting state of one SLO.
#[derive(Debug, Clone)]
pub struct Counter {
    rules: Rules,
    series: Vec<Track>,
    targets: Vec<Target>,
    /// Minutes before this one are closed.
    open_from: Minute,
    open: Vec<Bucket>,
    dirty: Vec<bool>,
    /// Minutes before this one have been judged for missing targets.
    judged_to: Minute,
    /// What was seen of each series, when somebody asked for it.
    notes: Option<Vec<Note>>,
}

/// The tail of one series.
#[derive(Debug, Clone)]
struct Track {
    target: u32,
    weights: Weights,
    kind: Kind,
    at: i64,
    value: i64,
}

const NEVER: i64 = i64::MIN / 2;
const LARGEST: f64 = 9_007_199_254_740_992.0;

impl Counter {
    /// An empty state that counts samples from the minute `from` on. Earlier samples only make tails.
    #[must_use]
    pub const fn new(rules: Rules, from: Minute) -> Self {
        Self {
            rules,
            series: Vec::new(),
            targets: Vec::new(),
            open_from: from,
            open: Vec::new(),
            dirty: Vec::new(),
            judged_to: from,
            notes: None,
        }
    }

    /// Adds a series; its number is used in batches.
    pub fn register(&mut self, target: &TargetKey, weights: Weights, kind: Kind) -> u32 {
        let known = self.targets.iter().position(|t| t.key == *target);
        let target = known.unwrap_or_else(|| {
            self.targets.push(Target::new(target.clone()));
            self.targets.len() - 1
        });
        self.series.push(Track {
            target: u32::try_from(target).unwrap_or(u32::MAX),
            weights,
            kind,
            at: NEVER,
            value: 0,
        });
        if let Some(notes) = &mut self.notes {
            notes.push(Note::default());
        }
        u32::try_from(self.series.len() - 1).unwrap_or(u32::MAX)
    }

    /// How many series are known.
    #[must_use]
    pub const fn series(&self) -> usize {
        self.series.len()
    }

    /// The newest sample of any series of the total, Unix milliseconds.
    #[must_use]
    pub fn newest(&self) -> Option<i64> {
        self.targets.iter().map(|t| t.total_at).max().filter(|at| *at > NEVER)
    }

    /// The tail of a series: its instant (Unix milliseconds) and the value that counts on.
    #[must_use]
    pub fn tail(&self, series: u32) -> Option<(i64, i64)> {
        let track = self.series.get(series as usize)?;
        (track.at > NEVER).then_some((track.at, track.value))
    }

    /// The target of a series.
    #[must_use]
    pub fn target(&self, series: u32) -> Option<&TargetKey> {
        let track = self.series.get(series as usize)?;
        self.targets.get(track.target as usize).map(|target| &target.key)
    }

    /// Gives an open minute what was counted of it before a restart, for a source without a past.
    pub fn resume(&mut self, minute: Minute, bucket: Bucket) {
        self.with_open(minute, |b| *b = bucket);
    }

    /// Sets the tail of a series, as stored by a source that has no past.
    pub fn restore_tail(&mut self, series: u32, at: i64, value: i64) {
        let track = &mut self.series[series as usize];
        (track.at, track.value) = (at, value);
        let total = track.weights.total != 0;
        self.targets[track.target as usize].saw(at, at, total, self.rules.max_gap.as_millis());
    }

    /// Counts a batch that was read up to `read_to` (Unix milliseconds).
    pub fn fold(&mut self, batch: &[SeriesBatch<'_>], starts: Starts<'_>, read_to: i64) -> Outcome {
        let mut outcome = Outcome::default();
        self.make_room(read_to);
        let births = self.births(batch, starts);
        for part in batch {
            self.fold_series(part, &births, &mut outcome);
        }
        for part in batch {
            self.extend_target(part);
        }
        self.judge(read_to, &mut outcome);
        self.hand_out(&mut outcome);
        outcome
    }

    /// Closes the minutes before `before`: later batches can only mark them.
    pub fn close(&mut self, before: Minute) {
        let gone = usize::try_from(before - self.open_from).unwrap_or(0).min(self.open.len());
        self.open.drain(..gone);
        self.dirty.drain(..gone);
        // The first read opens many minutes, a tick one or two; new series are rare.
        self.open.shrink_to(2);
        self.dirty.shrink_to(2);
        self.series.shrink_to_fit();
        self.targets.shrink_to_fit();
        self.open_from = self.open_from.max(before);
    }

    /// Forgets series and targets without a sample since `before`; says where each remaining series
    /// is now (`None` for those that are gone).
    pub fn prune(&mut self, before: i64) -> Vec<Option<u32>> {
        let mut kept = 0_u32;
        let mut moves = Vec::with_capacity(self.series.len());
        for track in &self.series {
            let keep = track.at >= before;
            moves.push(keep.then_some(kept));
            kept += u32::from(keep);
        }
        let mut is_kept = moves.iter().map(Option::is_some);
        if let Some(notes) = &mut self.notes {
            notes.retain(|_| is_kept.next().unwrap_or(false));
        }
        self.series.retain(|t| t.at >= before);
        let mut targets = Vec::new();
        for track in &mut self.series {
            let old = &self.targets[track.target as usize];
            let at = targets.iter().position(|t: &Target| t.key == old.key);
            let at = at.unwrap_or_else(|| {
                targets.push(old.clone());
                targets.len() - 1
            });
            track.target = u32::try_from(at).unwrap_or(u32::MAX);
        }
        self.targets = targets;
        moves
    }

    fn fold_series(
        &mut self,
        part: &SeriesBatch<'_>,
        births: &[(u32, i64)],
        outcome: &mut Outcome,
    ) {
        let mut track = self.series[part.series as usize].clone();
        track.value = part.tail.unwrap_or(track.value);
        let look_back = self.rules.look_back.as_millis();
        let mut runs = Runs::new();
        for sample in part.samples {
            if sample.at <= track.at {
                continue;
            }
            if !part.counts {
                if is_count(sample.value) {
                    (track.at, track.value) = (sample.at, sample.value as i64);
                }
                continue;
            }
            let minute = Minute::of_millis(sample.at);
            self.note_sample(part.series, sample.at);
            if !self.take(&mut track, sample, part.series, births, outcome) {
                self.with_open(minute, |b| b.invalid = true);
                continue;
            }
            let previous = std::mem::replace(&mut track.at, sample.at);
            if track.weights.total != 0 {
                runs.sample(previous, sample.at, look_back);
            }
        }
        if track.weights.total != 0 {
            let target = &mut self.targets[track.target as usize];
            for (from, to) in runs.finish(track.at) {
                target.covered.add(from, to);
                mark(&mut self.open, &mut self.dirty, self.open_from, from, to, outcome);
            }
        }
        self.series[part.series as usize] = track;
    }

    /// Counts one sample; false when its value is no count.
    fn take(
        &mut self,
        track: &mut Track,
        sample: &Sample,
        series: u32,
        births: &[(u32, i64)],
        outcome: &mut Outcome,
    ) -> bool {
        let minute = Minute::of_millis(sample.at);
        if let Kind::Gauge(range) = track.kind {
            if !sample.value.is_nan() {
                let good = i64::from(range.holds(sample.value));
                self.with_open(minute, |b| (b.total, b.good) = (b.total + 1, b.good + good));
                let good = Weights { good: i32::from(good == 1), ..track.weights };
                self.note_counted(series, minute, 1, good);
            }
            return true;
        }
        if !is_count(sample.value) {
            return false;
        }
        let (value, previous) = (sample.value as i64, track.value);
        let gap = sample.at - track.at;
        if gap > self.rules.max_gap.as_millis() {
            let counts = births.binary_search(&(series, sample.at)).is_ok();
            self.take_birth((series, track.weights), sample.at, value, counts);
            track.value = value;
            return true;
        }
        if is_dip(previous as f64, sample.value) {
            outcome.dips.push((minute, previous - value));
            return true;
        }
        track.value = value;
        let events = if value < previous { value } else { value - previous };
        if value < previous {
            self.note_reset(series, sample.at);
        }
        let gap_from =
            (gap > self.rules.look_back.as_millis()).then(|| Minute::of_millis(track.at));
        self.count((series, track.weights), minute, events, gap_from);
        true
    }

    fn take_birth(&mut self, of: (u32, Weights), at: i64, value: i64, counts: bool) {
        let (minute, weights) = (Minute::of_millis(at), of.1);
        if counts {
            self.count(of, minute, value, None);
        }
        if value == 0 || weights.total == 0 {
            return;
        }
        self.with_open(minute, |b| {
            let field = if counts { &mut b.assumed } else { &mut b.dropped };
            *field += value * i64::from(weights.total);
        });
    }

    fn count(
        &mut self,
        (series, weights): (u32, Weights),
        minute: Minute,
        events: i64,
        gap_from: Option<Minute>,
    ) {
        if events == 0 {
            return;
        }
        self.note_counted(series, minute, events, weights);
        let (total, good) = (events * i64::from(weights.total), events * i64::from(weights.good));
        self.with_open(minute, |b| {
            b.total += total;
            b.good += good;
            b.slack += events * i64::from(weights.slack);
            if let Some(from) = gap_from {
                b.lump = Some(Lump { from, good, total }.joined(b.lump));
            }
        });
    }

    /// Room for the open minutes, no more: many counters are folded before one is closed.
    fn make_room(&mut self, read_to: i64) {
        let minutes = usize::try_from(Minute::of_millis(read_to) + 1 - self.open_from).unwrap_or(0);
        self.open.reserve_exact(minutes.saturating_sub(self.open.len()));
        self.dirty.reserve_exact(minutes.saturating_sub(self.dirty.len()));
    }

    fn with_open(&mut self, minute: Minute, change: impl FnOnce(&mut Bucket)) {
        let Ok(ix) = usize::try_from(minute - self.open_from) else { return };
        if ix >= self.open.len() {
            self.open.resize(ix + 1, Bucket::default());
            self.dirty.resize(ix + 1, false);
        }
        change(&mut self.open[ix]);
        self.dirty[ix] = true;
    }

    fn extend_target(&mut self, part: &SeriesBatch<'_>) {
        let track = &self.series[part.series as usize];
        let max_gap = self.rules.max_gap.as_millis();
        let target = &mut self.targets[track.target as usize];
        let mut last: Option<i64> = None;
        for sample in part.samples {
            let previous = last.replace(sample.at).unwrap_or(sample.at);
            target.saw(sample.at, previous, track.weights.total != 0, max_gap);
        }
    }

    /// Marks minutes partial in which more than a fifth of the targets of the hour before are
    /// missing. A minute is judged once the look-back has passed it: no later sample can cover it.
    fn judge(&mut self, read_to: i64, outcome: &mut Outcome) {
        let to = Minute::of_millis(read_to - self.rules.look_back.as_millis());
        let from = self.judged_to;
        self.judged_to = from.max(to);
        if self.targets.len() > 1 && from < to {
            for minute in cover::short_of_targets(self.targets.iter().map(Target::runs), from, to) {
                self.mark_partial(minute, outcome);
            }
        }
        for target in &mut self.targets {
            target.forget_before(to);
        }
    }

    fn mark_partial(&mut self, minute: Minute, outcome: &mut Outcome) {
        match usize::try_from(minute - self.open_from).ok().filter(|ix| *ix < self.open.len()) {
            Some(ix) => (self.open[ix].partial, self.dirty[ix]) = (true, true),
            None => outcome.marks.push(Mark { minute, measured: false, partial: true }),
        }
    }

    fn hand_out(&mut self, outcome: &mut Outcome) {
        for (ix, dirty) in self.dirty.iter_mut().enumerate() {
            if std::mem::take(dirty) {
                let minute = self.open_from + i64::try_from(ix).unwrap_or(i64::MAX);
                outcome.buckets.push((minute, self.open[ix]));
            }
        }
    }
}

fn is_count(value: f64) -> bool {
    (0.0..LARGEST).contains(&value) && value.fract() == 0.0
}

/// Whether a value that fell tells of a replica that is behind, and not of a new process.
#[must_use]
pub fn is_dip(previous: f64, value: f64) -> bool {
    value < previous && previous >= 1_000.0 && value * 100.0 >= previous * 95.0
}

fn mark(
    open: &mut Vec<Bucket>,
    dirty: &mut Vec<bool>,
    open_from: Minute,
    from: Minute,
    to: Minute,
    outcome: &mut Outcome,
) {
    for minute in (from.0..=to.0).map(Minute) {
        let Ok(ix) = usize::try_from(minute - open_from) else {
            outcome.marks.push(Mark { minute, measured: true, partial: false });
            continue;
        };
        if ix >= open.len() {
            open.resize(ix + 1, Bucket::default());
            dirty.resize(ix + 1, false);
        }
        dirty[ix] |= !open[ix].measured;
        open[ix].measured = true;
    }
}

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;
