//! The replies of the Prometheus HTTP API, read straight into samples. Own types, because a reply
//! of millions of samples must cost little, and because warnings and unknown error types must stay.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use slo_core::counter::Sample;
use slo_core::histogram::{Filled, Histogram};
use slo_core::labels::Labels;
use slo_core::plan::canonical_le;

/// The envelope of every reply.
#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub(super) struct Reply<'a, T> {
    #[serde(borrow)]
    pub(super) status: Cow<'a, str>,
    pub(super) data: Option<T>,
    #[serde(default, borrow, rename = "errorType")]
    pub(super) error_type: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    pub(super) error: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(super) warnings: Vec<String>,
}

/// The result of a query: a vector's series have one sample, a matrix' many.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct QueryData {
    pub(super) result_type: String,
    #[serde(default)]
    pub(super) result: Vec<Series>,
}

/// One series of a result.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    /// Its labels; values of `le` are spelled in one way.
    pub labels: Labels,
    /// Its samples, oldest first.
    pub samples: Vec<Sample>,
    /// Its native histograms, by instant (Unix milliseconds), oldest first.
    pub histograms: Vec<(i64, Histogram)>,
}

impl<'de> Deserialize<'de> for Series {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(SeriesVisitor)
    }
}

struct SeriesVisitor;

impl<'de> Visitor<'de> for SeriesVisitor {
    type Value = Series;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a series with `metric` and `value` or `values`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Series, A::Error> {
        let mut series = Series::default();
        while let Some(Text(key)) = map.next_key()? {
            match key.as_ref() {
                "metric" => series.labels = map.next_value::<Metric>()?.0,
                "value" => series.samples.push(map.next_value::<Point>()?.0),
                "values" => series.samples = map.next_value::<Points>()?.0,
                "histogram" => series.histograms.push(map.next_value::<At>()?.0),
                "histograms" => {
                    series.histograms =
                        map.next_value::<Vec<At>>()?.into_iter().map(|at| at.0).collect();
                }
                _ => drop(map.next_value::<serde::de::IgnoredAny>()?),
            }
        }
        Ok(series)
    }
}

/// A text as it stands in the reply; one with escapes is a copy. A `Cow` by itself is always one.
struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Either)
    }
}

struct Metric(Labels);

impl<'de> Deserialize<'de> for Metric {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Metric;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of labels")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Metric, A::Error> {
                let mut labels = Labels::begin();
                while let Some((Text(name), Text(value))) = map.next_entry()? {
                    let value = if name == "le" { one_spelling(value) } else { value };
                    labels.add(&name, &value);
                }
                Ok(Metric(labels.done()))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

/// `0.50` and `5e-1` are the boundary 0.5; a server that changes its spelling starts no new series.
fn one_spelling(le: Cow<'_, str>) -> Cow<'_, str> {
    match canonical_le(&le) {
        Some(bound) if bound.is_infinite() => Cow::Borrowed("+Inf"),
        Some(bound) => Cow::Owned(bound.to_string()),
        None => le,
    }
}

struct Point(Sample);

impl<'de> Deserialize<'de> for Point {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (at, value) = <(f64, Number)>::deserialize(deserializer)?;
        Ok(Self(Sample { at: (at * 1e3).round() as i64, value: value.0 }))
    }
}

/// A number in a text: `"12"`, `"NaN"`, `"+Inf"`.
struct Number(f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Number;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number in quotes")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Number, E> {
                text.parse().map(Number).map_err(|_| E::custom(format!("`{text}` is no number")))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// `[time, {"count": …, "buckets": [[rule, "left", "right", "count"], …]}]`.
struct At((i64, Histogram));

#[derive(Deserialize)]
struct Counted {
    count: Number,
    /// Absent when nothing was observed.
    #[serde(default)]
    buckets: Vec<(u8, Number, Number, Number)>,
}

impl<'de> Deserialize<'de> for At {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (at, counted) = <(f64, Counted)>::deserialize(deserializer)?;
        let filled = |(_, left, right, count): (u8, Number, Number, Number)| Filled {
            left: left.0,
            right: right.0,
            count: count.0,
        };
        let mut buckets: Vec<Filled> = counted.buckets.into_iter().map(filled).collect();
        buckets.sort_by(|a, b| a.left.total_cmp(&b.left));
        Ok(Self(((at * 1e3).round() as i64, Histogram { count: counted.count.0, buckets })))
    }
}

struct Points(Vec<Sample>);

impl<'de> Deserialize<'de> for Points {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Points;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of [time, \"value\"]")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Points, A::Error> {
                let mut points = Vec::new();
                while let Some(point) = seq.next_element::<Point>()? {
                    points.push(point.0);
                }
                Ok(Points(points))
            }
        }
        deserializer.deserialize_seq(All)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(text: &str) -> QueryData {
        serde_json::from_str::<Reply<'_, QueryData>>(text).unwrap().data.unwrap()
    }

    #[test]
    fn a_matrix_becomes_samples_in_milliseconds_and_le_is_spelled_in_one_way() {
        let reply = r#"{"status":"success","data":{"resultType":"matrix","result":[
            {"metric":{"__name__":"x_bucket","le":"5e-1"},"values":[[1700000000.123,"12"],[1700000060,"NaN"]]}]}}"#;
        let series = &data(reply).result[0];
        assert_eq!(series.labels.get("le"), "0.5");
        assert_eq!(series.samples[0], Sample { at: 1_700_000_000_123, value: 12.0 });
        assert!(series.samples[1].value.is_nan());
    }

    #[test]
    fn vectors_unknown_keys_and_escapes_are_read() {
        let reply = r#"{"status":"success","infos":["x"],"data":{"resultType":"vector","new":1,"result":[
            {"metric":{"a":"quo\"te"},"value":[1.5,"+Inf"]},{"metric":{},"histogram":[1,{"count":"3","sum":"1","buckets":[[3,"-0.001","0.001","1"],[0,"0.5","1","2"]]}]},
            {"metric":{},"histograms":[[1.5,{"count":"0","sum":"0"}]]}]}}"#;
        let read = data(reply);
        assert_eq!(read.result[0].labels.get("a"), "quo\"te");
        assert!(read.result[0].samples[0].value.is_infinite());
        let (at, histogram) = &read.result[1].histograms[0];
        assert_eq!((*at, histogram.count, histogram.buckets.len()), (1_000, 3.0, 2));
        assert_eq!(histogram.buckets[1], Filled { left: 0.5, right: 1.0, count: 2.0 });
        assert_eq!(read.result[2].histograms, [(1_500, Histogram::default())]);
    }

    #[test]
    fn errors_keep_their_type_whatever_it_is() {
        let reply = r#"{"status":"error","errorType":"too_new","error":"no\tway","data":null}"#;
        let read: Reply<'_, QueryData> = serde_json::from_str(reply).unwrap();
        assert_eq!(
            (read.error_type.as_deref(), read.error.as_deref()),
            (Some("too_new"), Some("no\tway"))
        );
    }
}
