//! A decision as GitHub shows it beside a job: one workflow command, which is one line.

use crate::decision::{Decision, Verdict};
use crate::harmless::harmless;
use crate::summary;
use crate::text::headline;

/// `::error title=DENY orders 1.4.2 in production::` and why, and what opens the gate.
#[must_use]
pub fn annotation(decision: &Decision) -> String {
    let mut lines: Vec<String> = summary::reasons(decision).into_iter().map(harmless).collect();
    let shown = ["because", "override", "opens"];
    let notes = summary::notes(decision).into_iter().filter(|(label, _)| shown.contains(label));
    lines.extend(notes.map(|(label, note)| format!("{label}: {}", harmless(&note))));
    if lines.is_empty() {
        lines.push("nothing stands in the way".to_owned());
    }
    let level = match decision.verdict {
        Verdict::Allow => Level::Notice,
        Verdict::Warn => Level::Warning,
        Verdict::Unknown | Verdict::Deny => Level::Error,
    };
    command(level, &headline(decision), &lines.join("\n"))
}

/// How loud an annotation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Good to know.
    Notice,
    /// Something to look at.
    Warning,
    /// What stopped the job.
    Error,
}

/// One workflow command; neither title nor message can end it or begin another.
#[must_use]
pub fn command(level: Level, title: &str, message: &str) -> String {
    let level = match level {
        Level::Notice => "notice",
        Level::Warning => "warning",
        Level::Error => "error",
    };
    let title = data(title).replace(':', "%3A").replace(',', "%2C");
    format!("::{level} title={title}::{}\n", data(message))
}

/// What GitHub decodes in the data of a command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{denied, evil, recorded};

    #[test]
    fn a_denied_deploy_is_an_error_with_its_reasons_and_what_opens_the_gate() {
        assert_eq!(
            annotation(&denied()),
            "::error title=DENY orders 1.4.2 in production::\
             availability: the 30d budget is spent (112 %25); the policy denies at 100 %25%0A\
             latency: 18 %25 of the 30d budget remains; the policy warns below 25 %25%0A\
             opens: 2026-11-24 14:10 UTC, in 3d 4h: availability: enough bad events have left the \
             30d window\n"
        );
    }

    #[test]
    fn a_warning_warns_and_a_free_way_is_a_notice() {
        assert!(annotation(&recorded()).starts_with("::warning title=WARN orders"));
        let mut free = denied();
        (free.verdict, free.allow, free.unblocks) = (Verdict::Allow, true, None);
        (free.rules, free.reasons) = (Vec::new(), Vec::new());
        let said = annotation(&free);
        assert!(
            said.starts_with("::notice title=ALLOW orders") && said.ends_with("way\n"),
            "{said}"
        );
    }

    #[test]
    fn no_text_can_end_the_command_or_begin_another() {
        let said = annotation(&evil("x\r\n::error file=a,line=1::y%0A::stop-commands::z"));
        assert_eq!(said.lines().count(), 1, "{said}");
        let (head, message) = said[2..].split_once("::").unwrap();
        assert!(
            !head.contains([',', '\r']) && !message.trim_end().contains(['\r', '\n']),
            "{said}"
        );
        assert!(!said.contains("y%0A"), "{said}");
    }
}
