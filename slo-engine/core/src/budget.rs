//! From sums to a budget: SLI, allowed, spent, remaining, interval; then conditions and state.
//!
//! allowed = b * total, spent = bad / allowed, remaining = 1 - spent, with b = 1 - target. Decisions
//! compare products of whole numbers; a division is only made for a reader.

use crate::bucket::Sums;
use crate::slo::{BILLION, Budgeting, Objective};
use crate::timeslice::Slicing;
use crate::view::{Bounds, BudgetingName, Unit};

mod account;
mod exclude;
mod group;
mod left_out;
mod windows;

pub use account::{Account, Facts, Want, Windows, end_of};
pub(crate) use account::{conditions, since};
pub use group::Beside;

/// z of a 95 % interval.
const Z: f64 = 1.959_963_984_540_054;

/// The numbers of one window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Numbers {
    /// Good events or slices.
    pub good: f64,
    /// Bad events or slices.
    pub bad: f64,
    /// All events or measured slices.
    pub total: f64,
    /// good / total; `None` without events.
    pub sli: Option<f64>,
    /// What the objective allows to be bad.
    pub allowed: f64,
    /// bad / allowed; 0 without events.
    pub spent: f64,
    /// 1 - spent.
    pub remaining: f64,
    /// Wilson 95 % interval of the SLI; `None` without events.
    pub interval: Option<[f64; 2]>,
}

/// The numbers of a window of events.
#[must_use]
pub fn occurrences(sums: &Sums, objective: Objective) -> Numbers {
    let allowed = i128::from(objective.budget_ppb()) * i128::from(sums.total);
    let (spent, remaining) = shares(i128::from(sums.bad()) * i128::from(BILLION), allowed);
    let (good, total) = (sums.good as f64, sums.total as f64);
    Numbers {
        good,
        bad: sums.bad() as f64,
        total,
        sli: (sums.total > 0).then(|| good / total),
        allowed: allowed as f64 / 1e9,
        spent,
        remaining,
        interval: wilson(good, total),
    }
}

/// The numbers of a window of slices: allowed = b * slices in the minutes of the whole window that are
/// not excluded, so that a young window does not exaggerate; for the mean of ratios b * slices with
/// traffic.
#[must_use]
pub fn slices(sums: &Sums, slicing: &Slicing, minutes: i64, objective: Objective) -> Numbers {
    let whole = slicing.whole();
    let count = match slicing.good_when {
        Some(_) => i128::from(minutes / slicing.size),
        None => i128::from(sums.total / whole),
    };
    let allowed = i128::from(objective.budget_ppb()) * count;
    let bad = i128::from(sums.bad()) * i128::from(BILLION) / i128::from(whole);
    let (spent, remaining) = shares(bad, allowed);
    let (good, total) = (sums.good as f64 / whole as f64, sums.total as f64 / whole as f64);
    Numbers {
        good,
        bad: sums.bad() as f64 / whole as f64,
        total,
        sli: (sums.total > 0).then(|| sums.good as f64 / sums.total as f64),
        allowed: allowed as f64 / 1e9,
        spent,
        remaining,
        interval: if slicing.good_when.is_some() { wilson(good, total) } else { None },
    }
}

/// spent and remaining from products; the sign of `remaining` is exact.
fn shares(bad: i128, allowed: i128) -> (f64, f64) {
    match allowed {
        0 if bad > 0 => (f64::INFINITY, f64::NEG_INFINITY),
        0 => (0.0, 1.0),
        _ => (bad as f64 / allowed as f64, (allowed - bad) as f64 / allowed as f64),
    }
}

/// The Wilson score interval at 95 %; `None` without events or when good is no part of total.
#[must_use]
pub fn wilson(good: f64, total: f64) -> Option<[f64; 2]> {
    if total <= 0.0 || !(0.0..=total).contains(&good) {
        return None;
    }
    let (share, z2) = (good / total, Z * Z);
    let middle = share + z2 / (2.0 * total);
    let spread = Z * (share * (1.0 - share) / total + z2 / (4.0 * total * total)).sqrt();
    let scale = 1.0 + z2 / total;
    Some([((middle - spread) / scale).max(0.0), ((middle + spread) / scale).min(1.0)])
}

/// The least and the most that can be spent when `slack` events lie between two histogram buckets.
#[must_use]
pub fn bounds(sums: &Sums, objective: Objective) -> Option<Bounds> {
    let low = Sums { good: sums.good + sums.slack, ..*sums };
    (sums.slack != 0).then(|| Bounds {
        spent_low: occurrences(&low, objective).spent,
        spent_high: occurrences(sums, objective).spent,
    })
}

