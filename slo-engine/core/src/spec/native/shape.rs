//! What a `Service` document looks like: the types that serde reads and the JSON Schema shows.
//! They check the form only; meaning is given to them elsewhere.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::spec::yaml::Spanned;

mod either;
mod indicator;
mod scalar;

pub(in crate::spec) use either::{AlertsEntry, Listed, TextOr};
pub(in crate::spec) use indicator::{
    Dsl, IndicatorDocument, LatencyDocument, MemberDocument, RatioDocument, RawDocument,
    SideDocument, Sides, ThresholdDocument, UnitWord, WhenDelayedWord,
};
pub(in crate::spec) use scalar::{BudgetText, GateText, LinkedName, NameText, ShareText, SpanText};

/// A service and its objectives.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Service", rename = "Service")]
pub(in crate::spec) struct ServiceDocument {
    /// Which language this is.
    #[serde(rename = "apiVersion")]
    #[schemars(extend("const" = "headroom/v1"))]
    pub(in crate::spec) _api_version: String,
    /// Which kind of document this is.
    #[serde(rename = "kind")]
    #[schemars(extend("const" = "Service"))]
    pub(in crate::spec) _kind: String,
    /// Its name; unique in the environment. `decisions` and `overrides` are reserved.
    pub(in crate::spec) service: Spanned<NameText>,
    /// A name for people.
    pub(in crate::spec) title: Option<String>,
    /// Who owns it.
    pub(in crate::spec) owner: Option<String>,
    /// 1 (most critical) to 4; policies select by it.
    #[schemars(range(min = 1, max = 4))]
    pub(in crate::spec) tier: Spanned<i64>,
    /// Where it runs, such as `production`.
    pub(in crate::spec) environment: Spanned<NameText>,
    /// Services that it calls, of the same environment.
    #[serde(default)]
    pub(in crate::spec) depends_on: Vec<Spanned<NameText>>,
    /// Links for people, by what they lead to.
    #[serde(default)]
    pub(in crate::spec) links: BTreeMap<String, String>,
    /// Labels that policies may select by.
    #[serde(default)]
    pub(in crate::spec) labels: BTreeMap<String, String>,
    /// Its objectives.
    #[serde(default)]
    pub(in crate::spec) slos: Vec<SloDocument>,
}

/// One objective.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Slo")]
pub(in crate::spec) struct SloDocument {
    /// Its name; unique in the service.
    pub(in crate::spec) name: Spanned<NameText>,
    /// A sentence for people.
    pub(in crate::spec) description: Option<String>,
    /// The share of events that must be good, such as `99.9%`.
    pub(in crate::spec) objective: Spanned<ShareText>,
    /// One window or a list; the first makes the state. Default: `30d`.
    pub(in crate::spec) window: Option<Spanned<Listed<TextOr<SpanText, CalendarDocument>>>>,
    /// Whether it decides in the gate: `true` (default), `false` or `groups` (each group decides).
    pub(in crate::spec) gate: Option<Spanned<GateText>>,
    /// Where its events come from.
    pub(in crate::spec) indicator: Spanned<IndicatorDocument>,
    /// What the budget is counted in: `occurrences` (default) or slices of time.
    pub(in crate::spec) budgeting: Option<Spanned<TextOr<BudgetText, SlicesDocument>>>,
    /// What a slice without data counts as. Default: `ignore`.
    pub(in crate::spec) unmeasured: Option<Spanned<UnmeasuredWord>>,
    /// One SLO per value of these labels.
    pub(in crate::spec) group_by: Option<Spanned<Vec<Spanned<String>>>>,
    /// Groups beyond this many are counted as `(other)`. Default: 50.
    #[schemars(range(min = 1))]
    pub(in crate::spec) max_groups: Option<Spanned<i64>>,
    /// Counts are kept by these labels too, so that spending can be attributed to them.
    #[serde(default)]
    pub(in crate::spec) attribute_by: Vec<Spanned<String>>,
    /// The SLO's old name: its history goes on.
    pub(in crate::spec) was: Option<Spanned<NameText>>,
    /// Samples further apart than this leave a hole. Default: 5m, at least 2 scrapes.
    pub(in crate::spec) look_back: Option<Spanned<SpanText>>,
    /// A difference over a longer gap is dropped. Default: 6h.
    pub(in crate::spec) max_gap: Option<Spanned<SpanText>>,
    /// The age beyond which its numbers are stale. Default: the source's lag and 5m or 5 scrapes.
    pub(in crate::spec) stale_after: Option<Spanned<SpanText>>,
    /// Burn-rate alerts: `default`, `none` or a list.
    pub(in crate::spec) alerts: Option<Spanned<AlertsEntry>>,
}

