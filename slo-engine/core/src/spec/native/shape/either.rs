//! Places where one of several forms may stand. Read with visitors of their own, because serde's
//! `untagged` would lose the spots and the messages of what is inside.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::AlertDocument;
use crate::spec::yaml::{Spanned, Spot};

/// A text, or a mapping that says more.
#[derive(Debug)]
pub(in crate::spec) enum TextOr<T, M> {
    /// The short form.
    Text(T),
    /// The long form.
    Mapping(M),
}

/// One entry, or a list of them.
#[derive(Debug)]
pub(in crate::spec) enum Listed<T> {
    /// A single entry.
    One(T),
    /// A list, possibly empty.
    Many(Vec<Spanned<T>>),
}

/// `default`, `none` or a list of alerts.
#[derive(Debug)]
pub(in crate::spec) enum AlertsEntry {
    /// A word.
    Word(String),
    /// A list.
    List(Vec<Spanned<AlertDocument>>),
}

impl<T> Listed<T> {
    /// The entries with their spots; a single one stands where the whole does.
    pub(in crate::spec) fn entries(&self, whole: Spot) -> Vec<(Spot, &T)> {
        match self {
            Self::One(entry) => vec![(whole, entry)],
            Self::Many(list) => list.iter().map(|s| (s.spot, &s.value)).collect(),
        }
    }
}

/// Passes every scalar on as the text that it would be.
macro_rules! scalars_as_text {
    ($value:ty) => {
        fn visit_bool<E: Error>(self, v: bool) -> Result<$value, E> {
            self.visit_str(&v.to_string())
        }
        fn visit_i64<E: Error>(self, v: i64) -> Result<$value, E> {
            self.visit_str(&v.to_string())
        }
        fn visit_u64<E: Error>(self, v: u64) -> Result<$value, E> {
            self.visit_str(&v.to_string())
        }
        fn visit_f64<E: Error>(self, v: f64) -> Result<$value, E> {
            self.visit_str(&v.to_string())
        }
    };
}

struct TextOrVisitor<T, M>(PhantomData<(T, M)>);

impl<'de, T: Deserialize<'de>, M: Deserialize<'de>> Visitor<'de> for TextOrVisitor<T, M> {
    type Value = TextOr<T, M>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a mapping")
    }

    scalars_as_text!(TextOr<T, M>);

    fn visit_str<E: Error>(self, v: &str) -> Result<TextOr<T, M>, E> {
        T::deserialize(v.into_deserializer()).map(TextOr::Text)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TextOr<T, M>, A::Error> {
        M::deserialize(MapAccessDeserializer::new(map)).map(TextOr::Mapping)
    }
}

impl<'de, T: Deserialize<'de>, M: Deserialize<'de>> Deserialize<'de> for TextOr<T, M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextOrVisitor(PhantomData))
    }
}

struct ListedVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListedVisitor<T> {
    type Value = Listed<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a mapping or a list of them")
    }

    scalars_as_text!(Listed<T>);

    fn visit_str<E: Error>(self, v: &str) -> Result<Listed<T>, E> {
        T::deserialize(v.into_deserializer()).map(Listed::One)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Listed<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Listed::One)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Listed<T>, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(seq)).map(Listed::Many)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Listed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListedVisitor(PhantomData))
    }
}

struct AlertsVisitor;

impl<'de> Visitor<'de> for AlertsVisitor {
    type Value = AlertsEntry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`default`, `none` or a list of alerts")
    }

    fn visit_str<E: Error>(self, v: &str) -> Result<AlertsEntry, E> {
        Ok(AlertsEntry::Word(v.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<AlertsEntry, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(seq)).map(AlertsEntry::List)
    }
}

impl<'de> Deserialize<'de> for AlertsEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AlertsVisitor)
    }
}

impl<T: JsonSchema, M: JsonSchema> JsonSchema for TextOr<T, M> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("{}Or{}", T::schema_name(), M::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [generator.subschema_for::<T>(), generator.subschema_for::<M>()]})
    }
}

impl<T: JsonSchema> JsonSchema for Listed<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Listed{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]})
    }
}

impl JsonSchema for AlertsEntry {
    fn schema_name() -> Cow<'static, str> {
        "Alerts".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let list = generator.subschema_for::<Vec<AlertDocument>>();
        json_schema!({"anyOf": [{"enum": ["default", "none"]}, list]})
    }
}
