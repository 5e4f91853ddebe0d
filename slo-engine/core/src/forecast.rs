//! When a budget will be gone, and when it will be back: walks a window into the future, traffic
//! repeating the past, old minutes leaving.

use crate::bucket::Sums;
use crate::exclusion::Excluded;
use crate::ledger::Counted;
use crate::time::Minute;

mod hours;

pub use hours::Hours;
use hours::{HOURS, Leaving, Past};

const DAY: i64 = 1_440;

/// Which past the coming traffic repeats.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Repeat {
    /// The last so many minutes, again and again.
    Last(i64),
    /// The mean of a short life, in events a minute.
    Mean(f64),
}

impl Repeat {
    /// The last 7 days; 24 hours if the data is younger; its mean if it is younger still.
    #[must_use]
    pub fn of(ledger: Counted<'_>, to: Minute) -> Self {
        let age = ledger.first().map_or(0, |first| to - first);
        match age {
            age if age >= 7 * DAY => Self::Last(7 * DAY),
            age if age >= DAY => Self::Last(DAY),
            age => Self::Mean(ledger.sums(to - age, to).total as f64 / age.max(1) as f64),
        }
    }

    /// Events expected in `from..until`, all of it at or after `now`.
    #[must_use]
    pub fn coming(&self, ledger: Counted<'_>, now: Minute, from: Minute, until: Minute) -> f64 {
        match self {
            Self::Mean(rate) => rate * (until - from) as f64,
            Self::Last(length) => {
                let (mut at, mut events) = (from, 0.0);
                while at < until {
                    let round = (at - now).div_euclid(*length) + 1;
                    let end = until.min(now + round * length);
                    let (_, past) = ledger.counts(at - round * length, end - round * length);
                    events += past as f64;
                    at = end;
                }
                events
            }
        }
    }

    /// The same for each minute.
    fn each_minute(
        &self,
        ledger: Counted<'_>,
        now: Minute,
        from: Minute,
        until: Minute,
    ) -> Vec<f64> {
        let mut events = Vec::with_capacity(usize::try_from(until - from).unwrap_or(0));
        match self {
            Self::Mean(rate) => events.resize(events.capacity(), *rate),
            Self::Last(length) => {
                let mut at = from;
                while at < until {
                    let round = (at - now).div_euclid(*length) + 1;
                    let end = until.min(now + round * length);
                    let back = round * length;
                    events.extend(ledger.each_minute(at - back, end - back).1);
                    at = end;
                }
            }
        }
        events
    }
}

/// How what a walk looks for depends on the events of a window that has some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seeks {
    /// It stays true where more are bad or fewer in all.
    Worse,
    /// It stays true where fewer are bad or more in all.
    Better,
    /// It may depend on where the window ends, too.
    Any,
}

/// A window that is walked into the future.
#[derive(Debug, Clone)]
pub struct Walk<'a> {
    /// The history.
    pub past: &'a Hours<'a>,
    /// The window's first minute.
    pub from: Minute,
    /// The first minute of the future.
    pub to: Minute,
    /// What the window holds now.
    pub sums: Sums,
    /// Whether old minutes leave (rolling windows).
    pub rolls: bool,
    /// How many minutes to look ahead.
    pub horizon: i64,
    /// Which past the traffic repeats.
    pub repeat: Repeat,
    /// The share of coming events that will be bad.
    pub bad_ratio: f64,
    /// Minutes to come that will not count.
    pub excluded: Excluded,
    /// What is looked for.
    pub seeks: Seeks,
}

/// Events in a window, of which some are expected ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    /// The first minute after the window.
    pub to: Minute,
    /// Bad events.
    pub bad: f64,
    /// All events.
    pub total: f64,
}

