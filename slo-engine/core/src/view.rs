//! What every consumer reads: the gate, the pages, the report. JSON as docs/reference fixes it:
//! camelCase, instants in UTC, shares 0..1 (`remaining` may be negative), absent is `null`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::slo::Gate;
use crate::subset::Subset;
use crate::time::Span;

mod asked;
pub mod whole;

/// One SLO at one instant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BudgetView {
    /// The service's name.
    pub service: Arc<str>,
    /// The SLO's name.
    pub slo: Arc<str>,
    /// The environment.
    pub environment: Arc<str>,
    /// Which group of a grouped SLO; null for the parent.
    pub group: Option<Group>,
    /// The target as a share.
    pub objective: f64,
    /// The first of `conditions`.
    pub state: State,
    /// All that hold, worst first.
    pub conditions: Vec<State>,
    /// When this was computed.
    pub evaluated_at: DateTime<Utc>,
    /// The newest instant that every side has been read to.
    pub data_until: Option<DateTime<Utc>>,
    /// `now - dataUntil` in seconds, when asked.
    pub age_seconds: Option<f64>,
    /// The SLO's windows, the one that makes the state first.
    pub windows: Vec<WindowView>,
    /// Burn rates over the windows of the alerts and of the policies, shortest first.
    pub burn: Vec<BurnView>,
    /// The multi-window alerts.
    pub alerts: Vec<AlertView>,
    /// Where the numbers come from.
    pub sources: Arc<[SourceView]>,
    /// What a person should know about the numbers.
    pub findings: Vec<Finding>,
    /// Present while history is being read.
    pub backfill: Option<Backfill>,
    /// Whether the SLO decides in the gate.
    #[serde(skip, default = "decides")]
    #[schemars(skip)]
    pub gate: Gate,
    /// The age in seconds beyond which the view is stale.
    #[serde(skip)]
    pub stale_after_seconds: f64,
    /// When things that policies ask about will be so, by the forecast.
    #[serde(skip)]
    pub answers: Vec<(Ask, Option<DateTime<Utc>>)>,
}

const fn decides() -> Gate {
    Gate::Decides
}

/// A group of a grouped SLO.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", untagged)]
pub enum Group {
    /// The values of the SLO's `groupBy` labels.
    Labels {
        /// Label and value.
        labels: Arc<BTreeMap<String, String>>,
    },
    /// All groups beyond `maxGroups`.
    Other {
        /// Always true.
        other: bool,
    },
}

/// `route=/cart, method=GET`, or `(other)`.
impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Subset::from(self).fmt(f)
    }
}

impl From<&Group> for Subset {
    fn from(group: &Group) -> Self {
        match group {
            Group::Labels { labels } => Self::Group(Some((**labels).clone())),
            Group::Other { .. } => Self::Group(None),
        }
    }
}

impl Group {
    /// How a group is named in a request: its labels as JSON, or `(other)`.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Labels { labels } => serde_json::to_string(labels).unwrap_or_default(),
            Self::Other { .. } => "(other)".to_owned(),
        }
    }

    /// Whether a request names it: by its key, by `label=value`, or by the value of its only label.
    #[must_use]
    pub fn is_named(&self, text: &str) -> bool {
        let only = match self {
            Self::Labels { labels } if labels.len() == 1 => labels.values().next(),
            _ => None,
        };
        self.to_string() == text
            || only.is_some_and(|value| value == text)
            || matches!(self, Self::Labels { labels } if serde_json::from_str(text).is_ok_and(|named: BTreeMap<String, String>| named == **labels))
    }
}

/// How an SLO is; the order is the order of conditions.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// Nothing is known.
    NoData,
    /// The numbers are too old.
    Stale,
    /// The budget is spent.
    Exhausted,
    /// An alert fires, less than a quarter remains, or it will be exhausted within 3 days.
    AtRisk,
    /// None of the above.
    Healthy,
}

