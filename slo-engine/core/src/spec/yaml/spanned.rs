//! A value and where it stands in its document.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Where something stands in its document; [`super::Document::place`] gives the place in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spot {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) length: usize,
    pub(super) byte: Option<usize>,
}

impl Spot {
    pub(super) fn of(location: &serde_saphyr::Location) -> Self {
        let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        Self {
            line: number(location.line()),
            column: number(location.column()),
            length: number(location.span().len()),
            byte: location.span().byte_offset().map(number),
        }
    }

    pub(super) fn at_line(line: usize) -> Self {
        Self { line, column: 1, length: 1, byte: None }
    }

    pub(super) fn inside(self, source: &str, at: usize) -> Self {
        let columns = self.byte.and_then(|byte| source.get(byte..)).and_then(|t| columns(t, at));
        columns.map_or(self, |n| Self { column: self.column + n, length: 1, ..self })
    }
}

/// How many characters of a scalar's source stand before the byte `at` of its value; `None` when
/// the value goes on in the next line.
fn columns(source: &str, at: usize) -> Option<usize> {
    let quote = source.chars().next().filter(|c| matches!(c, '"' | '\''));
    let mut chars = source.chars().skip(usize::from(quote.is_some()));
    let (mut column, mut seen) = (usize::from(quote.is_some()), 0);
    while seen < at {
        let mut c = chars.next().filter(|c| *c != '\n')?;
        column += 1;
        if quote == Some('"') && c == '\\' || quote == Some('\'') && c == '\'' {
            c = chars.next().filter(|c| *c != '\n')?;
            column += 1;
        }
        seen += c.len_utf8();
    }
    Some(column)
}

/// A value with its spot.
#[derive(Debug, Clone, Default)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands; for an alias, where the value itself is written.
    pub spot: Spot,
}

/// Equal values are equal wherever they stand.
impl<T: PartialEq> PartialEq for Spanned<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T> Spanned<T> {
    /// The spot with a reference to the value.
    pub fn as_ref(&self) -> Spanned<&T> {
        Spanned { value: &self.value, spot: self.spot }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Spanned<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = serde_saphyr::Spanned::<T>::deserialize(deserializer)?;
        Ok(Self { value: read.value, spot: Spot::of(&read.defined) })
    }
}

/// The value alone.
impl<T: Serialize> Serialize for Spanned<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

/// The value's own schema.
impl<T: schemars::JsonSchema> schemars::JsonSchema for Spanned<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> std::borrow::Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        T::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_in_a_value_become_columns_of_its_source() {
        for (source, at, column) in [
            ("up{x=1}", 2, Some(2)),
            ("'it''s up{'", 5, Some(7)),
            (r#""a\"b{""#, 4, Some(6)),
            ("'é{'", 2, Some(2)),
            ("'a\nb'", 2, None),
            ("ab", 5, None),
        ] {
            assert_eq!(columns(source, at), column, "{source}");
        }
    }
}
