//! What is wrong with a file: where, the line itself, and the remedy.

use std::fmt;

use serde::Serialize;

use super::excerpt::printable;

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Place {
    /// The file's name as it was given.
    pub file: String,
    /// The line in the file, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

/// `orders.yaml:12:7`
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One thing that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SpecError {
    /// Where it is.
    #[serde(flatten)]
    pub place: Place,
    /// The line with a caret under the fault; empty where the whole file is meant.
    pub excerpt: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl SpecError {
    /// The same error with a remedy.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// An error about a whole file.
    #[must_use]
    pub fn of_file(file: &str, message: impl Into<String>) -> Self {
        let place = Place { file: file.to_owned(), line: 1, column: 1 };
        Self { place, excerpt: String::new(), message: message.into(), remedy: None }
    }
}

/// The place (of a whole file its name alone) and the message, the excerpt below, the remedy last.
impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of_file = self.excerpt.is_empty() && (self.place.line, self.place.column) == (1, 1);
        match of_file {
            true => write!(f, "{}: {}", self.place.file, shown(&self.message))?,
            false => write!(f, "{}: {}", self.place, shown(&self.message))?,
        }
        if !self.excerpt.is_empty() {
            write!(f, "\n{}", self.excerpt)?;
        }
        self.remedy.as_ref().map_or(Ok(()), |remedy| write!(f, "\nhelp: {}", shown(remedy)))
    }
}

/// A sentence that may quote the file, for a terminal.
fn shown(sentence: &str) -> String {
    sentence.chars().map(printable).collect()
}

impl std::error::Error for SpecError {}

/// Something that is allowed but cannot be meant; `--strict` makes it an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// A stable code, such as `alert-unreachable`.
    pub code: &'static str,
    /// Where it is, what it is and what to do.
    #[serde(flatten)]
    pub finding: SpecError,
}

/// As the error, with the code in front of the message.
impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = format!("warning[{}]: {}", self.code, self.finding.message);
        fmt::Display::fmt(&SpecError { message, ..self.finding.clone() }, f)
    }
}
