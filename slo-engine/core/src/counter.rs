//! Exact differences of counters: resets, dips, gaps, births, new targets. Depends on samples
//! alone: however the samples are cut into batches, the buckets are the same.
//!
//! One [`Counter`] belongs to one SLO, because births are judged within an SLO. It keeps the tail of
//! every series and the buckets of the minutes that are still open, and hands out whole buckets.

use std::sync::Arc;

use crate::bucket::{Bucket, Lump};
use crate::subset::Subset;
use crate::time::{Minute, Span};

mod birth;
mod cover;
mod note;
mod open;
mod prune;
mod target;

pub use note::Note;
pub use target::TargetKey;

use cover::Runs;
use open::{Open, OpenOf};
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
    /// Each sample is one event, good when its value lies in the range; what is not a number is no sample.
    Gauge(crate::sli::Range),
}

impl Kind {
    /// A counter that is not a number is a fault, a gauge says nothing so.
    const fn is_sample(self, sample: &Sample) -> bool {
        matches!(self, Self::Counter) || !sample.value.is_nan()
    }
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
    /// The same of subsets of the events, of those that were seen. Their buckets only count: what all
    /// events say is measured is so for them, too.
    pub subsets: Vec<OutcomeOf>,
}

/// What a batch changed of a subset of the events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutcomeOf {
    /// Which.
    pub subset: Arc<Subset>,
    /// Its newest sample or document, Unix milliseconds.
    pub newest: Option<i64>,
    /// Whole buckets, replacing what was known.
    pub buckets: Vec<(Minute, Bucket)>,
    /// Events on top of what is known.
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
    open: Open,
    /// Of subsets of the events.
    subsets: Vec<OpenOf>,
    /// Minutes before this one have been judged for missing targets.
    judged_to: Minute,
    /// What was seen of each series, when somebody asked for it.
    notes: Option<Vec<Note>>,
    /// The newest sample of a gauge that was not a number.
    unknown_at: i64,
}

