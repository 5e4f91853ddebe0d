//! `budget-gate peek`: a decision that is not recorded.

use budget_gate::harmless::harmless_json;
use budget_gate::{Verdict, text};
use clap::Args;

use super::args::{Answering, Engine, Format, OnUnreachable, Subject};
use super::client::{self, Failure};
use super::reply::Reply;
use super::{Exit, output};

#[derive(Args)]
pub(crate) struct Peek {
    #[command(flatten)]
    subject: Subject,
    #[command(flatten)]
    engine: Engine,
    #[command(flatten)]
    answering: Answering,
}

pub(super) async fn peek(peek: &Peek) -> Exit {
    match client::ask(&peek.engine, &peek.subject).await {
        Ok(reply) => show(&reply, &peek.answering),
        Err(failure) => without_answer(&failure, &peek.engine),
    }
}

fn show(reply: &Reply, how: &Answering) -> Exit {
    let written = match &how.output {
        None => output::answer(&rendered(reply, how.format, output::shows_colours())),
        Some(file) => output::answer_to(file, &rendered(reply, how.format, false))
            .inspect(|()| output::diagnostic(&text::headline(&reply.decision))),
    };
    if let Err(error) = written {
        let what = text::headline(&reply.decision);
        output::diagnostic(&format!("cannot write the answer ({what}): {error}"));
        return Exit::Usage;
    }
    match reply.decision.verdict {
        Verdict::Allow => Exit::Go,
        Verdict::Warn => Exit::Warned(how.warn_exit_code),
        Verdict::Unknown => Exit::Unknown,
        Verdict::Deny => Exit::Denied,
    }
}

fn rendered(reply: &Reply, format: Format, colours: bool) -> String {
    match format {
        Format::Text => text::text(&reply.decision, colours),
        Format::Json => harmless_json(&format!("{:#}\n", reply.json)),
    }
}

/// Only an engine that gives no answer is subject to `--on-unreachable`: one that refuses the caller
/// has answered.
fn without_answer(failure: &Failure, engine: &Engine) -> Exit {
    let origin = engine.url.origin().ascii_serialization();
    output::diagnostic(&format!("{origin}: {failure}"));
    match (failure, engine.on_unreachable) {
        (Failure::WrongQuestion(_), _) => Exit::Usage,
        (Failure::Refused(_), _) | (_, OnUnreachable::Deny) => Exit::Unknown,
        (Failure::Unreachable(_), OnUnreachable::Allow) => {
            output::diagnostic("the deploy goes without a verdict (--on-unreachable allow)");
            Exit::Go
        }
    }
}
