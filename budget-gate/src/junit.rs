//! A decision as JUnit XML: one suite, one case for the verdict and one for each rule and SLO. A case
//! fails only where the gate is shut: a report that is red beside a deploy that may go misleads.

use std::fmt::Write;

use crate::decision::{Decision, RuleResult, Verdict};
use crate::harmless::harmless;
use crate::summary;
use crate::text::{headline, text};

/// The whole report.
#[must_use]
pub fn junit(decision: &Decision) -> String {
    let rules = summary::worst_first(decision);
    let verdicts: Vec<Verdict> =
        std::iter::once(decision.verdict).chain(rules.iter().map(|rule| rule.verdict)).collect();
    let counts = counts(decision.allow, &verdicts);
    let name = escaped(&headline(decision));
    let at = decision.at.format("%Y-%m-%dT%H:%M:%S");
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuites name=\"Headroom\" {counts}>\n\
         <testsuite name=\"{name}\" {counts} timestamp=\"{at}\" time=\"0\">\n"
    );
    let class = escaped(&format!("headroom.{}", decision.service));
    case(&mut out, decision.allow, &class, &Case::of_decision(decision));
    for rule in rules {
        case(&mut out, decision.allow, &class, &Case::of_rule(rule));
    }
    out.push_str("</testsuite>\n</testsuites>\n");
    out
}

/// One test case; its texts are escaped.
struct Case {
    name: String,
    verdict: Verdict,
    message: String,
    body: String,
}

impl Case {
    fn of_decision(decision: &Decision) -> Self {
        let reason = summary::reasons(decision).first().copied().unwrap_or_default();
        let lines: Vec<String> = text(decision, false).lines().map(escaped).collect();
        let (name, body) = ("verdict".to_owned(), lines.join("\n"));
        Self { name, verdict: decision.verdict, message: escaped(reason), body }
    }

    fn of_rule(rule: &RuleResult) -> Self {
        let name = format!("{} {}", rule.rule, summary::looked_at(rule));
        let reason = escaped(&rule.reason);
        let name = escaped(name.trim_end());
        Self { name, verdict: rule.verdict, message: reason.clone(), body: reason }
    }
}

/// What a case of this verdict is where the gate is open or shut.
fn element(verdict: Verdict, open: bool) -> Option<&'static str> {
    match verdict {
        Verdict::Allow | Verdict::Warn => None,
        Verdict::Unknown | Verdict::Deny if open => Some("skipped"),
        Verdict::Unknown => Some("error"),
        Verdict::Deny => Some("failure"),
    }
}

fn counts(open: bool, verdicts: &[Verdict]) -> String {
    let of = |name| verdicts.iter().filter(|v| element(**v, open) == Some(name)).count();
    format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\"",
        verdicts.len(),
        of("failure"),
        of("error"),
        of("skipped")
    )
}

fn case(out: &mut String, open: bool, class: &str, case: &Case) {
    let Case { name, verdict, message, body } = case;
    let _ = write!(out, "<testcase classname=\"{class}\" name=\"{name}\" time=\"0\">");
    let message = format!("message=\"{verdict}: {message}\"");
    let _ = match element(*verdict, open) {
        Some("skipped") => write!(out, "<skipped {message}/>"),
        Some(element) => write!(out, "<{element} {message} type=\"{verdict}\">{body}</{element}>"),
        None => write!(out, "<system-out>{body}</system-out>"),
    };
    out.push_str("</testcase>\n");
}

/// Text for an attribute or an element, with only characters that XML 1.0 has.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in harmless(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{denied, evil, recorded};

    #[test]
    fn a_denied_deploy_fails_in_its_verdict_and_in_each_rule_that_denies() {
        let xml = junit(&denied());
        let counts = "tests=\"5\" failures=\"2\" errors=\"0\" skipped=\"0\"";
        assert!(xml.contains(&format!("<testsuites name=\"Headroom\" {counts}>")), "{xml}");
        assert!(xml.contains(&format!(
            "<testsuite name=\"DENY orders 1.4.2 in production\" {counts} \
             timestamp=\"2026-11-21T10:00:00\" time=\"0\">"
        )));
        assert!(xml.contains(
            "<testcase classname=\"headroom.orders\" name=\"budget availability 30d\" time=\"0\">\
             <failure message=\"deny: availability: the 30d budget is spent (112 %); the policy \
             denies at 100 %\" type=\"deny\">"
        ));
        assert!(xml.contains(
            "name=\"budget queue 30d\" time=\"0\"><system-out>queue: 80 % of the 30d budget \
             remains</system-out>"
        ));
    }

    #[test]
    fn what_is_unknown_is_an_error() {
        let mut decision = denied();
        decision.verdict = Verdict::Unknown;
        decision.rules[0].verdict = Verdict::Unknown;
        let xml = junit(&decision);
        assert!(xml.contains("tests=\"5\" failures=\"0\" errors=\"2\" skipped=\"0\""), "{xml}");
        assert!(xml.contains("type=\"unknown\">"), "{xml}");
    }

    #[test]
    fn a_deploy_that_may_go_has_no_failure_although_a_rule_denies() {
        let xml = junit(&recorded());
        assert!(xml.contains("tests=\"5\" failures=\"0\" errors=\"0\" skipped=\"1\""), "{xml}");
        assert!(xml.contains("<skipped message=\"deny: availability"), "{xml}");
    }

    #[test]
    fn a_shut_gate_without_rules_fails_in_its_verdict() {
        let mut decision = denied();
        decision.rules.clear();
        decision.reasons = vec!["no policy applies".to_owned()];
        let xml = junit(&decision);
        assert!(xml.contains("tests=\"1\" failures=\"1\""), "{xml}");
        assert!(xml.contains("<failure message=\"deny: no policy applies\""), "{xml}");
    }

    #[test]
    fn no_text_can_leave_its_place_and_xml_has_all_characters() {
        let xml =
            junit(&evil("a\"/><failure x='1'>]]>&\u{0}\u{8}\u{b}\n\u{fffe}\u{ffff}<![CDATA["));
        for broken in ["a\"/>", "<failure x", "]]>", "<![", "&\u{0}"] {
            assert!(!xml.contains(broken), "{broken}: {xml}");
        }
        let allowed = |c: char| c == '\n' || (!c.is_control() && !"\u{fffe}\u{ffff}".contains(c));
        assert!(xml.chars().all(allowed), "{xml}");
        assert_eq!(xml.matches("<testcase").count(), xml.matches("</testcase>").count());
    }
}
