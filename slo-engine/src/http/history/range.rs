//! From what was asked to whole minutes and a number of points that a chart can show.

use chrono::{DateTime, Utc};
use slo_core::time::{Minute, Span};
use slo_core::timeslice::Slicing;
use slo_core::view::BudgetView;

use super::Stretch;
use crate::http::problem::Problem;

/// The most points of an answer.
const MOST: i64 = 2_000;
/// The longest stretch: as long as anything is kept.
const LONGEST: i64 = 800 * 1_440;
/// Steps that charts are read in, in minutes; the last one fits the longest stretch.
const USUAL: [i64; 12] = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1_440];

/// Minutes `from..to` in steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) from: Minute,
    pub(super) to: Minute,
    /// In minutes.
    pub(super) step: i64,
}

impl Range {
    /// # Errors
    /// Which key cannot be read or does not fit the others.
    pub(super) fn read(
        asked: &Stretch,
        view: &BudgetView,
        slicing: Option<&Slicing>,
        now: DateTime<Utc>,
    ) -> Result<Self, Problem> {
        let (from, to) = stretch((asked.from.as_deref(), asked.to.as_deref()), view, now)?;
        let step = match &asked.step {
            Some(text) => step(text, to - from)?,
            None => usual(to - from, slicing),
        };
        Ok(Self { from, to, step })
    }

    /// The length of a point.
    pub(super) const fn step(&self) -> Span {
        Span::minutes(self.step)
    }

    /// How many points there are.
    pub(super) fn points(&self) -> usize {
        usize::try_from(steps(self.to - self.from, self.step)).unwrap_or(0)
    }

    /// The point that a minute belongs to.
    pub(super) fn place(&self, minute: Minute) -> Option<usize> {
        let is_inside = self.from <= minute && minute < self.to;
        is_inside.then(|| usize::try_from((minute - self.from) / self.step).ok()).flatten()
    }

    /// Where a point begins.
    pub(super) fn start(&self, point: usize) -> Minute {
        self.from + i64::try_from(point).unwrap_or(i64::MAX) * self.step
    }

    /// Where it ends.
    pub(super) fn end(&self, point: usize) -> Minute {
        (self.start(point) + self.step).min(self.to)
    }
}

/// The minutes from one instant to another: up to now, and as long as the first window, when nothing
/// else is said.
///
/// # Errors
/// Which of them cannot be read or does not fit the other.
pub(in crate::http) fn stretch(
    (from, to): (Option<&str>, Option<&str>),
    view: &BudgetView,
    now: DateTime<Utc>,
) -> Result<(Minute, Minute), Problem> {
    let end = Minute::of(now) + 1;
    let to = instant("to", to)?.map_or(end, |to| to.min(end));
    let window = view.windows.first().map_or(1_440, |w| (w.to - w.from).num_minutes());
    let from = instant("from", from)?.unwrap_or(to - window.min(LONGEST));
    if from >= to {
        return Err(Problem::bad("from", "it must lie before `to`, and in the past"));
    }
    if to - from > LONGEST {
        return Err(Problem::bad("from", "it must lie within 800 days of `to`"));
    }
    Ok((from, to))
}

/// The minute that holds an instant.
fn instant(key: &str, text: Option<&str>) -> Result<Option<Minute>, Problem> {
    let read = |text: &str| match DateTime::parse_from_rfc3339(text) {
        Ok(at) => Ok(Minute::of(at.to_utc())),
        Err(_) => {
            let said = format!("`{text}` is no instant; write it like 2026-11-21T10:00:00Z");
            Err(Problem::bad(key, said))
        }
    };
    text.map(read).transpose()
}

const fn steps(length: i64, step: i64) -> i64 {
    (length + step - 1) / step
}

fn step(text: &str, length: i64) -> Result<i64, Problem> {
    let span = Span::parse(text).map_err(|said| Problem::bad("step", said))?;
    let minutes = span.as_minutes();
    if minutes < 1 || span != Span::minutes(minutes) {
        return Err(Problem::bad("step", format!("`{text}` is not one or more whole minutes")));
    }
    if steps(length, minutes) > MOST {
        let least = Span::minutes(steps(length, MOST));
        let said = format!("`{text}` would give more than 2,000 points; take {least} or more");
        return Err(Problem::bad("step", said));
    }
    Ok(minutes)
}

/// The shortest usual step that gives few enough points, and is no shorter than a slice.
fn usual(length: i64, slicing: Option<&Slicing>) -> i64 {
    let least = slicing.map_or(1, |slicing| slicing.size);
    let fits = |step: &i64| steps(length, *step) <= MOST && *step >= least;
    USUAL.into_iter().find(fits).unwrap_or_else(|| least.max(steps(length, MOST)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_step_gives_at_most_2000_points_over_any_stretch() {
        for length in [1, 60, 1_999, 2_000, 2_001, 7 * 1_440, 30 * 1_440, 90 * 1_440, LONGEST] {
            let step = usual(length, None);
            assert!(steps(length, step) <= MOST, "{length} minutes in steps of {step}");
        }
        assert_eq!((usual(2_000, None), usual(2_001, None)), (1, 2));
        assert_eq!(usual(30 * 1_440, None), 30);
    }

    #[test]
    fn minutes_belong_to_the_step_they_lie_in_and_none_outside() {
        let range = Range { from: Minute(7), to: Minute(18), step: 5 };
        assert_eq!(range.points(), 3);
        let places: Vec<_> = (6..19).map(|m| range.place(Minute(m))).collect();
        assert_eq!((places[0], places[12]), (None, None));
        assert_eq!(
            places[1..12].iter().flatten().collect::<Vec<_>>(),
            [&0, &0, &0, &0, &0, &1, &1, &1, &1, &1, &2]
        );
        assert_eq!(range.start(2), Minute(17));
    }
}
