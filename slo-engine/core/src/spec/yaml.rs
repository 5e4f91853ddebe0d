//! YAML texts and the places in them. The only module that names the YAML crate; it knows of
//! `apiVersion` and `kind`, and nothing of what the kinds mean.

use std::sync::Arc;

use serde::de::{DeserializeOwned, IgnoredAny};

use super::excerpt::excerpt;
use super::{Place, SpecError};

mod explain;
mod header;
mod spanned;
mod split;

use header::Header;
pub use spanned::{Spanned, Spot};

/// Files larger than this are refused.
pub const MAX_BYTES: usize = 1024 * 1024;

/// One document of a file: its text, its place and what it says it is.
#[derive(Debug, Clone)]
pub struct Document {
    file: Arc<str>,
    text: Arc<str>,
    part: split::Part,
    /// The value of `apiVersion`, when there is one.
    pub api_version: Option<Spanned<String>>,
    /// The value of `kind`, when there is one.
    pub kind: Option<Spanned<String>>,
}

/// The documents of a file given as bytes. Every document that cannot be read is an error of its
/// own, so that the others are read all the same.
#[must_use]
pub fn documents(file: &str, bytes: &[u8]) -> Vec<Result<Document, SpecError>> {
    let text = match decode(file, bytes) {
        Ok(text) => text,
        Err(error) => return vec![Err(error)],
    };
    let (file, text): (Arc<str>, Arc<str>) = (file.into(), text.into());
    let parts = split::parts(&text);
    if parts.is_empty() {
        let remedy = "begin it with `apiVersion: headroom/v1`, or remove it";
        let empty = SpecError::of_file(&file, "this file holds no document");
        return vec![Err(empty.with_remedy(remedy))];
    }
    parts.into_iter().map(|part| Document::open(&file, &text, part)).collect()
}

fn decode<'a>(file: &str, bytes: &'a [u8]) -> Result<&'a str, SpecError> {
    if bytes.len() > MAX_BYTES {
        let message = "this file has more than 1024 KiB, the most that is read";
        let remedy = "split it; documents may lie in any number of files";
        return Err(SpecError::of_file(file, message).with_remedy(remedy));
    }
    let text = str::from_utf8(bytes).map_err(|e| {
        let (good, _) = bytes.split_at(e.valid_up_to());
        let line = good.iter().filter(|b| **b == b'\n').count() + 1;
        let start = good.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let column = String::from_utf8_lossy(&good[start..]).chars().count() + 1;
        let place = Place { file: file.to_owned(), line, column };
        let message = "this byte is not UTF-8, so the file is no YAML text".to_owned();
        let remedy = Some("save it as UTF-8, or remove it from the folder".to_owned());
        SpecError { place, excerpt: String::new(), message, remedy }
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

impl Document {
    fn open(file: &Arc<str>, text: &Arc<str>, part: split::Part) -> Result<Self, SpecError> {
        let mut document =
            Self { file: file.clone(), text: text.clone(), part, api_version: None, kind: None };
        document.refuse_tabs()?;
        let header = document.header()?;
        document.api_version = header.api_version;
        document.kind = header.kind;
        Ok(document)
    }

    /// What the document says it is. Both keys usually stand first, and then the rest need not be
    /// read for them.
    fn header(&self) -> Result<Header, SpecError> {
        let source = self.source();
        let rest = |line: &&str| {
            !(line.starts_with(['#', ' ', '%', '\r', '\n'])
                || ["---", "apiVersion:", "kind:"].iter().any(|known| line.starts_with(known)))
        };
        let top: usize =
            source.split_inclusive('\n').take_while(|line| !rest(line)).map(str::len).sum();
        if let Some(header) = header::plain(&source[..top]) {
            return Ok(header);
        }
        match serde_saphyr::from_str_with_options(&source[..top], explain::options()) {
            Ok(header @ Header { api_version: Some(_), kind: Some(_) }) => Ok(header),
            _ => self.read(),
        }
    }

    /// Reads the document as a type. A text that is read as `String` is the scalar as written,
    /// so that `0.999` loses nothing on its way through a float.
    ///
    /// # Errors
    /// The first fault of the document's form, in words, at its place.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, SpecError> {
        serde_saphyr::from_str_with_options(self.source(), explain::options()).map_err(|e| {
            // What is missing may stand where it cannot be read.
            let whole = || {
                serde_saphyr::from_str_with_options::<IgnoredAny>(self.source(), explain::options())
            };
            let mut said = explain::explain(&e);
            if said.of_mapping {
                said = whole().err().map_or(said, |e| explain::explain(&e));
            }
            let spot = said.spot.filter(|s| !said.of_mapping || s.column > 1);
            let spot = spot.unwrap_or_else(|| self.start());
            let remedy = if self.tab_before(spot) { explain::TABS.to_owned() } else { said.remedy };
            self.error(spot, said.message).with_remedy(remedy)
        })
    }

    /// The file's name.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Where the document starts.
    #[must_use]
    pub fn start(&self) -> Spot {
        let line = self.source().lines().position(split::is_content).unwrap_or_default();
        Spot::at_line(line + 1)
    }

    /// The place in the file of something that was read from this document.
    #[must_use]
    pub fn place(&self, spot: Spot) -> Place {
        let line = self.part.first_line + spot.line.max(1) - 1;
        Place { file: self.file.to_string(), line, column: spot.column.max(1) }
    }

    /// An error about something that was read from this document.
    #[must_use]
    pub fn error(&self, spot: Spot, message: impl Into<String>) -> SpecError {
        let place = self.place(spot);
        let excerpt = excerpt(self.line(spot), place.line, place.column, spot.length);
        SpecError { place, excerpt, message: message.into(), remedy: None }
    }

    /// The spot of a character inside a text value, `at` bytes from the value's start; the value's
    /// own spot when it is written over several lines.
    #[must_use]
    pub fn inside(&self, spot: Spot, at: usize) -> Spot {
        spot.inside(self.source(), at)
    }

    fn source(&self) -> &str {
        &self.text[self.part.from..self.part.to]
    }

    fn refuse_tabs(&self) -> Result<(), SpecError> {
        let tab = |line: &str| line.starts_with('\t') && split::is_content(line);
        self.source().lines().position(tab).map_or(Ok(()), |line| {
            let said = "a tab cannot indent YAML";
            Err(self.error(Spot::at_line(line + 1), said).with_remedy(explain::TABS))
        })
    }

    fn tab_before(&self, spot: Spot) -> bool {
        let line = self.line(spot);
        line[..line.len() - line.trim_start().len()].contains('\t')
    }

    /// The line of a spot, by its byte where it has one, because counting lines is slow.
    fn line(&self, spot: Spot) -> &str {
        let source = self.source();
        let parts = spot.byte.and_then(|byte| source.split_at_checked(byte));
        let Some((before, after)) = parts else {
            return source.lines().nth(spot.line.saturating_sub(1)).unwrap_or_default();
        };
        let from = before.rfind('\n').map_or(0, |end| end + 1);
        let to = after.find('\n').map_or(source.len(), |end| before.len() + end);
        &source[from..to]
    }
}
