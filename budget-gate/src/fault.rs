//! What is wrong with a value, before it is told to whoever wrote it: at its place in a file, or as
//! the sentence that answers a request.

use std::fmt;

use slo_core::spec::SpecError;
use slo_core::spec::yaml::{Document, Spanned, Spot};

/// A wrong value with what to do about it.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    spot: Spot,
    message: String,
    remedy: String,
}

impl Fault {
    pub(crate) fn new(spot: Spot, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { spot, message: message.into(), remedy: remedy.into() }
    }

    /// From a sentence such as `this is wrong; write that`.
    pub(crate) fn of(spot: Spot, sentence: &str) -> Self {
        let (message, remedy) = sentence.rsplit_once("; ").unwrap_or((sentence, "remove it"));
        Self::new(spot, message, remedy)
    }

    /// The fault where it stands in the document that the value was read from.
    pub(crate) fn at(self, document: &Document) -> SpecError {
        document.error(self.spot, self.message).with_remedy(self.remedy)
    }
}

/// The sentence alone.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.message, self.remedy)
    }
}

/// What a text means to its reader.
pub(crate) fn parsed<T>(
    text: &Spanned<String>,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<T, Fault> {
    parse(text.value.trim()).map_err(|sentence| Fault::of(text.spot, &sentence))
}

/// A text that is not blank.
pub(crate) fn filled(text: &Spanned<String>) -> Result<String, Fault> {
    match text.value.trim() {
        "" => Err(Fault::new(text.spot, "this text is empty", "write one")),
        text => Ok(text.to_owned()),
    }
}
