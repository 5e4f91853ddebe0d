//! The sources: whether they answer, what they are, and whether their clocks agree with ours.

use chrono::{DateTime, Utc};
use slo_core::time::Span;

use super::Check;
use crate::cli::output::counted;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::source::config::{SourceConfig, SourceKind};
use crate::source::prometheus::Api;
use crate::source::scrape::source::Scrape;

/// Nobody waits longer for a doctor.
const PATIENCE: Span = Span::seconds(10);
/// Skew in seconds that is worth a word, and skew with which ages mean nothing.
const SKEW: [i64; 2] = [5, 60];

pub(super) async fn checks(config: &Config) -> Vec<Check> {
    if config.sources.is_empty() {
        let remedy = "add one to `sources` in the configuration";
        return vec![Check::fail("sources", "none is configured, so nothing can be read", remedy)];
    }
    let mut checks = Vec::new();
    for (at, source) in config.sources.iter().enumerate() {
        let source = SourceConfig { timeout: source.timeout.min(PATIENCE), ..source.clone() };
        checks.push(check(at, &source).await);
    }
    checks
}

async fn check(at: usize, source: &SourceConfig) -> Check {
    let name = format!("source {}", source.name);
    match source.kind {
        SourceKind::Prometheus => prometheus(&name, at, source).await,
        SourceKind::Scrape => scrape(&name, source).await,
        SourceKind::Elasticsearch => elastic(&name, at, source).await,
        SourceKind::Jsonlog => Check::ok(&name, "files"),
    }
}

async fn prometheus(name: &str, at: usize, source: &SourceConfig) -> Check {
    let remedy = format!("look at sources[{at}].url and auth (HEADROOM__SOURCES__{at}__URL)");
    let api = match Api::new(source) {
        Ok(api) => api,
        Err(error) => return Check::fail(name, error.to_string(), &remedy),
    };
    let answer = api.query("vector(1)", SystemClock.now().timestamp_millis()).await;
    let (date, now) = match answer {
        Ok(answer) => (answer.date, SystemClock.now()),
        Err(error) => return Check::fail(name, error.to_string(), &remedy),
    };
    let what = match api.version().await {
        Ok(version) => format!("version {version}"),
        Err(_) => "no build information".to_owned(),
    };
    clocks(name, &format!("{} answers, {what}", api.url()), date, now)
}

#[cfg(feature = "elastic")]
async fn elastic(name: &str, at: usize, source: &SourceConfig) -> Check {
    let remedy = format!("look at sources[{at}].url and auth (HEADROOM__SOURCES__{at}__URL)");
    let elastic = match crate::source::elastic::Elastic::new(source) {
        Ok(elastic) => elastic,
        Err(error) => return Check::fail(name, error.to_string(), &remedy),
    };
    match elastic.probe().await {
        Ok(()) => Check::ok(name, format!("{} answers", elastic.url())),
        Err(error) => Check::fail(name, error.to_string(), &remedy),
    }
}

#[cfg(not(feature = "elastic"))]
async fn elastic(name: &str, _: usize, _: &SourceConfig) -> Check {
    let message = "this program was built without Elasticsearch";
    Check::fail(name, message, "build it with --features elastic")
}

async fn scrape(name: &str, source: &SourceConfig) -> Check {
    let remedy = "start the targets, or mend `targets` of this source";
    let scrape = match Scrape::new(source) {
        Ok(scrape) => scrape,
        Err(error) => return Check::fail(name, error.to_string(), remedy),
    };
    let now = SystemClock.now();
    let (mut answered, mut problems, mut date) = (0, Vec::new(), None);
    for outcome in scrape.probe(now).await {
        match outcome {
            Ok(seen) => (answered, date) = (answered + 1, seen.or(date)),
            Err(problem) => problems.push(problem),
        }
    }
    let all = counted(answered + problems.len(), "target");
    match (answered, problems.first()) {
        (_, None) => clocks(name, &format!("{all} answer"), date, now),
        (0, Some(first)) => Check::fail(name, format!("none of {all} answers: {first}"), remedy),
        (some, Some(first)) => Check::warn(
            name,
            format!("{some} of {all} answer; the first that fails: {first}"),
            remedy,
        ),
    }
}

/// What a source is, with what its clock says. Its date comes in whole seconds.
fn clocks(name: &str, what: &str, date: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Check {
    let Some(date) = date else {
        return Check::ok(name, format!("{what}, its clock is not told"));
    };
    let seconds = (date - now).num_seconds();
    let side = if seconds > 0 { "ahead" } else { "behind" };
    let message = format!("{what}, its clock is {} s {side}", seconds.abs());
    let remedy = "set both clocks by NTP";
    match seconds.abs() {
        s if s > SKEW[1] => Check::fail(name, message, remedy),
        s if s > SKEW[0] => Check::warn(name, message, remedy),
        _ => Check::ok(name, format!("{what}, its clock agrees")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::Status;

    #[test]
    fn clocks_may_differ_by_5_seconds_and_must_not_by_more_than_a_minute() {
        let now: DateTime<Utc> = "2026-11-21T10:00:00Z".parse().unwrap();
        for (seconds, status) in [
            (0, Status::Ok),
            (5, Status::Ok),
            (-6, Status::Warn),
            (60, Status::Warn),
            (61, Status::Fail),
        ] {
            let check = clocks(
                "source p",
                "it answers",
                Some(now + chrono::TimeDelta::seconds(seconds)),
                now,
            );
            assert_eq!(check.status, status, "{seconds}: {}", check.message);
        }
    }
}