impl Walk<'_> {
    /// The first end of the window at which `holds` is true, minute by minute; `None` beyond the horizon.
    #[must_use]
    pub fn first(&self, holds: impl Fn(Expected) -> bool) -> Option<Minute> {
        let mut at = self.to;
        let mut now = self.now();
        let last = self.to + self.horizon;
        while at < last {
            let hours = self.whole_hours(at, last);
            if self.find(&mut now, &mut at, hours, &holds) {
                return Some(self.minute_of(now, at, at + 60, holds));
            }
            if at >= last {
                break;
            }
            let next = Minute((at.hour() + 1) * 60).min(last);
            let then = self.step(now, at, next);
            if holds(then) {
                return Some(self.minute_of(now, at, next, holds));
            }
            (now, at) = (then, next);
        }
        None
    }

    /// Walks hours, up to the one that ends so that `holds` is true; days in which it cannot be are passed
    /// at once.
    fn find(
        &self,
        now: &mut Expected,
        at: &mut Minute,
        steps: Steps<'_>,
        holds: &impl Fn(Expected) -> bool,
    ) -> bool {
        let mut done = 0;
        while done < steps.count {
            if let Some((coming, leaving)) = steps.day(done)
                && self.passes(*now, coming, leaving, holds)
            {
                (*now, *at) = (self.after(*now, coming, (*at + DAY, leaving)), *at + DAY);
                done += HOURS;
                continue;
            }
            let hours = done..steps.end_of_day(done);
            done = hours.end;
            let found = match (steps.comes, steps.leaves) {
                (Some(comes), Some(leaves)) => {
                    let leaving =
                        leaves.bad[hours.clone()].iter().zip(&leaves.total[hours.clone()]);
                    let leaving = leaving.map(|(bad, total)| Leaving { bad: *bad, total: *total });
                    let coming = comes.total[hours].iter().copied();
                    self.find_hour(now, at, coming.zip(leaving), holds)
                }
                _ => self.find_hour(now, at, hours.map(|hour| steps.hour(hour)), holds),
            };
            if found {
                return true;
            }
        }
        false
    }

    fn find_hour(
        &self,
        now: &mut Expected,
        at: &mut Minute,
        steps: impl Iterator<Item = (f64, Leaving)>,
        holds: &impl Fn(Expected) -> bool,
    ) -> bool {
        for (coming, leaving) in steps {
            let then = self.after(*now, coming, (*at + 60, leaving));
            if holds(then) {
                return true;
            }
            (*now, *at) = (then, *at + 60);
        }
        false
    }

    /// Whether there is no minute in a day at which `holds` is true: there would be none if all that speaks
    /// for it came at once, and nothing that speaks against it.
    fn passes(
        &self,
        now: Expected,
        coming: f64,
        leaving: Leaving,
        holds: &impl Fn(Expected) -> bool,
    ) -> bool {
        // More than all roundings on the way.
        const SLACK: f64 = 1e-9;
        let (least, most) = (now.total - leaving.total, now.total + coming);
        let bad = coming * self.bad_ratio;
        let slack = SLACK * (now.bad.abs() + bad.abs() + leaving.bad);
        let (bad, total) = match self.seeks {
            Seeks::Any => return false,
            Seeks::Worse => (now.bad + bad.max(0.0) + slack, least * (1.0 - SLACK)),
            Seeks::Better => (now.bad - leaving.bad + bad.min(0.0) - slack, most * (1.0 + SLACK)),
        };
        least > 0.0 && !holds(Expected { to: now.to, bad, total })
    }

    /// The hour is found; now the minute in it.
    fn minute_of(
        &self,
        mut now: Expected,
        mut at: Minute,
        last: Minute,
        holds: impl Fn(Expected) -> bool,
    ) -> Minute {
        let offset = self.from - self.to;
        let count = usize::try_from(last - at).unwrap_or(0);
        let (bad, total) = match self.rolls {
            true => self.past.ledger().each_minute(at + offset, last + offset),
            false => (vec![0.0; count], vec![0.0; count]),
        };
        let comes = self.repeat.each_minute(self.past.ledger(), self.to, at, last);
        for ((coming, bad), total) in comes.into_iter().zip(bad).zip(total) {
            let coming = if self.excluded.has(at) { 0.0 } else { coming };
            now = self.after(now, coming, (at + 1, Leaving { bad, total }));
            at = at + 1;
            if holds(now) {
                break;
            }
        }
        at
    }

    fn now(&self) -> Expected {
        Expected { to: self.to, bad: self.sums.bad() as f64, total: self.sums.total as f64 }
    }

    fn step(&self, now: Expected, from: Minute, until: Minute) -> Expected {
        let coming = self.coming(from, until);
        let offset = self.from - self.to;
        let (bad, total) = match self.rolls {
            true => self.past.ledger().counts(from + offset, until + offset),
            false => (0, 0),
        };
        self.after(now, coming, (until, Leaving { bad: bad as f64, total: total as f64 }))
    }

    /// Events expected in `from..until` that will count.
    fn coming(&self, from: Minute, until: Minute) -> f64 {
        let all = |stretch| self.past.coming(self.repeat, self.to, stretch);
        all((from, until)) - self.excluded.within(from, until).map(all).sum::<f64>()
    }

    /// What the window holds when it ends at `to`.
    fn after(&self, now: Expected, coming: f64, (to, leaving): (Minute, Leaving)) -> Expected {
        Expected {
            to,
            // One sum waits for the one before, not two: a walk has hundreds of steps.
            bad: now.bad + (coming * self.bad_ratio - leaving.bad),
            total: now.total + (coming - leaving.total),
        }
    }

    /// What comes and what leaves in the whole hours from `at` on, as far as they are whole hours of the
    /// past, too, and count whole.
    fn whole_hours(&self, at: Minute, last: Minute) -> Steps<'_> {
        let mut hours = (last - at) / 60;
        let offset = self.from - self.to;
        if at.0 % 60 != 0 || (self.rolls && offset % 60 != 0) {
            hours = 0;
        }
        if let Some((excluded, _)) = self.excluded.within(at, at + 60 * hours).next() {
            hours = excluded.hour() - at.hour();
        }
        let (mut rate, mut comes, mut leaves) = (0.0, None, None);
        match self.repeat {
            Repeat::Mean(mean) => rate = mean * 60.0,
            Repeat::Last(length) => {
                let back = ((at - self.to).div_euclid(length) + 1) * length;
                hours = if back % 60 == 0 { hours.min((self.to + back - at) / 60) } else { 0 };
                comes = (hours > 0).then(|| self.past.from((at - back).hour()));
            }
        }
        if self.rolls && hours > 0 {
            leaves = Some(self.past.from((at + offset).hour()));
        }
        for past in [comes, leaves].into_iter().flatten() {
            hours = hours.min(past.total.len() as i64);
        }
        Steps { count: usize::try_from(hours).unwrap_or(0), rate, comes, leaves }
    }
}

