//! Reads `name{label="value", ...}`; says what to write instead of PromQL arithmetic.

use thiserror::Error;

use super::{Matcher, Op, Selector, is_metric_name};

/// Why a text is not a selector.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct SelectorError {
    /// What is wrong and what to write instead.
    pub message: String,
    /// Where, in bytes from the start of the text.
    pub at: usize,
}

fn error<T>(at: usize, message: impl Into<String>) -> Result<T, SelectorError> {
    Err(SelectorError { message: message.into(), at })
}

pub(super) fn selector(text: &str) -> Result<Selector, SelectorError> {
    if let Some(found) = arithmetic(text) {
        return Err(found);
    }
    let mut reader = Reader { text, at: 0 };
    reader.space();
    let mut matchers = Vec::new();
    let name = reader.word(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':');
    if !name.is_empty() {
        if !is_metric_name(name) {
            return error(0, format!("`{name}` is not a metric name"));
        }
        matchers.push(matcher("__name__", Op::Equal, name, 0)?);
    }
    reader.space();
    if reader.take('{') {
        braces(&mut reader, &mut matchers)?;
    }
    let is_named = |m: &&Matcher| m.label == "__name__";
    if !name.is_empty() && matchers.iter().filter(is_named).count() > 1 {
        return error(0, "the metric is named twice; write the name in front or in __name__");
    }
    reader.space();
    if reader.at < text.len() {
        let rest = &text[reader.at..];
        return error(
            reader.at,
            format!("`{rest}` does not belong in a selector; write name{{label=\"value\"}}"),
        );
    }
    if matchers.is_empty() {
        return error(0, "a selector needs a metric name or a matcher, such as {code=~\"5..\"}");
    }
    matchers.shrink_to_fit();
    Ok(Selector { matchers })
}

fn braces(reader: &mut Reader<'_>, matchers: &mut Vec<Matcher>) -> Result<(), SelectorError> {
    loop {
        reader.space();
        if reader.take('}') {
            return Ok(());
        }
        let at = reader.at;
        let label = reader.label()?;
        reader.space();
        if label.1 && !reader.rest().starts_with(['=', '!']) {
            matchers.push(matcher("__name__", Op::Equal, &label.0, at)?);
        } else {
            let op = reader.op()?;
            reader.space();
            let value_at = reader.at;
            let value = reader.quoted()?;
            matchers.push(matcher(&label.0, op, &value, value_at)?);
        }
        reader.space();
        if !reader.take(',') && !reader.rest().starts_with('}') {
            return error(reader.at, "expected `,` or `}` after a matcher");
        }
    }
}

fn matcher(label: &str, op: Op, value: &str, at: usize) -> Result<Matcher, SelectorError> {
    let is_number = ["inf", "nan"].iter().any(|number| value.eq_ignore_ascii_case(number));
    if label == "__name__" && op == Op::Equal && is_number {
        return error(at, format!("`{value}` is a number to Prometheus and no metric's name"));
    }
    Matcher::new(label, op, value).or_else(|message| error(at, message))
}

/// PromQL that does arithmetic which is the engine's own work; the selector inside is the remedy.
fn arithmetic(text: &str) -> Option<SelectorError> {
    const FUNCTIONS: [&str; 7] = ["rate", "irate", "increase", "sum", "avg", "count", "delta"];
    let bare = strip_quoted(text);
    let call = FUNCTIONS.iter().find_map(|f| find_call(&bare, f).map(|at| (*f, at)));
    let (what, at) = match call {
        Some((f, at)) => (format!("`{f}(`"), at),
        None => {
            let at = bare.find('[')?;
            (format!("`{}`", text[at..].split_inclusive(']').next().unwrap_or("[")), at)
        }
    };
    let remedy = inner_selector(text, &bare).map_or_else(String::new, |s| format!("; write `{s}`"));
    let message = format!("{what} is the engine's work, a selector only names the counter{remedy}");
    Some(SelectorError { message, at })
}

/// The text with everything inside quotes blanked, so that offsets stay.
fn strip_quoted(text: &str) -> String {
    let (mut quote, mut escaped) = (None, false);
    let mut blank = |c: char| {
        let inside = quote.is_some();
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(q) if c == q => quote = None,
            None if c == '"' || c == '\'' => quote = Some(c),
            _ => {}
        }
        if inside { " ".repeat(c.len_utf8()) } else { c.to_string() }
    };
    text.chars().map(&mut blank).collect()
}

fn find_call(bare: &str, function: &str) -> Option<usize> {
    bare.match_indices(function).map(|(at, _)| at).find(|at| {
        let before = bare[..*at].chars().next_back();
        let after = bare[at + function.len()..].trim_start();
        let by =
            after.starts_with("by ") || after.starts_with("by(") || after.starts_with("without");
        !before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
            && (after.starts_with('(') || by)
    })
}

