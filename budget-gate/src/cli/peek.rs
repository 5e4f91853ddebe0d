//! `budget-gate peek`: a decision that is not recorded.

use budget_gate::decision::Request;
use clap::Args;

use super::args::{Answering, Closed, Engine, Subject};
use super::call::Call;
use super::job::Job;
use super::question::Asked;
use super::{Exit, client, output, reply, show};

#[derive(Args)]
pub(crate) struct Peek {
    #[command(flatten)]
    subject: Subject,
    #[command(flatten)]
    engine: Engine,
    #[command(flatten)]
    closed: Closed,
    #[command(flatten)]
    answering: Answering,
}

pub(super) async fn peek(peek: &Peek, job: &Job) -> Exit {
    let mut asked = Asked::by(job);
    let request = match asked.subject(&peek.subject) {
        Ok(request) => request,
        Err(why) => return output::wrong(&why),
    };
    asked.say();
    let call = call(&peek.engine, &request);
    match client::ask(&peek.engine, &call, |answer| reply::read(answer, &request)).await {
        Ok(reply) => show::decided(&reply, &peek.answering, job),
        Err(failure) => show::without_answer(failure, &peek.engine, &peek.closed, job),
    }
}

fn call(engine: &Engine, request: &Request) -> Call {
    let query = [
        ("kind", Some(request.kind.as_str())),
        ("environment", request.environment.as_deref()),
        ("version", request.version.as_deref()),
    ];
    Call::get(engine, &["v1", "gate", &request.service], &query)
}
