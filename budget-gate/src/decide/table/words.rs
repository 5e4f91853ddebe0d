//! The words of a line.

use chrono::Duration;
use slo_core::time::Span;

/// The words of a line after its first, taken one by one.
pub(super) struct Words<'a>(pub(super) Vec<&'a str>);

impl<'a> Words<'a> {
    pub(super) fn of(line: &'a str) -> Self {
        let mut words = Vec::new();
        let mut rest = line.trim();
        while !rest.is_empty() {
            let (word, after) = match rest.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
                None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
            };
            words.push(word);
            rest = after.trim_start();
        }
        words.reverse();
        Self(words)
    }

    pub(super) fn next(&mut self) -> Option<&'a str> {
        self.0.pop()
    }

    pub(super) fn need(&mut self, what: &str) -> &'a str {
        self.next().unwrap_or_else(|| panic!("{what} is missing"))
    }

    pub(super) fn number(&mut self, what: &str) -> f64 {
        self.need(what).replace('_', "").parse().unwrap_or_else(|_| panic!("{what} is no number"))
    }

    pub(super) fn skip(&mut self, words: &[&str]) {
        for word in words {
            assert_eq!(self.next(), Some(*word), "`{word}` is missing");
        }
    }

    pub(super) fn length(&mut self) -> Duration {
        length(self.need("a length"))
    }
}

pub(super) fn length(text: &str) -> Duration {
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |text| (-1, text));
    let span = Span::parse(text).unwrap_or_else(|_| panic!("`{text}` is no length"));
    Duration::milliseconds(sign * span.as_millis())
}

pub(super) fn share(text: &str) -> f64 {
    let percent = text.strip_suffix('%').unwrap_or_else(|| panic!("`{text}` lacks %"));
    percent.parse::<f64>().unwrap() / 100.0
}
