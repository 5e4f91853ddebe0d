//! What remains of a window's budget, compared exactly: on counts, not on rounded shares.

use slo_core::slo::BILLION;
use slo_core::view::{BudgetView, BudgetingName, WindowView};

use crate::policy::scalar::Share;

/// What remains of one window's budget, as the gate goes by it.
#[derive(Clone, Copy)]
pub(super) struct Remaining {
    share: f64,
    counts: Option<Counts>,
}

#[derive(Clone, Copy)]
struct Counts {
    bad: i128,
    total: i128,
    /// 1 - objective in parts per billion.
    budget: i128,
}

impl Remaining {
    /// `None` when it is not known. Measured minutes without an event have spent nothing: all remains,
    /// although no share can be computed.
    pub(super) fn of(view: &BudgetView, window: &WindowView) -> Option<Self> {
        match window.deciding_remaining().filter(|share| !share.is_nan()) {
            Some(share) => Some(Self { share, counts: Counts::of(view, window) }),
            None if is_idle(window) => Some(Self { share: 1.0, counts: None }),
            None => None,
        }
    }

    /// As a share of the budget; negative when more than all is spent.
    pub(super) const fn share(self) -> f64 {
        self.share
    }

    /// Whether nothing remains: bad ≥ b·total.
    pub(super) fn is_spent(self) -> bool {
        match self.counts_near(0.0) {
            Some(c) => c.bad * i128::from(BILLION) >= c.budget * c.total,
            None => parts(self.share) <= 0,
        }
    }

    /// Whether strictly less remains: bad > (1 - threshold)·b·total.
    pub(super) fn is_below(self, threshold: Share) -> bool {
        let may_be_spent = i128::from(BILLION - threshold.ppb());
        let scale = i128::from(BILLION) * i128::from(BILLION);
        match self.counts_near(threshold.share()) {
            Some(c) => c.bad * scale > may_be_spent * c.budget * c.total,
            None => parts(self.share) < threshold.ppb(),
        }
    }

    /// The counts, where the share is too close to a limit for floating point to tell.
    fn counts_near(self, limit: f64) -> Option<Counts> {
        self.counts.filter(|_| (self.share - limit).abs() < 1e-6)
    }
}

impl Counts {
    /// Events stand for the budget only where they are what is counted and nothing is forecast.
    fn of(view: &BudgetView, window: &WindowView) -> Option<Self> {
        let is_plain = window.budgeting == BudgetingName::Occurrences && window.estimate.is_none();
        let (bad, total) = (whole(window.bad?)?, whole(window.total?)?);
        let budget = ((1.0 - view.objective) * BILLION as f64).round() as i128;
        (is_plain && total > 0).then_some(Self { bad, total, budget })
    }
}

fn whole(count: f64) -> Option<i128> {
    let is_exact = (0.0..=9_007_199_254_740_992.0).contains(&count) && count.fract().abs() < 1e-9;
    is_exact.then_some(count.round() as i128)
}

fn parts(share: f64) -> i64 {
    (share * BILLION as f64).round() as i64
}

fn is_idle(window: &WindowView) -> bool {
    window.total.is_some_and(|total| total <= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn remaining(bad: f64, total: f64) -> Remaining {
        let view = sample::view("availability", bad, total);
        Remaining::of(&view, &view.windows[0]).unwrap()
    }

    #[test]
    fn one_thousand_bad_of_a_million_at_99_9_percent_is_spent_and_999_is_not() {
        assert!(remaining(1_000.0, 1e6).is_spent());
        assert!(!remaining(999.0, 1e6).is_spent());
        assert!(!remaining(999_999_999.0, 1e12).is_spent());
    }

    #[test]
    fn a_threshold_that_is_met_exactly_is_not_crossed() {
        for percent in 1..100 {
            let threshold = Share::parse(&format!("{percent}%")).unwrap();
            let bad = f64::from(1_000 - 10 * percent);
            assert!(!remaining(bad, 1e6).is_below(threshold), "{percent}");
            assert!(remaining(bad + 1.0, 1e6).is_below(threshold), "{percent}");
        }
    }

    #[test]
    fn measured_minutes_without_traffic_have_spent_nothing() {
        let mut view = sample::view("availability", 0.0, 0.0);
        view.windows[0].remaining = None;
        let remaining = Remaining::of(&view, &view.windows[0]).unwrap();
        assert!(!remaining.is_spent() && !remaining.is_below(Share::parse("100%").unwrap()));
        view.windows[0].total = None;
        assert!(Remaining::of(&view, &view.windows[0]).is_none());
    }
}