/// So many hours of a walk.
#[derive(Debug, Clone, Copy)]
struct Steps<'a> {
    count: usize,
    /// Events that come in each, where the past does not tell.
    rate: f64,
    /// The hours whose events come again.
    comes: Option<Past<'a>>,
    /// Those that leave.
    leaves: Option<Past<'a>>,
}

impl Steps<'_> {
    /// What comes and what leaves in an hour.
    fn hour(&self, at: usize) -> (f64, Leaving) {
        let leaving = self.leaves.map_or(Leaving::default(), |leaves| Leaving {
            bad: leaves.bad[at],
            total: leaves.total[at],
        });
        (self.comes.map_or(self.rate, |comes| comes.total[at]), leaving)
    }

    /// The same of the day that begins with an hour; `None` where none does that is added up.
    fn day(&self, at: usize) -> Option<(f64, Leaving)> {
        let of = |past: Past<'_>| {
            let hours = at.checked_sub(past.to_day).filter(|hours| hours.is_multiple_of(HOURS))?;
            *past.days.get(hours / HOURS)?
        };
        let coming = match self.comes {
            Some(comes) => of(comes)?.total,
            None => self.rate * HOURS as f64,
        };
        let leaving = self.leaves.map_or(Some(Leaving::default()), of)?;
        (at + HOURS <= self.count).then_some((coming, leaving))
    }

    /// The end of the day that an hour lies in.
    fn end_of_day(&self, at: usize) -> usize {
        let first = self.comes.or(self.leaves).map_or(0, |past| past.to_day);
        let to_next = HOURS - (at + HOURS - first) % HOURS;
        (at + to_next).min(self.count)
    }
}