/// The names of a budgeting method.
#[must_use]
pub const fn names(budgeting: Budgeting) -> (BudgetingName, Unit) {
    match budgeting {
        Budgeting::Occurrences => (BudgetingName::Occurrences, Unit::Events),
        Budgeting::Timeslices { .. } => (BudgetingName::Timeslices, Unit::Slices),
        Budgeting::RatioTimeslices { .. } => (BudgetingName::RatioTimeslices, Unit::Slices),
    }
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::slo::Unmeasured;

    fn sums(bad: i64, total: i64) -> Sums {
        Sums { good: total - bad, total, ..Sums::default() }
    }

    fn three_nines() -> Objective {
        Objective::from_ppb(999_000_000).unwrap()
    }

    #[test]
    fn a_minute_of_full_outage_spends_2_31_percent_of_a_99_9_30d_budget_and_43_2_minutes_all_of_it()
    {
        let minute = occurrences(&sums(1_000, 43_200_000), three_nines());
        assert!((minute.spent - 0.0231).abs() < 0.0001, "{}", minute.spent);
        let all = occurrences(&sums(43_200, 43_200_000), three_nines());
        assert_eq!(
            (all.spent.to_bits(), all.remaining.to_bits()),
            (1f64.to_bits(), 0f64.to_bits())
        );
    }

    #[test]
    fn without_events_the_sli_is_null_and_nothing_is_spent() {
        let idle = occurrences(&sums(0, 0), three_nines());
        assert_eq!((idle.sli, idle.interval), (None, None));
        assert!(idle.spent.abs() < 1e-12 && (idle.remaining - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_young_window_of_slices_is_measured_against_the_slices_of_the_full_window() {
        let slicing = Slicing { size: 5, good_when: Some(1), unmeasured: Unmeasured::Ignore };
        let young = slices(&sums(1, 12), &slicing, 30 * 1_440, three_nines());
        assert!((young.allowed - 8.64).abs() < 1e-12);
        assert!((young.spent - 1.0 / 8.64).abs() < 1e-12);
        assert!((young.sli.unwrap() - 11.0 / 12.0).abs() < 1e-12);
    }

    #[test]
    fn the_mean_of_slice_ratios_weighs_slices_equally() {
        let slicing = Slicing { size: 5, good_when: None, unmeasured: Unmeasured::Ignore };
        let two = Sums { good: BILLION + BILLION / 2, total: 2 * BILLION, ..Sums::default() };
        let mean = slices(&two, &slicing, 30 * 1_440, three_nines());
        assert!((mean.sli.unwrap() - 0.75).abs() < 1e-12);
        assert!((mean.spent - 250.0).abs() < 1e-9 && mean.interval.is_none());
    }

    #[test]
    fn a_threshold_between_two_buckets_shows_both_bounds() {
        let between = Sums { slack: 3, ..sums(5, 10_000) };
        let bounds = bounds(&between, three_nines()).unwrap();
        assert!((bounds.spent_low - 0.2).abs() < 1e-12 && (bounds.spent_high - 0.5).abs() < 1e-12);
    }

    #[test]
    fn the_wilson_interval_of_9_in_10_is_the_textbooks() {
        let [low, high] = wilson(9.0, 10.0).unwrap();
        assert!((low - 0.5958).abs() < 1e-4 && (high - 0.9821).abs() < 1e-4, "{low} {high}");
    }

    proptest! {
        #[test]
        fn spent_and_remaining_add_up_and_more_bad_never_raises_the_budget(
            bad in 0..1_000_000_i64, more in 0..1_000_i64, good in 0..1_i64 << 40, ppb in 1..BILLION
        ) {
            let objective = Objective::from_ppb(ppb).unwrap();
            let less = occurrences(&sums(bad, bad + good), objective);
            let worse = occurrences(&sums(bad + more, bad + good + more), objective);
            let scale = less.spent.abs().max(1.0);
            prop_assert!((less.spent + less.remaining - 1.0).abs() / scale < 1e-9);
            prop_assert!(worse.remaining <= less.remaining);
            let exact = i128::from(bad) * i128::from(BILLION) >= i128::from(bad + good) * i128::from(BILLION - ppb);
            prop_assert_eq!(less.remaining <= 0.0, exact && bad + good > 0);
        }
    }
}
