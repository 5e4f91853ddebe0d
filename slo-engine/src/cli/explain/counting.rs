//! What was asked of the source, which series answered, and what each of them added.

use std::collections::BTreeMap;

use budget_gate::words::number;
use chrono::{DateTime, Utc};
use serde::Serialize;
use slo_core::counter::Weights;
use slo_core::plan::{Edges, Feeds, LogCount, Role};
use slo_core::selector::Selector;
use slo_core::sli::{Indicator, Part, Range};
use slo_core::view::BudgetView;

use crate::evaluate::oneshot::{One, OneMember, OneShare};
use crate::source::config::SourceKind;
use crate::source::intake::Feeding;

/// One side of the indicator.
#[derive(Debug, Serialize)]
pub(super) struct Side {
    pub(super) side: &'static str,
    pub(super) is: String,
}

/// The reading of the source.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Asked {
    pub(super) source: Option<String>,
    pub(super) kind: Option<SourceKind>,
    pub(super) url: Option<String>,
    /// Of a source that reads files, where they are.
    pub(super) files: Vec<String>,
    /// Selectors, or the expression of a raw ratio.
    pub(super) queries: Vec<String>,
    /// What of them was read.
    pub(super) of_each: &'static str,
    /// The first instant that was counted; samples up to `maxGap` before it make the tails.
    pub(super) from: Option<DateTime<Utc>>,
    pub(super) data_until: Option<DateTime<Utc>>,
    pub(super) last_error: Option<String>,
}

/// A series and what it added since `asked.from`; null where it says nothing about a side.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Series {
    #[serde(skip)]
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) counts_as: &'static str,
    pub(super) total: Option<i64>,
    pub(super) good: Option<i64>,
    pub(super) bad: Option<i64>,
    pub(super) samples: u64,
    pub(super) resets: u32,
    pub(super) first: Option<DateTime<Utc>>,
    pub(super) last: Option<DateTime<Utc>>,
}

impl Asked {
    pub(super) fn of(one: &One, view: &BudgetView) -> Self {
        let is_known = one.feeds.is_some();
        let kind = is_known.then_some(one.source.kind);
        let has_url = matches!(kind, Some(SourceKind::Prometheus | SourceKind::Elasticsearch));
        let reads_files = kind == Some(SourceKind::Jsonlog);
        Self {
            source: is_known.then(|| one.reading.source.to_string()),
            kind,
            url: has_url.then(|| one.source.url.clone()),
            files: if reads_files { one.source.files.clone() } else { Vec::new() },
            queries: one.queries.clone(),
            of_each: of_each(one),
            from: one.from.map(slo_core::time::Minute::start),
            data_until: view.data_until,
            last_error: one.reading.last_error.clone(),
        }
    }
}

/// What of a query is read.
fn of_each(one: &One) -> &'static str {
    let parts = || one.shares.iter().map(|share| &share.one).chain([one]);
    let holds = |is: fn(&Feeds) -> bool| parts().any(|one| one.feeds.as_deref().is_some_and(is));
    let logs = holds(|feeds| matches!(feeds, Feeds::Logs(_)));
    match one.feeds.as_deref() {
        Some(Feeds::Raw { .. }) => "its value at the end of each slice",
        _ if logs && holds(|feeds| !matches!(feeds, Feeds::Logs(_))) => DOCUMENTS_TOO,
        _ if logs => DOCUMENTS,
        _ => "every raw sample",
    }
}

/// What is read of an SLO that has no series.
pub(super) const DOCUMENTS: &str = "every document";

/// What is read of an SLO of which series tell one side and documents another.
const DOCUMENTS_TOO: &str = "every raw sample or document";

pub(super) fn sides(one: &One) -> Vec<Side> {
    let side = |side, is: String| Side { side, is };
    match one.feeds.as_deref() {
        None => one.shares.iter().flat_map(of_share).chain(members(one)).collect(),
        Some(Feeds::Ratio { totals, parts, part_is, .. }) => {
            let part = if *part_is == Part::Bad { "bad" } else { "good" };
            vec![side("total", added(totals)), side(part, added(parts))]
        }
        Some(Feeds::Latency { histogram, edges, .. }) => vec![
            side("total", format!("events of the histogram {histogram}")),
            side("good", fast_enough(one, edges.as_ref())),
        ],
        Some(Feeds::Gauge { selector, good }) => vec![
            side("total", format!("samples of {selector}")),
            side("good", format!("those {}", range(*good))),
        ],
        Some(Feeds::Logs(counts)) => {
            let counted = |count: &LogCount| {
                side(counted_as(count.weights), format!("documents of {}", count.text()))
            };
            counts.iter().map(counted).collect()
        }
        Some(Feeds::Raw { expression, share_of, .. }) => {
            let share = if *share_of == Part::Bad { "bad" } else { "good" };
            vec![side(share, format!("the share that the source works out: {expression}"))]
        }
    }
}

