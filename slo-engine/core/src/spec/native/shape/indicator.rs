//! What an indicator looks like.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{LinkedName, Listed, SpanText, TextOr};
use crate::spec::yaml::Spanned;

/// Where an SLO's events come from: exactly one of these.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Indicator", extend("minProperties" = 1, "maxProperties" = 1))]
pub(in crate::spec) struct IndicatorDocument {
    /// Good or bad events out of a total.
    pub(in crate::spec) ratio: Option<RatioDocument>,
    /// The share of events faster than a threshold.
    pub(in crate::spec) latency: Option<LatencyDocument>,
    /// The share of a gauge's samples that lie in a range.
    pub(in crate::spec) threshold: Option<ThresholdDocument>,
    /// A ratio that is computed elsewhere; needs time slices.
    pub(in crate::spec) raw: Option<RawDocument>,
    /// A weighted mean of other SLOs.
    pub(in crate::spec) composite: Option<Vec<Spanned<MemberDocument>>>,
}

/// One side of a ratio or a list whose events are added.
pub(in crate::spec) type Sides = Spanned<Listed<TextOr<String, SideDocument>>>;

/// Good or bad events out of a total. A side is a selector, with `index` a KQL query, or a mapping.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Ratio")]
#[schemars(extend("oneOf" = [{"required": ["good"]}, {"required": ["bad"]}]))]
pub(in crate::spec) struct RatioDocument {
    /// The source of the sides that name none. Default: the first of kind prometheus or scrape.
    pub(in crate::spec) source: Option<Spanned<String>>,
    /// The index pattern of the sides; makes them log queries.
    pub(in crate::spec) index: Option<Spanned<String>>,
    /// Which documents prove that the shipper lives. Default: any in the index.
    pub(in crate::spec) heartbeat: Option<Spanned<String>>,
    /// All events.
    pub(in crate::spec) total: Sides,
    /// The good ones; without a name or an index they are those of the total that also match.
    pub(in crate::spec) good: Option<Sides>,
    /// The bad ones; without a name or an index they are those of the total that also match.
    pub(in crate::spec) bad: Option<Sides>,
}

/// One side of a ratio.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Side")]
pub(in crate::spec) struct SideDocument {
    /// The source's name in the configuration.
    pub(in crate::spec) source: Option<Spanned<String>>,
    /// Counters: `name{label="value"}`.
    pub(in crate::spec) selector: Option<Spanned<String>>,
    /// The index pattern of a log query.
    pub(in crate::spec) index: Option<Spanned<String>>,
    /// Log documents.
    pub(in crate::spec) query: Option<Spanned<TextOr<String, Dsl>>>,
    /// Which documents prove that the shipper lives. Default: any in the index.
    pub(in crate::spec) heartbeat: Option<Spanned<String>>,
    /// How much later these events come than the ones they answer to.
    pub(in crate::spec) delay: Option<Spanned<SpanText>>,
}

/// A query in Elasticsearch's own language.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::spec) struct Dsl {
    /// The query as JSON.
    pub(in crate::spec) dsl: Spanned<serde_json::Value>,
}

/// The share of events that take no longer than `under`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Latency")]
#[schemars(extend("oneOf" = [{"required": ["histogram"]}, {"required": ["field"]}]))]
pub(in crate::spec) struct LatencyDocument {
    /// The source's name in the configuration.
    pub(in crate::spec) source: Option<Spanned<String>>,
    /// A histogram by its base name; classic or native is found out.
    pub(in crate::spec) histogram: Option<Spanned<String>>,
    /// The index pattern of a log query.
    pub(in crate::spec) index: Option<Spanned<String>>,
    /// Log documents.
    pub(in crate::spec) query: Option<Spanned<TextOr<String, Dsl>>>,
    /// The numeric field of the documents that holds the duration.
    pub(in crate::spec) field: Option<Spanned<String>>,
    /// Which documents prove that the shipper lives. Default: any in the index.
    pub(in crate::spec) heartbeat: Option<Spanned<String>>,
    /// The unit of the metric or field, when the metric's name does not end with it.
    pub(in crate::spec) unit: Option<Spanned<UnitWord>>,
    /// Events up to and including this long are good.
    pub(in crate::spec) under: Spanned<SpanText>,
}

/// A unit of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Unit")]
pub(in crate::spec) enum UnitWord {
    /// Nanoseconds.
    Ns,
    /// Microseconds.
    Us,
    /// Milliseconds.
    Ms,
    /// Seconds.
    S,
}

/// The share of a gauge's samples that lie in a range; each sample is one event.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Threshold")]
#[schemars(extend("oneOf" = [
    {"required": ["below"]}, {"required": ["above"]}, {"required": ["from", "to"]},
]))]
pub(in crate::spec) struct ThresholdDocument {
    /// The source's name in the configuration.
    pub(in crate::spec) source: Option<Spanned<String>>,
    /// The gauge: `name{label="value"}`.
    pub(in crate::spec) gauge: Spanned<String>,
    /// Good is a value below this.
    pub(in crate::spec) below: Option<Spanned<f64>>,
    /// Good is a value above this.
    pub(in crate::spec) above: Option<Spanned<f64>>,
    /// Good is a value from this on ...
    pub(in crate::spec) from: Option<Spanned<f64>>,
    /// ... up to and including this.
    pub(in crate::spec) to: Option<Spanned<f64>>,
}

/// A ratio from the source's own expression.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Raw")]
#[schemars(extend("oneOf" = [{"required": ["errorRatio"]}, {"required": ["goodRatio"]}]))]
pub(in crate::spec) struct RawDocument {
    /// The source's name in the configuration.
    pub(in crate::spec) source: Option<Spanned<String>>,
    /// Any PromQL that gives the bad share, 0 to 1.
    pub(in crate::spec) error_ratio: Option<Spanned<String>>,
    /// Any PromQL that gives the good share, 0 to 1.
    pub(in crate::spec) good_ratio: Option<Spanned<String>>,
}

/// A member of a composite.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Member")]
pub(in crate::spec) struct MemberDocument {
    /// The SLO.
    pub(in crate::spec) slo: Spanned<LinkedName>,
    /// Its weight. Default: 1.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub(in crate::spec) weight: Option<Spanned<f64>>,
    /// What it counts as once it is delayed by more than `maxDelay`. Default: `ignore`.
    pub(in crate::spec) when_delayed: Option<WhenDelayedWord>,
    /// How long it may be behind. Default: 10m.
    pub(in crate::spec) max_delay: Option<Spanned<SpanText>>,
}

/// What a delayed member counts as.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "WhenDelayed")]
pub(in crate::spec) enum WhenDelayedWord {
    /// It is left out.
    Ignore,
    /// The delayed minutes are bad.
    CountAsBad,
    /// The delayed minutes are good.
    CountAsGood,
}
