//! The replies of the Prometheus HTTP API, read straight into samples. Own types, because a reply
//! of millions of samples must cost little, and because warnings and unknown error types must stay.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;
use slo_core::counter::Sample;
use slo_core::histogram::{Filled, Histogram};
use slo_core::labels::Labels;
use slo_core::plan::one_spelling;

/// The envelope of every reply.
#[derive(Debug)]
pub(super) struct Reply<'a, T> {
    pub(super) status: Cow<'a, str>,
    pub(super) data: Option<T>,
    pub(super) error_type: Option<Cow<'a, str>>,
    pub(super) error: Option<Cow<'a, str>>,
    pub(super) warnings: Vec<String>,
    /// VictoriaMetrics: some of its storage did not answer.
    pub(super) is_partial: bool,
}

impl<'a, T> Reply<'a, T> {
    /// Reads a reply, and its data as a seed does.
    pub(super) fn read<S: DeserializeSeed<'a, Value = T>>(
        body: &'a [u8],
        data: S,
    ) -> serde_json::Result<Self> {
        let mut reader = serde_json::Deserializer::from_slice(body);
        let reply = reader.deserialize_map(Envelope(data))?;
        reader.end()?;
        Ok(reply)
    }
}

struct Envelope<S>(S);

impl<'de, S: DeserializeSeed<'de>> Visitor<'de> for Envelope<S> {
    type Value = Reply<'de, S::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a reply with `status` and `data`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut seed, mut status) = (Some(self.0), None);
        let (mut data, mut error_type, mut error) = (None, None, None);
        let (mut warnings, mut is_partial) = (Vec::new(), false);
        while let Some(Text(key)) = map.next_key()? {
            match key.as_ref() {
                "status" => status = Some(map.next_value::<Text<'de>>()?.0),
                "data" => {
                    let seed = seed.take().ok_or_else(|| A::Error::duplicate_field("data"))?;
                    data = map.next_value_seed(IfAny(seed))?;
                }
                "errorType" => error_type = map.next_value::<Option<Text<'de>>>()?,
                "error" => error = map.next_value::<Option<Text<'de>>>()?,
                "warnings" => warnings = map.next_value()?,
                "isPartial" => is_partial = map.next_value()?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let text = |text: Option<Text<'de>>| text.map(|text| text.0);
        let status = status.ok_or_else(|| A::Error::missing_field("status"))?;
        let (error_type, error) = (text(error_type), text(error));
        Ok(Reply { status, data, error_type, error, warnings, is_partial })
    }
}

/// What a seed reads, or `null`.
struct IfAny<S>(S);

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for IfAny<S> {
    type Value = Option<S::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de, S: DeserializeSeed<'de>> Visitor<'de> for IfAny<S> {
    type Value = Option<S::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("data")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        self.0.deserialize(deserializer).map(Some)
    }
}

/// One series as it stands in a reply.
#[derive(Debug)]
pub struct Row<'a> {
    /// Its labels.
    pub metric: Metric<'a>,
    /// Its samples, oldest first.
    pub samples: &'a [Sample],
    /// Its native histograms, by instant (Unix milliseconds), oldest first.
    pub histograms: Vec<(i64, Histogram)>,
}

/// A sample of so much before the asked time is no matter of rounding, milliseconds.
const EARLIER: i64 = 3_600_000;

impl Row<'_> {
    /// What is wrong with the instants, which should lie in a time and in order (Unix milliseconds).
    pub(super) fn fault(&self, (from, to): (i64, i64)) -> Option<String> {
        let samples = || self.samples.iter().map(|sample| sample.at);
        let histograms = || self.histograms.iter().map(|(at, _)| *at);
        let early = from.saturating_sub(EARLIER);
        if let Some(at) = samples().chain(histograms()).find(|at| *at > to || *at < early) {
            let side = if at > to { "after" } else { "before" };
            return Some(format!("a sample from {side} the asked time (Unix milliseconds {at})"));
        }
        let is_sorted = samples().is_sorted() && histograms().is_sorted();
        (!is_sorted).then(|| "samples of a series that are not in order".to_owned())
    }
}

