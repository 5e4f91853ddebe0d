//! `budget-gate deployed`: a version runs.

use budget_gate::harmless::harmless;
use chrono::{DateTime, Utc};
use clap::Args;
use serde::Deserialize;
use serde_json::json;

use super::args::{self, Engine, Place};
use super::call::{Call, Repeat};
use super::job::Job;
use super::question::Asked;
use super::{Exit, client, output, reply, show};

#[derive(Args)]
pub(crate) struct Deployed {
    #[command(flatten)]
    place: Place,
    /// The version that runs; in CI the tag where it is left out
    #[arg(long, value_name = "V")]
    version: Option<String>,
    /// The commit of the version; in CI the job's where it is left out
    #[arg(long, value_name = "C")]
    commit: Option<String>,
    /// The digest of its image
    #[arg(long, value_name = "sha256:...", value_parser = args::digest)]
    digest: Option<String>,
    /// Since when, like 2026-11-21T10:00:00Z [default: now]
    #[arg(long, value_name = "T")]
    at: Option<DateTime<Utc>>,
    #[command(flatten)]
    engine: Engine,
}

/// What the engine kept.
#[derive(Deserialize)]
struct Kept {
    id: String,
}

pub(super) async fn deployed(deployed: &Deployed, job: &Job) -> Exit {
    let (call, what) = match call(deployed, job) {
        Ok(call) => call,
        Err(why) => return output::wrong(&why),
    };
    let read = |answer: &client::Answer| reply::of_shape::<Kept>(answer, "deployment");
    match client::ask(&deployed.engine, &call, read).await {
        Ok(kept) => {
            output::diagnostic(&format!("the engine knows that {what}"));
            output::done(&format!("{}\n", harmless(&kept.id)))
        }
        Err(failure) => show::not_done(&failure, &deployed.engine),
    }
}

/// The call, and what it tells in words.
fn call(deployed: &Deployed, job: &Job) -> Result<(Call, String), String> {
    let (mut asked, told) = (Asked::by(job), &job.told);
    let (service, environment) = asked.place(&deployed.place)?;
    let version = asked.take("version", deployed.version.as_ref(), told.version.as_ref());
    let version = version.ok_or("which version? Give --version; the job runs for no tag")?;
    let commit = asked.take("commit", deployed.commit.as_ref(), told.commit.as_ref());
    asked.say();
    let place = environment.as_ref().map(|e| format!(" in {e}")).unwrap_or_default();
    let what = format!("{service} {} runs{place}", harmless(&version));
    let body = json!({
        "service": service,
        "environment": environment,
        "version": version,
        "digest": deployed.digest,
        "commit": commit,
        "at": deployed.at,
    });
    let path = ["v1", "deployments"];
    Ok((Call::post(&deployed.engine, &path, body, Repeat::Always), what))
}
