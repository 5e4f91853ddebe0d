//! Four histories whose budgets are known exactly: 99.9 % over 30 days, 1,200 requests a minute from
//! 08 to 20 h and 12 at night, base errors 0.02 %.
//!
//! Counts are whole and repeatable: errors are the running total of requests times the error ratio,
//! rounded down and begun anew with the window, so that no draw moves a share. A minute's requests are counted by the scrape in its
//! middle; the data begins a day before the window.

use headroom_bench::openmetrics::{self, Series};
use headroom_bench::traffic;
use slo_core::view::WindowView;

use crate::report::{Figure, Must, Outcome};
use crate::world::{END, World};

const DAY: i64 = 1_440;
const WINDOW: i64 = 30 * DAY;
/// Minutes of data: the window and a day before it.
const LENGTH: i64 = 31 * DAY;

/// A history: what differs from the base, in minutes of the window.
struct Scenario {
    service: &'static str,
    told: &'static str,
    /// The true share of the budget, per cent.
    share: f64,
    /// Requests of a minute of the window, from its usual ones.
    requests: fn(i64, i64) -> i64,
    /// Errors per ten thousand requests in a minute of the window.
    errors: fn(i64) -> i64,
    /// The first minute that has a series of errors.
    errors_from: i64,
}

/// The twentieth day.
const THEN: i64 = 20 * DAY;
/// Noon of the thirtieth day, day 29.5.
const LATE: i64 = 29 * DAY + DAY / 2;

const SCENARIOS: [Scenario; 4] = [
    Scenario {
        service: "night-outage",
        told: "2 h at 50 % errors at night",
        share: 22.7,
        requests: |_, usual| usual,
        errors: |minute| if (THEN + 60..THEN + 180).contains(&minute) { 5_000 } else { 2 },
        errors_from: -DAY,
    },
    Scenario {
        service: "day-outage",
        told: "10 min at 50 % errors by day",
        share: 42.9,
        requests: |_, usual| usual,
        errors: |minute| if (THEN + 720..THEN + 730).contains(&minute) { 5_000 } else { 2 },
        errors_from: -DAY,
    },
    Scenario {
        service: "idle-hour",
        told: "one hour without a request",
        share: 20.0,
        requests: |minute, usual| {
            if (THEN + 180..THEN + 240).contains(&minute) { 0 } else { usual }
        },
        errors: |_| 2,
        errors_from: -DAY,
    },
    Scenario {
        service: "first-errors",
        told: "no error series until day 29.5, then 10 min at 1 %",
        share: 0.5,
        requests: |_, usual| usual,
        errors: |minute| if (LATE..LATE + 10).contains(&minute) { 100 } else { 0 },
        errors_from: LATE,
    },
];

/// What happened in the window.
#[derive(Clone, Copy, Default)]
struct Truth {
    total: i64,
    bad: i64,
}

pub(super) fn run(world: &World) -> anyhow::Result<Outcome> {
    let made: Vec<(Vec<Series>, Truth)> = SCENARIOS.iter().map(Scenario::history).collect();
    let series: Vec<Series> = made.iter().flat_map(|(series, _)| series.clone()).collect();
    let data = world.data("scenarios", |_, folder| openmetrics::write(folder, &series))?;
    let specs = SCENARIOS.map(|s| traffic::availability(s.service, "30d")).concat();
    let specs = world.specs(&specs)?;
    let url = data.server.url();
    let views = world.engine.reading(url).budget(&specs, END * 1_000)?;
    let mut outcome = Outcome {
        measure: "budget --at of four known histories; averages of 5-minute ratios beside it"
            .into(),
        workload: [("scenarios".to_owned(), 4), ("days".to_owned(), 30)].into(),
        ..Outcome::default()
    };
    for (scenario, (_, truth)) in SCENARIOS.iter().zip(&made) {
        let view = views.iter().find(|view| *view.service == *scenario.service);
        let window = view.and_then(|view| view.windows.first());
        let average = scenario.averaged(world, url)?;
        outcome.figures.extend(scenario.figures(window, *truth, average));
    }
    Ok(outcome)
}

impl Scenario {
    /// Its series, and what happened in the window.
    fn history(&self) -> (Vec<Series>, Truth) {
        let labels = |code| [("service", self.service), ("job", "scenario"), ("code", code)];
        let mut ok = Series::new("http_requests_total", &labels("200"));
        let mut failed = Series::new("http_requests_total", &labels("500"));
        let (mut requests, mut errors, mut due, mut truth) = (0, 0, 0, Truth::default());
        for minute in -DAY..LENGTH - DAY {
            let (new, ratio) = ((self.requests)(minute, usual(minute)), (self.errors)(minute));
            if minute == 0 {
                due = errors * 10_000;
            }
            due += new * ratio;
            let bad = due / 10_000 - errors;
            (requests, errors) = (requests + new, errors + bad);
            if minute >= 0 {
                (truth.total, truth.bad) = (truth.total + new, truth.bad + bad);
            }
            let at = (END + (minute - WINDOW) * 60) * 1_000 + 30_000;
            ok.samples.push((at, (requests - errors) as f64));
            if minute >= self.errors_from {
                failed.samples.push((at, errors as f64));
            }
        }
        (vec![ok, failed], truth)
    }

    /// What a tool says that averages the ratios of five minutes, per cent of the budget.
    fn averaged(&self, world: &World, url: &str) -> anyhow::Result<f64> {
        let rate = |code: &str| {
            let service = self.service;
            format!("sum(rate(http_requests_total{{service=\"{service}\"{code}}}[5m]))")
        };
        let ratio = format!("{} / {}", rate(",code=~\"5..\""), rate(""));
        let query = format!("avg_over_time(({ratio})[30d:1m])");
        let averages = world.http.query(url, &query, END)?;
        Ok(averages.first().map_or(f64::NAN, |average| average / 0.001 * 100.0))
    }

    fn figures(&self, window: Option<&WindowView>, truth: Truth, averaged: f64) -> [Figure; 3] {
        let told = self.told;
        let spent = window.and_then(|w| w.spent).unwrap_or(f64::NAN) * 100.0;
        let counts = window.and_then(|w| Some((w.total?, w.bad?)));
        let off = counts.map_or(f64::NAN, |(total, bad)| {
            (total - truth.total as f64).abs() + (bad - truth.bad as f64).abs()
        });
        [
            Figure::new(told, spent, "%", Must::EqualRounded(self.share)),
            Figure::new("  events off", off, "", Must::AtMost(0.0)),
            Figure::new("  averaged ratios say", averaged, "%", Must::Nothing),
        ]
    }
}

/// Requests of a usual minute; the window begins at midnight.
fn usual(minute: i64) -> i64 {
    let of_day = minute.rem_euclid(DAY);
    if (8 * 60..20 * 60).contains(&of_day) { 1_200 } else { 12 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_histories_have_the_shares_of_the_table() {
        for scenario in &SCENARIOS {
            let (_, truth) = scenario.history();
            let spent = truth.bad as f64 / (truth.total as f64 * 0.001) * 100.0;
            let figure = Figure::new("", spent, "%", Must::EqualRounded(scenario.share));
            assert!(figure.passed, "{}: {spent}", scenario.told);
        }
    }
}