/// The labels of a series as they are written in a reply, in which each reply writes them.
#[derive(Debug, Clone, Copy)]
pub struct Metric<'a>(pub &'a str);

impl Metric<'_> {
    /// The labels; values of `le` are spelled in one way.
    ///
    /// # Errors
    /// When these are no labels.
    pub fn labels(self) -> serde_json::Result<Labels> {
        serde_json::Deserializer::from_str(self.0).deserialize_map(Pairs)
    }
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

impl Series {
    pub(super) fn of(row: Row<'_>) -> serde_json::Result<Self> {
        let labels = row.metric.labels()?;
        Ok(Self { labels, samples: row.samples.to_vec(), histograms: row.histograms })
    }
}

/// The result of a query, given away series by series; its type. A vector's series have one sample, a
/// matrix' many.
pub(super) struct Rows<'f, F>(pub(super) &'f mut F);

/// Its list of series.
struct List<'f, F>(&'f mut F);

/// One of them, and where samples are read to.
struct One<'f, F>(&'f mut F, &'f mut Vec<Sample>);

impl<'de, F: FnMut(Row<'_>) -> serde_json::Result<()>> DeserializeSeed<'de> for Rows<'_, F> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, F: FnMut(Row<'_>) -> serde_json::Result<()>> Visitor<'de> for Rows<'_, F> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a `resultType` and a `result`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<String, A::Error> {
        let mut kind = None;
        while let Some(Text(key)) = map.next_key()? {
            match key.as_ref() {
                "resultType" => kind = Some(map.next_value()?),
                "result" => map.next_value_seed(List(self.0))?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        kind.ok_or_else(|| A::Error::missing_field("resultType"))
    }
}

impl<'de, F: FnMut(Row<'_>) -> serde_json::Result<()>> DeserializeSeed<'de> for List<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, F: FnMut(Row<'_>) -> serde_json::Result<()>> Visitor<'de> for List<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of series")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let mut samples = Vec::new();
        while seq.next_element_seed(One(self.0, &mut samples))?.is_some() {}
        Ok(())
    }
}

