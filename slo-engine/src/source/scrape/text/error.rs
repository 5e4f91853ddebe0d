//! What can be wrong with a body, and what each line of it must look like.

/// Why a body was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// A line that breaks the format.
    #[error("line {line}: expected {expected}, found {found}; {remedy}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What the format wants at this place.
        expected: &'static str,
        /// What stands there.
        found: String,
        /// What the target should write.
        remedy: &'static str,
    },
    /// One series, two lines.
    #[error(
        "line {second}: {series} stands in line {first} already; \
         expose each series once, or give the two different labels"
    )]
    Duplicate {
        /// The series as PromQL writes it.
        series: String,
        /// The line where it came first.
        first: usize,
        /// The line where it came again.
        second: usize,
    },
    /// OpenMetrics without its last line.
    #[error(
        "the body ends in line {line} without `# EOF`, so it was cut short; \
         write `# EOF` as the last line, or announce text/plain; version=0.0.4"
    )]
    NoEof {
        /// The last line that came.
        line: usize,
    },
    /// OpenMetrics that goes on after its last line.
    #[error(
        "line {line}: text after `# EOF`; write `# EOF` once, after the last sample \
         (two expositions joined need one of their own)"
    )]
    AfterEof {
        /// The first line too many.
        line: usize,
    },
    /// Text 0.0.4 that ends in mid-line.
    #[error(
        "line {line} has no line feed, so the body was cut short; \
         end every line with one, the last line too"
    )]
    Unfinished {
        /// The last line that came.
        line: usize,
    },
}

/// One demand of the formats: what was expected, and what to do about it.
pub(super) struct Rule {
    pub(super) expected: &'static str,
    pub(super) remedy: &'static str,
}

impl Rule {
    /// The error of a line that breaks this rule with the text `found`.
    pub(super) fn broken(&self, line: usize, found: &str) -> TextError {
        let (expected, remedy) = (self.expected, self.remedy);
        TextError::Line { line, expected, found: excerpt(found), remedy }
    }
}

/// The first characters of a text, without control characters, so that an error stays one line.
fn excerpt(text: &str) -> String {
    const SHOWN: usize = 40;
    if text.is_empty() {
        return "the end of the line".to_owned();
    }
    let cut = text.char_indices().nth(SHOWN).map_or(text.len(), |(at, _)| at);
    let more = if cut < text.len() { "..." } else { "" };
    let shown = text[..cut].replace(char::is_control, "\u{fffd}");
    format!("`{shown}{more}`")
}

const fn rule(expected: &'static str, remedy: &'static str) -> Rule {
    Rule { expected, remedy }
}

pub(super) const METRIC_NAME: Rule = rule(
    "one metric name of letters, digits, _ and : that does not begin with a digit",
    "write name{label=\"value\"} 1, and other names in quotes: {\"my.metric\",label=\"value\"} 1",
);
pub(super) const LABEL_NAME: Rule = rule(
    "a label name of letters, digits and _ that does not begin with a digit, or }",
    "write label=\"value\", other names in quotes, and close the labels with }",
);
pub(super) const EQUALS: Rule =
    rule("= after the label's name", "write label=\"value\", and the metric's name only once");
pub(super) const QUOTE: Rule =
    rule("a label value in double quotes", "write label=\"value\" with straight double quotes");
pub(super) const CLOSING_QUOTE: Rule = rule(
    "a closing double quote before the end of the line",
    "close the text, and write line feeds in it as \\n, quotes as \\\", backslashes as \\\\",
);
pub(super) const ESCAPE: Rule = rule(
    "\\\\, \\\" or \\n after a backslash",
    "write a backslash as \\\\; the format knows no other escapes",
);
pub(super) const COMMA: Rule =
    rule("a comma or } after a label", "write {a=\"1\",b=\"2\"} and close the labels with }");
pub(super) const VALUE: Rule = rule(
    "a number after the series",
    "write a decimal number such as 17, 0.5 or 1e9, or NaN, +Inf or -Inf",
);
pub(super) const MILLIS: Rule = rule(
    "a timestamp in whole milliseconds, or the end of the line",
    "leave it out; exemplars and seconds belong to OpenMetrics alone",
);
pub(super) const SECONDS: Rule = rule(
    "a timestamp in seconds, an exemplar, or the end of the line",
    "leave it out, or write seconds since 1970 such as 1767225600.25",
);
pub(super) const EXEMPLAR: Rule = rule(
    "an exemplar: labels in braces, a number and at most a timestamp",
    "write # {trace_id=\"1\"} 0.5 1767225600.25, or leave it out",
);
pub(super) const TYPE: Rule = rule(
    "a metric name and its type",
    "write # TYPE name type with counter, gauge, histogram, summary, untyped or, in OpenMetrics, \
     unknown, gaugehistogram, stateset or info",
);
pub(super) const ONE_OF_EACH_LABEL: Rule =
    rule("every label once", "remove one of the two, or rename it");
pub(super) const NO_NAME_LABEL: Rule = rule(
    "labels other than __name__",
    "write the metric's name before the braces, or quoted as the first thing in them",
);
