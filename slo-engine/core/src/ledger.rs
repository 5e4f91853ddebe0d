//! The history of one SLO: minutes, folded to hours, and window sums that slide over them.
//!
//! Hours are kept as narrow columns; minutes are kept for the hours that are still changing and for
//! the one hour under each window's old edge. So both edges are exact to the minute, and moving a
//! window costs the minutes that enter and leave. Minutes of other hours lie on disk; [`Ledger::wants`]
//! names the hours that must be loaded before a step.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::bucket::{Bucket, Lump, Sums};
use crate::time::Minute;

mod column;
mod counted;
mod day;
mod hour;
mod minutes;
mod slide;
pub mod varint;

use column::Column;
pub use counted::Counted;
pub use day::Day;
pub use hour::Hour;
use minutes::Minutes;
pub use slide::Slide;
use slide::Standing;

/// The history of one SLO.
#[derive(Debug, Clone)]
pub struct Ledger {
    /// The first hour of the columns.
    base: i64,
    total: Column,
    bad: Column,
    measured: Column,
    partial: Column,
    /// Sums of what few hours have.
    rare: BTreeMap<i64, Sums>,
    minutes: Minutes,
    slides: Box<[Standing]>,
    first: Option<Minute>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self::new(0)
    }
}

impl Ledger {
    /// An empty history with so many windows, all of them empty.
    #[must_use]
    pub fn new(windows: usize) -> Self {
        Self {
            base: 0,
            total: Column::zeros(0),
            bad: Column::zeros(0),
            measured: Column::zeros(0),
            partial: Column::zeros(0),
            rare: BTreeMap::new(),
            minutes: Minutes::default(),
            slides: vec![Standing::default(); windows].into(),
            first: None,
        }
    }

    /// A ledger without data whose windows stand where these do.
    #[must_use]
    pub fn beside(&self) -> Self {
        let empty = |slide: Slide| Slide { sums: Sums::default(), inexact: false, ..slide };
        let slides = self.slides().map(empty).map(Standing::from);
        Self { slides: slides.collect(), ..Self::default() }
    }

    /// The first minute of which anything is known.
    #[must_use]
    pub const fn first(&self) -> Option<Minute> {
        self.first
    }

    /// Says since when there is data, where that is older than what is kept.
    pub fn set_first(&mut self, first: Minute) {
        self.first = Some(self.first.map_or(first, |f| f.min(first)));
    }

    /// The hours that are kept, as `from..to`.
    #[must_use]
    pub fn hours(&self) -> Range<i64> {
        self.base..self.base + self.length()
    }

    /// Takes over the hours of a history without windows. Windows must be moved again.
    pub fn load_history(&mut self, history: Self) {
        let Self { base, total, bad, measured, partial, rare, .. } = history;
        (self.base, self.rare) = (base, rare);
        (self.total, self.bad, self.measured, self.partial) = (total, bad, measured, partial);
    }

    /// Takes over all that another ledger holds. Windows must be moved again.
    pub fn copy_history(&mut self, other: &Self) {
        let slides = std::mem::take(&mut self.slides);
        *self = Self { slides, ..other.clone() };
    }

    /// Adds an hour's sums without its minutes, as folded on disk. Windows must be moved again.
    pub fn load_fold(&mut self, hour: i64, sums: &Sums) {
        self.set_fold(hour, sums);
    }

    /// The same for the hours of a day.
    pub fn load_day(&mut self, day: i64, hours: &Day) {
        let first = day * 24;
        match hours.usual() {
            Some(usual) if self.length() == 0 || first >= self.base + self.length() => {
                if self.length() == 0 {
                    self.base = first;
                } else {
                    self.make_room(self.base, first - 1);
                }
                let columns =
                    [&mut self.total, &mut self.bad, &mut self.measured, &mut self.partial];
                for (column, hours) in columns.into_iter().zip(usual) {
                    column.push_day(hours);
                }
            }
            _ => {
                for hour in 0..24 {
                    if let Some(sums) = hours.get(hour) {
                        self.set_fold(first + hour as i64, &sums);
                    }
                }
            }
        }
    }

    /// Gives the minutes of an hour whose sums are known already.
    pub fn load_minutes(&mut self, hour: i64, minutes: Hour) {
        self.minutes.load(hour, minutes);
    }

    /// The sums of one hour.
    #[must_use]
    pub fn fold(&self, hour: i64) -> Sums {
        let Some(at) = self.position(hour) else { return Sums::default() };
        let rare = self.rare.get(&hour).copied().unwrap_or_default();
        let total = self.total.get(at);
        Sums {
            good: total - self.bad.get(at),
            total,
            measured: self.measured.get(at),
            partial: self.partial.get(at),
            ..rare
        }
    }

