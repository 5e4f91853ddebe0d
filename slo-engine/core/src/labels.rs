//! The label set of a series, kept as one sorted run of bytes, because there are many of them.

use std::fmt;
use std::ops::Range;

/// Labels of a series, `__name__` among them; sorted by name, each name once.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Labels(Box<[u8]>);

/// A byte that cannot occur in UTF-8 and so parts names from values.
const PART: u8 = 0xff;
/// Most labels take fewer bytes.
const USUAL: usize = 192;

impl Labels {
    /// Labels from pairs in any order; of a repeated name the last one stays, empty values go
    /// (an empty label is an absent one, as in Prometheus).
    #[must_use]
    pub fn new<N: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut pairs: Vec<(N, V)> = pairs.into_iter().collect();
        pairs.sort_by(|a, b| a.0.as_ref().cmp(b.0.as_ref()));
        let size = pairs.iter().map(|(name, value)| name.as_ref().len() + value.as_ref().len() + 2);
        let mut bytes = Vec::with_capacity(size.sum());
        for (at, (name, value)) in pairs.iter().enumerate() {
            let repeated = pairs.get(at + 1).is_some_and(|n| n.0.as_ref() == name.as_ref());
            if repeated || value.as_ref().is_empty() {
                continue;
            }
            bytes.extend_from_slice(name.as_ref().as_bytes());
            bytes.push(PART);
            bytes.extend_from_slice(value.as_ref().as_bytes());
            bytes.push(PART);
        }
        Self(bytes.into_boxed_slice())
    }

    /// The same where pairs come one by one and, as servers write them, mostly by name.
    #[must_use]
    pub const fn begin() -> Building {
        Building { bytes: Vec::new(), last: 0..0, is_sorted: true }
    }

    /// The labels as bytes, which [`Self::from_bytes`] reads back.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Labels from their bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// Pairs of name and value, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut parts = self.0.split(|b| *b == PART).map(|b| str::from_utf8(b).unwrap_or_default());
        std::iter::from_fn(move || {
            let name = parts.next().filter(|n| !n.is_empty())?;
            Some((name, parts.next()?))
        })
    }

    /// The value of a label; an absent label is the empty text.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.iter().find(|(n, _)| *n == name).map_or("", |(_, v)| v)
    }

    /// The metric's name.
    #[must_use]
    pub fn metric(&self) -> &str {
        self.get("__name__")
    }
}

/// Labels that come one by one.
#[derive(Debug)]
pub struct Building {
    bytes: Vec<u8>,
    /// Where the last name is.
    last: Range<usize>,
    is_sorted: bool,
}

impl Building {
    /// Adds a label.
    pub fn add(&mut self, name: &str, value: &str) {
        if self.bytes.capacity() == 0 {
            self.bytes.reserve(USUAL);
        }
        self.is_sorted &= self.bytes[self.last.clone()] < *name.as_bytes() && !value.is_empty();
        let begin = self.bytes.len();
        self.last = begin..begin + name.len();
        for part in [name, value] {
            self.bytes.extend_from_slice(part.as_bytes());
            self.bytes.push(PART);
        }
    }

    /// All that was added.
    #[must_use]
    pub fn done(self) -> Labels {
        let labels = Labels(self.bytes.into_boxed_slice());
        if self.is_sorted { labels } else { Labels::new(labels.iter()) }
    }
}

/// `name{label="value",...}`, as PromQL writes it.
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{{", self.metric())?;
        for (at, (name, value)) in self.iter().filter(|(n, _)| *n != "__name__").enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma}{name}={}", crate::selector::quoted(value))?;
        }
        f.write_str("}")
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_sorted_deduplicated_and_without_empty_values() {
        let labels = Labels::new([("b", "2"), ("a", "1"), ("b", "3"), ("c", "")]);
        assert_eq!(labels.iter().collect::<Vec<_>>(), [("a", "1"), ("b", "3")]);
        assert_eq!(labels.get("c"), "");
    }

    #[test]
    fn labels_that_come_one_by_one_are_the_same_in_any_order() {
        let of = |pairs: &[(&str, &str)]| {
            let mut building = Labels::begin();
            pairs.iter().for_each(|(name, value)| building.add(name, value));
            building.done()
        };
        for pairs in [
            &[("a", "1"), ("ab", "2"), ("b", "")][..],
            &[("b", "2"), ("a", "1"), ("b", "3"), ("c", "")],
            &[("a", "1"), ("a", "2")],
            &[("a", ""), ("b", "x")],
            &[],
        ] {
            assert_eq!(of(pairs), Labels::new(pairs.iter().copied()), "{pairs:?}");
        }
    }

    #[test]
    fn labels_are_shown_as_promql_writes_them() {
        let labels = Labels::new([("__name__", "up"), ("job", "a\"b\\c\nd")]);
        assert_eq!(labels.to_string(), r#"up{job="a\"b\\c\nd"}"#);
    }
}
