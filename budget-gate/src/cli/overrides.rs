//! `budget-gate override` and `approve`: people who take the responsibility, on the record. Who they
//! are, the engine takes from their tokens.

use std::time::Duration;

use budget_gate::harmless::harmless;
use budget_gate::words;
use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use super::args::{self, Engine, Place};
use super::call::{Call, Repeat};
use super::client::Answer;
use super::job::Job;
use super::question::Asked;
use super::{Exit, client, output, reply, show};

#[derive(Args)]
pub(crate) struct Override {
    #[command(flatten)]
    place: Place,
    /// Only for this commit
    #[arg(long, value_name = "C")]
    commit: Option<String>,
    /// Why; it is on record and in each decision that it changes
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// How long it holds
    #[arg(long = "for", value_name = "LENGTH", value_parser = args::length)]
    length: Duration,
    #[command(flatten)]
    engine: Engine,
}

#[derive(Args)]
pub(crate) struct Approve {
    /// The id of the override
    #[arg(value_name = "ID", value_parser = args::id)]
    id: String,
    #[command(flatten)]
    engine: Engine,
}

/// What the engine keeps of an override.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    id: String,
    until: DateTime<Utc>,
    approvals_missing: u32,
}

/// Asks for an override from now on.
pub(super) async fn ask(asked: &Override, job: &Job, now: DateTime<Utc>) -> Exit {
    match body(asked, job, now) {
        Ok(body) => done(&asked.engine, &["v1", "gate", "overrides"], body).await,
        Err(why) => output::wrong(&why),
    }
}

/// Approves one that somebody else asked for.
pub(super) async fn approve(approve: &Approve) -> Exit {
    let path = ["v1", "gate", "overrides", &approve.id, "approve"];
    done(&approve.engine, &path, json!({})).await
}

fn body(asked: &Override, job: &Job, now: DateTime<Utc>) -> Result<Value, String> {
    if asked.reason.trim().is_empty() {
        return Err("--reason is empty; say why the deploy cannot wait".to_owned());
    }
    let length = chrono::Duration::from_std(asked.length).ok();
    let until = length.and_then(|length| now.checked_add_signed(length));
    let until = until.ok_or("--for is too long; overrides are for hours")?;
    let mut place = Asked::by(job);
    let (service, environment) = place.place(&asked.place)?;
    place.say();
    Ok(json!({
        "service": service,
        "environment": environment,
        "commit": asked.commit,
        "reason": asked.reason,
        "until": until.to_rfc3339_opts(SecondsFormat::Secs, true),
    }))
}

/// One override counts against a quota: a call that may have arrived is not sent again.
async fn done(engine: &Engine, path: &[&str], body: Value) -> Exit {
    let call = Call::post(engine, path, body, Repeat::IfNotDone);
    let read = |answer: &Answer| reply::of_shape::<Kept>(answer, "override");
    match client::ask(engine, &call, read).await {
        Ok(kept) => {
            output::diagnostic(&state(&kept));
            output::done(&format!("{}\n", harmless(&kept.id)))
        }
        Err(failure) => show::not_done(&failure, engine),
    }
}

/// Whether it holds, and what is missing.
fn state(kept: &Kept) -> String {
    let id = harmless(&kept.id);
    let until = words::instant(kept.until);
    let how = format!("somebody else runs: budget-gate approve {id}");
    match kept.approvals_missing {
        0 => format!("override {id} holds until {until}"),
        1 => format!("override {id} holds until {until} once 1 more person approves; {how}"),
        more => {
            format!("override {id} holds until {until} once {more} more people approve; {how}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_override_says_what_it_waits_for() {
        let until = "2026-11-21T12:00:00Z".parse().unwrap();
        for (approvals_missing, words) in [
            (0, "override 7 holds until 2026-11-21 12:00 UTC"),
            (
                1,
                "override 7 holds until 2026-11-21 12:00 UTC once 1 more person approves; somebody \
                 else runs: budget-gate approve 7",
            ),
            (
                2,
                "override 7 holds until 2026-11-21 12:00 UTC once 2 more people approve; somebody \
                 else runs: budget-gate approve 7",
            ),
        ] {
            assert_eq!(state(&Kept { id: "7".to_owned(), until, approvals_missing }), words);
        }
    }
}
