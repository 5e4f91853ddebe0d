//! A filter asked of one JSON document.
//!
//! A field's name is a path: its parts may be keys of nested objects, one key with dots, or a mixture.
//! An array stands for its elements, and null for nothing. As Elasticsearch stores documents, so is one
//! read here: a field has any number of values, and one that passes the test is enough.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value;

use super::{Literal, Number, Order, Test};

/// One value of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scalar<'a> {
    /// A text.
    Text(&'a str),
    /// A number.
    Number(Number),
    /// A truth value.
    Bool(bool),
}

/// Whether a field of the document has a value that passes.
pub(super) fn any(document: &Value, field: &str, test: &Test) -> bool {
    let mut open = vec![(document, Some(field))];
    while let Some((value, path)) = open.pop() {
        match (value, path) {
            (Value::Array(elements), _) => open.extend(elements.iter().map(|e| (e, path))),
            (Value::Object(object), Some(path)) => {
                let below = |key: &str| *test == Test::Exists && is_below(key, path);
                open.extend(object.iter().filter_map(|(key, value)| match rest(path, key) {
                    None => below(key).then_some((value, None)),
                    Some(rest) => Some((value, rest)),
                }));
            }
            // An object has a value when something in it has one.
            (Value::Object(object), None) if *test == Test::Exists => {
                open.extend(object.values().map(|value| (value, None)));
            }
            (value, None) if Scalar::of(value).is_some_and(|s| test.passes(s)) => return true,
            _ => {}
        }
    }
    false
}

/// What is left of a path after a key: `Some(None)` at its end, `None` when the key leads elsewhere.
fn rest<'a>(path: &'a str, key: &str) -> Option<Option<&'a str>> {
    let rest = path.strip_prefix(key)?;
    if rest.is_empty() { Some(None) } else { rest.strip_prefix('.').map(Some) }
}

/// Whether a key leads to something in the object that the path names.
fn is_below(key: &str, path: &str) -> bool {
    key.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'))
}

impl<'a> Scalar<'a> {
    /// The value, unless it is none or made of others.
    #[must_use]
    pub fn of(value: &'a Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self::Text(text)),
            Value::Number(number) => Some(Self::Number(Number::of(number))),
            Value::Bool(truth) => Some(Self::Bool(*truth)),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// As it is written.
    #[must_use]
    pub fn text(self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => text.into(),
            Self::Number(Number::Whole(number)) => number.to_string().into(),
            Self::Number(Number::Real(number)) => number.to_string().into(),
            Self::Bool(truth) => if truth { "true" } else { "false" }.into(),
        }
    }
}

impl Test {
    /// Whether a value passes.
    #[must_use]
    pub fn passes(&self, value: Scalar<'_>) -> bool {
        match (self, value) {
            (Self::Exists, _) => true,
            (Self::Is(literal), Scalar::Text(text)) => literal.text == text,
            (Self::Is(literal), Scalar::Bool(_)) => literal.text == value.text(),
            (Self::Is(literal), Scalar::Number(_)) => {
                literal.order_of(value) == Some(Ordering::Equal)
            }
            (Self::Like(pieces), _) => like(&value.text(), pieces),
            (Self::Compare(order, literal), _) => {
                literal.order_of(value).is_some_and(|found| order.allows(found))
            }
        }
    }
}

impl Literal {
    /// How a value is ordered to this one; `None` when they cannot be compared.
    fn order_of(&self, value: Scalar<'_>) -> Option<Ordering> {
        match value {
            Scalar::Text(text) => Some(text.cmp(&self.text)),
            Scalar::Number(number) => number.partial_cmp(&self.number?),
            Scalar::Bool(_) => None,
        }
    }
}

impl Order {
    const fn allows(self, found: Ordering) -> bool {
        match self {
            Self::Above => found.is_gt(),
            Self::AtLeast => found.is_ge(),
            Self::Below => found.is_lt(),
            Self::AtMost => found.is_le(),
        }
    }
}

impl Number {
    /// The number that a text is.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let whole = text.parse().ok().map(Self::Whole);
        whole.or_else(|| text.parse().ok().filter(|n: &f64| n.is_finite()).map(Self::Real))
    }

    fn of(number: &serde_json::Number) -> Self {
        let whole = number.as_i128().map(Self::Whole);
        whole.unwrap_or_else(|| Self::Real(number.as_f64().unwrap_or(f64::NAN)))
    }

    fn real(self) -> f64 {
        match self {
            Self::Whole(number) => number as f64,
            Self::Real(number) => number,
        }
    }
}

/// By value: 500 is 500.0. Whole numbers are compared exactly.
impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => Some(a.cmp(b)),
            _ => self.real().partial_cmp(&other.real()),
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.partial_cmp(other) == Some(Ordering::Equal)
    }
}

/// Whether a text is made of the pieces with anything between them.
fn like(text: &str, pieces: &[String]) -> bool {
    let [first, middle @ .., last] = pieces else { return false };
    let Some(mut rest) = text.strip_prefix(first.as_str()) else { return false };
    for piece in middle {
        match rest.split_once(piece.as_str()) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last.as_str())
}
