//! Views of the engine beside the brute-force count.

use std::collections::BTreeMap;

use slo_core::view::{BudgetView, WindowView};

use crate::oracle::{Count, MINUTE, Oracle};
use crate::traffic::OBJECTIVE;

/// What a comparison found.
#[derive(Debug, Default)]
pub struct Found {
    /// Windows that were compared.
    pub windows: u64,
    /// Of them, those that began before the data.
    pub young: u64,
    /// Events in them.
    pub events: u64,
    /// Of the events, those counted when their series was first seen, and those that were not.
    pub births: (u64, u64),
    /// Minutes with targets missing.
    pub partial: u64,
    /// Events by which the answers are off, all counts added.
    pub off: u64,
    /// Windows whose edges, coverage or shares are wrong, or that are missing.
    pub wrong: u64,
    /// The first differences.
    pub notes: Vec<String>,
}

/// As many differences are described.
const DESCRIBED: usize = 20;

impl Found {
    /// Adds what another comparison found.
    pub fn join(&mut self, other: Self) {
        self.windows += other.windows;
        self.young += other.young;
        self.events += other.events;
        self.births = (self.births.0 + other.births.0, self.births.1 + other.births.1);
        self.partial += other.partial;
        self.off += other.off;
        self.wrong += other.wrong;
        let room = DESCRIBED.saturating_sub(self.notes.len());
        self.notes.extend(other.notes.into_iter().take(room));
    }
}

/// Compares the views at an instant with the counts of all SLOs.
#[must_use]
pub fn check(slos: &BTreeMap<String, Oracle>, views: &[BudgetView], asked: i64) -> Found {
    let mut found = Found::default();
    for (slo, oracle) in slos {
        let view = views.iter().find(|v| format!("{}/{}", v.service, v.slo) == *slo);
        let Some(view) = view.filter(|v| v.windows.len() == 3) else {
            found.wrong += 1;
            found.notes.push(format!("{slo} at {asked}: no view with three windows"));
            continue;
        };
        for window in &view.windows {
            let one = Compared { oracle, window, asked };
            found.windows += 1;
            found.young += u64::from(one.is_young());
            found.events += window.total.map_or(0, |total| total as u64);
            found.births.0 += window.assumed as u64;
            found.births.1 += window.dropped as u64;
            found.partial += window.partial;
            let (off, wrong) = (one.events_off(), one.wrong());
            found.off += off;
            found.wrong += u64::from(!wrong.is_empty());
            if off > 0 || !wrong.is_empty() {
                let name = &window.window;
                found.notes.push(format!("{slo} {name} at {asked}: {off} events off; {wrong:?}"));
            }
        }
    }
    found
}

struct Compared<'a> {
    oracle: &'a Oracle,
    window: &'a WindowView,
    asked: i64,
}

impl Compared<'_> {
    fn counted(&self) -> Count {
        let (from, to) = self.edges();
        self.oracle.count(from, to, self.asked)
    }

    fn edges(&self) -> (i64, i64) {
        (self.window.from.timestamp_millis(), self.window.to.timestamp_millis())
    }

    fn is_young(&self) -> bool {
        self.oracle.first().is_some_and(|first| first > self.edges().0)
    }

    fn events_off(&self) -> u64 {
        let counted = self.counted();
        let off = |said: Option<f64>, counted: i64| {
            (said.unwrap_or_default() - counted as f64).abs().ceil() as u64
        };
        off(self.window.good, counted.good)
            + off(self.window.bad, counted.bad())
            + off(self.window.total, counted.total)
            + off(Some(self.window.assumed), counted.assumed)
            + off(Some(self.window.dropped), counted.dropped)
    }

    /// What else is wrong, as (what, said, true).
    fn wrong(&self) -> Vec<(&'static str, f64, f64)> {
        let (from, to) = self.edges();
        let mut wrong = Vec::new();
        // The first edge of a minute at or after the data's end: an instant on it has seen none of
        // the minute that begins there.
        let until = self.oracle.data_until(self.asked).unwrap_or(self.asked);
        let end = (until - 1).div_euclid(MINUTE) * MINUTE + MINUTE;
        if to != end {
            wrong.push(("to", to as f64, end as f64));
        }
        if to - from != length(&self.window.window) {
            wrong.push(("length", (to - from) as f64, length(&self.window.window) as f64));
        }
        wrong.extend(self.wrong_shares(from, to));
        wrong
    }

    fn wrong_shares(&self, from: i64, to: i64) -> Vec<(&'static str, f64, f64)> {
        let truth = self.counted();
        let known = truth.measured > 0 || truth.total > 0;
        let allowed = (1.0 - OBJECTIVE) * truth.total as f64;
        let spent = if truth.total == 0 { 0.0 } else { truth.bad() as f64 / allowed };
        let sli = (truth.total > 0).then(|| truth.good as f64 / truth.total as f64);
        let coverage = self.oracle.coverage(from, to, self.asked);
        let pairs = [
            ("sli", self.window.sli, sli),
            ("spent", self.window.spent, known.then_some(spent)),
            ("remaining", self.window.remaining, known.then_some(1.0 - spent)),
            ("coverage", self.window.coverage, coverage),
            ("partial", Some(self.window.partial as f64), Some(truth.partial as f64)),
        ];
        let differ = pairs.into_iter().filter(|(_, said, is)| !same(*said, *is));
        let value = |v: Option<f64>| v.unwrap_or(f64::NAN);
        differ.map(|(what, said, is)| (what, value(said), value(is))).collect()
    }
}

fn same(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs().max(1.0),
        (a, b) => a.is_none() == b.is_none(),
    }
}

/// Milliseconds of `30d` or `6h`.
fn length(window: &str) -> i64 {
    let hours = if window.ends_with('d') { 24 } else { 1 };
    let number: i64 = window.trim_end_matches(['d', 'h']).parse().unwrap_or_default();
    number * hours * 60 * MINUTE
}
