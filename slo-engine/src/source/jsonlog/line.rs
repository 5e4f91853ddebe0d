//! One line, read once: values of the fields that are asked about go to their conditions, all else
//! is skipped unread.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use slo_core::filter::{Number, Scalar};

use super::questions::{Answers, Next, Questions};

/// Reads one line.
///
/// # Errors
/// What is wrong with it as JSON.
pub(super) fn read(
    line: &[u8],
    questions: &Questions,
    answers: &mut Answers,
) -> Result<(), serde_json::Error> {
    // A text is read faster than bytes; those may be others where nobody asks.
    match str::from_utf8(line) {
        Ok(text) => document(serde_json::Deserializer::from_str(text), questions, answers),
        Err(_) => document(serde_json::Deserializer::from_slice(line), questions, answers),
    }
}

fn document<'de>(
    mut json: serde_json::Deserializer<impl serde_json::de::Read<'de>>,
    questions: &Questions,
    answers: &mut Answers,
) -> Result<(), serde_json::Error> {
    questions.begin(answers);
    json.deserialize_map(At { place: Next::Field(0), questions, answers })?;
    json.end()
}

/// Where in a document a value stands.
struct At<'q, 'a> {
    place: Next,
    questions: &'q Questions,
    answers: &'a mut Answers,
}

impl At<'_, '_> {
    fn take(&mut self, value: Scalar<'_>) {
        match self.place {
            Next::Field(field) => self.questions.value(field, value, self.answers),
            Next::Inside(field) => self.questions.inside(field, self.answers),
            Next::Elsewhere => {}
        }
    }

    fn at(&mut self, place: Next) -> At<'_, '_> {
        At { place, questions: self.questions, answers: self.answers }
    }
}

impl<'de> DeserializeSeed<'de> for At<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for At<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(mut self, value: bool) -> Result<(), E> {
        self.take(Scalar::Bool(value));
        Ok(())
    }

    fn visit_i64<E: Error>(mut self, value: i64) -> Result<(), E> {
        self.take(Scalar::Number(Number::Whole(value.into())));
        Ok(())
    }

    fn visit_u64<E: Error>(mut self, value: u64) -> Result<(), E> {
        self.take(Scalar::Number(Number::Whole(value.into())));
        Ok(())
    }

    fn visit_f64<E: Error>(mut self, value: f64) -> Result<(), E> {
        self.take(Scalar::Number(Number::Real(value)));
        Ok(())
    }

    fn visit_str<E: Error>(mut self, value: &str) -> Result<(), E> {
        self.take(Scalar::Text(value));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
        let place = self.place;
        while elements.next_element_seed(self.at(place))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(next) = map.next_key_seed(Key { place: self.place, of: self.questions })? {
            match next {
                Next::Elsewhere => {
                    map.next_value::<IgnoredAny>()?;
                }
                place => map.next_value_seed(self.at(place))?,
            }
        }
        Ok(())
    }
}

/// A key of an object at a place.
struct Key<'q> {
    place: Next,
    of: &'q Questions,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Next;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Next, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Next;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Next, E> {
        Ok(match self.place {
            Next::Field(field) => self.of.next(field, key),
            inside => inside,
        })
    }
}

#[cfg(test)]
mod tests;
