//! The account of a group: its own events, in minutes that are measured where those of its SLO are. So a
//! group without events is idle and not unknown, also before its first one.

use std::sync::Arc;

use super::account::{Account, Standing};
use crate::bucket::Sums;
use crate::ledger::Ledger;
use crate::time::Minute;

/// The account of an SLO whose windows were moved, as its groups stand beside it.
#[derive(Debug)]
pub struct Beside<'a> {
    to: Minute,
    standing: Option<Standing>,
    events: &'a Ledger,
    whole: Arc<Whole>,
}

/// What a group takes over from all events of its SLO.
#[derive(Debug)]
pub(super) struct Whole {
    first: Option<Minute>,
    /// By window, of what counts and of all.
    pub(super) counted: Vec<Minutes>,
    pub(super) all: Vec<Minutes>,
}

/// How many minutes of a window are measured, and partial.
#[derive(Debug, Clone, Copy)]
pub(super) struct Minutes {
    measured: i64,
    partial: i64,
}

impl Minutes {
    const fn of(sums: &Sums) -> Self {
        Self { measured: sums.measured, partial: sums.partial }
    }

    pub(super) const fn take_over(self, sums: Sums) -> Sums {
        Sums { measured: self.measured, partial: self.partial, ..sums }
    }
}

impl Account {
    /// The first minute of which anything is known; for a group the one of its SLO.
    #[must_use]
    pub fn first(&self) -> Option<Minute> {
        self.whole.as_ref().map_or(self.events.first(), |whole| whole.first)
    }

    /// What its groups need of an SLO to be moved to the minute `to`, where its own windows end.
    #[must_use]
    pub fn beside(&self, to: Minute) -> Beside<'_> {
        let (all, counted) = (self.events.slides(), self.counted_events());
        let whole = Whole {
            first: self.first(),
            counted: (0..all.len()).map(|at| Minutes::of(&counted.slide(at).sums)).collect(),
            all: all.map(|slide| Minutes::of(&slide.sums)).collect(),
        };
        let (standing, events) = (self.standing.clone(), &self.events);
        Beside { to, standing, events, whole: Arc::new(whole) }
    }

    /// Moves every window of a group to where those of its SLO stand.
    pub fn advance_in(&mut self, beside: &Beside<'_>) {
        self.standing.clone_from(&beside.standing);
        self.advance_by(beside.to, Some(beside.events));
        self.whole = Some(beside.whole.clone());
    }

    /// Judges slices of a group as [`Self::judge_filled`] does those of its SLO.
    pub fn judge_filled_in(&mut self, whole: &Self) {
        self.judge_filled_by(Some(&whole.events));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::bucket::Bucket;
    use crate::budget::Facts;
    use crate::exclusion::Excluded;
    use crate::slo::Slo;
    use crate::view::BudgetView;

    const DAY: i64 = 1_440;

    fn slo(budgeting: &str) -> Arc<Slo> {
        let text = format!(
            "apiVersion: headroom/v1\nkind: Service\nservice: a\ntier: 1\nenvironment: p\nslos:\n  - name: x\n    objective: 90%\n    window: [1d, 6h]\n    budgeting: {budgeting}\n    indicator: {{ratio: {{total: t, bad: '{{c=\"5\"}}'}}}}\n"
        );
        let set = crate::spec::load(&[("a.yaml".to_owned(), text.into())]).unwrap();
        set.services[0].slos[0].clone()
    }

    fn look(account: &Account, to: Minute) -> BudgetView {
        let now = to.start();
        account.view(Facts { now, data_until: Some(now), newest: Some(to - 1), ..Facts::default() })
    }

    /// A minute: whether it is measured, events of the group, the bad ones of them, events of others.
    type Played = (bool, i64, i64, i64);

    fn played() -> impl Strategy<Value = Vec<Played>> {
        let minute = (prop::bool::weighted(0.9), 0..4_i64, 0..4_i64, 0..9_i64);
        prop::collection::vec(minute.prop_map(|(m, e, b, o)| (m, e, b.min(e), o)), 30..400)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// A group's view is that of an SLO of its own, whose events are the group's and whose minutes
        /// are measured where the whole's are.
        #[test]
        fn a_group_is_as_an_slo_of_its_own(
            minutes in played(), which in 0..3_usize, cut in 0..400_i64, excluded in 0..300_i64,
            lives in (0..400_usize, 0..400_usize),
        ) {
            let budgeting = ["occurrences", "{timeslices: {size: 5m, goodWhen: 80%}}", "{ratioTimeslices: {size: 7m}}"][which];
            let slo = slo(budgeting);
            let new = || Account::new(slo.clone(), &[]);
            let (mut whole, mut group, mut own) = (new(), new(), new());
            let out = Excluded::new([(Minute(excluded), Minute(excluded + 20))]);
            for (at, (measured, events, bad, others)) in minutes.iter().enumerate() {
                let minute = Minute(at as i64);
                let is_alive = lives.0 <= at && at < lives.0 + lives.1;
                let (events, bad) = if is_alive { (*events, *bad) } else { (0, 0) };
                let bucket = |total: i64, measured| Bucket { good: total - bad, total, measured, ..Bucket::default() };
                whole.replace(minute, &bucket(events + others, *measured));
                group.replace(minute, &bucket(events, false));
                own.replace(minute, &bucket(events, *measured));
                let first = whole.events().first();
                if let Some(first) = first {
                    own.events_mut().set_first(first);
                }
                if at as i64 == cut {
                    whole.advance(minute + 1);
                    group.advance_in(&whole.beside(minute + 1));
                    own.advance(minute + 1);
                    group.exclude_in(&out, &whole);
                    whole.exclude(&out);
                    own.exclude(&out);
                }
            }
            let to = Minute(minutes.len() as i64);
            whole.advance(to);
            group.advance_in(&whole.beside(to));
            own.advance(to);
            prop_assert_eq!(look(&group, to), look(&own, to));
        }
    }

    #[test]
    fn a_group_that_is_new_is_idle_before_and_as_mature_as_its_slo() {
        let slo = slo("{timeslices: {size: 5m, goodWhen: 80%}}");
        let (mut whole, mut group) = (Account::new(slo.clone(), &[]), Account::new(slo, &[]));
        let bucket = Bucket { good: 5, total: 5, measured: true, ..Bucket::default() };
        (0..DAY).for_each(|minute| whole.replace(Minute(minute), &bucket));
        whole.advance(Minute(DAY - 1));
        group.replace(Minute(DAY - 1), &Bucket { total: 3, ..Bucket::default() });
        whole.advance(Minute(DAY));
        group.advance_in(&whole.beside(Minute(DAY)));
        let view = look(&group, Minute(DAY));
        let window = &view.windows[0];
        assert_eq!((window.maturity, window.coverage), (1.0, Some(1.0)));
        assert_eq!((window.bad, window.total), (Some(1.0), Some(288.0)));
    }
}
