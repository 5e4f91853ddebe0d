//! A decision as Markdown, for a step summary or a comment. Every text in it comes from elsewhere and
//! is written so that it shows as it is: no markup, no HTML, no mention, no reference, no link.

use std::fmt::Write;

use crate::decision::{Decision, RuleResult, Verdict};
use crate::harmless::harmless;
use crate::text::headline;
use crate::{summary, words};

/// A comment has its limits, and the worst rules stand first.
const MAX_ROWS: usize = 50;
/// Shows nothing, and parts what would be read as one thing.
const GAP: char = '\u{200b}';

/// The whole decision.
#[must_use]
pub fn markdown(decision: &Decision) -> String {
    let mut out = format!("### {}\n\n", escaped(&headline(decision)));
    match decision.rules.is_empty() {
        true => decision.reasons.iter().for_each(|reason| {
            let _ = writeln!(out, "- {}", escaped(reason));
        }),
        false => table(&mut out, decision),
    }
    out.push('\n');
    for (label, note) in summary::notes(decision) {
        let _ = writeln!(out, "- **{label}**: {}", escaped(&note));
    }
    if let Some(link) = summary::permalink(decision) {
        let _ = writeln!(out, "- [The decision](<{link}>)");
    }
    out
}

fn table(out: &mut String, decision: &Decision) {
    out.push_str("| verdict | rule | SLO | what was seen | opens |\n|---|---|---|---|---|\n");
    for rule in summary::worst_first(decision).into_iter().take(MAX_ROWS) {
        row(out, decision, rule);
    }
    if let Some(more) = decision.rules.len().checked_sub(MAX_ROWS).filter(|more| *more > 0) {
        let _ = writeln!(out, "\nand {more} more");
    }
}

fn row(out: &mut String, decision: &Decision, rule: &RuleResult) {
    let verdict = match rule.verdict {
        Verdict::Allow => "allow".to_owned(),
        verdict => format!("**{verdict}**"),
    };
    let mut slo = escaped(&summary::looked_at(rule));
    if let Some(link) = summary::evidence(decision, rule).filter(|_| !slo.is_empty()) {
        slo = format!("[{slo}](<{link}>)");
    }
    let opens = rule.unblocks.map(words::instant).unwrap_or_default();
    let (name, reason) = (escaped(&rule.rule), escaped(&rule.reason));
    let _ = writeln!(out, "| {verdict} | {name} | {slo} | {reason} | {opens} |");
}

/// One line that every renderer shows as the text itself. Marks are escaped; what a renderer looks
/// for in the finished text (`@name`, `#1`, `www.x`, `https://x`, `OPS-1`) is parted by a gap that does not
/// show.
fn escaped(text: &str) -> String {
    let text = harmless(text);
    let mut out = String::with_capacity(text.len() * 2);
    let mut before = ' ';
    let mut left = text.chars().peekable();
    while let Some(c) = left.next() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c if is_mark(c) => out.extend(['\\', c]),
            c => out.push(c),
        }
        let next = left.peek().copied().unwrap_or(' ');
        if begins_reference(before, c, next) {
            out.push(GAP);
        }
        before = c;
    }
    out
}

/// Marks of Markdown and of the dialects of GitHub and GitLab.
fn is_mark(c: char) -> bool {
    "\\`*_{}[]()#+!|~$^=@\"'".contains(c)
}