    /// The minutes of an hour, when they are in memory.
    #[must_use]
    pub fn minutes(&self, hour: i64) -> Option<&Hour> {
        self.minutes.get(hour)
    }

    /// The bucket of a minute; `None` when its hour has data but its minutes are not in memory.
    #[must_use]
    pub fn bucket(&self, minute: Minute) -> Option<Bucket> {
        match self.minutes.get(minute.hour()) {
            Some(hour) => Some(hour.get(place(minute))),
            None if self.fold(minute.hour()) == Sums::default() => Some(Bucket::default()),
            None => None,
        }
    }

    /// Whether the minutes of an hour must be loaded before they can be read or changed.
    #[must_use]
    pub fn lacks(&self, hour: i64) -> bool {
        self.minutes.get(hour).is_none() && self.fold(hour) != Sums::default()
    }

    /// Replaces the bucket of a minute whole. The hour's minutes must be in memory ([`Self::lacks`]).
    pub fn replace(&mut self, minute: Minute, bucket: &Bucket) {
        let known = self.minutes.get(minute.hour());
        let old = known.map_or_else(Bucket::default, |hour| hour.get(place(minute)));
        if old == *bucket {
            return;
        }
        self.minutes.of(minute.hour()).set(place(minute), bucket);
        if !bucket.is_empty() {
            self.set_first(minute);
        }
        let mut change = Sums::from(bucket);
        change.combine(&Sums::from(&old), -1);
        let mut fold = self.fold(minute.hour());
        fold.combine(&change, 1);
        self.set_fold(minute.hour(), &fold);
        for slide in self.slides.iter_mut().filter(|slide| slide.has(minute)) {
            slide.add(&change);
        }
    }

    /// Sets flags of a closed minute.
    pub fn mark(&mut self, minute: Minute, measured: bool, partial: bool) {
        let Some(mut bucket) = self.bucket(minute) else { return };
        bucket.measured |= measured;
        bucket.partial |= partial;
        self.replace(minute, &bucket);
    }

    /// The windows.
    #[must_use]
    pub fn slides(&self) -> impl ExactSizeIterator<Item = Slide> {
        self.slides.iter().map(Slide::from)
    }

    /// One of the windows.
    #[must_use]
    pub fn slide_at(&self, at: usize) -> Slide {
        (&self.slides[at]).into()
    }

    /// The hours whose minutes must be loaded before window `at` can move to `from..to`.
    pub fn wants(&self, at: usize, from: Minute, to: Minute) -> impl Iterator<Item = i64> {
        let slide = self.slide_at(at);
        let (old, new) = if slides_on(&slide, from, to) {
            (slide.from.hour()..=(from - 1).hour(), slide.to.hour()..=(to - 1).hour())
        } else {
            (from.hour()..=from.hour(), to.hour()..=to.hour())
        };
        old.chain(new).filter(|hour| self.lacks(*hour))
    }

    /// Moves the windows, from the first one on, to these places. Where minutes are missing that
    /// [`Self::wants`] named, sums are taken anew with even shares of their hours, and again at the next
    /// step.
    pub fn slide(&mut self, places: impl IntoIterator<Item = (Minute, Minute)>) {
        // Most windows end where the one before does, so what enters is the same.
        let mut entered: Option<((Minute, Minute), Option<Sums>)> = None;
        for (at, (from, to)) in places.into_iter().enumerate() {
            let slide = self.slide_at(at);
            let moved = slides_on(&slide, from, to).then(|| {
                let enters = (slide.to, to);
                let known = entered.filter(|(known, _)| *known == enters);
                let known = known.unwrap_or_else(|| (enters, self.exactly(slide.to, to)));
                entered = Some(known);
                Some((known.1?, self.exactly(slide.from, from)?))
            });
            let (mut sums, mut inexact) = (slide.sums, false);
            if let Some((entered, left)) = moved.flatten() {
                sums.combine(&entered, 1);
                sums.combine(&left, -1);
            } else {
                sums = self.sums(from, to);
                inexact = self.wants(at, from, to).next().is_some();
            }
            self.slides[at].put(Slide { from, to, sums, inexact });
        }
    }

    /// The sums of a short run; `None` where minutes of it are not in memory.
    fn exactly(&self, from: Minute, to: Minute) -> Option<Sums> {
        let mut all = Sums::default();
        let mut at = from;
        while at < to {
            let end = to.min(Minute(at.hour() * 60 + 60));
            match self.minutes.get(at.hour()) {
                Some(minutes) => all.combine(&minutes.sums(place(at), place(end - 1) + 1), 1),
                None if self.fold(at.hour()) == Sums::default() => {}
                None => return None,
            }
            at = end;
        }
        Some(all)
    }

