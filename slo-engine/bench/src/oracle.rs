//! Counts the events of one SLO from its samples by the written rules of counting, and by nothing
//! else: no code of the engine is used, so that the two can be compared.

use std::collections::{BTreeMap, HashMap};

mod coverage;

/// Milliseconds of a minute.
pub const MINUTE: i64 = 60_000;

/// The rules' two limits, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Samples further apart leave a hole.
    pub look_back: i64,
    /// A difference over a longer gap is dropped.
    pub max_gap: i64,
}

impl Default for Rules {
    fn default() -> Self {
        Self { look_back: 5 * MINUTE, max_gap: 360 * MINUTE }
    }
}

/// One series that feeds an SLO.
#[derive(Debug, Clone)]
pub struct Fed {
    /// Where it comes from.
    pub target: Target,
    /// Events it adds to the total, per event counted.
    pub total: i64,
    /// Events it adds to the good ones.
    pub good: i64,
    /// Unix milliseconds and value.
    pub samples: Vec<(i64, f64)>,
}

/// A target's labels `job` and `instance`.
pub type Target = (String, String);

/// When the process of a target began: the target, when that was seen, and the beginning.
pub type Started = (Target, i64, i64);

type Starts<'a> = HashMap<(&'a Target, i64), i64>;

/// What happened in a run of minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// All events.
    pub total: i64,
    /// Good events.
    pub good: i64,
    /// Minutes with two samples around them.
    pub measured: i64,
    /// Of them, those in which more than a fifth of the targets of the hour before are missing.
    pub partial: i64,
    /// Events counted when their series was first seen.
    pub assumed: i64,
    /// Events seen and not counted.
    pub dropped: i64,
}

impl Count {
    /// Bad events.
    #[must_use]
    pub const fn bad(&self) -> i64 {
        self.total - self.good
    }

    fn add(&mut self, other: &Self, sign: i64) {
        self.total += sign * other.total;
        self.good += sign * other.good;
        self.assumed += sign * other.assumed;
        self.dropped += sign * other.dropped;
    }
}

/// The whole history of one SLO, counted.
#[derive(Debug)]
pub struct Oracle {
    /// Instants with events, and the sum of all events up to each.
    until: Vec<(i64, Count)>,
    /// From this minute on, when each became measured: the sample that closed a pair around it.
    first_minute: i64,
    measured_at: Vec<i64>,
    partial: Vec<bool>,
    /// Samples of the total.
    seen: Vec<i64>,
    rules: Rules,
}

impl Oracle {
    /// Counts the series of one SLO.
    #[must_use]
    pub fn new(series: &[Fed], starts: &[Started], rules: Rules) -> Self {
        let times = Times::of(series);
        let starts = starts.iter().map(|(who, at, began)| ((who, *at), *began)).collect();
        let mut events: BTreeMap<i64, Count> = BTreeMap::new();
        for one in series {
            count(one, &times, &starts, rules, &mut events);
        }
        let mut sum = Count::default();
        let until = events.into_iter().map(|(at, count)| {
            sum.add(&count, 1);
            (at, sum)
        });
        let until = until.collect();
        let mut seen: Vec<i64> = series
            .iter()
            .filter(|s| s.total != 0)
            .flat_map(|s| s.samples.iter().map(|(at, _)| *at))
            .collect();
        seen.sort_unstable();
        seen.dedup();
        let of_total: Vec<&Fed> = series.iter().filter(|s| s.total != 0).collect();
        let (first_minute, measured_at) = coverage::measured(&of_total, &seen, rules);
        let partial = coverage::partial(&of_total, first_minute, measured_at.len(), rules);
        Self { until, first_minute, measured_at, partial, seen, rules }
    }

    /// What is known at `asked` of the minutes that begin in `from..to` (all Unix milliseconds).
    #[must_use]
    pub fn count(&self, from: i64, to: i64, asked: i64) -> Count {
        let mut count = self.sum_before(to.min(asked + 1));
        count.add(&self.sum_before(from), -1);
        let minutes = from.div_euclid(MINUTE)..to.div_euclid(MINUTE);
        count.measured = minutes.clone().map(|m| i64::from(self.is_measured(m, asked))).sum();
        // Until the look-back has passed a minute, a missing target's next sample may still cover it.
        let judged = (asked - self.rules.look_back).div_euclid(MINUTE);
        let judged = minutes.start..minutes.end.min(judged);
        count.partial = judged.map(|m| i64::from(self.is_partial(m))).sum();
        count
    }