/// The selector inside an expression: the name in front of the first brace or bracket, with its
/// matchers; without either, what stands in the last parentheses.
fn inner_selector<'a>(text: &'a str, bare: &str) -> Option<&'a str> {
    let anchor = bare.find(['{', '[']);
    let (start, end) = match anchor {
        Some(at) => {
            let of_name = |c: char| c.is_ascii_alphanumeric() || "_:".contains(c);
            let start = bare[..at].trim_end_matches(of_name).len();
            (start, bare[at..].find('}').map_or(at, |brace| at + brace + 1))
        }
        None => {
            let open = bare.rfind('(').map_or(0, |at| at + 1);
            (open, bare[open..].find(')').map_or(bare.len(), |close| open + close))
        }
    };
    let inner = text[start..end].trim();
    (!inner.is_empty()).then_some(inner)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn take(&mut self, c: char) -> bool {
        let there = self.rest().starts_with(c);
        self.at += if there { c.len_utf8() } else { 0 };
        there
    }

    fn word(&mut self, of: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest().find(|c| !of(c)).unwrap_or(self.rest().len());
        let word = &self.rest()[..end];
        self.at += end;
        word
    }

    /// A label's name and whether it was quoted (a quoted text alone is a metric's name).
    fn label(&mut self) -> Result<(String, bool), SelectorError> {
        if self.rest().starts_with(['"', '\'']) {
            return Ok((self.quoted()?, true));
        }
        let at = self.at;
        let word = self.word(|c| c.is_ascii_alphanumeric() || c == '_');
        if word.is_empty() || word.starts_with(|c: char| c.is_ascii_digit()) {
            return error(at, "expected a label name, such as code in {code=~\"5..\"}");
        }
        Ok((word.to_owned(), false))
    }

    fn op(&mut self) -> Result<Op, SelectorError> {
        for op in [Op::Match, Op::NotMatch, Op::NotEqual, Op::Equal] {
            if self.rest().starts_with(op.as_str()) {
                self.at += op.as_str().len();
                return Ok(op);
            }
        }
        error(self.at, "expected =, !=, =~ or !~ after a label name")
    }

    fn quoted(&mut self) -> Result<String, SelectorError> {
        let start = self.at;
        let Some(quote) = self.rest().chars().next().filter(|c| matches!(c, '"' | '\'' | '`'))
        else {
            return error(start, "expected a value in quotes");
        };
        self.at += 1;
        let mut value = String::new();
        while let Some(c) = self.rest().chars().next() {
            self.at += c.len_utf8();
            match c {
                c if c == quote => return Ok(value),
                '\\' if quote != '`' => value.push(self.escape()?),
                c => value.push(c),
            }
        }
        error(start, "this quote is not closed")
    }

    fn escape(&mut self) -> Result<char, SelectorError> {
        let Some(c) = self.rest().chars().next() else {
            return error(self.at, "a text ends with a backslash");
        };
        self.at += c.len_utf8();
        match c {
            'n' => Ok('\n'),
            't' => Ok('\t'),
            'r' => Ok('\r'),
            '\\' | '"' | '\'' => Ok(c),
            c => error(
                self.at - c.len_utf8(),
                format!("`\\{c}` is no escape; in a regular expression write `\\\\{c}`"),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        selector(text).unwrap_err().message
    }

    #[test]
    fn names_matchers_spaces_quotes_and_a_trailing_comma_are_read() {
        let read = selector(r#" up { job = "a b" , x!='y', z=~"1\\d", q!~`\d+`, } "#).unwrap();
        assert_eq!(read.to_string(), r#"up{job="a b",x!="y",z=~"1\\d",q!~"\\d+"}"#);
    }

    #[test]
    fn a_name_may_stand_inside_the_braces() {
        assert_eq!(selector("{__name__=\"up\"}").unwrap().to_string(), "up");
        assert_eq!(selector("{\"my.metric\", job=\"x\"}").unwrap().metric(), Some("my.metric"));
        assert!(!selector("{code=~\"5..\"}").unwrap().is_named());
    }

    #[test]
    fn arithmetic_is_refused_with_the_selector_to_write() {
        let said = message("sum(rate(http_requests_total{code=~\"5..\"}[5m])) by (job)");
        assert!(
            said.contains("`rate(`") && said.contains("write `http_requests_total{code=~\"5..\"}`"),
            "{said}"
        );
        assert!(message("http_requests_total[5m]").contains("`[5m]`"));
        assert!(message("sum by (x) (up)").contains("write `up`"));
        assert!(message("rate(\u{e9}x[5m])").contains("write `x`"));
    }

    #[test]
    fn a_function_name_inside_a_value_or_a_metric_is_no_function() {
        assert!(selector("error_rate{x=\"sum(\"}").is_ok());
        assert!(selector("{__name__=\"rate\"}").is_ok());
    }

    #[test]
    fn broken_texts_say_where() {
        assert_eq!(selector("up{job=\"a}").unwrap_err().at, 7);
        assert!(message("up{job=~\"(\"}").contains("regular expression"));
        assert!(message("up{job}").contains("expected ="));
        assert!(message("up or down").contains("does not belong"));
        assert!(message("").contains("needs a metric name"));
    }
}