    /// The sums of `from..to`. Minutes that are not in memory count as their hour's even share.
    #[must_use]
    pub fn sums(&self, from: Minute, to: Minute) -> Sums {
        if to <= from {
            return Sums::default();
        }
        let (first, last) = (from.hour(), (to - 1).hour());
        if first == last {
            return self.part(first, place(from), place(to - 1) + 1);
        }
        let mut sums = self.part(first, place(from), 60);
        sums.combine(&self.part(last, 0, place(to - 1) + 1), 1);
        sums.combine(&self.whole(first + 1, last), 1);
        sums
    }

    /// Bad and all events of `from..to`; quicker than [`Self::sums`] where that lies in one hour.
    #[must_use]
    pub fn counts(&self, from: Minute, to: Minute) -> (i64, i64) {
        let hour = from.hour();
        if to <= from || (to - 1).hour() != hour {
            let sums = self.sums(from, to);
            return (sums.bad(), sums.total);
        }
        let (a, b) = (place(from), place(to - 1) + 1);
        if let Some(minutes) = self.minutes.get(hour).filter(|_| (a, b) != (0, 60)) {
            return minutes.counts(a, b);
        }
        let Some(at) = self.position(hour) else { return (0, 0) };
        let share = |all: i64| all * (to - from) / 60;
        (share(self.bad.get(at)), share(self.total.get(at)))
    }

    /// Bad and all events of whole hours, from `hour` on; both lists are equally long.
    pub fn hourly(&self, hour: i64, bad: &mut [f64], total: &mut [f64]) {
        self.bad.copy_to(hour - self.base, bad);
        self.total.copy_to(hour - self.base, total);
    }

    /// Bad and all events of each minute from `from` on, where minutes are in memory; both lists are
    /// equally long.
    pub fn minutely(&self, from: Minute, bad: &mut [f64], total: &mut [f64]) {
        let to = from + i64::try_from(bad.len()).unwrap_or(i64::MAX);
        for (hour, minutes) in self.minutes.range(from.hour(), (to - 1).hour()) {
            let (first, within) = part_of(hour, from, to);
            minutes.each(first, &mut bad[within.clone()], &mut total[within]);
        }
    }

    /// For each minute from `from` on its even share of the bad and of all events of its hour; both
    /// lists are equally long.
    pub fn shares(&self, from: Minute, bad: &mut [f64], total: &mut [f64]) {
        let to = from + i64::try_from(bad.len()).unwrap_or(i64::MAX);
        for hour in from.hour()..=(to - 1).hour() {
            let Some(at) = self.position(hour) else { continue };
            let (_, within) = part_of(hour, from, to);
            bad[within.clone()].fill((self.bad.get(at) / 60) as f64);
            total[within].fill((self.total.get(at) / 60) as f64);
        }
    }

    /// Whether nothing bad is known of any hour that `from..to` touches, nor of its minutes.
    #[must_use]
    pub fn is_flawless(&self, from: Minute, to: Minute) -> bool {
        let (first, last) = (from.hour(), to.hour());
        let at = |hour: i64| usize::try_from(hour - self.base).unwrap_or(0).min(self.bad.len());
        let mut minutes = self.minutes.range(first, last);
        self.bad.is_zero(at(first), at(last + 1)) && minutes.all(|(_, hour)| hour.is_flawless())
    }

    /// Lumps that end in `from..to`, of the hours whose minutes are in memory.
    pub fn lumps(&self, from: Minute, to: Minute) -> impl Iterator<Item = (Minute, Lump)> {
        let hours = self.minutes.range(from.hour(), to.hour());
        let lumps = hours.flat_map(|(hour, minutes)| {
            minutes.lumps().map(move |(at, lump)| (Minute(hour * 60 + i64::from(at)), lump))
        });
        lumps.filter(move |(minute, _)| from <= *minute && *minute < to)
    }

    /// Lets go of the minutes before `recent`, except those under a window's old edge.
    pub fn evict(&mut self, recent: Minute) {
        let is_edge = |hour| self.slides.iter().any(|slide| slide.begin().hour() == hour);
        self.minutes.retain(|hour| hour >= recent.hour() || is_edge(hour));
        self.minutes.settle();
    }

    /// Keeps the hours in the fewest bytes, after many of them have changed.
    pub fn settle(&mut self) {
        for column in [&mut self.total, &mut self.bad, &mut self.measured, &mut self.partial] {
            column.settle();
        }
    }

    /// Lets go of the minutes of some hours, except those under a window's old edge.
    pub fn unload(&mut self, hours: &[i64]) {
        for hour in hours {
            if !self.slides.iter().any(|slide| slide.begin().hour() == *hour) {
                self.minutes.retain(|known| known != *hour);
            }
        }
    }