/// One window of an SLO.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WindowView {
    /// `30d`, or `month@Europe/Paris`.
    pub window: Arc<str>,
    /// First instant (inclusive).
    pub from: DateTime<Utc>,
    /// Last instant (exclusive).
    pub to: DateTime<Utc>,
    /// `occurrences`, `timeslices`, `ratioTimeslices` or `composite`.
    pub budgeting: BudgetingName,
    /// What good, bad, total and allowed count; null where there is nothing to count.
    pub unit: Option<Unit>,
    /// Where a latency threshold lies between two buckets: the least and the most that can be spent.
    pub bounds: Option<Bounds>,
    /// Good events (or slices).
    #[serde(serialize_with = "whole::optional")]
    #[schemars(with = "Option<f64>")]
    pub good: Option<f64>,
    /// Bad events (or slices).
    #[serde(serialize_with = "whole::optional")]
    #[schemars(with = "Option<f64>")]
    pub bad: Option<f64>,
    /// All events (or measured slices).
    #[serde(serialize_with = "whole::optional")]
    #[schemars(with = "Option<f64>")]
    pub total: Option<f64>,
    /// good / total.
    pub sli: Option<f64>,
    /// Bad events (or slices) that the objective allows.
    #[serde(serialize_with = "whole::optional")]
    #[schemars(with = "Option<f64>")]
    pub allowed: Option<f64>,
    /// bad / allowed.
    pub spent: Option<f64>,
    /// 1 - spent; not clamped.
    pub remaining: Option<f64>,
    /// Measured minutes / minutes since the first data (or the window's start), of those that are not
    /// excluded.
    pub coverage: Option<f64>,
    /// Share of the window since the first data.
    pub maturity: f64,
    /// Wilson 95 % interval of the SLI.
    pub interval: Option<[f64; 2]>,
    /// Minutes in which more than a fifth of the targets were missing.
    pub partial: u64,
    /// Events that were counted when their series was first seen.
    #[serde(serialize_with = "whole::one")]
    #[schemars(with = "f64")]
    pub assumed: f64,
    /// Events that were seen but could not be counted.
    #[serde(serialize_with = "whole::one")]
    #[schemars(with = "f64")]
    pub dropped: f64,
    /// What was spent if nothing was excluded; null where no exclusion touches the window. All other
    /// numbers go without excluded minutes.
    pub without_exclusions: Option<WithoutExclusions>,
    /// For calendar windows: the forecast at the window's end.
    pub estimate: Option<Estimate>,
    /// When the budget will be gone at the last hour's error ratio.
    pub exhausts_at: Option<DateTime<Utc>>,
    /// When an exhausted budget will be above zero again.
    pub recovers_at: Option<DateTime<Utc>>,
    /// The share of coming events that will be bad until then, where that was looked at.
    #[serde(skip)]
    pub usual_ratio: Option<f64>,
}

impl WindowView {
    /// What the state and the gate go by: a calendar window's estimate, else what remains now.
    #[must_use]
    pub fn deciding_remaining(&self) -> Option<f64> {
        self.estimate.as_ref().map_or(self.remaining, |e| e.remaining)
    }
}

/// The name of a budgeting method in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum BudgetingName {
    /// Events.
    Occurrences,
    /// Good and bad slices of time.
    Timeslices,
    /// The mean of the slices' ratios.
    RatioTimeslices,
    /// A weighted mean of other SLOs.
    Composite,
}

/// What a window's numbers count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Unit {
    /// Events.
    Events,
    /// Slices of time.
    Slices,
    /// Nothing is counted; only the ratio has a meaning.
    None,
}

/// The range in which `spent` lies.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Bounds {
    /// If every event between the two buckets was good.
    pub spent_low: f64,
    /// If every event between the two buckets was bad.
    pub spent_high: f64,
}

/// Numbers before exclusions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WithoutExclusions {
    /// bad / allowed.
    pub spent: Option<f64>,
    /// 1 - spent.
    pub remaining: Option<f64>,
}

/// A calendar window as it will be at its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Estimate {
    /// Events so far and those still to come.
    #[serde(serialize_with = "whole::one")]
    #[schemars(with = "f64")]
    pub total: f64,
    /// Bad so far / what `total` allows.
    pub spent: Option<f64>,
    /// 1 - spent.
    pub remaining: Option<f64>,
    /// Which past the coming traffic repeats.
    pub method: String,
}

/// A burn rate: how many times faster than sustainable the budget is spent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BurnView {
    /// The window, such as `1h`.
    #[schemars(with = "String")]
    pub window: Span,
    /// (bad/total)/(1 - objective); null when too little is known.
    pub rate: Option<f64>,
    /// Bad events in the window.
    #[serde(skip)]
    pub bad: i64,
}

