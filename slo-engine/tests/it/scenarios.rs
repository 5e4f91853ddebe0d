//! Runs `tests/scenarios/*.slotest`: series in a real Prometheus, and what is to be known of them.
//!
//! A file has sections. `--- slos` holds SLO files and policies as a user writes them. `--- series from
//! -2h` holds a series a line, a sample each minute from then on: `0+5x60` is 0 and sixty more, each
//! greater by 5, `_x10` are ten minutes without one. `--- at +0m` says what is so at an instant, a line
//! for each SLO and each service that asks the gate. Instants are relative to midnight.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use budget_gate::{Decision, Facts, Request, decide};
use chrono::{DateTime, Utc};
use headroom_bench::openmetrics::Series;
use slo_core::time::Span;
use slo_core::view::BudgetView;
use slo_engine::config::Config;
use slo_engine::declared::{self, Declared};
use slo_engine::evaluate::oneshot::{self, Question};

use crate::support::lab::{END, Lab, at};
use crate::support::notation::{self, Values};

#[derive(Default)]
struct Scenario {
    slos: String,
    series: Vec<Series>,
    /// Minutes after midnight, and what is expected then.
    asked: Vec<(i64, Vec<String>)>,
}

/// `-2h` as minutes.
fn offset(text: &str) -> i64 {
    let (sign, rest) = text.split_at(1);
    let minutes = Span::parse(rest).unwrap_or_else(|e| panic!("{text}: {e}")).as_minutes();
    if sign == "-" { -minutes } else { minutes }
}

fn parsed(text: &str) -> Scenario {
    let (mut scenario, mut section) = (Scenario::default(), Vec::new());
    for line in text.lines() {
        let said = line.split('#').next().unwrap_or_default().trim_end();
        if let Some(head) = line.strip_prefix("--- ") {
            section = head.split_whitespace().collect();
            if let ["at", instant] = section[..] {
                scenario.asked.push((offset(instant), Vec::new()));
            }
            continue;
        }
        match section[..] {
            ["slos"] => writeln!(scenario.slos, "{line}").unwrap(),
            ["series", "from", from] if !said.is_empty() => {
                scenario.series.push(series(said, offset(from)));
            }
            ["at", _] if !said.is_empty() => {
                scenario.asked.last_mut().unwrap().1.push(said.trim().to_owned());
            }
            _ => assert!(said.is_empty() || section == ["series"], "what is `{line}`?"),
        }
    }
    scenario
}

fn series(line: &str, from: i64) -> Series {
    let (name, labels, values) = notation::series(line);
    let labels: Vec<_> = labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let Values::Numbers(values) = values else { panic!("no numbers: {line}") };
    let mut series = Series::new(&name, &labels);
    series.samples = values.iter().map(|(minute, value)| (at(from + minute), *value)).collect();
    series
}

/// Checks one expectation: `availability: exhausted, spent 227.3 %, bad 20` or `gate shop: deny`.
fn check(line: &str, views: &[BudgetView], gate: &dyn Fn(&str) -> Decision) {
    let (of, expected) = line.split_once(": ").unwrap_or_else(|| panic!("what is `{line}`?"));
    if let Some(service) = of.strip_prefix("gate ") {
        let decision = serde_json::to_value(gate(service)).unwrap();
        let (verdict, because) = expected.split_once(" because ").unwrap_or((expected, ""));
        assert_eq!(decision["verdict"], verdict, "{line}\n{decision:#}");
        assert!(decision["reasons"].to_string().contains(because), "{line}\n{decision:#}");
        return;
    }
    let view =
        views.iter().find(|view| &*view.slo == of).unwrap_or_else(|| panic!("no SLO `{of}`"));
    let shown = serde_json::to_value(view).unwrap();
    for part in expected.split(", ") {
        let words: Vec<&str> = part.split_whitespace().collect();
        let is_so = match words[..] {
            [state] => shown["state"] == state,
            ["finding", code] => view.findings.iter().any(|f| f.code == code),
            ["burn", window, rate] => {
                let burn = view.burn.iter().find(|b| b.window.to_string() == window);
                near(burn.unwrap().rate.map(|r| r / 100.0), rate)
            }
            [name, value] => near(shown["windows"][0][name].as_f64().map(|v| v / 100.0), value),
            [name, value, "%"] => near(shown["windows"][0][name].as_f64(), value),
            _ => panic!("what is `{part}`?"),
        };
        assert!(is_so, "{line}\nnot so: {part}\n{shown:#}");
    }
}

/// Whether a share is what the text says in percent, to its last digit.
fn near(share: Option<f64>, text: &str) -> bool {
    if text == "null" {
        return share.is_none();
    }
    let digits = text.split_once('.').map_or(0, |(_, digits)| digits.len());
    let half = 0.5 / 10_f64.powi(i32::try_from(digits).unwrap());
    let expected: f64 = text.parse().unwrap_or_else(|_| panic!("`{text}` is no number"));
    share.is_some_and(|share| (share * 100.0 - expected).abs() <= half + 1e-9)
}

async fn run(file: &Path) {
    let name = file.file_stem().unwrap().to_string_lossy();
    let scenario = parsed(&std::fs::read_to_string(file).unwrap());
    let lab = Lab::holding(&format!("scenario-{name}"), &scenario.series);
    let slos = lab.folder.join("slos.yaml");
    std::fs::write(&slos, &scenario.slos).unwrap();
    let declared = declared::read(&[slos], None).unwrap_or_else(|e| panic!("{name}: {}", e[0]));
    for server in [&lab.server, &lab.victoria] {
        let mut config = Config::default();
        config.sources[0].url = server.url().to_owned();
        for (minute, lines) in &scenario.asked {
            let now = DateTime::from_timestamp(END + minute * 60, 0).unwrap();
            let views = views(&config, &declared, now).await;
            let gate = |service: &str| {
                let found = declared.services.iter().find(|s| s.name.as_str() == service);
                let found = found.map(Arc::as_ref);
                decide(&Request::of(service), &Facts::of(found, &views), &declared.policies, now)
            };
            for line in lines {
                check(line, &views, &gate);
            }
        }
    }
}

async fn views(config: &Config, declared: &Declared, now: DateTime<Utc>) -> Vec<BudgetView> {
    let question = Question {
        sources: &config.sources,
        slos: declared.services.iter().flat_map(|s| s.slos.clone()).collect(),
        services: &declared.services,
        at: now,
        burns: &declared.burns,
        asks: &declared.asks,
        exclusions: &declared.exclusions,
        now: None,
    };
    let mut all = oneshot::read(&question, &|_| {}).await;
    oneshot::views(&question, &mut all)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_scenario_is_as_it_says() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|e| e == "slotest"));
    files.sort();
    assert!(files.len() >= 8, "{files:?}");
    for file in files {
        run(&file).await;
    }
}
