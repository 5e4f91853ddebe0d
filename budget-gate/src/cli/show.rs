//! Shows a decision where people and machines look for it, and turns it into an exit code.

use std::io;

use budget_gate::annotation::{self, Level};
use budget_gate::harmless::{harmless, harmless_json};
use budget_gate::{Decision, Verdict, junit, markdown, sarif, text};

use super::args::{Answering, Closed, Engine, Format, OnUnreachable, Written};
use super::client::Failure;
use super::job::{Job, System};
use super::reply::Reply;
use super::{Exit, output};

/// A decision that a deploy asked for.
pub(super) fn decided(reply: &Reply, how: &Answering, job: &Job) -> Exit {
    if let Err(exit) = written(reply, &how.written, job) {
        return exit;
    }
    if job.system.is_github() && how.written.format == Format::Text {
        let _ = output::answer(&annotation::annotation(&reply.decision));
    }
    beside(job, &reply.decision);
    match reply.decision.verdict {
        Verdict::Allow => Exit::Go,
        Verdict::Warn => Exit::Warned(how.warn_exit_code),
        Verdict::Unknown => Exit::Unknown,
        Verdict::Deny => Exit::Denied,
    }
}

/// Writes the decision; what goes to a file is told in the log too.
///
/// # Errors
/// It cannot be written, which was said.
pub(super) fn written(reply: &Reply, how: &Written, job: &Job) -> Result<(), Exit> {
    let written = match &how.output {
        None => output::answer(&rendered(reply, how.format, job)),
        Some(file) => {
            let plain = Job { colours: false, system: System::Shell, ..job.clone() };
            output::log(&text::text(&reply.decision, job.colours));
            output::answer_to(file, &rendered(reply, how.format, &plain))
        }
    };
    written.map_err(|error: io::Error| {
        let what = text::headline(&reply.decision);
        output::wrong(&format!("cannot write the answer ({what}): {error}"))
    })
}

fn rendered(reply: &Reply, format: Format, job: &Job) -> String {
    let decision = &reply.decision;
    match format {
        Format::Text if job.system == System::GitLabCi => section(decision, job.colours),
        Format::Text => text::text(decision, job.colours),
        Format::Json => harmless_json(&format!("{:#}\n", reply.json)),
        Format::Junit => junit::junit(decision),
        Format::Markdown => markdown::markdown(decision),
        Format::Sarif => sarif::sarif(decision),
    }
}

/// A part of the log that GitLab can fold; it stands open.
fn section(decision: &Decision, colours: bool) -> String {
    let (at, head) = (decision.at.timestamp(), text::headline(decision));
    let text = text::text(decision, colours);
    format!(
        "\u{1b}[0Ksection_start:{at}:headroom_gate\r\u{1b}[0KHeadroom: {head}\n{text}\
         \u{1b}[0Ksection_end:{at}:headroom_gate\r\u{1b}[0K\n"
    )
}

/// What the system shows beside the job and hands to later steps. The verdict does not depend on it.
fn beside(job: &Job, decision: &Decision) {
    let values = [
        ("verdict", decision.verdict.to_string()),
        ("allow", decision.allow.to_string()),
        ("id", harmless(decision.id.as_deref().unwrap_or_default())),
        ("permalink", harmless(decision.permalink.as_deref().unwrap_or_default())),
    ];
    let values = values.map(|(name, value)| format!("{name}={value}\n")).concat();
    for (file, text) in [(&job.summary, markdown::markdown(decision)), (&job.values, values)] {
        let Some(file) = file else { continue };
        if let Err(error) = output::append_to(file, &text) {
            output::diagnostic(&format!("cannot write {}: {error}", file.display()));
        }
    }
}

/// Only an engine that gives no answer is subject to `--on-unreachable`: one that refuses the caller
/// has answered. The engine declines no question about a deploy: what does so is no engine.
pub(super) fn without_answer(
    failure: Failure,
    engine: &Engine,
    closed: &Closed,
    job: &Job,
) -> Exit {
    let (exit, failure) = match failure {
        Failure::WrongQuestion(_) => (Exit::Usage, failure),
        Failure::Refused(_) => (Exit::Unknown, failure),
        Failure::Declined(why) | Failure::Unreachable(why) => match closed.on_unreachable {
            OnUnreachable::Deny => (Exit::Unknown, Failure::Unreachable(why)),
            OnUnreachable::Allow => (Exit::Go, Failure::Unreachable(why)),
        },
    };
    loud(job, &format!("{}: {failure}", engine.origin()), exit);
    exit
}

/// In GitHub Actions a line of the log that nobody reads becomes an annotation.
fn loud(job: &Job, why: &str, exit: Exit) {
    let (level, title) = match exit {
        Exit::Go => (Level::Warning, "Headroom: the deploy goes without a verdict"),
        _ => (Level::Error, "Headroom: no verdict"),
    };
    output::diagnostic(why);
    if exit == Exit::Go {
        output::diagnostic(
            "WARNING: THE GATE GAVE NO VERDICT. The deploy goes without one (--on-unreachable allow)",
        );
    }
    if job.system.is_github() {
        output::log(&annotation::command(level, title, why));
    }
}

/// What a command that decides nothing says without an answer.
pub(super) fn not_done(failure: &Failure, engine: &Engine) -> Exit {
    output::diagnostic(&format!("{}: {failure}", engine.origin()));
    match failure {
        Failure::WrongQuestion(_) => Exit::Usage,
        Failure::Refused(_) | Failure::Declined(_) => Exit::Declined,
        Failure::Unreachable(_) => Exit::Unknown,
    }
}
