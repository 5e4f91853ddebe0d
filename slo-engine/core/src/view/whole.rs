//! Counts in JSON: whole ones are written as integers (229, not 229.0). They are read as any number.

use serde::{Serialize, Serializer};

/// Beyond this a float no longer tells every integer from its neighbour.
const LARGEST: f64 = 9_007_199_254_740_992.0;

/// A count that is written as short as it can be.
struct Count(f64);

impl Serialize for Count {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            n if n.fract() != 0.0 || n.abs() >= LARGEST || n.is_nan() => {
                serializer.serialize_f64(n)
            }
            n if n >= 0.0 => serializer.serialize_u64(n as u64),
            n => serializer.serialize_i64(n as i64),
        }
    }
}

/// A count, for `serialize_with`.
///
/// # Errors
/// Those of the serializer.
pub fn one<S: Serializer>(count: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    Count(*count).serialize(serializer)
}

/// A count or null, for `serialize_with`.
///
/// # Errors
/// Those of the serializer.
pub fn optional<S: Serializer>(count: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    count.map(Count).serialize(serializer)
}

/// Named counts, for `serialize_with`.
///
/// # Errors
/// Those of the serializer.
pub fn named<S: Serializer>(
    counts: &std::collections::BTreeMap<String, f64>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(counts.iter().map(|(name, count)| (name, Count(*count))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_counts_are_written_as_integers_and_fractions_as_they_are() {
        let written = |n: f64| serde_json::to_string(&Count(n)).unwrap();
        for (count, text) in [
            (229.0, "229"),
            (0.0, "0"),
            (-0.0, "0"),
            (-3.0, "-3"),
            (1000.229, "1000.229"),
            (1e6, "1000000"),
            (9_007_199_254_740_991.0, "9007199254740991"),
            (1e300, "1e+300"),
            (f64::INFINITY, "null"),
        ] {
            assert_eq!(written(count), text);
        }
    }
}
