//! Label matchers: what they mean, and the texts that PromQL reads back. Not a PromQL parser:
//! anything beyond `name{matchers}` is refused with the selector to write instead.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use regex::bytes::Regex;

use crate::labels::Labels;

mod parse;
mod patterns;

pub use parse::SelectorError;

/// How a matcher compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Op {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`, anchored
    Match,
    /// `!~`, anchored
    NotMatch,
}

impl Op {
    /// As PromQL writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Match => "=~",
            Self::NotMatch => "!~",
        }
    }

    /// Whether it picks values rather than leaving some out.
    #[must_use]
    pub const fn is_positive(self) -> bool {
        matches!(self, Self::Equal | Self::Match)
    }
}

/// One label matcher. A copy is the same matcher: an SLO's are in its file, its queries and its feeds.
#[derive(Debug, Clone)]
pub struct Matcher(Arc<Parts>);

/// What a matcher is made of.
#[derive(Debug)]
pub struct Parts {
    /// The label's name.
    pub label: String,
    /// How it compares.
    pub op: Op,
    /// The text or regular expression as written.
    pub value: String,
    regex: Option<Arc<Regex>>,
}

impl Deref for Matcher {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (&self.label, self.op, &self.value) == (&other.label, other.op, &other.value)
    }
}

impl Eq for Matcher {}

impl Matcher {
    /// A matcher; regular expressions are anchored at both ends, as in Prometheus.
    ///
    /// # Errors
    /// What is wrong with the regular expression.
    pub fn new(label: &str, op: Op, value: &str) -> Result<Self, String> {
        let regex = match op {
            Op::Equal | Op::NotEqual => None,
            Op::Match | Op::NotMatch => Some(patterns::anchored(value)?),
        };
        Ok(Self(Arc::new(Parts { label: label.into(), op, value: value.into(), regex })))
    }

    /// Whether a label's value matches; the value of an absent label is the empty text.
    #[must_use]
    pub fn matches(&self, value: &str) -> bool {
        let hit = self.regex.as_ref().map_or(self.value == value, |r| r.is_match(value.as_bytes()));
        hit == self.op.is_positive()
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.label, self.op.as_str(), quoted(&self.value))
    }
}

/// A set of matchers that a series must all satisfy. The metric's name is a matcher on `__name__`;
/// a refinement (`{code=~"5.."}`) has none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selector {
    /// All matchers, the one on `__name__` first.
    pub matchers: Vec<Matcher>,
}

impl Selector {
    /// Reads `name{label="value"}`, `{__name__="name"}` or, as a refinement, `{label="value"}`.
    ///
    /// # Errors
    /// Where the text went wrong and what to write instead.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        parse::selector(text)
    }

    /// Whether a name is given, in front or as `__name__`; without one it refines another side.
    #[must_use]
    pub fn is_named(&self) -> bool {
        self.matchers.iter().any(|m| m.label == "__name__")
    }

    /// The metric's name, when one name is asked for exactly.
    #[must_use]
    pub fn metric(&self) -> Option<&str> {
        self.matchers
            .iter()
            .find(|m| m.label == "__name__" && m.op == Op::Equal)
            .map(|m| m.value.as_str())
    }

    /// Whether the labels satisfy every matcher.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        self.matchers.iter().all(|m| m.matches(labels.get(&m.label)))
    }

    /// This selector with the matchers of a refinement added.
    #[must_use]
    pub fn refined(&self, by: &Self) -> Self {
        Self { matchers: self.matchers.iter().chain(&by.matchers).cloned().collect() }
    }

    /// The same labels of another metric, such as `<name>_bucket` of a histogram.
    #[must_use]
    pub fn with_metric(&self, name: &str) -> Self {
        let (label, value) = ("__name__".into(), name.into());
        let named = Matcher(Arc::new(Parts { label, op: Op::Equal, value, regex: None }));
        let rest = self.matchers.iter().filter(|m| m.label != "__name__").cloned();
        Self { matchers: std::iter::once(named).chain(rest).collect() }
    }
}

/// As PromQL reads it.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = self.metric().filter(|name| is_metric_name(name));
        f.write_str(plain.unwrap_or_default())?;
        let rest: Vec<String> = self
            .matchers
            .iter()
            .filter(|m| {
                !(m.label == "__name__" && m.op == Op::Equal && plain == Some(m.value.as_str()))
            })
            .map(ToString::to_string)
            .collect();
        if rest.is_empty() && plain.is_some() {
            return Ok(());
        }
        write!(f, "{{{}}}", rest.join(","))
    }
}

/// Whether a text is a classic metric name, so that it may stand in front of the braces.
#[must_use]
pub fn is_metric_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_' || c == ':')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
}

/// A text in double quotes, escaped for PromQL.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regular_expressions_are_anchored_at_both_ends() {
        let matcher = Matcher::new("code", Op::Match, "5..").unwrap();
        assert!(matcher.matches("503"));
        assert!(!matcher.matches("1503") && !matcher.matches("5031") && !matcher.matches(""));
    }

    #[test]
    fn an_absent_label_is_the_empty_text() {
        let labels = Labels::new([("__name__", "up")]);
        assert!(Selector::parse("up{code=\"\"}").unwrap().matches(&labels));
        assert!(Selector::parse("up{code!~\"5..\"}").unwrap().matches(&labels));
        assert!(!Selector::parse("up{code=~\".+\"}").unwrap().matches(&labels));
    }

    #[test]
    fn a_refinement_adds_its_matchers_to_the_total() {
        let total = Selector::parse("http_requests_total{service=\"a\"}").unwrap();
        let bad = total.refined(&Selector::parse("{code=~\"5..\"}").unwrap());
        assert_eq!(bad.to_string(), "http_requests_total{service=\"a\",code=~\"5..\"}");
    }
}
