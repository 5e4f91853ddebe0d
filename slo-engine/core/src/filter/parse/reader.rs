//! The words of a query: values with and without quotes, escapes, keywords.

use super::{FilterError, Read, error};
use crate::filter::{Literal, Test};

/// What a word can hold only after a backslash; `*` is its wildcard.
const SPECIAL: &str = "\\():<>\"*{}";

const KEYWORDS: [&str; 3] = ["and", "or", "not"];

/// A place in a query.
pub(super) struct Reader<'a> {
    text: &'a str,
    /// In bytes.
    pub(super) at: usize,
    /// Parentheses and negations around it.
    pub(super) depth: usize,
}

/// A value, cut at its wildcards.
#[derive(Default)]
pub(super) struct Pieces {
    before: Vec<String>,
    last: String,
}

impl From<String> for Pieces {
    fn from(last: String) -> Self {
        Self { before: Vec::new(), last }
    }
}

impl Pieces {
    fn cut(&mut self) {
        self.before.push(std::mem::take(&mut self.last));
    }

    /// The value, when it has no wildcard.
    pub(super) fn whole(self) -> Option<String> {
        self.before.is_empty().then_some(self.last)
    }

    pub(super) fn test(self) -> Test {
        let Self { mut before, last } = self;
        if before.is_empty() {
            return Test::Is(Literal::new(last));
        }
        let first = before.remove(0);
        before.retain(|piece| !piece.is_empty());
        if before.is_empty() && first.is_empty() && last.is_empty() {
            return Test::Exists;
        }
        Test::Like([first].into_iter().chain(before).chain([last]).collect())
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, depth: 0 }
    }

    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub(super) fn space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    /// Steps over a sign when it stands here.
    pub(super) fn take(&mut self, sign: &str) -> bool {
        let there = self.rest().starts_with(sign);
        self.at += if there { sign.len() } else { 0 };
        there
    }

    /// Steps over a keyword and the space before it.
    pub(super) fn take_keyword(&mut self, keyword: &str) -> bool {
        let start = self.at;
        self.space();
        let there = self.keyword().is_some_and(|found| found.eq_ignore_ascii_case(keyword));
        self.at = if there { self.at + keyword.len() } else { start };
        there
    }

    /// The keyword that stands here.
    fn keyword(&self) -> Option<&'a str> {
        let rest = self.rest();
        let end = rest.find(|c: char| c.is_whitespace() || SPECIAL.contains(c));
        let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
        let is_keyword = KEYWORDS.iter().any(|k| word.eq_ignore_ascii_case(k));
        (is_keyword && !after.starts_with(['\\', '*'])).then_some(word)
    }

    /// Nothing may follow.
    pub(super) fn end(&mut self) -> Read<()> {
        self.space();
        if self.rest().is_empty() { Ok(()) } else { Err(self.surplus()) }
    }

    /// Steps over the parenthesis that closes the one at `start`.
    pub(super) fn close(&mut self, start: usize) -> Read<()> {
        self.space();
        if self.take(")") {
            return Ok(());
        }
        if self.rest().is_empty() {
            return error(start..start + 1, "this parenthesis is not closed", "add `)`");
        }
        Err(self.surplus())
    }

    /// What cannot follow a condition.
    fn surplus(&self) -> FilterError {
        let next = self.next();
        let (message, remedy) = match next {
            ")" => ("this parenthesis closes nothing".to_owned(), "remove it"),
            _ => (
                format!("`{next}` stands where `and` or `or` is expected"),
                "put one between two conditions; a value with this character is put in quotes",
            ),
        };
        FilterError { message, remedy: remedy.to_owned(), span: self.at..self.at + next.len() }
    }

    /// The character or the word that stands here.
    fn next(&self) -> &'a str {
        let rest = self.rest();
        let first = rest.chars().next().map_or(0, char::len_utf8);
        let word = rest.find(|c: char| c.is_whitespace() || SPECIAL.contains(c));
        &rest[..word.unwrap_or(rest.len()).max(first)]
    }

    /// Why a name without a sign behind it is no condition; it began at `start`.
    pub(super) fn no_condition(&self, start: usize, name: &str) -> FilterError {
        let next = self.next();
        if next.starts_with('=') || next == "!=" {
            let not = if next == "!=" { "not " } else { "" };
            let message = format!("KQL has no `{next}`");
            let remedy = format!("write `{not}{name} : value`");
            return FilterError { message, remedy, span: self.at..self.at + next.len() };
        }
        let span = start..self.text[..self.at].trim_end().len();
        let term = &self.text[span.clone()];
        let message = format!("`{term}` is a term without a field, and such ones are not read");
        FilterError { message, remedy: format!("write `field : {term}`"), span }
    }

    /// A value without quotes: words and the space between them.
    pub(super) fn words(&mut self, field: &str) -> Read<Pieces> {
        let (what, remedy) = ("a value", format!("write one such as {field} : \"text\""));
        let mut pieces = self.word(what, &remedy)?;
        while let Some(gap) = self.gap() {
            pieces.last.push_str(gap);
            self.letters(&mut pieces)?;
        }
        Ok(pieces)
    }

    /// The space between two words of one value.
    fn gap(&mut self) -> Option<&'a str> {
        let start = self.at;
        self.space();
        let word = |c| matches!(c, '\\' | '*') || !SPECIAL.contains(c);
        if self.at > start && self.rest().starts_with(word) && self.keyword().is_none() {
            return Some(&self.text[start..self.at]);
        }
        self.at = start;
        None
    }

    /// One word without quotes.
    pub(super) fn word(&mut self, what: &str, remedy: &str) -> Read<Pieces> {
        let start = self.at;
        let mut pieces = Pieces::default();
        if self.keyword().is_none() {
            self.letters(&mut pieces)?;
        }
        if self.at > start {
            return Ok(pieces);
        }
        let next = self.next();
        let span = start..start + next.len();
        match next {
            "" => error(span, format!("the query ends where {what} is expected"), remedy),
            "{" => {
                let message = "nested documents cannot be counted";
                error(span, message, "write a field's whole name, such as items.name : value")
            }
            _ => {
                let remedy = format!("{remedy}; a text with `{next}` is put in quotes");
                error(span, format!("`{next}` stands where {what} is expected"), remedy)
            }
        }
    }

    /// Characters up to a space or a sign.
    fn letters(&mut self, pieces: &mut Pieces) -> Read<()> {
        while let Some(c) = self.rest().chars().next() {
            match c {
                '\\' => self.escaped(&mut pieces.last)?,
                '*' => {
                    pieces.cut();
                    self.at += 1;
                }
                c if c.is_whitespace() || SPECIAL.contains(c) => break,
                c => {
                    pieces.last.push(c);
                    self.at += c.len_utf8();
                }
            }
        }
        Ok(())
    }

    /// What a backslash outside of quotes stands for.
    fn escaped(&mut self, into: &mut String) -> Read<()> {
        let start = self.at;
        self.at += 1;
        if let Some(keyword) = self.keyword() {
            into.push_str(keyword);
            self.at += keyword.len();
            return Ok(());
        }
        match self.rest().chars().next() {
            Some(c) if SPECIAL.contains(c) => {
                into.push(c);
                self.at += 1;
                Ok(())
            }
            _ => match self.code()? {
                Some(c) => {
                    into.push(c);
                    Ok(())
                }
                None => {
                    let message = "a backslash stands before a sign, a keyword, t, n, r or u";
                    error(start..self.at, message, "write `\\\\` for the character itself")
                }
            },
        }
    }

    /// `t`, `n`, `r` or `u` with four digits after a backslash.
    fn code(&mut self) -> Read<Option<char>> {
        let (start, rest) = (self.at - 1, self.rest());
        let (c, length) = match rest.chars().next() {
            Some('t') => ('\t', 1),
            Some('n') => ('\n', 1),
            Some('r') => ('\r', 1),
            Some('u') => {
                let digits = rest.get(1..5).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
                let code = digits.and_then(|d| u32::from_str_radix(d, 16).ok());
                match code.and_then(char::from_u32) {
                    Some(c) => (c, 5),
                    None => {
                        let remedy = "write four hexadecimal digits, such as \\u0020";
                        return error(start..self.at + 1, "`\\u` names no character here", remedy);
                    }
                }
            }
            _ => return Ok(None),
        };
        self.at += length;
        Ok(Some(c))
    }

    /// A value in quotes; a backslash that escapes nothing is one.
    pub(super) fn quoted(&mut self) -> Read<Option<String>> {
        let start = self.at;
        if !self.take("\"") {
            return Ok(None);
        }
        let mut value = String::new();
        while let Some(c) = self.rest().chars().next() {
            self.at += c.len_utf8();
            match c {
                '"' => return Ok(Some(value)),
                '\\' if self.rest().starts_with(['\\', '"']) => {
                    value.push_str(&self.rest()[..1]);
                    self.at += 1;
                }
                '\\' => value.push(self.code()?.unwrap_or('\\')),
                c => value.push(c),
            }
        }
        error(start..start + 1, "this quote is not closed", "add `\"`")
    }
}