fn begins_reference(before: char, c: char, next: char) -> bool {
    let is_word = next.is_alphanumeric() || next == '_';
    match c {
        '@' | '#' | '!' | '$' | '~' | '^' | '&' | '%' | '/' => is_word || "/\"'`".contains(next),
        ':' => next == '/' || (is_word && !before.is_ascii_digit()),
        'w' | 'W' => before.eq_ignore_ascii_case(&'w') && next == '.',
        '-' => (before.is_ascii_uppercase() || before == 'h') && next.is_ascii_digit(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{denied, evil, recorded};

    #[test]
    fn a_denied_deploy_is_a_table_worst_first_and_what_opens_the_gate() {
        assert_eq!(
            markdown(&denied()),
            "### DENY orders 1.4.2 in production\n\
             \n\
             | verdict | rule | SLO | what was seen | opens |\n\
             |---|---|---|---|---|\n\
             | **deny** | budget | availability 30d | availability: the 30d budget is spent \
             \\(112 %\\); the policy denies at 100 % | 2026-11-24 14:10 UTC |\n\
             | **warn** | budget | latency 30d | latency: 18 % of the 30d budget remains; the policy \
             warns below 25 % |  |\n\
             | allow | budget | queue 30d | queue: 80 % of the 30d budget remains |  |\n\
             | allow | freshness | availability | availability: the numbers are 30s old |  |\n\
             \n\
             - **opens**: 2026-11-24 14:10 UTC, in 3d 4h: availability: enough bad events have left \
             the 30d window\n\
             - **you can**: ask with --kind rollback, if it is one\n\
             - **policy**: production; stricter on trial says deny\n"
        );
    }

    #[test]
    fn a_recorded_decision_links_to_its_pages() {
        let said = markdown(&recorded());
        let link = "- [The decision](<https://headroom.example/gate/decisions/01JDECISION>)\n";
        assert!(said.ends_with(link), "{said}");
        assert!(
            said.contains("| [availability 30d](<https://headroom.example/slos/orders/"),
            "{said}"
        );
        assert!(said.contains("- **override**: by ana until"), "{said}");
    }

    #[test]
    fn a_shut_gate_without_rules_lists_its_reasons() {
        let mut decision = denied();
        decision.rules.clear();
        decision.reasons = vec!["no policy applies".to_owned()];
        assert!(markdown(&decision).contains("\n- no policy applies\n"));
    }

    #[test]
    fn no_more_than_50_rows_are_shown() {
        let mut decision = denied();
        decision.rules = vec![decision.rules[0].clone(); 70];
        let said = markdown(&decision);
        assert_eq!(said.matches("| **deny** |").count(), 50);
        assert!(said.contains("\n\nand 20 more\n"), "{said}");
    }

    /// The link to the decision is the only one, and is checked by itself.
    fn unlinked(text: &str) -> Decision {
        Decision { permalink: None, ..evil(text) }
    }

    #[test]
    fn no_text_becomes_markup_html_mention_reference_or_link() {
        let plain = markdown(&unlinked("x"));
        for (text, absent) in [
            ("| a | b", "| a |"),
            ("**x** _y_ `z`", "**x**"),
            ("[a](https://evil.example)", "](https"),
            ("![a](https://evil.example/p.png)", "!["),
            ("<img src=x onerror=y>", "<img"),
            ("&lt;b&gt; &#64;ana", "&#64;"),
            ("https://evil.example", "://"),
            ("mailto:ana@evil.example OPS-12", "OPS-12"),
            ("www.evil.example WWW.evil.example", "ww."),
            ("ana@evil.example @ana", "@evil"),
            ("@ana", "@ana"),
            ("#1 org/repo#2 GH-3 !4 $5 ~6 %7 &8", "#1"),
            ("org/repo#2", "#2"),
            ("GH-3", "GH-3"),
            ("a\n\n# b\n- [ ] c\r\n```", "\n# b"),
            ("$`x`$ :tada: <!-- ", "<!--"),
        ] {
            let said = markdown(&unlinked(text));
            assert!(!said.contains(absent), "{text}: {said}");
            assert_eq!(said.lines().count(), plain.lines().count(), "{text}: {said}");
        }
    }

    #[test]
    fn times_lengths_and_shares_are_left_as_they_are() {
        assert_eq!(escaped("at 14:10, 112 %; 3d 4h - 1.4.2"), "at 14:10, 112 %; 3d 4h - 1.4.2");
    }
}