/// What a composite is made of.
fn members(one: &One) -> impl Iterator<Item = Side> {
    one.members.iter().map(|OneMember { member, one }| Side {
        side: "member",
        is: format!("{}, weight {}", one.account.slo().id, number(member.weight)),
    })
}

/// The sides that a share holds, with where it is read and how much later its events come.
fn of_share(share: &OneShare) -> Vec<Side> {
    let part = if share.role == Role::Bad { "bad" } else { "good" };
    let later = match share.delay {
        0 => String::new(),
        minutes => format!(", {minutes} min later"),
    };
    let side = |side: Side| Side {
        side: if share.role == Role::Whole { side.side } else { part },
        is: format!("{} in `{}`{later}", side.is, share.one.reading.source),
    };
    let whole = sides(&share.one).into_iter();
    // A share without a part of its own has nothing to say about it.
    whole.filter(|side| !side.is.is_empty()).map(side).collect()
}

/// What a document counts as.
const fn counted_as(weights: Weights) -> &'static str {
    match weights {
        Weights { total: 1.., .. } => "total",
        Weights { good: ..0, .. } => "bad",
        _ => "good",
    }
}

fn added(selectors: &[Selector]) -> String {
    selectors.iter().map(ToString::to_string).collect::<Vec<_>>().join(" + ")
}

/// Which durations are good, and by which bucket that is told.
fn fast_enough(one: &One, edges: Option<&Edges>) -> String {
    let under = match &one.account.slo().indicator {
        Indicator::Latency(latency) => latency.under.span.to_string(),
        _ => String::new(),
    };
    match edges {
        None => format!("those of at most {under}; no bucket of the histogram was found"),
        Some(Edges { lower: Some(lower), .. }) => {
            format!("those of at most {under}, told by the bucket le=\"{lower}\"")
        }
        Some(Edges { native: true, .. }) => {
            format!("those of at most {under}, told by the buckets of native histograms")
        }
        Some(_) => format!("those of at most {under}, and every bucket is above"),
    }
}

fn range(range: Range) -> String {
    match range {
        Range::Below(limit) => format!("below {limit}"),
        Range::Above(limit) => format!("above {limit}"),
        Range::Between(from, to) => format!("from {from} to {to}"),
    }
}

/// What all series added, where nothing but series is counted.
#[derive(Debug, Serialize)]
pub(super) struct Together {
    pub(super) total: i64,
    pub(super) good: i64,
    pub(super) bad: i64,
}

pub(super) fn together(one: &One) -> Option<Together> {
    if of_each(one) == DOCUMENTS_TOO {
        return None;
    }
    let (good, total) = fed(one).fold((0, 0), |(good, total), (role, fed)| {
        let (more, all) = role.weigh(fed.note.good, fed.note.total);
        (good + more, total + all)
    });
    Some(Together { total, good, bad: total - good })
}

/// All series and what their events are of the SLO's.
fn fed(one: &One) -> impl Iterator<Item = (Role, &Feeding)> {
    let own = one.series.iter().map(|fed| (Role::Whole, fed));
    let shares = one.shares.iter();
    own.chain(shares.flat_map(|share| share.one.series.iter().map(|fed| (share.role, fed))))
}

/// The series, those that spent most first.
pub(super) fn series(one: &One) -> Vec<Series> {
    // Where good or bad events come from series of their own, the total's tell neither.
    let apart = one.shares.iter().any(|share| share.role != Role::Whole)
        || fed(one).any(|(_, fed)| fed.weights.total == 0);
    let mut all: Vec<Series> = fed(one)
        .map(|(role, fed)| match role {
            Role::Whole => shown(fed, apart),
            Role::Good => Series {
                counts_as: "good",
                total: None,
                good: Some(fed.note.total),
                bad: None,
                ..shown(fed, apart)
            },
            Role::Bad => Series {
                counts_as: "bad",
                total: None,
                good: None,
                bad: Some(fed.note.total),
                ..shown(fed, apart)
            },
        })
        .collect();
    all.sort_by(|a, b| (b.bad, b.total, &a.name).cmp(&(a.bad, a.total, &b.name)));
    all
}

fn shown(fed: &Feeding, apart: bool) -> Series {
    let instant = |millis| DateTime::from_timestamp_millis(millis);
    Series {
        name: fed.labels.to_string(),
        labels: fed.labels.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
        counts_as: counts_as(fed, apart),
        total: (fed.weights.total != 0).then_some(fed.note.total),
        good: (!apart || fed.weights.total == 0 && fed.weights.good > 0).then_some(fed.note.good),
        bad: (!apart || fed.weights.good < 0).then_some(fed.note.total - fed.note.good),
        samples: fed.note.samples,
        resets: fed.note.resets,
        first: instant(fed.note.first),
        last: instant(fed.note.last),
    }
}

const fn counts_as(fed: &Feeding, apart: bool) -> &'static str {
    match (fed.weights.total, fed.weights.good) {
        (0, 0) => "good at best",
        (0, good) if good < 0 => "bad",
        (0, _) => "good",
        _ if apart => "total",
        (_, 0) => "total, bad",
        _ => "total, good",
    }
}
