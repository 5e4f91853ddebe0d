//! Gives values their meaning and keeps every fault it meets, so that one run names them all.

use crate::filter::Filter;
use crate::selector::Selector;
use crate::slo::{Name, parse_share};
use crate::spec::yaml::{Document, Spanned, Spot};
use crate::spec::{SpecError, Warning};
use crate::time::Span;

use super::shape::{NameText, ShareText, SpanText};

/// What is said about a share with too many digits.
pub(super) const FINEST: &str = "write at most 9 decimals, or 7 in front of a percent sign";

/// More faults of one document are not told.
const MOST_FAULTS: usize = 100;

/// What is known of a document while its values are read. A `None` that a method gives means
/// that a fault was noted.
pub(super) struct Reader<'a> {
    pub(super) document: &'a Document,
    pub(super) errors: Vec<SpecError>,
    pub(super) warnings: Vec<Warning>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(document: &'a Document) -> Self {
        Self { document, errors: Vec::new(), warnings: Vec::new() }
    }

    /// Notes a fault with its remedy, unless there are more than anyone reads.
    pub(super) fn fault(&mut self, spot: Spot, message: &str, remedy: &str) {
        if self.errors.len() == MOST_FAULTS {
            return;
        }
        self.errors.push(self.document.error(spot, message).with_remedy(remedy));
    }

    /// Notes a fault where a value was wanted.
    pub(super) fn refuse<T>(&mut self, spot: Spot, message: &str, remedy: &str) -> Option<T> {
        self.fault(spot, message, remedy);
        None
    }

    /// Notes something that cannot be meant.
    pub(super) fn warn(&mut self, code: &'static str, spot: Spot, message: &str, remedy: &str) {
        let finding = self.document.error(spot, message).with_remedy(remedy);
        self.warnings.push(Warning { code, finding });
    }

    /// The value, or the sentence about it noted; what such a sentence advises is the remedy, else
    /// the one given.
    pub(super) fn note<T>(
        &mut self,
        spot: Spot,
        read: Result<T, String>,
        remedy: &str,
    ) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(sentence) => {
                let (message, advice) = advised(&sentence);
                self.refuse(spot, message, advice.unwrap_or(remedy))
            }
        }
    }

    pub(super) fn name(&mut self, text: &Spanned<NameText>) -> Option<Name> {
        self.note(text.spot, Name::parse(&text.value.0), "write a shorter one")
    }

    /// A share in parts per billion that lies in (0, `most`].
    pub(super) fn share(&mut self, text: &Spanned<ShareText>, most: i64) -> Option<i64> {
        let ppb = self.note(text.spot, parse_share(&text.value.0), FINEST)?;
        if 0 < ppb && ppb <= most {
            return Some(ppb);
        }
        let said = format!("`{}` does not lie between 0 % and 100 %", text.value.0);
        self.refuse(text.spot, &said, "write a share above 0 %, such as 95%")
    }

    /// A span above 0.
    pub(super) fn span(&mut self, text: &Spanned<SpanText>) -> Option<Span> {
        let span = self.note(text.spot, Span::parse(&text.value.0), "write one such as 5m")?;
        if span.as_millis() > 0 {
            return Some(span);
        }
        self.refuse(text.spot, "a duration of 0 has no meaning here", "write one such as 5m")
    }

    /// A span of whole minutes above 0.
    pub(super) fn minutes(&mut self, text: &Spanned<SpanText>) -> Option<Span> {
        let span = self.span(text)?;
        if span.as_millis() % 60_000 == 0 {
            return Some(span);
        }
        let said = format!("`{}` is not a whole number of minutes", text.value.0);
        let remedy = "everything is counted by the minute; write one such as 5m";
        self.refuse(text.spot, &said, remedy)
    }

    /// A span that may be left out; `Some(None)` when it is.
    pub(super) fn optional_span(
        &mut self,
        text: Option<&Spanned<SpanText>>,
    ) -> Option<Option<Span>> {
        text.map_or(Some(None), |text| self.span(text).map(Some))
    }

    /// A text that is not blank.
    pub(super) fn filled(&mut self, text: &Spanned<String>) -> Option<String> {
        if text.value.trim().is_empty() {
            return self.refuse(text.spot, "this text is empty", "write one, or remove the key");
        }
        Some(text.value.clone())
    }

    /// As [`Self::filled`] of a text that may be left out.
    pub(super) fn optional(&mut self, text: Option<&Spanned<String>>) -> Option<Option<String>> {
        text.map_or(Some(None), |text| self.filled(text).map(Some))
    }

    /// A selector; its faults point into the text.
    pub(super) fn selector(&mut self, spot: Spot, text: &str) -> Option<Selector> {
        match Selector::parse(text) {
            Ok(selector) => Some(selector),
            Err(e) => {
                let form = "a selector looks like name{label=\"value\", other=~\"regex\"}";
                self.note(self.document.inside(spot, e.at), Err(e.message), form)
            }
        }
    }

    /// A query in KQL; its faults point into the text.
    pub(super) fn kql(&mut self, text: &Spanned<String>) -> Option<Filter> {
        let query = self.filled(text)?;
        Filter::parse(&query).map_or_else(
            |e| {
                let spot = self.document.inside(text.spot, e.span.start);
                self.refuse(spot, &e.message, &e.remedy)
            },
            Some,
        )
    }

    /// As [`Self::kql`] of a query that may be left out.
    pub(super) fn optional_kql(
        &mut self,
        text: Option<&Spanned<String>>,
    ) -> Option<Option<Filter>> {
        text.map_or(Some(None), |text| self.kql(text).map(Some))
    }

    /// A selector of counters: a recording rule holds no counts.
    pub(super) fn events(&mut self, spot: Spot, text: &str) -> Option<Selector> {
        let selector = self.selector(spot, text)?;
        match selector.metric().filter(|metric| metric.contains(':')) {
            None => Some(selector),
            Some(metric) => {
                let said = format!(
                    "`{metric}` is a recorded series, and sums of counters fall when a pod leaves"
                );
                let remedy = "name the counter it is made of; for a ratio that is computed \
                    elsewhere use `raw` with time slices";
                self.refuse(spot, &said, remedy)
            }
        }
    }
}

/// Parts a sentence such as `this is wrong; write that` before its advice.
fn advised(sentence: &str) -> (&str, Option<&str>) {
    let at = ["; write ", "; use ", "; in a "].iter().filter_map(|w| sentence.rfind(w)).max();
    at.map_or((sentence, None), |at| (&sentence[..at], Some(&sentence[at + 2..])))
}
