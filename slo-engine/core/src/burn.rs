//! Burn rates and the multi-window, multi-burn-rate alerts, worked out for any window.
//!
//! Source of the table and of the formula: Google, The Site Reliability Workbook, chapter 5. A pair
//! that fires has spent the share p of the budget over its long window, so its factor is
//! p * W / long. For 30 days and p = 2, 5, 10, 10 % that gives 14.4, 6, 3 and 1.

use crate::slo::{AlertPair, BILLION, Objective};
use crate::time::Span;

/// What an alert pair demands for one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Factor {
    /// p * W / long as a reduced fraction.
    numerator: i64,
    denominator: i64,
}

impl Factor {
    /// The factor of a pair for a window of so many minutes.
    #[must_use]
    pub fn of(pair: &AlertPair, window_minutes: i64) -> Self {
        let numerator = pair.budget_ppb.saturating_mul(window_minutes);
        let denominator = BILLION.saturating_mul(pair.long.as_minutes().max(1));
        let common = common_divisor(numerator, denominator);
        Self { numerator: numerator / common, denominator: denominator / common }
    }

    /// The burn rate above which the pair fires.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }

    /// Whether it would fire at a sustainable rate; such a pair is dropped.
    #[must_use]
    pub const fn is_dropped(&self) -> bool {
        self.numerator < self.denominator
    }

    /// Whether it can fire at all: factor * (1 - target) must be below 1, because not even failing
    /// every event burns faster than 1 / (1 - target).
    #[must_use]
    pub fn can_fire(&self, objective: Objective) -> bool {
        let burns = i128::from(self.numerator) * i128::from(objective.budget_ppb());
        burns < i128::from(self.denominator) * i128::from(BILLION)
    }

    /// Whether (bad/total)/(1 - target) is above the factor, on products where they fit.
    fn is_exceeded(&self, window: &BurnWindow, objective: Objective) -> bool {
        let burnt = i128::from(window.bad) * i128::from(BILLION);
        let allowed = i128::from(window.total) * i128::from(objective.budget_ppb());
        let (numerator, denominator) = (self.numerator.into(), self.denominator.into());
        match (burnt.checked_mul(denominator), allowed.checked_mul(numerator)) {
            (Some(burnt), Some(limit)) => burnt > limit,
            _ => burnt as f64 / allowed as f64 > self.rate(),
        }
    }
}

const fn common_divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

/// What is known of a burn window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BurnWindow {
    /// Its length in minutes.
    pub minutes: i64,
    /// How many of them are excluded.
    pub excluded: i64,
    /// How many are measured.
    pub measured: i64,
    /// Bad in it, of what the budget is counted in.
    pub bad: i64,
    /// All in it, of what the budget is counted in.
    pub total: i64,
    /// Bad events in it, also where slices are counted. A raw ratio has no events, and always enough.
    pub bad_events: i64,
    /// Whether the SLO's first data lies inside it.
    pub young: bool,
    /// The longest gap, in minutes, over which a lump of its events came.
    pub longest_gap: i64,
}

impl BurnWindow {
    /// Whether enough is known for a rate: half of the minutes that count are measured (or the SLO is
    /// younger than the window), and no lump came over a gap longer than the window.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        let enough = self.young || self.measured * 2 >= self.minutes - self.excluded;
        self.measured > 0 && enough && self.longest_gap <= self.minutes
    }

    /// (bad/total)/(1 - target); 0 without events; null when too little is known.
    #[must_use]
    pub fn rate(&self, objective: Objective) -> Option<f64> {
        self.is_known().then(|| match self.total {
            0 => 0.0,
            total => {
                let burnt = i128::from(self.bad) * i128::from(BILLION);
                burnt as f64 / (i128::from(total) * i128::from(objective.budget_ppb())) as f64
            }
        })
    }
}

/// Whether a pair fires: both windows exceed the factor, and its guards hold. `total` is the events
/// of the whole window of the SLO.
#[must_use]
pub fn fires(
    pair: &AlertPair,
    factor: &Factor,
    long: &BurnWindow,
    short: &BurnWindow,
    objective: Objective,
    total: i64,
) -> bool {
    let exceeded = |w: &BurnWindow| w.is_known() && factor.is_exceeded(w, objective);
    let enough = pair.min_budget_ppb.is_none_or(|share| {
        let floor = share as f64 / 1e9 * objective.budget() * total as f64;
        long.bad as f64 >= floor
    });
    !factor.is_dropped()
        && exceeded(long)
        && exceeded(short)
        && long.bad_events >= pair.min_bad
        && enough
}