impl<'de, F: FnMut(Row<'_>) -> serde_json::Result<()>> DeserializeSeed<'de> for One<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, F: FnMut(Row<'_>) -> serde_json::Result<()>> Visitor<'de> for One<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a series with `metric` and `value` or `values`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self(take, samples) = self;
        let (mut metric, mut histograms) = (None, Vec::new());
        samples.clear();
        while let Some(Text(key)) = map.next_key()? {
            match key.as_ref() {
                "metric" => metric = Some(map.next_value::<&RawValue>()?),
                "value" => samples.push(map.next_value::<Point>()?.0),
                "values" => map.next_value_seed(Points(samples))?,
                "histogram" => histograms.push(map.next_value::<At>()?.0),
                "histograms" => {
                    histograms = map.next_value::<Vec<At>>()?.into_iter().map(|at| at.0).collect();
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let metric = Metric(metric.map_or("{}", RawValue::get));
        take(Row { metric, samples, histograms }).map_err(A::Error::custom)
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

struct Pairs;

impl<'de> Visitor<'de> for Pairs {
    type Value = Labels;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of labels")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Labels, A::Error> {
        let mut labels = Labels::begin();
        while let Some((Text(name), Text(value))) = map.next_entry()? {
            let value = if name == "le" { one_spelling(value) } else { value };
            labels.add(&name, &value);
        }
        Ok(labels.done())
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

/// Appends samples.
struct Points<'s>(&'s mut Vec<Sample>);

impl<'de> DeserializeSeed<'de> for Points<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Points<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of [time, \"value\"]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(point) = seq.next_element::<Point>()? {
            self.0.push(point.0);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(text: &str) -> Vec<Series> {
        let mut all = Vec::new();
        let mut take = |row: Row<'_>| Series::of(row).map(|series| all.push(series));
        let reply = Reply::read(text.as_bytes(), Rows(&mut take)).unwrap();
        assert!(["matrix", "vector"].contains(&reply.data.unwrap().as_str()));
        all
    }

    #[test]
    fn a_matrix_becomes_samples_in_milliseconds_and_le_is_spelled_in_one_way() {
        let reply = r#"{"status":"success","data":{"resultType":"matrix","result":[
            {"metric":{"__name__":"x_bucket","le":"5e-1"},"values":[[1700000000.123,"12"],[1700000060,"NaN"]]}]}}"#;
        let series = &series(reply)[0];
        assert_eq!(series.labels.get("le"), "0.5");
        assert_eq!(series.samples[0], Sample { at: 1_700_000_000_123, value: 12.0 });
        assert!(series.samples[1].value.is_nan());
    }

    #[test]
    fn vectors_unknown_keys_and_escapes_are_read() {
        let reply = r#"{"status":"success","infos":["x"],"data":{"resultType":"vector","new":1,"result":[
            {"metric":{"a":"quo\"te"},"value":[1.5,"+Inf"]},{"metric":{},"histogram":[1,{"count":"3","sum":"1","buckets":[[3,"-0.001","0.001","1"],[0,"0.5","1","2"]]}]},
            {"metric":{},"histograms":[[1.5,{"count":"0","sum":"0"}]]}]}}"#;
        let read = series(reply);
        assert_eq!(read[0].labels.get("a"), "quo\"te");
        assert!(read[0].samples[0].value.is_infinite());
        let (at, histogram) = &read[1].histograms[0];
        assert_eq!((*at, histogram.count, histogram.buckets.len()), (1_000, 3.0, 2));
        assert_eq!(histogram.buckets[1], Filled { left: 0.5, right: 1.0, count: 2.0 });
        assert_eq!(read[2].histograms, [(1_500, Histogram::default())]);
    }

    #[test]
    fn a_reply_that_is_cut_goes_on_or_tells_no_labels_is_none() {
        let reply = |result: &str, end: &str| {
            format!(
                r#"{{"status":"success","data":{{"resultType":"matrix","result":[{result}]}}{end}"#
            )
        };
        let read = |text: &str| {
            let mut taken = 0;
            let mut take = |row: Row<'_>| Series::of(row).map(|_| taken += 1);
            let reply = Reply::read(text.as_bytes(), Rows(&mut take));
            let error = reply.err().map(|error| error.to_string()).unwrap_or_default();
            (taken, error)
        };
        let series = r#"{"metric":{"a":"b"},"values":[[1,"2"]]}"#;
        assert_eq!(read(&reply(series, "}")), (1, String::new()));
        for (text, taken, why) in [
            (reply(series, ""), 1, "EOF while parsing"),
            (reply(series, "}}"), 1, "trailing characters"),
            (reply(&format!("{series},{series}"), r#","data":null}"#), 2, "duplicate field"),
            (
                reply(r#"{"metric":["a"],"values":[[1,"2"]]}"#, "}"),
                0,
                "expected an object of labels",
            ),
            (reply(r#"{"metric":{"a":1},"values":[[1,"2"]]}"#, "}"), 0, "expected a text"),
            (reply(r#"{"metric":{},"values":[[1,"x"]]}"#, "}"), 0, "`x` is no number"),
            (r#"{"data":{"resultType":"matrix","result":[]}}"#.to_owned(), 0, "status"),
            (r#"{"status":"success","data":{"result":[]}}"#.to_owned(), 0, "resultType"),
        ] {
            let (count, error) = read(&text);
            assert!(count == taken && error.contains(why), "{text}: {count}, {error}");
        }
    }

    #[test]
    fn errors_keep_their_type_whatever_it_is() {
        let reply = r#"{"status":"error","errorType":"too_new","error":"no\tway","data":null}"#;
        let read = Reply::read(reply.as_bytes(), Rows(&mut |_: Row<'_>| Ok(()))).unwrap();
        assert_eq!(
            (read.error_type.as_deref(), read.error.as_deref()),
            (Some("too_new"), Some("no\tway"))
        );
    }
}
