//! `kind: Calendar` of `headroom/v1`: from a document to a [`Calendar`], and its JSON Schema.

use chrono_tz::Tz;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Deserialize;
use serde_json::Value;
use slo_core::spec::SpecError;
use slo_core::spec::yaml::{Document, Spanned};

use super::{Calendar, Closing, Opening, When, clock};
use crate::fault::{Fault, filled, parsed};
use crate::policy::scalar::Word;

/// When nothing is deployed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Calendar", rename = "Calendar")]
#[schemars(extend("anyOf" = [{"required": ["closed"]}, {"required": ["only"]}]))]
struct CalendarDocument {
    /// Which language this is.
    #[serde(rename = "apiVersion")]
    #[schemars(extend("const" = "headroom/v1"))]
    _api_version: String,
    /// Which kind of document this is.
    #[serde(rename = "kind")]
    #[schemars(extend("const" = "Calendar"))]
    _kind: String,
    /// The calendar's name; unique. `freeze` rules of policies name it.
    #[schemars(extend("pattern" = "^[a-z0-9-]{1,63}$"))]
    calendar: Spanned<String>,
    /// The IANA zone of all times in it, such as `Europe/Paris`.
    zone: Spanned<String>,
    /// When nothing is deployed.
    #[serde(default)]
    closed: Vec<ClosedEntry>,
    /// When one may deploy, unless it is closed; without any, whenever it is not closed.
    #[serde(default)]
    only: Vec<OnlyEntry>,
}

/// When nothing is deployed: once, or every week.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Closed")]
struct ClosedEntry {
    /// Its first instant by the clock of the zone: a date and time, or days of the week with a time.
    #[schemars(extend("examples" = ["2026-12-18T18:00", "Fri 16:00"]))]
    from: Spanned<String>,
    /// The first instant after it: a date and time; or a time of the same day (when that is not
    /// later, of the next), or a day of the week with a time.
    #[schemars(extend("examples" = ["2027-01-04T08:00", "Mon 08:00", "06:00"]))]
    until: Spanned<String>,
    /// Why, for people.
    reason: Spanned<String>,
}

/// When one may deploy: once, or every week.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Only")]
struct OnlyEntry {
    /// Its first instant, as in `closed`.
    #[schemars(extend("examples" = ["Mon..Thu 09:00"]))]
    from: Spanned<String>,
    /// The first instant after it, as in `closed`.
    #[schemars(extend("examples" = ["17:00"]))]
    until: Spanned<String>,
    /// Why, for people.
    reason: Option<Spanned<String>>,
}

/// Reads a document of kind `Calendar`.
///
/// # Errors
/// The first thing that is wrong with it, at its place.
pub fn read(document: &Document) -> Result<Calendar, SpecError> {
    let shape: CalendarDocument = document.read()?;
    let SpecError { place, excerpt, .. } = document.error(shape.calendar.spot, "");
    let read = || {
        let name = parsed(&shape.calendar, Word::parse)?;
        let zone = parsed(&shape.zone, clock::zone)?;
        let closed = shape.closed.iter().map(|entry| entry.read(zone)).collect::<Result<_, _>>()?;
        let only = shape.only.iter().map(|entry| entry.read(zone)).collect::<Result<_, _>>()?;
        Ok(Calendar { name, zone, closed, only, place, excerpt })
    };
    let calendar = read().map_err(|fault: Fault| fault.at(document))?;
    if calendar.closed.is_empty() && calendar.only.is_empty() {
        let said = "this calendar is always open: it has no entry in `closed` nor in `only`";
        return Err(calendar.error(said).with_remedy("add one, or remove the document"));
    }
    Ok(calendar)
}

impl ClosedEntry {
    fn read(&self, zone: Tz) -> Result<Closing, Fault> {
        let when = When::read(&self.from, &self.until, zone)?;
        Ok(Closing { when, reason: filled(&self.reason)? })
    }
}

impl OnlyEntry {
    fn read(&self, zone: Tz) -> Result<Opening, Fault> {
        let when = When::read(&self.from, &self.until, zone)?;
        Ok(Opening { when, reason: self.reason.as_ref().map(filled).transpose()? })
    }
}

/// The JSON Schema (draft 2020-12) of a `Calendar` document, for editors.
#[must_use]
pub fn schema() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<CalendarDocument>().to_value();
    if let Some(root) = schema.as_object_mut() {
        let comment = "made by `slo-engine schema --kind calendar`; do not edit";
        root.insert("$comment".to_owned(), comment.into());
    }
    schema
}

#[cfg(test)]
mod tests;