/// The burn windows of alert pairs, shortest first, each once.
#[must_use]
pub fn windows<'a>(pairs: impl IntoIterator<Item = &'a AlertPair>) -> Vec<Span> {
    let mut all: Vec<Span> = pairs.into_iter().flat_map(|p| [p.long, p.short]).collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slo::default_alerts;

    const THREE_NINES: i64 = 999_000_000;
    const MONTH: i64 = 30 * 1_440;

    fn objective(ppb: i64) -> Objective {
        Objective::from_ppb(ppb).unwrap()
    }

    fn window(minutes: i64, bad: i64, total: i64) -> BurnWindow {
        let (measured, bad_events) = (minutes, bad);
        BurnWindow { minutes, measured, bad, total, bad_events, ..BurnWindow::default() }
    }

    fn rates(window: i64) -> Vec<f64> {
        default_alerts().iter().map(|p| Factor::of(p, window).rate()).collect()
    }

    #[test]
    fn thirty_days_give_14_4_and_6_and_3_and_1() {
        assert_eq!(rates(MONTH), [14.4, 6.0, 3.0, 1.0]);
    }

    #[test]
    fn seven_days_drop_the_pairs_that_would_fire_at_a_sustainable_burn() {
        let dropped: Vec<bool> =
            default_alerts().iter().map(|p| Factor::of(p, 7 * 1_440).is_dropped()).collect();
        assert_eq!(dropped, [false, false, true, true]);
    }

    #[test]
    fn a_factor_that_no_outage_can_reach_is_known_as_unreachable() {
        let fast = Factor::of(&default_alerts()[0], MONTH);
        assert!(fast.can_fire(objective(THREE_NINES)));
        assert!(!fast.can_fire(objective(930_000_000)));
        assert!(fast.can_fire(objective(931_000_000)), "14.4 * 0.069 = 0.9936");
    }

    #[test]
    fn a_pair_fires_only_strictly_above_its_factor_in_both_windows_and_with_enough_bad_events() {
        let pair = &default_alerts()[0];
        let factor = Factor::of(pair, MONTH);
        let fires = |long: BurnWindow, short: BurnWindow| {
            fires(pair, &factor, &long, &short, objective(THREE_NINES), 1_000_000)
        };
        assert!(!fires(window(60, 144, 10_000), window(5, 100, 1_000)), "exactly 14.4");
        assert!(fires(window(60, 145, 10_000), window(5, 100, 1_000)));
        assert!(!fires(window(60, 145, 10_000), window(5, 0, 1_000)));
        assert!(!fires(window(60, 9, 60), window(5, 9, 60)), "9 bad events are too few");
    }

    #[test]
    fn a_rate_needs_half_of_its_minutes_measured_unless_the_slo_is_younger() {
        let mut burn = window(60, 1, 100);
        burn.measured = 29;
        assert_eq!(burn.rate(objective(THREE_NINES)), None);
        burn.young = true;
        assert_eq!(burn.rate(objective(THREE_NINES)), Some(10.0));
        burn.longest_gap = 61;
        assert_eq!(burn.rate(objective(THREE_NINES)), None);
        assert_eq!(window(60, 0, 0).rate(objective(THREE_NINES)), Some(0.0));
    }

    #[test]
    fn excluded_minutes_need_not_be_measured_and_a_window_of_nothing_else_has_no_rate() {
        let mut burn = window(60, 1, 100);
        (burn.excluded, burn.measured) = (40, 10);
        assert_eq!(burn.rate(objective(THREE_NINES)), Some(10.0));
        burn.measured = 9;
        assert_eq!(burn.rate(objective(THREE_NINES)), None);
        burn = BurnWindow { minutes: 60, excluded: 60, ..BurnWindow::default() };
        assert_eq!(burn.rate(objective(THREE_NINES)), None);
    }
}