/// A multi-window alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AlertView {
    /// Its name, such as `page-fast`.
    pub name: Arc<str>,
    /// Whether it fires.
    pub state: AlertState,
    /// Since when it fires.
    pub since: Option<DateTime<Utc>>,
}

/// Whether an alert fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum AlertState {
    /// It does not.
    Inactive,
    /// It does.
    Firing,
    /// For this window its factor is below 1: it would fire at a sustainable rate.
    Dropped,
}

/// What one source gave for one side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceView {
    /// The source's name in the configuration.
    pub name: Arc<str>,
    /// `total`, `good` or `bad`.
    pub side: Cow<'static, str>,
    /// What the side's events are counted from. SLOs share the queries that carry them.
    pub queries: Arc<[String]>,
    /// How far it has been read.
    pub data_until: Option<DateTime<Utc>>,
    /// Why the last read failed; null when it did not.
    pub last_error: Option<String>,
}

/// Something a person should know about the numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// A stable code.
    pub code: String,
    /// A sentence.
    pub message: String,
    /// Since when it holds.
    pub since: Option<DateTime<Utc>>,
    /// The numbers in the sentence.
    #[serde(serialize_with = "whole::named")]
    #[schemars(with = "BTreeMap<String, f64>")]
    pub numbers: BTreeMap<String, f64>,
}

/// How far the reading of history has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Backfill {
    /// The oldest instant that is wanted.
    pub from: DateTime<Utc>,
    /// The newest instant that is wanted.
    pub until: DateTime<Utc>,
    /// The share that has been read, 0..1.
    pub share: f64,
}

/// A question that a policy has about the future of an SLO.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    /// When will at least this much remain (strictly more, where it is 0)?
    Remaining {
        /// The window's name; `None` is the SLO's first.
        window: Option<String>,
        /// The share that must remain.
        at_least: f64,
    },
    /// When will the burn rate be at most this?
    Burn {
        /// The window, whole minutes.
        window: Span,
        /// The rate.
        at_most: f64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_named_by_its_labels_in_any_way() {
        let group = |labels: &[(&str, &str)]| Group::Labels {
            labels: Arc::new(labels.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect()),
        };
        let (one, two) =
            (group(&[("route", "/a b")]), group(&[("route", "/a"), ("method", "GET")]));
        assert_eq!(one.key(), r#"{"route":"/a b"}"#);
        for name in ["/a b", "route=/a b", r#"{ "route": "/a b" }"#] {
            assert!(one.is_named(name) && !two.is_named(name), "{name}");
        }
        for name in ["method=GET, route=/a", r#"{"route":"/a","method":"GET"}"#] {
            assert!(two.is_named(name) && !one.is_named(name), "{name}");
        }
        let other = Group::Other { other: true };
        assert!(other.is_named(&other.key()) && !other.is_named("/a"));
    }

    #[test]
    fn a_window_says_229_bad_events_and_reads_them_back_also_from_229_0() {
        let text = r#"{"window": "30d", "from": "2026-10-22T10:00:00Z", "to": "2026-11-21T10:00:00Z",
            "budgeting": "occurrences", "unit": "events", "bounds": null, "good": 1e6, "bad": 229.0,
            "total": 1000229, "sli": 0.99977, "allowed": 1000.229, "spent": 0.229, "remaining": 0.771,
            "coverage": 1, "maturity": 1, "interval": null, "partial": 0, "assumed": 0, "dropped": 0,
            "withoutExclusions": null, "estimate": null, "exhaustsAt": null, "recoversAt": null}"#;
        let window: WindowView = serde_json::from_str(text).unwrap();
        let written = serde_json::to_string(&window).unwrap();
        assert!(written.contains(r#""good":1000000,"bad":229,"total":1000229,"#), "{written}");
        assert!(written.contains(r#""allowed":1000.229,"#), "{written}");
        assert!(written.contains(r#""assumed":0,"dropped":0,"#), "{written}");
        assert_eq!(serde_json::from_str::<WindowView>(&written).unwrap(), window);
        let schema = serde_json::to_value(schemars::schema_for!(WindowView)).unwrap();
        assert_eq!(schema["properties"]["assumed"]["type"], "number");
        assert_eq!(schema["properties"]["bad"]["type"], serde_json::json!(["number", "null"]));
    }
}
