//! The hours of a past, unpacked once for all forecasts of an SLO.

use std::cell::{Cell, OnceCell};
use std::ops::Range;

use super::{DAY, Repeat};
use crate::ledger::Counted;
use crate::time::Minute;

/// A history and its whole hours: forecasts of several windows read the same hours again and again. They
/// are unpacked when the first one does.
#[derive(Debug, Clone)]
pub struct Hours<'a> {
    ledger: Counted<'a>,
    hours: Range<i64>,
    unpacked: OnceCell<Unpacked>,
    /// What comes first, with which the walks of all windows begin.
    first: Cell<Option<(Coming, f64)>>,
}

/// Which past comes again, and from when on; a stretch of that.
type Coming = (Repeat, Minute, (Minute, Minute));

/// By hour, and by day from the first hour on.
#[derive(Debug, Clone)]
struct Unpacked {
    bad: Box<[f64]>,
    total: Box<[f64]>,
    days: Box<[Option<Leaving>]>,
}

impl<'a> Hours<'a> {
    /// The hours that `from..to` touches and those of the week before `to`, which traffic repeats.
    #[must_use]
    pub fn of(ledger: Counted<'a>, from: Minute, to: Minute) -> Self {
        let hours = from.min(to - 7 * DAY).hour()..to.hour() + 1;
        Self { ledger, hours, unpacked: OnceCell::new(), first: Cell::new(None) }
    }

    fn unpacked(&self) -> &Unpacked {
        self.unpacked.get_or_init(|| {
            let length = usize::try_from(self.hours.end - self.hours.start).unwrap_or(0);
            let (mut bad, mut total) = (vec![0.0; length], vec![0.0; length]);
            self.ledger.hourly(self.hours.start, &mut bad, &mut total);
            let days = bad.as_chunks().0.iter().zip(total.as_chunks().0);
            let days =
                days.map(|(bad, total)| Some(Leaving { bad: of_day(bad)?, total: of_day(total)? }));
            Unpacked { days: days.collect(), bad: bad.into(), total: total.into() }
        })
    }

    pub(super) const fn ledger(&self) -> Counted<'a> {
        self.ledger
    }

    /// Events expected in a stretch that begins at or after `now`.
    pub(super) fn coming(
        &self,
        repeat: Repeat,
        now: Minute,
        (from, until): (Minute, Minute),
    ) -> f64 {
        let asked = (repeat, now, (from, until));
        if let Some((known, events)) = self.first.get()
            && known == asked
        {
            return events;
        }
        let events = repeat.coming(self.ledger, now, from, until);
        if from == now {
            self.first.set(Some((asked, events)));
        }
        events
    }

    /// The hours from one on, as far as they are here.
    pub(super) fn from(&self, hour: i64) -> Past<'_> {
        let Unpacked { bad, total, days } = self.unpacked();
        let at = usize::try_from(hour - self.hours.start).unwrap_or(usize::MAX).min(total.len());
        let first = at.div_ceil(HOURS);
        let days = days.get(first..).unwrap_or_default();
        Past { bad: &bad[at..], total: &total[at..], days, to_day: first * HOURS - at }
    }
}

/// Hours one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Past<'a> {
    pub(super) bad: &'a [f64],
    pub(super) total: &'a [f64],
    pub(super) days: &'a [Option<Leaving>],
    /// How many hours come before the first of the days.
    pub(super) to_day: usize,
}

/// Hours of a day.
pub(super) const HOURS: usize = 24;

/// The sum of a day's hours, unless one of them is negative. They are whole numbers, so any order gives
/// the same.
fn of_day(hours: &[f64; HOURS]) -> Option<f64> {
    let (mut sums, mut least) = ([0.0; 8], [0.0_f64; 8]);
    for hours in hours.as_chunks::<8>().0 {
        for ((sum, least), hour) in sums.iter_mut().zip(&mut least).zip(hours) {
            (*sum, *least) = (*sum + hour, least.min(*hour));
        }
    }
    least.iter().all(|least| *least >= 0.0).then(|| sums.iter().sum())
}

/// Events that leave a window.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Leaving {
    pub(super) bad: f64,
    pub(super) total: f64,
}
