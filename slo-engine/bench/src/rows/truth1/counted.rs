//! The brute-force count of every SLO of the generated traffic, from the files that were loaded.

use std::collections::BTreeMap;
use std::path::Path;

use headroom_bench::openmetrics::{self, Series};
use headroom_bench::oracle::{Fed, Oracle, Rules};

use crate::rows::slos::LATENCIES;

const REQUESTS: &str = "http_requests_total";
const BUCKETS: &str = "http_request_duration_seconds_bucket";

/// `service/slo` and its count.
pub(super) fn slos(samples: &Path) -> anyhow::Result<BTreeMap<String, Oracle>> {
    let mut fed: BTreeMap<String, Vec<Fed>> = BTreeMap::new();
    for series in openmetrics::read(samples, &[REQUESTS, BUCKETS])? {
        for (slo, total, good) in feeds(&series) {
            let samples = series.samples.clone();
            let target = (series.label("job").to_owned(), series.label("instance").to_owned());
            let one = Fed { target, total, good, samples };
            fed.entry(format!("{}/{slo}", series.label("service"))).or_default().push(one);
        }
    }
    let count = |(slo, fed): (String, Vec<Fed>)| (slo, Oracle::new(&fed, &[], Rules::default()));
    Ok(fed.into_iter().map(count).collect())
}

/// Which SLOs a series feeds, and what one of its events adds to total and good.
fn feeds(series: &Series) -> Vec<(&'static str, i64, i64)> {
    if series.name == REQUESTS {
        let good = i64::from(!series.label("code").starts_with('5'));
        return vec![("availability", 1, good)];
    }
    let le = series.label("le");
    let all = LATENCIES
        .iter()
        .map(|(slo, _, bucket)| (*slo, i64::from(le == "+Inf"), i64::from(le == *bucket)));
    all.filter(|(_, total, good)| total + good > 0).collect()
}
