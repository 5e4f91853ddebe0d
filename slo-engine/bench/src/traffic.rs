//! SLOs over the traffic of the generator and of rough histories, and the brute-force count of each.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use crate::openmetrics::{self, Series};
use crate::oracle::{Fed, Oracle, Rules, Started};

/// The target of every SLO here.
pub const OBJECTIVE: f64 = 0.999;

/// Counters of requests, by `service` and `code`.
pub const REQUESTS: &str = "http_requests_total";
/// When a process began.
pub const STARTED: &str = "process_start_time_seconds";
const BUCKETS: &str = "http_request_duration_seconds_bucket";

/// The latency SLOs of a service: name, the threshold as written, and the bucket that counts as good.
const LATENCIES: [(&str, &str, &str); 2] =
    [("latency", "500ms", "0.5"), ("latency-between", "300ms", "0.25")];

/// The generator's name of a service.
#[must_use]
pub fn name(service: u32) -> String {
    format!("svc-{service:04}")
}

/// A file with an availability SLO for each service, and latency SLOs for the first ones.
#[must_use]
pub fn specs(services: u32, histograms: u32, windows: &str) -> String {
    let mut text = String::new();
    for service in 0..services {
        let name = name(service);
        text.push_str(&availability(&name, windows));
        for (slo, under, _) in LATENCIES.iter().filter(|_| service < histograms) {
            let _ = write!(
                text,
                "  - name: {slo}\n    objective: 99.9%\n    window: {windows}\n    indicator:\n      latency: \
                 {{histogram: 'http_request_duration_seconds{{service=\"{name}\"}}', under: {under}}}\n"
            );
        }
    }
    text
}

/// A document with an availability SLO for a service.
#[must_use]
pub fn availability(name: &str, windows: &str) -> String {
    format!(
        "---\napiVersion: headroom/v1\nkind: Service\nservice: {name}\nowner: bench\ntier: 3\n\
         environment: bench\nslos:\n  - name: availability\n    objective: 99.9%\n    \
         window: {windows}\n    indicator:\n      ratio: \
         {{total: 'http_requests_total{{service=\"{name}\"}}', bad: '{{code=~\"5..\"}}'}}\n"
    )
}

/// `service/slo` and the count of its samples, from the files that were loaded.
///
/// # Errors
/// What cannot be read.
pub fn count(samples: &Path) -> anyhow::Result<BTreeMap<String, Oracle>> {
    let all = openmetrics::read(samples, &[REQUESTS, BUCKETS, STARTED])?;
    let starts: Vec<Started> = all.iter().filter(|s| s.name == STARTED).flat_map(started).collect();
    let mut fed: BTreeMap<String, Vec<Fed>> = BTreeMap::new();
    for series in &all {
        for (slo, total, good) in feeds(series) {
            let one = Fed { target: target(series), total, good, samples: series.samples.clone() };
            fed.entry(format!("{}/{slo}", series.label("service"))).or_default().push(one);
        }
    }
    let count =
        |(slo, fed): (String, Vec<Fed>)| (slo, Oracle::new(&fed, &starts, Rules::default()));
    Ok(fed.into_iter().map(count).collect())
}

fn target(series: &Series) -> (String, String) {
    (series.label("job").to_owned(), series.label("instance").to_owned())
}

fn started(series: &Series) -> impl Iterator<Item = Started> + '_ {
    let target = target(series);
    series
        .samples
        .iter()
        .map(move |(at, value)| (target.clone(), *at, (value * 1e3).round() as i64))
}

/// Which SLOs a series feeds, and what one of its events adds to total and good.
fn feeds(series: &Series) -> Vec<(&'static str, i64, i64)> {
    if series.name == REQUESTS {
        let good = i64::from(!series.label("code").starts_with('5'));
        return vec![("availability", 1, good)];
    }
    if series.name == STARTED {
        return Vec::new();
    }
    let le = series.label("le");
    let all = LATENCIES
        .iter()
        .map(|(slo, _, bucket)| (*slo, i64::from(le == "+Inf"), i64::from(le == *bucket)));
    all.filter(|(_, total, good)| total + good > 0).collect()
}