/// The median of the hourly shares of bad events in `from..to`, over hours with events. A window of
/// less than a day has too few hours for a median; its minutes are taken. Of an even number it is the
/// lower of the two in the middle. What it was a moment ago is found with less work, should it be that still.
#[must_use]
pub fn usual_ratio(past: &Hours<'_>, from: Minute, to: Minute, before: Option<f64>) -> f64 {
    if to - from < DAY {
        let (bad, total) = past.ledger().minutely(from, to);
        return median(&bad, &total, before);
    }
    let hours = usize::try_from((to - 1).hour() + 1 - from.hour()).unwrap_or(0);
    let Past { bad, total, .. } = past.from(from.hour());
    let hours = hours.min(total.len());
    median(&bad[..hours], &total[..hours], before)
}

/// Of bad and all events, which are equally many.
fn median(bad: &[f64], total: &[f64], before: Option<f64>) -> f64 {
    // As whole numbers, which are sorted much faster; where there was no event there is no share, and
    // none is as large as this.
    const NONE: i64 = i64::MAX;
    if let Some(before) = before.filter(|share| is_median(bad, total, *share)) {
        return before;
    }
    let share = |(bad, total): (&f64, &f64)| match *total > 0.0 {
        true => in_order((bad / total).to_bits().cast_signed()),
        false => NONE,
    };
    let mut shares: Vec<i64> = bad.iter().zip(total).map(share).collect();
    let busy = shares.iter().filter(|share| **share != NONE).count();
    if busy == 0 {
        return 0.0;
    }
    let (_, middle, _) = shares.select_nth_unstable((busy - 1) / 2);
    f64::from_bits(in_order(*middle).cast_unsigned())
}

/// Whether a share is the median: it is one of them, and as many are less as must be.
fn is_median(bad: &[f64], total: &[f64], share: f64) -> bool {
    let (mut busy, mut less, mut up_to) = (0_u64, 0, 0);
    for (bad, total) in bad.iter().zip(total) {
        let (is_busy, ratio) = (*total > 0.0, bad / total);
        busy += u64::from(is_busy);
        less += u64::from(is_busy & (ratio < share));
        up_to += u64::from(is_busy & (ratio <= share));
    }
    busy > 0 && (less..up_to).contains(&((busy - 1) / 2))
}

