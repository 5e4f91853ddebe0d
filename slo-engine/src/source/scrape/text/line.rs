//! One line, read from left to right without an allocation. Texts stay as they are written
//! ([`Raw`]) until somebody wants the row.

use std::borrow::Cow;

use super::error::{
    CLOSING_QUOTE, COMMA, EQUALS, ESCAPE, EXEMPLAR, LABEL_NAME, METRIC_NAME, MILLIS, QUOTE, Rule,
    SECONDS, TYPE, TextError, VALUE,
};
use super::{Format, Kind};

/// The last line of OpenMetrics.
pub(super) const EOF: &str = "# EOF";

/// A name or a value as written, without its quotes.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Raw<'a> {
    text: &'a str,
    escaped: bool,
}

impl<'a> Raw<'a> {
    /// The text that was meant. Other escapes than the three stay as written, as OpenMetrics says.
    pub(super) fn unescaped(self) -> Cow<'a, str> {
        if !self.escaped {
            return Cow::Borrowed(self.text);
        }
        let mut meant = String::with_capacity(self.text.len());
        let mut rest = self.text;
        while let Some(at) = rest.find('\\') {
            meant.push_str(&rest[..at]);
            let (known, skipped) = match rest.as_bytes().get(at + 1) {
                Some(b'n') => ('\n', 2),
                Some(b'"') => ('"', 2),
                Some(b'\\') => ('\\', 2),
                _ => ('\\', 1),
            };
            meant.push(known);
            rest = &rest[at + skipped..];
        }
        meant.push_str(rest);
        Cow::Owned(meant)
    }
}

/// Label names and values as written.
pub(super) type Pairs<'a> = Vec<(Raw<'a>, Raw<'a>)>;

/// A sample without its labels.
pub(super) struct Sample<'a> {
    pub(super) name: Raw<'a>,
    pub(super) value: f64,
    pub(super) millis: Option<i64>,
}

/// What is left of a line.
pub(super) struct Line<'a> {
    rest: &'a str,
    number: usize,
    format: Format,
}

impl<'a> Line<'a> {
    pub(super) const fn new(text: &'a str, number: usize, format: Format) -> Self {
        Self { rest: text, number, format }
    }

