//! An account whose exclusions change: which hours that touches, and what each window is without them.

use crate::bucket::Sums;
use crate::calendar::Placed;
use crate::exclusion::Excluded;
use crate::ledger::Ledger;
use crate::slo::Window;
use crate::time::Minute;
use crate::timeslice::Judged;

use super::account::{Account, Want};
use super::left_out::LeftOut;

impl Account {
    /// The minutes that are excluded.
    #[must_use]
    pub fn excluded(&self) -> Excluded {
        self.left_out.as_ref().map(|left| left.minutes.clone()).unwrap_or_default()
    }

    /// The hours whose minutes must be loaded before [`Self::exclude`], as far as they are kept.
    #[must_use]
    pub fn exclude_wants(&self, minutes: &Excluded) -> Vec<Want> {
        let differing = minutes.of_slo(&self.slo).differing(&self.excluded());
        let hours = self.touched_hours(&differing, None).into_iter();
        hours.filter(|hour| self.events.lacks(*hour)).map(Want).collect()
    }

    /// Excludes these minutes from now on, and no others: they are left out of every number of the view,
    /// and come back when they are no longer excluded. Of an hour whose minutes [`Self::exclude_wants`]
    /// named and that are not there an even share goes.
    pub fn exclude(&mut self, minutes: &Excluded) {
        self.exclude_by(minutes, None);
    }

    /// The same, for the account of a group beside the one of all events.
    pub fn exclude_in(&mut self, minutes: &Excluded, whole: &Self) {
        self.exclude_by(minutes, Some(&whole.events));
    }

    fn exclude_by(&mut self, minutes: &Excluded, whole: Option<&Ledger>) {
        let minutes = minutes.of_slo(&self.slo);
        let differing = minutes.differing(&self.excluded());
        if differing.is_empty() {
            return;
        }
        let hours = self.touched_hours(&differing, whole);
        let stretches = self.touched(&differing, whole);
        let nothing = || {
            let slices = self.slices.as_deref().map(|(_, slices)| slices);
            LeftOut::beside(&self.events, slices).into()
        };
        let mut left = self.left_out.take().unwrap_or_else(nothing);
        left.minutes = minutes;
        left.change(&differing, &hours, &self.events);
        let events = Judged { events: &self.events, whole };
        if let Some(((slicing, slices), judged)) = self.slices.as_deref().zip(self.judged_to) {
            for (from, to) in stretches {
                left.judge((slicing, slices), events, (from, to.min(judged)), judged);
            }
        }
        self.left_out = Some(left).filter(|left| !left.minutes.is_empty());
    }

    /// Lets go of the minutes of hours that were loaded for [`Self::exclude`].
    pub fn unload(&mut self, hours: &[Want]) {
        let hours: Vec<i64> = hours.iter().map(|want| want.0).collect();
        self.events.unload(&hours);
        if let Some(left) = &mut self.left_out {
            left.events.unload(&hours);
        }
    }

    /// How many minutes of `from..to` are excluded.
    #[must_use]
    pub fn excluded_between(&self, from: Minute, to: Minute) -> i64 {
        self.left_out.as_ref().map_or(0, |left| left.minutes.count(from, to))
    }

    /// Whether anything is left out of a window, or will be before its end.
    pub(super) fn leaves_out(&self, at: usize, placed: &Placed) -> bool {
        self.left_out.as_ref().is_some_and(|left| {
            let sums = left.events.slides().nth(at).map(|slide| slide.sums);
            sums.is_some_and(|sums| sums != Sums::default())
                || left.minutes.count(placed.from, placed.end) > 0
        })
    }

    /// How many slices of a window whose slices end before `to` are excluded whole.
    pub(super) fn excluded_slices(&self, window: Window, placed: &Placed, to: Minute) -> i64 {
        let Some((left, slicing)) = self.left_out.as_ref().zip(self.slicing()) else { return 0 };
        let (from, to) = match window {
            Window::Rolling(_) => (to - placed.length(), to),
            Window::Calendar { .. } => (placed.from, placed.end),
        };
        left.minutes.slices(slicing.size, from, to)
    }

    /// How many slices of a whole window are not excluded; windows are numbered as in the SLO. `None`
    /// where events are counted.
    #[must_use]
    pub fn slices_of(&self, at: usize) -> Option<i64> {
        let (slicing, placed, window) =
            (self.slicing()?, self.placed(at)?, self.slo.windows.get(at)?);
        let excluded = self.excluded_slices(*window, &placed, slicing.start(placed.to));
        Some(placed.length() / slicing.size - excluded)
    }

    /// Where exclusions of these minutes act: on their slices, and on lumps that end after them. A group
    /// has slices wherever its SLO has.
    fn touched(&self, minutes: &Excluded, whole: Option<&Ledger>) -> Vec<(Minute, Minute)> {
        let kept = whole.unwrap_or(&self.events).hours();
        let (first, last) = (Minute(kept.start * 60), Minute(kept.end * 60));
        let reach = self.slo.max_gap.as_minutes() + 1;
        let size = self.slicing().map_or(1, |slicing| slicing.size);
        let start = |minute: Minute| Minute(minute.0.div_euclid(size) * size);
        let stretch = |(from, to): (Minute, Minute)| {
            (start(from).max(first), (start(to - 1 + reach) + size).min(last))
        };
        let stretches = Excluded::new(minutes.runs().map(stretch));
        stretches.runs().collect()
    }

    fn touched_hours(&self, minutes: &Excluded, whole: Option<&Ledger>) -> Vec<i64> {
        let stretches = self.touched(minutes, whole).into_iter();
        let mut hours: Vec<i64> =
            stretches.flat_map(|(from, to)| from.hour()..=(to - 1).hour()).collect();
        hours.dedup();
        hours.retain(|hour| self.events.fold(*hour) != Sums::default());
        hours
    }
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