/// The bits of a number, so that they are ordered as numbers are; of these the bits of the number.
const fn in_order(bits: i64) -> i64 {
    bits ^ (bits >> 63).cast_unsigned().wrapping_shr(1).cast_signed()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bucket::Bucket;
    use crate::ledger::Ledger;

    /// Thirty days at 100 events a minute, all good but for an outage of so many minutes that ended
    /// so many minutes ago.
    fn ledger(outage: i64, ago: i64) -> Ledger {
        let mut ledger = Ledger::new(0);
        for minute in 0..30 * DAY {
            let down = (30 * DAY - ago - outage..30 * DAY - ago).contains(&minute);
            let good = if down { 0 } else { 100 };
            ledger.replace(
                Minute(minute),
                &Bucket { good, total: 100, measured: true, ..Bucket::default() },
            );
        }
        ledger
    }

    fn month(ledger: &Ledger) -> Hours<'_> {
        Hours::of(ledger.into(), Minute(0), Minute(30 * DAY))
    }

    fn walk<'a>(past: &'a Hours<'a>, bad_ratio: f64) -> Walk<'a> {
        let to = Minute(30 * DAY);
        Walk {
            past,
            from: Minute(0),
            to,
            sums: past.ledger().sums(Minute(0), to),
            rolls: true,
            horizon: 30 * DAY,
            repeat: Repeat::of(past.ledger(), to),
            bad_ratio,
            excluded: Excluded::default(),
            seeks: if bad_ratio > 0.0 { Seeks::Worse } else { Seeks::Better },
        }
    }

    /// At 99.9 % over 30 d the budget is 4,320 events: 43.2 minutes of these.
    fn remains(e: Expected) -> bool {
        e.bad < 0.001 * e.total
    }

    #[test]
    fn a_budget_overspent_by_an_outage_recovers_in_the_minute_in_which_enough_of_it_has_left() {
        let ledger = ledger(50, 29 * DAY);
        let back = walk(&month(&ledger), 0.0).first(remains).unwrap();
        // The outage leaves from day 31 - 50 minutes on; 43 minutes of it may stay.
        assert_eq!(back, Minute(31 * DAY - 50 + 7));
    }

    #[test]
    fn a_steady_error_ratio_exhausts_the_rest_of_the_budget_at_the_computed_minute() {
        let ledger = ledger(0, 0);
        let past = month(&ledger);
        let gone = walk(&past, 0.01).first(|e| !remains(e)).unwrap();
        assert_eq!(gone, Minute(30 * DAY + 4_320), "1 bad event a minute, 4,320 allowed");
        assert_eq!(walk(&past, 0.000_9).first(|e| !remains(e)), None);
    }

    #[test]
    fn minutes_that_will_be_excluded_neither_burn_nor_allow_anything() {
        let ledger = ledger(0, 0);
        let now = Minute(30 * DAY);
        let excluded = Excluded::new([(now + 990, now + 1_990)]);
        let past = month(&ledger);
        let gone = Walk { excluded, ..walk(&past, 0.01) }.first(|e| !remains(e)).unwrap();
        // A thousand minutes later, but for the 100 events that they would have allowed.
        assert_eq!(gone, now + 4_320 + 1_000 - 100);
    }

    #[test]
    fn the_median_hour_is_not_moved_by_an_outage() {
        let ledger = ledger(600, 0);
        assert!(usual_ratio(&month(&ledger), Minute(0), Minute(30 * DAY), None) < 1e-12);
    }

    #[test]
    fn a_window_of_minutes_takes_the_median_minute() {
        let ledger = ledger(4, 0);
        let end = Minute(30 * DAY);
        let past = month(&ledger);
        assert!(usual_ratio(&past, end - 10, end, None) < 1e-12);
        assert!((usual_ratio(&past, end - 4, end, None) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_young_slo_repeats_a_day_or_its_mean() {
        let mut young = Ledger::new(0);
        for minute in 0..600 {
            young.replace(
                Minute(minute),
                &Bucket { total: minute % 2, measured: true, ..Bucket::default() },
            );
        }
        assert_eq!(Repeat::of((&young).into(), Minute(600)), Repeat::Mean(0.5));
        assert_eq!(Repeat::of((&ledger(0, 0)).into(), Minute(2 * DAY)), Repeat::Last(DAY));
    }

    /// The same, a step at a time.
    fn plainly(walk: &Walk<'_>, holds: impl Fn(Expected) -> bool) -> Option<Minute> {
        let mut at = walk.to;
        let mut now = walk.now();
        while at < walk.to + walk.horizon {
            let next = Minute((at.hour() + 1) * 60).min(walk.to + walk.horizon);
            let then = walk.step(now, at, next);
            if holds(then) {
                let minutes = (at.0..next.0).map(Minute).scan(now, |now, at| {
                    *now = walk.step(*now, at, at + 1);
                    Some(*now)
                });
                let found = minutes.map(|now| (now.to, holds(now))).find(|(_, holds)| *holds);
                return Some(found.map_or(next, |(at, _)| at));
            }
            (now, at) = (then, next);
        }
        None
    }

    /// What remains of a budget.
    fn left(events: Expected, allowed: f64) -> f64 {
        if allowed > 0.0 { 1.0 - events.bad / allowed } else { 1.0 }
    }

    /// The lower one in the middle, plainly.
    fn middle(shares: impl Iterator<Item = f64>) -> f64 {
        let mut all: Vec<f64> = shares.collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len().saturating_sub(1) / 2).copied().unwrap_or(0.0)
    }

    proptest! {
        /// Also where more events are good than there are.
        #[test]
        fn the_usual_share_is_the_one_in_the_middle(
            hours in prop::collection::vec((-9..50_i64, 0..4_i64), 24..200),
        ) {
            let mut ledger = Ledger::new(0);
            for (hour, (bad, total)) in hours.iter().enumerate() {
                let sums = Sums { good: total - bad, total: *total, ..Sums::default() };
                ledger.load_fold(hour as i64, &sums);
            }
            let to = Minute(hours.len() as i64 * 60);
            let past = Hours::of((&ledger).into(), Minute(0), to);
            let busy = hours.iter().filter(|(_, total)| *total > 0);
            let shares: Vec<f64> = busy.map(|(bad, total)| *bad as f64 / *total as f64).collect();
            let plain = middle(shares.iter().copied());
            let guesses = shares.iter().copied().map(Some).chain([None, Some(0.5), Some(plain)]);
            for guess in guesses {
                let usual = usual_ratio(&past, Minute(0), to, guess);
                prop_assert_eq!(usual.to_bits(), plain.to_bits(), "{:?}", guess);
            }
        }

        #[test]
        fn the_usual_share_of_a_short_window_is_that_of_the_minutes_in_memory(
            minutes in prop::collection::vec((0..3_i64, 0..4_i64, any::<bool>()), 300),
            (from, to, evicted, gone) in (0..300_i64, 0..300_i64, 0..300_i64, 0..300_i64),
        ) {
            let (mut all, mut left_out) = (Ledger::new(0), Ledger::new(0));
            for (at, (bad, good, is_out)) in minutes.iter().enumerate() {
                let total = bad + good;
                let bucket = Bucket { good: *good, total, measured: true, ..Bucket::default() };
                all.replace(Minute(at as i64), &bucket);
                if *is_out {
                    left_out.replace(Minute(at as i64), &bucket);
                }
            }
            all.evict(Minute(evicted));
            left_out.evict(Minute(gone));
            let (from, to) = (Minute(from.min(to)), Minute(from.max(to)));
            let nothing = Excluded::default();
            for left_out in [None, Some((&left_out, &nothing))] {
                let counted = Counted::new(&all, left_out);
                let buckets = (from.0..to.0).filter_map(|at| counted.bucket(Minute(at)));
                let busy = buckets.filter(|bucket| bucket.total > 0);
                let plain = middle(busy.map(|b| (b.total - b.good) as f64 / b.total as f64));
                let usual = usual_ratio(&Hours::of(counted, from, to), from, to, None);
                prop_assert_eq!(usual.to_bits(), plain.to_bits());
            }
        }

        /// Windows of whole days close to what is looked for, also with hours without events, and with more
        /// good ones than there are.
        #[test]
        fn days_at_a_time_give_what_single_steps_give(
            phases in prop::collection::vec(
                (1..60_usize, 0..4_i64, prop_oneof![3 => Just(0), 3 => 1..4_i64, 1 => -3..0_i64]), 2..20),
            (minute, days) in (0..60_i64, 1..20_i64),
            repeat in prop_oneof![Just(Repeat::Last(1_440)), Just(Repeat::Last(10_080)), Just(Repeat::Mean(3.5))],
            bad_ratio in prop_oneof![Just(0.0), Just(0.5), 0.0..1.0_f64],
            near in 0.7..1.4_f64,
        ) {
            let mut ledger = Ledger::new(0);
            let hours = phases.iter().flat_map(|(hours, good, bad)| vec![(*good, *bad); *hours]);
            let hours: Vec<(i64, i64)> = hours.collect();
            for (hour, (good, bad)) in hours.iter().enumerate() {
                let sums = Sums { good: *good, total: good + bad, ..Sums::default() };
                ledger.load_fold(hour as i64, &sums);
            }
            let to = Minute((hours.len() as i64 - 1) * 60 + minute);
            let from = to - days * DAY;
            let sums = ledger.sums(from, to);
            let share = near * sums.bad() as f64 / sums.total.max(1) as f64;
            let past = Hours::of((&ledger).into(), from, to);
            let walk = Walk {
                past: &past, from, to, sums, rolls: true, horizon: days * DAY, repeat, bad_ratio,
                excluded: Excluded::default(), seeks: Seeks::Any,
            };
            let gone = |e: Expected| share * e.total > 0.0 && e.bad >= share * e.total;
            let worse = Walk { seeks: Seeks::Worse, ..walk.clone() };
            prop_assert_eq!(worse.first(gone), plainly(&walk, gone));
            let back = |e: Expected| left(e, share * e.total) > 0.0;
            let better = Walk { seeks: Seeks::Better, ..walk.clone() };
            prop_assert_eq!(better.first(back), plainly(&walk, back));
        }

        #[test]
        fn hours_at_a_time_give_what_single_steps_give(
            hours in prop::collection::vec((0..50_i64, 0..1_000_i64), 1..400),
            minute in 0..60_i64,
            length in prop_oneof![Just(60), Just(90), Just(1_440), 60..10_000_i64],
            repeat in prop_oneof![Just(Repeat::Last(1_440)), Just(Repeat::Last(10_080)), Just(Repeat::Mean(3.5))],
            bad_ratio in prop_oneof![Just(0.0), 0.0..0.2_f64],
            rolls in any::<bool>(),
            share in 0.0..0.2_f64,
            gone in prop::collection::vec((0..8_000_i64, 1..300_i64), 0..3),
            in_memory in prop::collection::vec((0..400_i64, prop::collection::vec(0..50_i64, 60)), 0..20),
        ) {
            let mut ledger = Ledger::new(0);
            for (hour, (bad, good)) in hours.iter().enumerate() {
                let total = bad + good;
                let sums = Sums { good: *good, total, measured: 60, ..Sums::default() };
                ledger.load_fold(hour as i64, &sums);
            }
            // Their sums need not be those of the hours to be told apart.
            for (hour, minutes) in in_memory {
                let mut known = crate::ledger::Hour::default();
                for (at, bad) in minutes.iter().enumerate() {
                    let bucket = Bucket { good: 50 - bad, total: 50, ..Bucket::default() };
                    known.set(at, &bucket);
                }
                ledger.load_minutes(hour, known);
            }
            let to = Minute((hours.len() as i64 - 1) * 60 + minute);
            let from = to - length;
            let sums = ledger.sums(from, to);
            let excluded = Excluded::new(gone.iter().map(|(a, b)| (to + *a, to + *a + *b)));
            let past = Hours::of((&ledger).into(), from, to);
            let walk = Walk {
                past: &past, from, to, sums, rolls, horizon: length, repeat, bad_ratio,
                excluded, seeks: Seeks::Any,
            };
            for above in [true, false] {
                let holds = |e: Expected| (e.bad > share * e.total) == above;
                let plain = plainly(&walk, holds);
                prop_assert_eq!(walk.first(holds), plain);
                let seeks = if above { Seeks::Worse } else { Seeks::Better };
                prop_assert_eq!(Walk { seeks, ..walk.clone() }.first(holds), plain);
            }
        }
    }
}