/// The tail of one series.
#[derive(Debug, Clone)]
struct Track {
    target: u32,
    weights: Weights,
    kind: Kind,
    at: i64,
    value: i64,
    /// The subsets that its events belong to.
    subsets: Option<Arc<[u32]>>,
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
            open: Open::new(from),
            subsets: Vec::new(),
            judged_to: from,
            notes: None,
            unknown_at: NEVER,
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
            subsets: None,
        });
        if let Some(notes) = &mut self.notes {
            notes.push(Note::default());
        }
        u32::try_from(self.series.len() - 1).unwrap_or(u32::MAX)
    }

    /// Adds a subset; its number is used in [`Self::assign`].
    pub fn add_subset(&mut self, subset: Arc<Subset>) -> u32 {
        self.subsets.push(OpenOf::new(subset, self.open.from()));
        u32::try_from(self.subsets.len() - 1).unwrap_or(u32::MAX)
    }

    /// Says which subsets the events of a series belong to.
    pub fn assign(&mut self, series: u32, subsets: Arc<[u32]>) {
        self.series[series as usize].subsets = Some(subsets);
    }

    /// How samples become events.
    #[must_use]
    pub const fn rules(&self) -> Rules {
        self.rules
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

    /// The newest sample of a gauge that was not a number and so no sample, Unix milliseconds.
    #[must_use]
    pub fn unknown(&self) -> Option<i64> {
        Some(self.unknown_at).filter(|at| *at > NEVER)
    }

    /// The tail of a series: its instant (Unix milliseconds) and the value that counts on.
    #[must_use]
    pub fn tail(&self, series: u32) -> Option<(i64, i64)> {
        let track = self.series.get(series as usize)?;
        (track.at > NEVER).then_some((track.at, track.value))
    }

    /// The targets that have been seen.
    pub fn targets(&self) -> impl Iterator<Item = &TargetKey> {
        self.targets.iter().map(|target| &target.key)
    }

    /// The target of a series.
    #[must_use]
    pub fn target(&self, series: u32) -> Option<&TargetKey> {
        let track = self.series.get(series as usize)?;
        self.targets.get(track.target as usize).map(|target| &target.key)
    }

    /// Gives an open minute what was counted of it before a restart, for a source without a past.
    pub fn resume(&mut self, minute: Minute, bucket: Bucket) {
        self.open.with(minute, |b| *b = bucket);
    }

    /// The same for a subset, by its number.
    pub fn resume_subset(&mut self, subset: u32, minute: Minute, bucket: Bucket) {
        self.subsets[subset as usize].open.with(minute, |b| *b = bucket);
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
        self.open.make_room(Minute::of_millis(read_to));
        let births = self.births(batch, starts);
        for part in batch {
            self.fold_series(part, &births, &mut outcome);
        }
        for part in batch {
            self.extend_target(part);
        }
        self.judge(read_to, &mut outcome);
        outcome.buckets = self.open.hand_out();
        let subsets = self.subsets.iter_mut().map(OpenOf::hand_out);
        outcome.subsets = subsets.filter(|of| of.newest.is_some()).collect();
        outcome
    }

    /// Closes the minutes before `before`: later batches can only mark them.
    pub fn close(&mut self, before: Minute) {
        self.open.close(before);
        self.subsets.iter_mut().for_each(|of| of.open.close(before));
        // New series are rare.
        self.series.shrink_to_fit();
        self.targets.shrink_to_fit();
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
            if !track.kind.is_sample(sample) {
                self.unknown_at = self.unknown_at.max(sample.at);
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
                self.with_open(track.subsets.as_deref(), minute, |b| b.invalid = true);
                continue;
            }
            let previous = std::mem::replace(&mut track.at, sample.at);
            if track.weights.total != 0 {
                runs.sample(previous, sample.at, look_back);
            }
        }
        if track.weights.total != 0 {
            self.measure(&track, runs, outcome);
        }
        self.series[part.series as usize] = track;
    }

    /// What a series that counts as total shows of the time that was measured.
    fn measure(&mut self, track: &Track, runs: Runs, outcome: &mut Outcome) {
        let target = &mut self.targets[track.target as usize];
        for (from, to) in runs.finish(track.at) {
            target.covered.add(from, to);
            self.open.measure(from, to, outcome);
        }
        for subset in track.subsets.iter().flat_map(|all| all.iter()) {
            let newest = &mut self.subsets[*subset as usize].newest;
            *newest = (*newest).max(Some(track.at).filter(|at| *at > NEVER));
        }
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
            let good = i64::from(range.holds(sample.value));
            let counted = |b: &mut Bucket| (b.total, b.good) = (b.total + 1, b.good + good);
            self.with_open(track.subsets.as_deref(), minute, counted);
            let good = Weights { good: i32::from(good == 1), ..track.weights };
            self.note_counted(series, minute, 1, good);
            return true;
        }
        if !is_count(sample.value) {
            return false;
        }
        let (value, previous) = (sample.value as i64, track.value);
        let gap = sample.at - track.at;
        if gap > self.rules.max_gap.as_millis() {
            let counts = births.binary_search(&(series, sample.at)).is_ok();
            self.take_birth(series, track, sample.at, value, counts);
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
        self.count(series, track, minute, events, gap_from);
        true
    }

    fn take_birth(&mut self, series: u32, track: &Track, at: i64, value: i64, counts: bool) {
        let (minute, weights) = (Minute::of_millis(at), track.weights);
        if counts {
            self.count(series, track, minute, value, None);
        }
        if value == 0 || weights.total == 0 {
            return;
        }
        self.with_open(track.subsets.as_deref(), minute, |b| {
            let field = if counts { &mut b.assumed } else { &mut b.dropped };
            *field += value * i64::from(weights.total);
        });
    }

    fn count(
        &mut self,
        series: u32,
        track: &Track,
        minute: Minute,
        events: i64,
        gap_from: Option<Minute>,
    ) {
        if events == 0 {
            return;
        }
        let weights = track.weights;
        self.note_counted(series, minute, events, weights);
        let (total, good) = (events * i64::from(weights.total), events * i64::from(weights.good));
        self.with_open(track.subsets.as_deref(), minute, |b| {
            b.total += total;
            b.good += good;
            b.slack += events * i64::from(weights.slack);
            if let Some(from) = gap_from {
                b.lump = Some(Lump { from, good, total }.joined(b.lump));
            }
        });
    }

    /// Changes a minute of all events and of some subsets.
    fn with_open(&mut self, subsets: Option<&[u32]>, minute: Minute, change: impl Fn(&mut Bucket)) {
        for subset in subsets.unwrap_or_default() {
            self.subsets[*subset as usize].open.with(minute, &change);
        }
        self.open.with(minute, change);
    }

    fn extend_target(&mut self, part: &SeriesBatch<'_>) {
        let track = &self.series[part.series as usize];
        let max_gap = self.rules.max_gap.as_millis();
        let target = &mut self.targets[track.target as usize];
        let mut last: Option<i64> = None;
        for sample in part.samples.iter().filter(|sample| track.kind.is_sample(sample)) {
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
                self.open.mark_partial(minute, outcome);
            }
        }
        for target in &mut self.targets {
            target.forget_before(to);
        }
    }
}

/// Whether a value can be how often something happened.
#[must_use]
pub fn is_count(value: f64) -> bool {
    (0.0..LARGEST).contains(&value) && value.fract() == 0.0
}

/// Whether a value that fell tells of a replica that is behind, and not of a new process.
#[must_use]
pub fn is_dip(previous: f64, value: f64) -> bool {
    value < previous && previous >= 1_000.0 && value * 100.0 >= previous * 95.0
}

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;
