//! `budget-gate watch`: after a deploy, until somebody should roll back or the time is over.

use std::time::Duration;

use budget_gate::annotation::{self, Level};
use budget_gate::decision::RuleResult;
use budget_gate::harmless::harmless;
use budget_gate::words;
use chrono::{DateTime, Utc};
use clap::Args;
use serde::Deserialize;
use tokio::time::{Instant, sleep_until};

use super::args::{self, Engine, Place};
use super::call::Call;
use super::client::{Answer, Failure};
use super::job::Job;
use super::question::Asked;
use super::{Exit, client, output, reply, show};

#[derive(Args)]
pub(crate) struct Watch {
    #[command(flatten)]
    place: Place,
    /// How long to watch
    #[arg(long = "for", value_name = "LENGTH", value_parser = args::length)]
    length: Duration,
    /// How often to look
    #[arg(long, default_value = "30s", value_name = "LENGTH", value_parser = args::length)]
    interval: Duration,
    #[command(flatten)]
    engine: Engine,
}

/// What the policy's watch rule says since the deploy.
#[derive(Deserialize)]
struct Seen {
    verdict: Says,
    #[serde(default)]
    reasons: Vec<String>,
    since: Option<DateTime<Utc>>,
    #[serde(default)]
    rules: Vec<RuleResult>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Says {
    Ok,
    Rollback,
    Unknown,
}

pub(super) async fn watch(watch: &Watch, job: &Job) -> Exit {
    let mut asked = Asked::by(job);
    let (service, environment) = match asked.place(&watch.place) {
        Ok(place) => place,
        Err(why) => return output::wrong(&why),
    };
    asked.say();
    let query = [("environment", environment.as_deref())];
    let call = Call::get(&watch.engine, &["v1", "gate", &service, "watch"], &query);
    let place = environment.as_ref().map(|e| format!(" in {e}")).unwrap_or_default();
    look(watch, &call, &format!("{service}{place}"), job).await
}

/// Looks until the end; what is said again is not told again.
async fn look(watch: &Watch, call: &Call, what: &str, job: &Job) -> Exit {
    let end = Instant::now() + watch.length;
    let mut told = String::new();
    loop {
        let next = Instant::now() + watch.interval.max(Duration::from_secs(1));
        let read = |answer: &Answer| reply::of_shape::<Seen>(answer, "answer to watch");
        let (says, line) = match client::ask(&watch.engine, call, read).await {
            Ok(seen) if seen.verdict == Says::Rollback => return roll_back(&seen, what, job),
            Ok(seen) => (seen.verdict, line(&seen)),
            Err(Failure::Unreachable(why)) => (Says::Unknown, why),
            Err(failure) => return show::not_done(&failure, &watch.engine),
        };
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return over(says, &line, what);
        }
        if line != told {
            let left = words::length(left.as_secs_f64().round());
            output::diagnostic(&format!("{what}: {line}; watching for {left}"));
            told = line;
        }
        sleep_until(next.min(end)).await;
    }
}

fn roll_back(seen: &Seen, what: &str, job: &Job) -> Exit {
    let title = format!("ROLL BACK {what}");
    let said = output::answer(&format!("{title}: {}\n", line(seen)));
    if job.system.is_github() && said.is_ok() {
        let _ = output::answer(&annotation::command(Level::Error, &title, &line(seen)));
    }
    Exit::Denied
}

fn over(says: Says, line: &str, what: &str) -> Exit {
    match says {
        Says::Ok => output::done(&format!("OK {what}: {line}\n")),
        Says::Rollback | Says::Unknown => {
            output::diagnostic(&format!("{what}: not known at the end: {line}"));
            Exit::Unknown
        }
    }
}

/// Why, in one line.
fn line(seen: &Seen) -> String {
    let of_rules = seen.rules.iter().map(|rule| rule.reason.as_str());
    let reasons: Vec<&str> = match seen.reasons.is_empty() {
        true => of_rules.collect(),
        false => seen.reasons.iter().map(String::as_str).collect(),
    };
    let mut line = match (seen.verdict, reasons.is_empty()) {
        (Says::Ok, true) => "no reason to roll back".to_owned(),
        (Says::Unknown, true) => "too little is known".to_owned(),
        (Says::Rollback, true) => "the watch rule is crossed".to_owned(),
        (_, false) => harmless(&reasons.join("; ")),
    };
    if let Some(since) = seen.since {
        line.push_str(&since.format(" (since %Y-%m-%d %H:%M UTC)").to_string());
    }
    line
}
