//! The shape that a user writes, in a document as in the body of a request.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use slo_core::spec::yaml::{Spanned, Spot};

use super::{Exclusion, SloPattern, Times};
use crate::calendar::clock::{utc, written, zone};
use crate::calendar::{Stretch, Weekly, When};
use crate::fault::{Fault, filled, parsed};

/// Times that do not count against some SLOs, such as planned maintenance.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Exclusion", rename = "Exclusion")]
#[schemars(extend("oneOf" = [{"required": ["from", "until"]}, {"required": ["weekly"]}]))]
pub(super) struct Written {
    /// Which language this is.
    #[serde(rename = "apiVersion", skip_serializing_if = "Option::is_none")]
    #[schemars(required, extend("const" = "headroom/v1"))]
    _api_version: Option<String>,
    /// Which kind of document this is.
    #[serde(rename = "kind", skip_serializing_if = "Option::is_none")]
    #[schemars(required, extend("const" = "Exclusion"))]
    _kind: Option<String>,
    /// The SLOs: `service/slo[@environment]`, where `*` stands for any letters.
    #[schemars(length(min = 1), extend("examples" = [["orders/*", "*/latency"]]))]
    slos: Spanned<Vec<Spanned<String>>>,
    /// The first instant, with `Z` or an offset.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["2026-11-20T02:00Z"]))]
    from: Option<Spanned<String>>,
    /// The first instant after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["2026-11-20T02:40Z"]))]
    until: Option<Spanned<String>>,
    /// Instead of `from` and `until`: every week.
    #[serde(skip_serializing_if = "Option::is_none")]
    weekly: Option<Spanned<WrittenWeekly>>,
    /// Why, for people.
    reason: Spanned<String>,
    /// Who wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    author: Option<Spanned<String>>,
    /// With `weekly` only: no recurrence starts after this instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["2027-03-01T00:00Z"]))]
    expires: Option<Spanned<String>>,
}

/// Every week by the clock of a zone.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Weekly")]
struct WrittenWeekly {
    /// Days of the week with a time.
    #[schemars(extend("examples" = ["Sun 02:00", "Mon..Thu 02:00"]))]
    from: Spanned<String>,
    /// A time of the same day (when that is not later, of the next), or a day with a time.
    #[schemars(extend("examples" = ["03:00", "Mon 03:00"]))]
    until: Spanned<String>,
    /// The IANA zone, such as `Europe/Paris`.
    zone: Spanned<String>,
}

impl Written {
    /// Where it begins.
    pub(super) const fn spot(&self) -> Spot {
        self.slos.spot
    }

    pub(super) fn read(&self) -> Result<Exclusion, Fault> {
        if self.slos.value.is_empty() {
            let remedy = "write patterns such as orders/*, or `*/*` for all";
            return Err(Fault::new(self.slos.spot, "this exclusion is about no SLO", remedy));
        }
        let patterns = self.slos.value.iter().map(|text| parsed(text, SloPattern::parse));
        Ok(Exclusion {
            slos: patterns.collect::<Result<_, _>>()?,
            times: self.times()?,
            reason: filled(&self.reason)?,
            author: self.author.as_ref().map(filled).transpose()?,
            place: None,
            excerpt: String::new(),
        })
    }

    fn times(&self) -> Result<Times, Fault> {
        let said = "an exclusion is once, with `from` and `until`, or `weekly`";
        match (&self.from, &self.until, &self.weekly) {
            (Some(from), Some(until), None) => self.once(from, until).map(Times::Once),
            (None, None, Some(weekly)) => {
                let expires = self.expires.as_ref().map(|text| parsed(text, utc)).transpose()?;
                Ok(Times::Weekly { weekly: weekly.value.read()?, expires })
            }
            (_, _, Some(weekly)) => {
                Err(Fault::new(weekly.spot, said, "remove `weekly`, or `from` and `until`"))
            }
            (Some(from), None, None) => Err(Fault::new(from.spot, said, "add `until`")),
            (None, Some(until), None) => Err(Fault::new(until.spot, said, "add `from`")),
            (None, None, None) => {
                Err(Fault::new(self.spot(), said, "add `from` and `until`, or `weekly`"))
            }
        }
    }

    fn once(&self, from: &Spanned<String>, until: &Spanned<String>) -> Result<Stretch, Fault> {
        if let Some(expires) = &self.expires {
            let said = "`expires` ends what comes every week, and this comes once";
            return Err(Fault::new(expires.spot, said, "remove it: `until` is the end"));
        }
        Stretch { from: parsed(from, utc)?, until: parsed(until, utc)? }.check(until)
    }
}

impl WrittenWeekly {
    fn read(&self) -> Result<Weekly, Fault> {
        When::weekly(&self.from, &self.until, parsed(&self.zone, zone)?)
    }
}

impl From<&Exclusion> for Written {
    fn from(exclusion: &Exclusion) -> Self {
        let instant = |at: DateTime<Utc>| bare(written(at));
        let (from, until, weekly, expires) = match exclusion.times {
            Times::Once(once) => (Some(instant(once.from)), Some(instant(once.until)), None, None),
            Times::Weekly { weekly, expires } => {
                (None, None, Some(bare(WrittenWeekly::from(weekly))), expires.map(instant))
            }
        };
        Self {
            _api_version: None,
            _kind: None,
            slos: bare(exclusion.slos.iter().map(|pattern| bare(pattern.to_string())).collect()),
            from,
            until,
            weekly,
            reason: bare(exclusion.reason.clone()),
            author: exclusion.author.clone().map(bare),
            expires,
        }
    }
}

impl From<Weekly> for WrittenWeekly {
    fn from(weekly: Weekly) -> Self {
        let (from, until) = (bare(weekly.from()), bare(weekly.until()));
        Self { from, until, zone: bare(weekly.zone().name().to_owned()) }
    }
}

/// A value that stands in no file.
fn bare<T>(value: T) -> Spanned<T> {
    Spanned { value, spot: Spot::default() }
}

/// As it stands in an answer.
impl Serialize for Weekly {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        WrittenWeekly::from(*self).serialize(to)
    }
}

impl JsonSchema for Weekly {
    fn schema_name() -> Cow<'static, str> {
        WrittenWeekly::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        WrittenWeekly::json_schema(generator)
    }
}

/// What only a document says: of a request it is known.
const OF_DOCUMENTS: [&str; 3] = ["apiVersion", "kind", "author"];

/// The body of a request.
impl JsonSchema for Exclusion {
    fn schema_name() -> Cow<'static, str> {
        "NewExclusion".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = Written::json_schema(generator);
        schema.remove("title");
        if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
            properties.retain(|key, _| !OF_DOCUMENTS.contains(&key.as_str()));
        }
        if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
            required.retain(|key| key.as_str().is_none_or(|key| !OF_DOCUMENTS.contains(&key)));
        }
        schema
    }
}

impl Serialize for Exclusion {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Written::from(self).serialize(to)
    }
}

impl<'de> Deserialize<'de> for Exclusion {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Written::deserialize(from)?.read().map_err(D::Error::custom)
    }
}