    /// A sample; its labels replace what is in `pairs`.
    pub(super) fn sample(mut self, pairs: &mut Pairs<'a>) -> Result<Sample<'a>, TextError> {
        pairs.clear();
        self.blanks();
        let whole = self.rest;
        let bare = self.bare_name(true);
        if bare.is_some() && !self.rest.starts_with([' ', '\t', '{']) && !self.rest.is_empty() {
            return Err(METRIC_NAME.broken(self.number, whole));
        }
        self.blanks();
        let quoted = if self.eat(b'{') { self.labels(pairs)? } else { None };
        let ((Some(name), None) | (None, Some(name))) = (bare, quoted) else {
            return Err(METRIC_NAME.broken(self.number, whole));
        };
        let value = self.value()?;
        let millis = self.timestamp()?;
        self.exemplar(pairs)?;
        Ok(Sample { name, value, millis })
    }

    /// The family and type of a `# TYPE` line; `None` for every other comment.
    pub(super) fn family_type(mut self) -> Result<Option<(Raw<'a>, Kind)>, TextError> {
        self.blanks();
        self.eat(b'#');
        self.blanks();
        let whole = self.rest;
        if self.word() != "TYPE" {
            return Ok(None);
        }
        self.blanks();
        let quoted = self.rest.starts_with('"');
        let name = if quoted { Some(self.quoted()?) } else { self.bare_name(true) };
        self.blanks();
        let kind = Kind::of_type(self.word());
        self.blanks();
        match (name, kind) {
            (Some(name), Some(kind)) if self.rest.is_empty() => Ok(Some((name, kind))),
            _ => Err(TYPE.broken(self.number, whole)),
        }
    }

    /// Labels up to and with the closing brace, and the metric's name when it stands among them.
    fn labels(&mut self, pairs: &mut Pairs<'a>) -> Result<Option<Raw<'a>>, TextError> {
        let mut metric = None;
        loop {
            self.blanks();
            if self.eat(b'}') {
                return Ok(metric);
            }
            let quoted = self.rest.starts_with('"');
            let name = self.label_name(quoted)?;
            self.blanks();
            if self.eat(b'=') {
                self.blanks();
                pairs.push((name, self.quoted()?));
            } else if quoted && metric.is_none() {
                metric = Some(name);
            } else {
                return Err(self.broken(&EQUALS));
            }
            self.blanks();
            if !self.eat(b',') && !self.rest.starts_with('}') {
                return Err(self.broken(&COMMA));
            }
        }
    }

    fn label_name(&mut self, quoted: bool) -> Result<Raw<'a>, TextError> {
        if !quoted {
            return self.bare_name(false).ok_or_else(|| self.broken(&LABEL_NAME));
        }
        let whole = self.rest;
        let name = self.quoted()?;
        if name.text.is_empty() {
            return Err(LABEL_NAME.broken(self.number, whole));
        }
        Ok(name)
    }

    /// A text in double quotes, up to and with the closing one.
    fn quoted(&mut self) -> Result<Raw<'a>, TextError> {
        let whole = self.rest;
        if !self.eat(b'"') {
            return Err(self.broken(&QUOTE));
        }
        let bytes = self.rest.as_bytes();
        let (mut at, mut escaped) = (0, false);
        loop {
            match bytes.get(at) {
                None => return Err(CLOSING_QUOTE.broken(self.number, whole)),
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    at += self.escape_length(at)?;
                }
                Some(_) => at += 1,
            }
        }
        let text = &self.rest[..at];
        self.rest = &self.rest[at + 1..];
        Ok(Raw { text, escaped })
    }

    fn escape_length(&self, at: usize) -> Result<usize, TextError> {
        match (self.rest.as_bytes().get(at + 1), self.format) {
            (Some(b'\\' | b'"' | b'n'), _) => Ok(2),
            (Some(_), Format::OpenMetrics) | (None, _) => Ok(1),
            (Some(_), Format::Text) => Err(ESCAPE.broken(self.number, &self.rest[at..])),
        }
    }

    fn value(&mut self) -> Result<f64, TextError> {
        self.blanks();
        let word = self.word();
        number(word).ok_or_else(|| VALUE.broken(self.number, word))
    }

    fn timestamp(&mut self) -> Result<Option<i64>, TextError> {
        self.blanks();
        let exemplar = self.format == Format::OpenMetrics && self.rest.starts_with('#');
        if self.rest.is_empty() || exemplar {
            return Ok(None);
        }
        let whole = self.rest;
        let word = self.word();
        let (millis, rule) = match self.format {
            Format::Text => (word.parse().ok(), &MILLIS),
            Format::OpenMetrics => (number(word).and_then(millis_of_seconds), &SECONDS),
        };
        self.blanks();
        let more = self.format == Format::Text && !self.rest.is_empty();
        if millis.is_none() || more {
            return Err(rule.broken(self.number, whole));
        }
        Ok(millis)
    }

    /// Reads over an exemplar; whatever else is left of the line is a fault.
    fn exemplar(&mut self, pairs: &mut Pairs<'a>) -> Result<(), TextError> {
        if self.rest.is_empty() {
            return Ok(());
        }
        if !self.eat(b'#') {
            return Err(self.broken(&SECONDS));
        }
        self.blanks();
        let (whole, kept) = (self.rest, pairs.len());
        let named = if self.eat(b'{') { self.labels(pairs)?.is_some() } else { true };
        pairs.truncate(kept);
        let value = self.value();
        self.blanks();
        let at = self.word();
        let timed = at.is_empty() || number(at).and_then(millis_of_seconds).is_some();
        self.blanks();
        if named || value.is_err() || !timed || !self.rest.is_empty() {
            return Err(EXEMPLAR.broken(self.number, whole));
        }
        Ok(())
    }

    /// A name without quotes; the names of metrics may have colons.
    fn bare_name(&mut self, colons: bool) -> Option<Raw<'a>> {
        let bytes = self.rest.as_bytes();
        let letter = |b: u8| b.is_ascii_alphabetic() || b == b'_' || (colons && b == b':');
        if !bytes.first().is_some_and(|b| letter(*b)) {
            return None;
        }
        let length = bytes.iter().position(|b| !letter(*b) && !b.is_ascii_digit());
        let (text, rest) = self.rest.split_at(length.unwrap_or(bytes.len()));
        self.rest = rest;
        Some(Raw { text, escaped: false })
    }

    /// Everything up to the next blank.
    fn word(&mut self) -> &'a str {
        let length = self.rest.bytes().position(|b| b == b' ' || b == b'\t');
        let (word, rest) = self.rest.split_at(length.unwrap_or(self.rest.len()));
        self.rest = rest;
        word
    }

    fn blanks(&mut self) {
        while let Some(rest) = self.rest.strip_prefix([' ', '\t']) {
            self.rest = rest;
        }
    }

    /// Takes one ASCII character if it is next.
    fn eat(&mut self, wanted: u8) -> bool {
        let hit = self.rest.as_bytes().first() == Some(&wanted);
        if hit {
            self.rest = &self.rest[1..];
        }
        hit
    }

    fn broken(&self, rule: &Rule) -> TextError {
        rule.broken(self.number, self.rest)
    }
}

/// A decimal number, NaN or an infinity; a finite number beyond f64 is none of them.
fn number(word: &str) -> Option<f64> {
    let value: f64 = word.parse().ok()?;
    let overflown = value.is_infinite() && word.bytes().any(|b| b.is_ascii_digit());
    (!overflown).then_some(value)
}

/// Unix milliseconds of Unix seconds with a fraction; `None` outside years that dates can hold.
pub(super) fn millis_of_seconds(seconds: f64) -> Option<i64> {
    const LARGEST: f64 = 8e12;
    (seconds.abs() <= LARGEST).then(|| (seconds * 1_000.0).round() as i64)
}