    /// The instant that the SLO has been read to: the question's, or the newest sample when none came
    /// within the look-back.
    #[must_use]
    pub fn data_until(&self, asked: i64) -> Option<i64> {
        let newest = self.newest(asked)?;
        Some(if asked - newest <= self.rules.look_back { asked } else { newest })
    }

    /// The newest sample of the total.
    #[must_use]
    pub fn newest(&self, asked: i64) -> Option<i64> {
        self.seen[..self.seen.partition_point(|at| *at <= asked)].last().copied()
    }

    /// The first sample of the total.
    #[must_use]
    pub fn first(&self) -> Option<i64> {
        self.seen.first().copied()
    }

    /// Measured minutes of those from the first data to the end of `from..to`. Minutes that began
    /// after the newest sample's are still open, because the next sample may yet measure them.
    #[must_use]
    pub fn coverage(&self, from: i64, to: i64, asked: i64) -> Option<f64> {
        let first = self.first()?.div_euclid(MINUTE).max(from.div_euclid(MINUTE));
        let end = to.div_euclid(MINUTE).min(self.newest(asked)?.div_euclid(MINUTE) + 1);
        let measured = self.count(from, to, asked).measured;
        (first < end).then(|| measured as f64 / (end - first) as f64)
    }

    fn sum_before(&self, instant: i64) -> Count {
        let at = self.until.partition_point(|(at, _)| *at < instant);
        at.checked_sub(1).map_or_else(Count::default, |at| self.until[at].1)
    }

    fn is_partial(&self, minute: i64) -> bool {
        let at = usize::try_from(minute - self.first_minute).ok();
        at.and_then(|at| self.partial.get(at)).is_some_and(|partial| *partial)
    }

    fn is_measured(&self, minute: i64, asked: i64) -> bool {
        let at = usize::try_from(minute - self.first_minute).ok();
        at.and_then(|at| self.measured_at.get(at)).is_some_and(|known| *known <= asked)
    }
}

/// The instants of all samples, by target and by job.
struct Times {
    targets: BTreeMap<Target, Vec<i64>>,
    jobs: BTreeMap<String, Vec<i64>>,
}

impl Times {
    fn of(series: &[Fed]) -> Self {
        let mut times = Self { targets: BTreeMap::new(), jobs: BTreeMap::new() };
        for one in series {
            let instants = || one.samples.iter().map(|(at, _)| *at);
            times.targets.entry(one.target.clone()).or_default().extend(instants());
            times.jobs.entry(one.target.0.clone()).or_default().extend(instants());
        }
        for list in times.targets.values_mut().chain(times.jobs.values_mut()) {
            list.sort_unstable();
            list.dedup();
        }
        times
    }
}

/// The last instant before `at`, not longer ago than `max_gap`.
fn earlier(times: &[i64], at: i64, max_gap: i64) -> Option<i64> {
    let last = times[..times.partition_point(|t| *t < at)].last().copied();
    last.filter(|t| at - t <= max_gap)
}

fn count(
    series: &Fed,
    times: &Times,
    starts: &Starts<'_>,
    rules: Rules,
    events: &mut BTreeMap<i64, Count>,
) {
    let mut tail: Option<(i64, i64)> = None;
    for (at, value) in &series.samples {
        let value = *value as i64;
        if tail.is_some_and(|(before, _)| *at <= before) {
            continue;
        }
        let event = events.entry(*at).or_default();
        match tail.filter(|(before, _)| at - before <= rules.max_gap) {
            Some((_, held)) if value < held && held >= 1_000 && value * 100 >= held * 95 => {
                tail = Some((*at, held));
                continue;
            }
            Some((_, held)) if value < held => add(event, series, value),
            Some((_, held)) => add(event, series, value - held),
            None if counts_in_full(series, *at, times, starts, rules.max_gap) => {
                add(event, series, value);
                event.assumed += value * series.total;
            }
            None => event.dropped += value * series.total,
        }
        tail = Some((*at, value));
    }
}

const fn add(event: &mut Count, series: &Fed, events: i64) {
    event.total += events * series.total;
    event.good += events * series.good;
}

/// Whether the first value of a born series happened all at once: its target was there before, or
/// its process began after the job was last scraped.
fn counts_in_full(series: &Fed, at: i64, times: &Times, starts: &Starts<'_>, max_gap: i64) -> bool {
    if earlier(&times.targets[&series.target], at, max_gap).is_some() {
        return true;
    }
    let scraped = earlier(&times.jobs[&series.target.0], at, max_gap);
    let began = starts.get(&(&series.target, at));
    scraped.zip(began).is_some_and(|(scraped, began)| *began > scraped)
}

#[cfg(test)]
mod tests;
