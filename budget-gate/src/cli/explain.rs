//! `budget-gate explain`: a recorded decision, shown again.

use clap::Args;

use super::args::{self, Engine, Written};
use super::call::Call;
use super::job::Job;
use super::reply::{self, Reply};
use super::{Exit, client, show};

#[derive(Args)]
pub(crate) struct Explain {
    /// The id of the decision
    #[arg(value_name = "ID", value_parser = args::id)]
    id: String,
    #[command(flatten)]
    engine: Engine,
    #[command(flatten)]
    written: Written,
}

pub(super) async fn explain(explain: &Explain, job: &Job) -> Exit {
    let call = Call::get(&explain.engine, &["v1", "gate", "decisions", &explain.id], &[]);
    let its = |reply: &Reply| reply.decision.id.as_ref() == Some(&explain.id);
    let asked = client::ask(&explain.engine, &call, |answer| match reply::any(answer)? {
        reply if its(&reply) => Ok(reply),
        _ => Err("its answer is another decision".to_owned()),
    });
    match asked.await {
        Ok(reply) => show::written(&reply, &explain.written, job).err().unwrap_or(Exit::Go),
        Err(failure) => show::not_done(&failure, &explain.engine),
    }
}
