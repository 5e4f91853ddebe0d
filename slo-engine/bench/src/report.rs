//! What a run found: figures with what they must reach, as JSON for machines.

use std::collections::BTreeMap;

use serde::Serialize;

/// A whole run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) rows: Vec<Outcome>,
    pub(crate) passed: bool,
}

/// Where it ran: absolute figures mean nothing without.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Machine {
    pub(crate) cpus: usize,
    pub(crate) model: String,
    pub(crate) memory_gib: f64,
}

/// One row.
#[derive(Debug, Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Outcome {
    pub(crate) row: String,
    pub(crate) measure: String,
    pub(crate) workload: BTreeMap<String, i64>,
    pub(crate) figures: Vec<Figure>,
    /// What was found where a figure was missed.
    pub(crate) notes: Vec<String>,
    pub(crate) seconds: f64,
    pub(crate) passed: bool,
}

/// One number and what it must reach.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Figure {
    pub(crate) name: String,
    /// `null` stands for NaN.
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    pub(crate) must: Must,
    pub(crate) passed: bool,
}

/// What a figure must reach.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Must {
    /// Shown for comparison.
    Nothing,
    AtMost(f64),
    AtLeast(f64),
    /// Equal when rounded to one decimal.
    EqualRounded(f64),
}

impl Must {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::Nothing => true,
            Self::AtMost(limit) => value <= limit,
            Self::AtLeast(limit) => value >= limit,
            Self::EqualRounded(wanted) => {
                ((value * 10.0).round() - (wanted * 10.0).round()).abs() < 0.5
            }
        }
    }
}

impl Figure {
    pub(crate) fn new(name: &str, value: f64, unit: &'static str, must: Must) -> Self {
        Self { name: name.to_owned(), value, unit, must, passed: must.holds(value) }
    }
}

impl Machine {
    pub(crate) fn here() -> Self {
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let field = |path: &str, name: &str| {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let line = text.lines().find(|line| line.starts_with(name));
            let value = line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim());
            value.unwrap_or_default().to_owned()
        };
        let model = field("/proc/cpuinfo", "model name");
        let memory = field("/proc/meminfo", "MemTotal");
        let kib: f64 = memory.trim_end_matches("kB").trim().parse().unwrap_or_default();
        Self { cpus, model, memory_gib: (kib / 1_048_576.0 * 10.0).round() / 10.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_misses_every_figure_and_shares_are_compared_as_they_are_printed() {
        assert!(!Must::AtMost(1.0).holds(f64::NAN) && !Must::EqualRounded(1.0).holds(f64::NAN));
        assert!(Must::EqualRounded(22.7).holds(22.749) && !Must::EqualRounded(22.7).holds(22.76));
        assert!(Must::AtMost(0.0).holds(0.0) && Must::AtLeast(500.0).holds(500.0));
    }
}
