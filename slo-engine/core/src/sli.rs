//! What counts as good: the indicator of an SLO. Names events only; arithmetic is the engine's.

use crate::filter::Filter;
use crate::selector::Selector;
use crate::slo::Reference;
use crate::time::Span;

/// How an SLO's events are found. The only place that tells the kinds apart.
#[derive(Debug, Clone, PartialEq)]
pub enum Indicator {
    /// Counts of good or bad events out of a total.
    Ratio(Ratio),
    /// Share of events faster than a threshold.
    Latency(Latency),
    /// Share of samples of a gauge that lie in a range; each sample is one event.
    Threshold(Threshold),
    /// A ratio computed elsewhere; it has no weight, so only time slices can use it.
    Raw(Raw),
    /// A weighted mean of other SLOs.
    Composite(Vec<Member>),
}

impl Indicator {
    /// Which part of the total it counts.
    #[must_use]
    pub const fn part(&self) -> Part {
        match self {
            Self::Ratio(ratio) => ratio.part_is,
            _ => Part::Good,
        }
    }
}

/// A ratio of counts; sides of a list are added.
#[derive(Debug, Clone, PartialEq)]
pub struct Ratio {
    /// All events.
    pub total: Vec<Side>,
    /// The counted part of them.
    pub part: Vec<Side>,
    /// Whether the part is the good or the bad one.
    pub part_is: Part,
}

/// Which part of the total a ratio counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The part counts good events.
    Good,
    /// The part counts bad events.
    Bad,
}

/// One side of a ratio.
#[derive(Debug, Clone, PartialEq)]
pub struct Side {
    /// The source's name; `None` is the default source (or, for a refinement, the total's).
    pub source: Option<String>,
    /// What is counted.
    pub events: Events,
    /// How much later these events come than the ones they answer to.
    pub delay: Span,
}

/// The events of a side.
#[derive(Debug, Clone, PartialEq)]
pub enum Events {
    /// Counters; a selector without a name refines every total of its source.
    Metric(Selector),
    /// Log documents.
    Logs(LogQuery),
}

/// Documents of an index that a query finds.
#[derive(Debug, Clone, PartialEq)]
pub struct LogQuery {
    /// Index pattern; `None` refines the total, or is all that the source has for a total itself.
    pub index: Option<String>,
    /// KQL, or query DSL as JSON.
    pub query: LogFilter,
    /// Which documents prove that the shipper lives; `None` is any.
    pub heartbeat: Option<Filter>,
}

/// A filter over documents.
#[derive(Debug, Clone, PartialEq)]
pub enum LogFilter {
    /// Kibana's query language.
    Kql(Filter),
    /// Elasticsearch's own query DSL.
    Dsl(serde_json::Value),
}

/// A latency indicator.
#[derive(Debug, Clone, PartialEq)]
pub struct Latency {
    /// The source's name; `None` is the default source.
    pub source: Option<String>,
    /// Where the durations are.
    pub durations: Durations,
    /// Events up to and including this long are good.
    pub under: Under,
}

/// A duration threshold in the metric's own unit and as written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Under {
    /// The threshold in the unit of the metric or field: `under: 500ms` of `_seconds` is 0.5.
    pub in_unit: f64,
    /// The threshold as written.
    pub span: Span,
}

/// Where a latency indicator finds its durations.
#[derive(Debug, Clone, PartialEq)]
pub enum Durations {
    /// A histogram, classic or native, by its base name.
    Histogram(Selector),
    /// A numeric field of log documents.
    Field {
        /// The documents.
        logs: LogQuery,
        /// The field's name.
        field: String,
    },
}

/// A gauge and the range in which a sample is good.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    /// The source's name; `None` is the default source.
    pub source: Option<String>,
    /// The gauge.
    pub gauge: Selector,
    /// When a sample is good.
    pub good: Range,
}

/// When a gauge's sample is good.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Range {
    /// value < limit
    Below(f64),
    /// value > limit
    Above(f64),
    /// from <= value <= to
    Between(f64, f64),
}

impl Range {
    /// Whether a value lies in the range. NaN never does.
    #[must_use]
    pub fn holds(self, value: f64) -> bool {
        match self {
            Self::Below(limit) => value < limit,
            Self::Above(limit) => value > limit,
            Self::Between(from, to) => from <= value && value <= to,
        }
    }
}

/// A ratio from the source's own expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Raw {
    /// The source's name; `None` is the default source.
    pub source: Option<String>,
    /// Any PromQL that gives 0..1.
    pub expression: String,
    /// Whether the expression gives the good or the bad share.
    pub share_of: Part,
}

/// A member of a composite.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// The SLO.
    pub slo: Reference,
    /// Its weight, above 0.
    pub weight: f64,
    /// What a delayed member counts as after `max_delay`.
    pub when_delayed: WhenDelayed,
    /// How long a member may be behind before `when_delayed` acts.
    pub max_delay: Span,
}

/// What a composite makes of a member without fresh data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenDelayed {
    /// The member is left out.
    Ignore,
    /// The delayed minutes are bad.
    CountAsBad,
    /// The delayed minutes are good.
    CountAsGood,
}