/// The current calendar period in a zone.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "CalendarWindow")]
pub(in crate::spec) struct CalendarDocument {
    /// The period; weeks start on Monday.
    pub(in crate::spec) calendar: PeriodWord,
    /// An IANA zone, such as `Europe/Paris`.
    pub(in crate::spec) zone: Spanned<String>,
}

/// A calendar period.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Period")]
pub(in crate::spec) enum PeriodWord {
    /// Monday to Sunday.
    Week,
    /// A calendar month.
    Month,
    /// Three months from January, April, July or October.
    Quarter,
    /// A calendar year.
    Year,
}

/// What a budget is counted in, beyond the word `occurrences`: exactly one of these.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Slices", extend("minProperties" = 1, "maxProperties" = 1))]
pub(in crate::spec) struct SlicesDocument {
    /// Slices of time, each good or bad.
    pub(in crate::spec) timeslices: Option<TimeslicesDocument>,
    /// The mean of the slices' ratios.
    pub(in crate::spec) ratio_timeslices: Option<RatioTimeslicesDocument>,
}

/// Slices of time, each good or bad.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Timeslices")]
pub(in crate::spec) struct TimeslicesDocument {
    /// The length of a slice, whole minutes.
    pub(in crate::spec) size: Spanned<SpanText>,
    /// The share of good events that makes a slice good.
    pub(in crate::spec) good_when: Spanned<ShareText>,
}

/// Slices of time whose ratios are averaged.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "RatioTimeslices")]
pub(in crate::spec) struct RatioTimeslicesDocument {
    /// The length of a slice, whole minutes.
    pub(in crate::spec) size: Spanned<SpanText>,
}

/// What a slice without data counts as.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Unmeasured")]
pub(in crate::spec) enum UnmeasuredWord {
    /// It is left out.
    Ignore,
    /// It is good.
    Good,
    /// It is bad.
    Bad,
}

/// One burn-rate alert over a long and a short window.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Alert")]
pub(in crate::spec) struct AlertDocument {
    /// Its name; unique in the SLO.
    pub(in crate::spec) name: Spanned<NameText>,
    /// The long window, whole minutes.
    pub(in crate::spec) long: Spanned<SpanText>,
    /// The short window, whole minutes, shorter than the long one.
    pub(in crate::spec) short: Spanned<SpanText>,
    /// The share of the budget that the long window spends when the alert fires.
    pub(in crate::spec) budget: Spanned<ShareText>,
    /// How urgent it is.
    pub(in crate::spec) severity: SeverityWord,
    /// Fewer bad events than this in the long window never fire. Default: 10.
    #[schemars(range(min = 0))]
    pub(in crate::spec) min_bad: Option<Spanned<i64>>,
    /// The bad events of the long window must also be this share of the whole window's budget.
    pub(in crate::spec) min_budget: Option<Spanned<ShareText>>,
}

/// How urgent an alert is.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Severity")]
pub(in crate::spec) enum SeverityWord {
    /// Someone is woken.
    Page,
    /// Someone looks on a work day.
    Ticket,
}
