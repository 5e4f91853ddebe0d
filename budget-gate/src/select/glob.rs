//! Services by name or by pattern.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize, Serializer};

/// A service's name, or a pattern in which `*` stands for any letters, also none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Glob(String);

impl Glob {
    /// Reads a pattern.
    ///
    /// # Errors
    /// A sentence that says what a pattern may hold.
    pub fn parse(text: &str) -> Result<Self, String> {
        let is_fit = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-*".contains(&b);
        if (1..=63).contains(&text.len()) && text.bytes().all(is_fit) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!("`{text}` is not a service or a pattern of services; use a-z, 0-9, - and *"))
    }

    /// The pattern.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it names one service.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        !self.0.contains('*')
    }

    /// How specific it is: the number of letters that are not `*`; the greatest number when exact.
    #[must_use]
    pub fn rank(&self) -> usize {
        match self.is_exact() {
            true => usize::MAX,
            false => self.0.bytes().filter(|b| *b != b'*').count(),
        }
    }

    /// Whether it matches a whole name.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        matches(&self.0, name)
    }
}

/// Whether a pattern, in which `*` stands for any letters, also none, matches a whole text.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut left) = text.strip_prefix(head) else {
        return false;
    };
    let (middle, tail) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*') {
        let Some(at) = left.find(part) else {
            return false;
        };
        left = &left[at + part.len()..];
    }
    left.ends_with(tail)
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Glob {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

impl Serialize for Glob {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl JsonSchema for Glob {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Glob".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[a-z0-9*-]{1,63}$", "examples": ["*", "orders", "orders-*"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_letters_also_none() {
        for (pattern, yes, no) in [
            ("orders", "orders", "orders-eu"),
            ("orders-*", "orders-", "orders"),
            ("*", "a", "-none-"),
            ("*-eu", "orders-eu", "orders-eu2"),
            ("a*b*c", "axxbyc", "acb"),
            ("a*a", "aa", "a"),
            ("a**a", "aba", "ab"),
        ] {
            let glob = Glob::parse(pattern).unwrap();
            assert!(glob.matches(yes), "{pattern} {yes}");
            assert!(pattern == "*" || !glob.matches(no), "{pattern} {no}");
        }
    }

    #[test]
    fn a_pattern_of_other_letters_is_refused() {
        for text in ["", "Orders", "orders?", "a b"] {
            assert!(Glob::parse(text).unwrap_err().contains("not a service"), "{text}");
        }
    }
}
