//! `budget-gate check`: a decision that is recorded.

use std::time::Duration;

use budget_gate::decision::Request;
use clap::Args;
use reqwest::header::HeaderValue;
use rustls::crypto::SecureRandom;

use super::args::{self, Answering, Closed, Engine, Subject};
use super::call::{Call, Repeat};
use super::client::{self, Failure};
use super::job::Job;
use super::question::Asked;
use super::reply::{self, Reply};
use super::{Exit, output, show, wait};

#[derive(Args)]
pub(crate) struct Check {
    #[command(flatten)]
    subject: Subject,
    /// The commit of the version; in CI the job's where it is left out
    #[arg(long, value_name = "C")]
    commit: Option<String>,
    /// The digest of its image
    #[arg(long, value_name = "sha256:...", value_parser = args::digest)]
    digest: Option<String>,
    /// By what the deploy can be found again; in CI the page of the run where it is left out
    #[arg(long, value_name = "X")]
    identifier: Option<String>,
    /// Why, where the kind wants a reason
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Who deploys; in CI who started the job where it is left out
    #[arg(long, value_name = "A")]
    actor: Option<String>,
    /// How long to ask again while the answer is no
    #[arg(long, value_name = "LENGTH", value_parser = args::length)]
    wait: Option<Duration>,
    /// The same key is answered by the same decision [default: a random one]
    #[arg(long, value_name = "K", value_parser = key)]
    idempotency_key: Option<String>,
    #[command(flatten)]
    engine: Engine,
    #[command(flatten)]
    closed: Closed,
    #[command(flatten)]
    answering: Answering,
}

/// A question that may be asked several times.
struct Question<'a> {
    engine: &'a Engine,
    request: Request,
    actor: Option<String>,
    key: Option<&'a str>,
}

pub(super) async fn check(check: &Check, job: &Job) -> Exit {
    let question = match Question::of(check, job) {
        Ok(question) => question,
        Err(why) => return output::wrong(&why),
    };
    let ask = async |number| question.ask(number).await;
    match wait::answer(check.wait.unwrap_or_default(), ask).await {
        Ok(reply) => show::decided(&reply, &check.answering, job),
        Err(failure) => show::without_answer(failure, &check.engine, &check.closed, job),
    }
}

impl<'a> Question<'a> {
    fn of(check: &'a Check, job: &Job) -> Result<Self, String> {
        let (mut asked, told) = (Asked::by(job), &job.told);
        let subject = asked.subject(&check.subject)?;
        let request = Request {
            commit: asked.take("commit", check.commit.as_ref(), told.commit.as_ref()),
            digest: check.digest.clone(),
            identifier: asked.take("run", check.identifier.as_ref(), told.identifier.as_ref()),
            reason: check.reason.clone(),
            ..subject
        };
        let actor = asked.take("actor", check.actor.as_ref(), told.actor.as_ref());
        asked.say();
        Ok(Self { engine: &check.engine, request, actor, key: check.idempotency_key.as_deref() })
    }

    /// Asks for the n-th time. Each time is a question of its own with a key of its own; tries
    /// within one time share it, so that they get the same decision.
    async fn ask(&self, number: u32) -> Result<Reply, Failure> {
        let body = serde_json::to_value(&self.request)
            .map_err(|e| Failure::WrongQuestion(format!("it cannot be written as JSON: {e}")))?;
        let path = ["v1", "gate", "decisions"];
        let mut call = Call::post(self.engine, &path, body, Repeat::Always)
            .with("idempotency-key", self.key(number)?);
        if let Some(actor) = &self.actor {
            call = call.with("x-headroom-actor", visible(actor));
        }
        client::ask(self.engine, &call, |answer| reply::read(answer, &self.request)).await
    }

    fn key(&self, number: u32) -> Result<HeaderValue, Failure> {
        let key = match (self.key, number) {
            (Some(key), 1) => key.to_owned(),
            (Some(key), number) => format!("{key}-{number}"),
            (None, _) => random()?,
        };
        Ok(visible(&key))
    }
}

/// 128 bits, in hexadecimal digits.
fn random() -> Result<String, Failure> {
    let mut bytes = [0_u8; 16];
    let random: &dyn SecureRandom = rustls::crypto::ring::default_provider().secure_random;
    let filled = random.fill(&mut bytes);
    filled.map_err(|_| Failure::Unreachable("the system gives no random number".to_owned()))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn key(text: &str) -> Result<String, String> {
    match !text.is_empty() && text.len() <= 200 && text.chars().all(|c| c.is_ascii_graphic()) {
        true => Ok(text.to_owned()),
        false => Err("it has 1 to 200 letters, digits and marks, without spaces".to_owned()),
    }
}

/// A header holds visible ASCII; a name that has more loses it there.
fn visible(text: &str) -> HeaderValue {
    let is_visible = |c: char| c.is_ascii_graphic() || c == ' ';
    let text: String = text.chars().map(|c| if is_visible(c) { c } else { '?' }).collect();
    HeaderValue::try_from(text).expect("visible ASCII is a header value")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_random_keys_are_the_same() {
        let (one, other) = (random().unwrap(), random().unwrap());
        assert_ne!(one, other);
        assert!(key(&one).is_ok() && one.len() == 32, "{one}");
    }

    #[test]
    fn names_that_no_header_holds_are_sent_as_far_as_possible() {
        assert_eq!(visible("José\r\nX: y"), "Jos???X: y");
    }
}
