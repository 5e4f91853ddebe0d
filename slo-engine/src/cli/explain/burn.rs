//! Burn rates and alerts as sums that one can redo by hand.

use budget_gate::words::{number, with_decimals};
use serde::Serialize;
use slo_core::burn::{BurnWindow, Factor};
use slo_core::calendar;
use slo_core::slo::{AlertPair, Severity, Slo};
use slo_core::time::{Minute, Span};
use slo_core::timeslice::Slicing;
use slo_core::view::{AlertState, BudgetView, BurnView, whole};

use super::arithmetic::percent;
use crate::evaluate::oneshot::One;

/// One burn rate.
#[derive(Debug, Serialize)]
pub(super) struct Burn {
    pub(super) window: String,
    /// In what the budget is counted in; null for a composite.
    #[serde(serialize_with = "whole::optional")]
    pub(super) bad: Option<f64>,
    #[serde(serialize_with = "whole::optional")]
    pub(super) total: Option<f64>,
    pub(super) rate: Option<f64>,
    /// The numbers, or why there is no rate.
    pub(super) shown: String,
}

/// One alert.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Alert {
    pub(super) name: String,
    pub(super) severity: &'static str,
    pub(super) long: String,
    pub(super) short: String,
    pub(super) factor: f64,
    /// `2 % x 30d / 1h`
    pub(super) factor_is: String,
    pub(super) long_rate: Option<f64>,
    pub(super) short_rate: Option<f64>,
    pub(super) state: AlertState,
    pub(super) why: String,
}

pub(super) fn burns(slo: &Slo, one: &One, view: &BudgetView) -> Vec<Burn> {
    let burn = |b: &BurnView| {
        if !one.members.is_empty() {
            return Some(of_members(b));
        }
        let window = one.account.burn_over(b.window)?;
        let counts = counts(slo, &window);
        Some(Burn {
            window: b.window.to_string(),
            bad: Some(counts[0]),
            total: Some(counts[1]),
            rate: b.rate,
            shown: shown(slo, &window, counts, b.rate),
        })
    };
    view.burn.iter().filter_map(burn).collect()
}

/// Bad and all events of a burn window, or slices where these are counted.
fn counts(slo: &Slo, window: &BurnWindow) -> [f64; 2] {
    let slicing = Slicing::of(slo.budgeting, slo.unmeasured);
    let whole = slicing.map_or(1, |slicing| slicing.whole()) as f64;
    [window.bad, window.total].map(|count| count as f64 / whole)
}

/// A composite has no events itself.
fn of_members(burn: &BurnView) -> Burn {
    let shown = burn.rate.map_or_else(
        || "unknown, as that of a member is".to_owned(),
        |rate| format!("mean of the members' rates, by their weights = {}", number(rate)),
    );
    Burn { window: burn.window.to_string(), bad: None, total: None, rate: burn.rate, shown }
}

fn shown(slo: &Slo, window: &BurnWindow, counts: [f64; 2], rate: Option<f64>) -> String {
    let [bad, total] = counts.map(|count| with_decimals(count, 3));
    match rate {
        None if window.longest_gap > window.minutes => format!(
            "unknown: its events came at once over a gap of {}",
            Span::minutes(window.longest_gap)
        ),
        None if window.is_known() => "unknown: the counts cannot be trusted".to_owned(),
        None => format!(
            "unknown: {} of {} minutes are measured, and half of them are needed",
            window.measured,
            window.minutes - window.excluded
        ),
        Some(_) if window.total == 0 => "no events = 0".to_owned(),
        Some(rate) => {
            let budget = percent(slo.objective.budget(), 7);
            format!("({bad} / {total}) / {budget} = {}", number(rate))
        }
    }
}

pub(super) fn alerts(slo: &Slo, one: &One, view: &BudgetView) -> Vec<Alert> {
    let Some((window, first)) = slo.windows.first().zip(view.windows.first()) else {
        return Vec::new();
    };
    let length = calendar::place(*window, Minute::of(first.to)).length();
    let alert = |pair: &AlertPair| {
        let factor = Factor::of(pair, length);
        let state = view.alerts.iter().find(|a| a.name == pair.name)?.state;
        let over = |span| one.account.burn_over(span);
        let judged = Judged { slo, pair, factor, long: over(pair.long)?, short: over(pair.short)? };
        Some(judged.alert(state, length))
    };
    slo.alerts.iter().filter_map(alert).collect()
}

struct Judged<'a> {
    slo: &'a Slo,
    pair: &'a AlertPair,
    factor: Factor,
    long: BurnWindow,
    short: BurnWindow,
}

impl Judged<'_> {
    fn alert(&self, state: AlertState, length: i64) -> Alert {
        let pair = self.pair;
        let (share, whole) = (percent(pair.budget_ppb as f64 / 1e9, 4), Span::minutes(length));
        Alert {
            name: pair.name.to_string(),
            severity: match pair.severity {
                Severity::Page => "page",
                Severity::Ticket => "ticket",
            },
            long: pair.long.to_string(),
            short: pair.short.to_string(),
            factor: self.factor.rate(),
            factor_is: format!("{share} x {whole} / {}", pair.long),
            long_rate: self.long.rate(self.slo.objective),
            short_rate: self.short.rate(self.slo.objective),
            state,
            why: self.why(state),
        }
    }

    fn why(&self, state: AlertState) -> String {
        let limit = number(self.factor.rate());
        match state {
            AlertState::Dropped => format!(
                "dropped: with a factor of {limit}, below 1, it would fire at a sustainable burn"
            ),
            AlertState::Firing => "fires: both burn rates are above the factor".to_owned(),
            AlertState::Inactive => format!("inactive: {}", self.held_back()),
        }
    }

    /// The first thing that is missing for it to fire.
    fn held_back(&self) -> String {
        let limit = self.factor.rate();
        for (window, span) in [(&self.long, self.pair.long), (&self.short, self.pair.short)] {
            match window.rate(self.slo.objective) {
                None => return format!("the burn over {span} is not known"),
                Some(rate) if rate <= limit => {
                    return format!(
                        "the burn over {span}, {}, is not above {}",
                        number(rate),
                        number(limit)
                    );
                }
                Some(_) => {}
            }
        }
        let (bad, least) = (self.long.bad_events, self.pair.min_bad);
        if bad < least {
            return format!("{} bad events over {}, and it needs {least}", bad, self.pair.long);
        }
        "the bad events are too small a share of the whole budget (minBudget)".to_owned()
    }
}