    /// Takes the sums of all windows anew, where they stand.
    pub fn sum_up(&mut self) {
        for at in 0..self.slides.len() {
            let slide = self.slide_at(at);
            let sums = self.sums(slide.from, slide.to);
            self.slides[at].put(Slide { sums, ..slide });
        }
    }

    /// An hour, or the first one that a window begins in before it.
    #[must_use]
    pub fn needed_from(&self, hour: i64) -> i64 {
        let windows = self.slides().filter(|slide| slide.from < slide.to);
        windows.map(|slide| slide.from.hour()).fold(hour, i64::min)
    }

    /// Forgets hours before `hour`, but for those that lie in windows.
    pub fn forget_before(&mut self, hour: i64) {
        let hour = self.needed_from(hour);
        let gone = (hour - self.base).clamp(0, self.length());
        let count = usize::try_from(gone).unwrap_or(0);
        for column in [&mut self.total, &mut self.bad, &mut self.measured, &mut self.partial] {
            column.drop_front(count);
        }
        self.base += gone;
        self.rare = self.rare.split_off(&hour);
        self.minutes.retain(|known| known >= hour);
    }

    fn length(&self) -> i64 {
        i64::try_from(self.measured.len()).unwrap_or(i64::MAX)
    }

    fn position(&self, hour: i64) -> Option<usize> {
        usize::try_from(hour - self.base).ok().filter(|_| hour < self.base + self.length())
    }

    /// Makes the columns reach from one hour to another, both included.
    fn make_room(&mut self, first: i64, last: i64) {
        let length = self.length();
        if length == 0 {
            self.base = first;
        }
        let front = usize::try_from(self.base - first).unwrap_or(0);
        let back = usize::try_from(last + 1 - self.base - length).unwrap_or(0);
        self.base = self.base.min(first);
        if front > 0 || back > 0 {
            for column in [&mut self.total, &mut self.bad, &mut self.measured, &mut self.partial] {
                column.grow(front, back);
            }
        }
    }

    fn set_fold(&mut self, hour: i64, sums: &Sums) {
        self.make_room(hour, hour);
        let at = usize::try_from(hour - self.base).unwrap_or(0);
        self.total.set(at, sums.total);
        self.bad.set(at, sums.bad());
        self.measured.set(at, sums.measured);
        self.partial.set(at, sums.partial);
        let rare = Sums { good: 0, total: 0, measured: 0, partial: 0, ..*sums };
        if rare == Sums::default() {
            self.rare.remove(&hour);
        } else {
            self.rare.insert(hour, rare);
        }
    }

    /// Minutes `from..to` of one hour.
    fn part(&self, hour: i64, from: usize, to: usize) -> Sums {
        match self.minutes.get(hour) {
            _ if (from, to) == (0, 60) => self.fold(hour),
            Some(minutes) => minutes.sums(from, to),
            None => self.fold(hour).share(i64::try_from(to - from).unwrap_or(0), 60),
        }
    }

    /// Whole hours `from..to`.
    fn whole(&self, from: i64, to: i64) -> Sums {
        let (from, to) = (from.max(self.base), to.min(self.base + self.length()));
        let (Some(a), true) = (usize::try_from(from - self.base).ok(), from < to) else {
            return Sums::default();
        };
        let b = a + usize::try_from(to - from).unwrap_or(0);
        let (total, bad) = (self.total.sum(a, b), self.bad.sum(a, b));
        let mut sums = Sums {
            good: total - bad,
            total,
            measured: self.measured.sum(a, b),
            partial: self.partial.sum(a, b),
            ..Sums::default()
        };
        for (_, rare) in self.rare.range(from..to) {
            sums.combine(rare, 1);
        }
        sums
    }
}

/// Whether a window moves by few enough minutes to be slid rather than summed anew.
fn slides_on(slide: &Slide, from: Minute, to: Minute) -> bool {
    let (left, entered) = (from - slide.from, to - slide.to);
    !slide.inexact
        && (0..=90).contains(&left)
        && (0..=90).contains(&entered)
        && slide.from < slide.to
        && from <= slide.to
}

/// Which of the minutes `from..to` lie in an hour, and at which of its own places they begin there.
fn part_of(hour: i64, from: Minute, to: Minute) -> (usize, Range<usize>) {
    let begin = Minute(hour * 60);
    let (first, last) = (begin.max(from), (begin + 60).min(to));
    let at = |minute: Minute| usize::try_from(minute - from).unwrap_or(0);
    (place(first), at(first)..at(last))
}

fn place(minute: Minute) -> usize {
    usize::try_from(minute.0.rem_euclid(60)).unwrap_or(0)
}

#[cfg(test)]
mod tests;
