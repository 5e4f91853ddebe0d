//! How scalars are read from a file, written in canonical JSON and shown in the JSON Schema.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::{Factor, Length, Minutes, Share, Tier, WindowName, Word};

/// Takes a scalar of any kind as the text that it was written as.
struct Scalar<T>(fn(&str) -> Result<T, String>, &'static str);

impl<T> Visitor<'_> for Scalar<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.1)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.0)(text).map_err(E::custom)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }
}

macro_rules! scalar {
    ($name:ident, $words:literal, $write:expr, $schema:tt) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                from.deserialize_any(Scalar($name::parse, $words))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                let write: fn(&Self, S) -> Result<S::Ok, S::Error> = $write;
                write(self, to)
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

scalar!(Share, "a share such as 25%", |s, to| to.serialize_f64(s.share()), {
    "type": ["string", "number"],
    "pattern": r"^\s*[0-9]*\.?[0-9]*\s*%?\s*$",
    "minimum": 0,
    "maximum": 1,
    "examples": ["25%", 0.25]
});
scalar!(Length, "a duration such as 24h", |s, to| to.collect_str(s), {
    "type": "string",
    "pattern": "^([0-9]+(ms|[wdhms]))+$",
    "examples": ["24h", "1h30m"]
});
scalar!(Minutes, "a duration such as 1h", |s, to| to.collect_str(s), {
    "type": "string",
    "pattern": "^([0-9]+(ms|[wdhms]))+$",
    "examples": ["1h", "5m"]
});
scalar!(Factor, "a burn rate such as 14.4", |s, to| to.serialize_f64(s.get()), {
    "type": "number",
    "exclusiveMinimum": 0
});
scalar!(WindowName, "a window such as 30d", |s, to| to.serialize_str(s.as_str()), {
    "type": "string",
    "examples": ["30d", "month@Europe/Paris"]
});
scalar!(Word, "a name", |s, to| to.serialize_str(s.as_str()), {
    "type": "string",
    "pattern": "^[a-z0-9-]{1,63}$"
});
scalar!(Tier, "a tier from 1 to 4", |s, to| to.serialize_u8(s.get()), {
    "type": "integer",
    "minimum": 1,
    "maximum": 4
});
