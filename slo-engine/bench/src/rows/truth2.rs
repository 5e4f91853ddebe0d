//! Budgets at the end of the data against what really happened, also between the last scrape and a
//! restart, and in gaps between scrapes.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use headroom_bench::server::Traffic;
use headroom_bench::traffic::{self, OBJECTIVE};
use serde::Deserialize;
use slo_core::view::{BudgetView, WindowView};

use crate::report::{Figure, Must, Outcome};
use crate::world::{END, Size, World};

/// Answers within this share of the truth may fall on the other side of "exhausted".
const BAND: f64 = 0.005;

#[derive(Deserialize)]
struct Truth {
    end: i64,
    truth: BTreeMap<String, BTreeMap<String, Events>>,
}

#[derive(Deserialize, Clone, Copy)]
struct Events {
    good: f64,
    bad: f64,
}

#[derive(Default)]
struct Found {
    /// Relative errors of the budget spent, per cent, with what they belong to.
    errors: Vec<(f64, String)>,
    exhausted_wrong: Vec<String>,
}

pub(super) fn run(world: &World) -> anyhow::Result<Outcome> {
    let services = world.sizes.services(Size(40, 10));
    let days = world.sizes.days(Size(31, 8));
    let seeds = world.sizes.seeds(Size(6, 2));
    let windows: &[&str] = if days < 30 { &["7d"] } else { &["30d", "7d"] };
    let text = traffic::specs(services, 0, &format!("[{}]", windows.join(", ")));
    let mut found = Found::default();
    for seed in seeds.clone() {
        let traffic = Traffic { services, histograms: 0, days, seed, end: END };
        let data = world.traffic(&traffic)?;
        let truth = truth(&data.samples)?;
        let engine = world.engine.reading(data.server.url());
        let views = engine.budget(&world.specs(&text)?, truth.end * 1_000)?;
        for view in &views {
            found.take(seed, view, &truth);
        }
    }
    let workload = [
        ("services".to_owned(), i64::from(services)),
        ("days".to_owned(), i64::from(days)),
        ("seeds".to_owned(), i64::try_from(seeds.count()).unwrap_or(i64::MAX)),
    ];
    Ok(found.outcome(workload.into()))
}

fn truth(samples: &Path) -> anyhow::Result<Truth> {
    let path = samples.join("truth.json");
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("read {}", path.display()))
}

impl Found {
    fn take(&mut self, seed: u64, view: &BudgetView, truth: &Truth) {
        for window in &view.windows {
            let name = format!("seed {seed} {} {}", view.service, window.window);
            let happened = truth.truth.get(&*view.service).and_then(|t| t.get(&*window.window));
            match happened {
                Some(happened) if happened.bad > 0.0 => self.compare(&name, window, *happened),
                Some(_) => {}
                None => self.errors.push((f64::INFINITY, format!("{name}: no truth"))),
            }
        }
    }

    fn compare(&mut self, name: &str, window: &WindowView, happened: Events) {
        let spent = happened.bad / ((1.0 - OBJECTIVE) * (happened.good + happened.bad));
        let said = window.spent.unwrap_or(f64::INFINITY);
        let exhausted = window.remaining.is_some_and(|left| left <= 0.0);
        if exhausted != (spent >= 1.0) && (spent - 1.0).abs() > BAND {
            self.exhausted_wrong.push(format!("{name}: says {said}, was {spent}"));
        }
        let events = |v: Option<f64>| v.unwrap_or(f64::NAN);
        let (bad, total) = (events(window.bad), events(window.total));
        let told = format!(
            "{name}: {bad} of {total} bad, in truth {} of {}",
            happened.bad,
            happened.good + happened.bad
        );
        self.errors.push(((said / spent - 1.0).abs() * 100.0, told));
    }

    fn outcome(mut self, workload: BTreeMap<String, i64>) -> Outcome {
        self.errors.sort_by(|a, b| a.0.total_cmp(&b.0));
        let at = |share: f64| {
            let place = (self.errors.len().saturating_sub(1) as f64 * share) as usize;
            self.errors.get(place).map_or(f64::NAN, |(error, _)| *error)
        };
        let worst = self.errors.iter().rev().take(5);
        let worst = worst.map(|(error, told)| format!("{error:.4} % {told}"));
        Outcome {
            measure: "budget --at at the end of the data against what really happened".to_owned(),
            workload,
            figures: vec![
                Figure::new("windows compared", self.errors.len() as f64, "", Must::AtLeast(1.0)),
                Figure::new("error of budget spent, median", at(0.5), "%", Must::AtMost(0.02)),
                Figure::new("the same, 95th percentile", at(0.95), "%", Must::Nothing),
                Figure::new("the same, largest", at(1.0), "%", Must::AtMost(0.5)),
                Figure::new(
                    "wrong \"exhausted\"",
                    self.exhausted_wrong.len() as f64,
                    "",
                    Must::AtMost(0.0),
                ),
            ],
            notes: worst.chain(self.exhausted_wrong.iter().cloned()).collect(),
            ..Outcome::default()
        }
    }
}
