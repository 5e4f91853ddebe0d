//! Samples as OpenMetrics text, cut into one file per block of time as the loading scripts want it:
//! reading what the generator wrote, and writing histories that were made by hand.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// Seconds per file; one of 2h * 3^k, as Prometheus' blocks.
pub const BLOCK: i64 = 162 * 3_600;

/// One series and its samples, oldest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    /// The metric's name.
    pub name: String,
    /// The other labels.
    pub labels: BTreeMap<String, String>,
    /// Unix milliseconds and value.
    pub samples: Vec<(i64, f64)>,
}

impl Series {
    /// A series without samples.
    #[must_use]
    pub fn new(name: &str, labels: &[(&str, &str)]) -> Self {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self { name: name.to_owned(), labels: labels.collect(), samples: Vec::new() }
    }

    /// The value of a label; empty when it has none.
    #[must_use]
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }

    fn text(&self) -> String {
        let pairs: Vec<String> = self.labels.iter().map(|(n, v)| format!("{n}=\"{v}\"")).collect();
        format!("{}{{{}}}", self.name, pairs.join(","))
    }

    /// The family and its type, as a scraped page would name them.
    fn family(&self) -> (&str, &'static str) {
        if let Some(family) = self.name.strip_suffix("_total") {
            (family, "counter")
        } else if let Some(family) = self.name.strip_suffix("_bucket") {
            (family, "histogram")
        } else {
            (&self.name, "gauge")
        }
    }
}

/// Reads all series of some metrics from a folder of `seg-*.om`.
///
/// # Errors
/// Which file or line cannot be read.
pub fn read(folder: &Path, metrics: &[&str]) -> anyhow::Result<Vec<Series>> {
    let mut found = Found::default();
    for file in segments(folder)? {
        let text = fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            found.take(line, metrics).with_context(|| format!("{}: `{line}`", file.display()))?;
        }
    }
    Ok(found.series)
}

/// The files of a folder in order of time.
fn segments(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))?;
    let mut numbered = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        let number = name.strip_prefix("seg-").and_then(|n| n.strip_suffix(".om"));
        if let Some(number) = number.and_then(|n| n.parse::<i64>().ok()) {
            numbered.push((number, path));
        }
    }
    numbered.sort();
    Ok(numbered.into_iter().map(|(_, path)| path).collect())
}

#[derive(Default)]
struct Found {
    series: Vec<Series>,
    by_text: HashMap<String, usize>,
    /// The series of the line before: most lines go on with it.
    last: Option<(String, usize)>,
}

impl Found {
    fn take(&mut self, line: &str, metrics: &[&str]) -> anyhow::Result<()> {
        let (identity, rest) = line.split_at(line.rfind('}').context("no labels")? + 1);
        let Some(at) = self.place(identity, metrics)? else { return Ok(()) };
        let (value, time) = rest.trim_start().split_once(' ').context("no timestamp")?;
        let seconds: f64 = time.parse().context("timestamp")?;
        let sample = ((seconds * 1e3).round() as i64, value.parse().context("value")?);
        self.series[at].samples.push(sample);
        Ok(())
    }

    fn place(&mut self, identity: &str, metrics: &[&str]) -> anyhow::Result<Option<usize>> {
        if let Some((text, at)) = self.last.as_ref().filter(|(text, _)| text == identity) {
            debug_assert!(!text.is_empty());
            return Ok(Some(*at));
        }
        let (name, labels) = identity.split_once('{').context("no labels")?;
        if !metrics.contains(&name) {
            return Ok(None);
        }
        let at = match self.by_text.get(identity) {
            Some(at) => *at,
            None => {
                let labels = pairs(labels.trim_end_matches('}'))?;
                self.series.push(Series { name: name.to_owned(), labels, samples: Vec::new() });
                self.by_text.insert(identity.to_owned(), self.series.len() - 1);
                self.series.len() - 1
            }
        };
        self.last = Some((identity.to_owned(), at));
        Ok(Some(at))
    }
}

/// Labels whose values hold neither quotes nor commas: those of the generator and of the tests.
fn pairs(text: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    for pair in text.split(',').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').context("a label without a value")?;
        labels.insert(name.to_owned(), value.trim_matches('"').to_owned());
    }
    Ok(labels)
}

/// Writes series as `seg-*.om` and a `truth.json` with what the loading scripts read.
///
/// # Errors
/// What cannot be written.
pub fn write(folder: &Path, series: &[Series]) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    let mut blocks: BTreeMap<i64, BTreeMap<(&str, &'static str), String>> = BTreeMap::new();
    let mut samples = 0;
    for one in series {
        let identity = one.text();
        for (at, value) in &one.samples {
            let block = blocks.entry(at.div_euclid(BLOCK * 1_000)).or_default();
            let family = block.entry(one.family()).or_default();
            let (seconds, millis) = (at.div_euclid(1_000), at.rem_euclid(1_000));
            writeln!(family, "{identity} {value} {seconds}.{millis:03}")?;
            samples += 1;
        }
    }
    if samples == 0 {
        bail!("there is no sample to write into {}", folder.display());
    }
    for (number, families) in blocks {
        let mut text = String::new();
        for ((family, kind), lines) in families {
            write!(text, "# TYPE {family} {kind}\n{lines}")?;
        }
        text.push_str("# EOF\n");
        let path = folder.join(format!("seg-{number}.om"));
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    }
    let facts = serde_json::json!({ "block": BLOCK, "samples": samples });
    fs::write(folder.join("truth.json"), facts.to_string()).context("write truth.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_in_order_of_time() {
        let folder = std::env::temp_dir().join(format!("openmetrics-{}", std::process::id()));
        let mut counter = Series::new("x_total", &[("code", "500"), ("job", "a")]);
        counter.samples = vec![(1_790_812_800_123, 3.0), (1_790_812_800_123 + BLOCK * 1_000, 4.0)];
        let mut gauge = Series::new("process_start_time_seconds", &[("job", "a")]);
        gauge.samples = vec![(1_790_812_800_000, 1_790_812_700.25)];
        write(&folder, &[counter.clone(), gauge.clone()]).unwrap();
        let mut back = read(&folder, &["x_total", "process_start_time_seconds"]).unwrap();
        back.sort_by(|a, b| b.name.cmp(&a.name));
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(back, [counter, gauge]);
    }
}
