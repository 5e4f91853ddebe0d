//! What one rule says of one SLO, with what has to happen before it says something better.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::fmt::{Display, Write};
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use slo_core::view::{Ask, BudgetView};

use super::moment::Moment;
use crate::calendar::Calendar;
use crate::decision::{RuleResult, Verdict};
use crate::lasting::{Aged, Ageing};
use crate::policy::Policy;

/// One SLO before one policy.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) policy: &'a Policy,
    pub(super) view: &'a BudgetView,
    pub(super) moment: &'a Moment,
    /// Where a person can read what the SLO was.
    pub(super) evidence: &'a Arc<str>,
}

/// A rule's result, and how it will go on.
pub(super) struct Row<'a> {
    pub(super) result: RuleResult,
    /// What will have happened (or must happen) when it no longer stands in the way.
    pub(super) opening: String,
    /// What a person can do about it.
    pub(super) act: Option<String>,
    pub(super) later: Later<'a>,
    /// What of it goes with the clock.
    pub(super) aged: Option<Aged>,
    /// Where its rule stands among those of equal verdict.
    rank: usize,
}

/// What a rule will say later, as far as anybody knows.
pub(super) enum Later<'a> {
    /// What it says now.
    Same,
    /// From each instant on another verdict; in their order.
    Changes(Vec<(DateTime<Utc>, Verdict)>),
    /// What the calendar says then.
    Calendar(&'a Calendar),
}

impl Asked<'_> {
    /// A rule that allows, to be said more of.
    pub(super) fn row<'c>(&self, rule: &'static str) -> Row<'c> {
        let mut row = Row::of_service(rule);
        row.result.slo = Some(self.view.slo.clone());
        row.result.group.clone_from(&self.view.group);
        row.result.evidence = Some(Arc::clone(self.evidence));
        row
    }

    /// When the forecast sees a question answered, not before now: an instant that is past is one
    /// that the next evaluation will confirm. The outer `None` says that nobody asked.
    pub(super) fn answer(&self, ask: &Ask) -> Option<Option<DateTime<Utc>>> {
        let (_, at) = self.view.answers.iter().find(|(asked, _)| asked == ask)?;
        Some(at.map(|at| self.moment.or_now(at)))
    }
}

/// Where a person can read what an SLO was when its numbers were made.
pub(super) fn evidence(view: &BudgetView) -> String {
    let at = view.evaluated_at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let path =
        format!("/slos/{}/{}?at={at}&environment={}", view.service, view.slo, view.environment);
    // The values of labels are anybody's, and names are not.
    let group =
        view.group.as_ref().map(|group| serde_urlencoded::to_string([("group", group.key())]));
    match group {
        Some(Ok(group)) => format!("{path}&{group}"),
        _ => path,
    }
}

impl Row<'_> {
    /// A rule of the service that allows, to be said more of.
    pub(super) fn of_service(rule: &'static str) -> Self {
        let result = RuleResult {
            rule: Cow::Borrowed(rule),
            slo: None,
            group: None,
            window: None,
            verdict: Verdict::Allow,
            observed: None,
            threshold: None,
            reason: String::new(),
            unblocks: None,
            evidence: None,
        };
        let rank = ORDER.iter().position(|other| *other == rule).unwrap_or(ORDER.len());
        Self { result, opening: String::new(), act: None, later: Later::Same, aged: None, rank }
    }

    pub(super) fn over(mut self, window: &Arc<str>) -> Self {
        self.result.window = Some(Arc::clone(window));
        self
    }

    pub(super) fn saw(mut self, observed: Option<f64>, threshold: Option<f64>) -> Self {
        self.result.observed = observed;
        self.result.threshold = threshold;
        self
    }

    /// The verdict and its reason, which names the SLO first.
    pub(super) fn says(mut self, verdict: Verdict, reason: impl Display) -> Self {
        self.result.verdict = verdict;
        self.result.reason = self.named(reason);
        self
    }

    /// What was seen is an age, and its words end so many bytes before the reason does.
    pub(super) fn ages(mut self, age: Ageing, words: &str, after: usize) -> Self {
        let end = self.result.reason.len() - after;
        self.aged = Some(Aged { age, words: end - words.len()..end });
        self
    }

    /// When the rule will no longer stand in the way, and what will have happened then. Kept only
    /// where it does stand in the way.
    pub(super) fn opens(
        mut self,
        at: impl FnOnce() -> Option<DateTime<Utc>>,
        when: impl Display,
    ) -> Self {
        if !self.result.verdict.allows() {
            let at = at();
            self.result.unblocks = at;
            self.opening = self.named(when);
            self.later = at.map_or(Later::Same, |at| Later::Changes(vec![(at, Verdict::Allow)]));
        }
        self
    }

    /// What the rule will say at an instant that is not before now.
    pub(super) fn verdict_at(&self, at: DateTime<Utc>) -> Verdict {
        let now = self.result.verdict;
        match &self.later {
            Later::Same => now,
            Later::Changes(all) => {
                all.iter().rfind(|(from, _)| *from <= at).map_or(now, |(_, verdict)| *verdict)
            }
            Later::Calendar(calendar) if calendar.closed_at(at).is_some() => Verdict::Deny,
            Later::Calendar(_) => Verdict::Allow,
        }
    }

    /// The next instant at which it may say something else.
    pub(super) fn changes_after(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match &self.later {
            Later::Same => None,
            Later::Changes(all) => all.iter().map(|(from, _)| *from).find(|from| *from > at),
            Later::Calendar(calendar) => calendar.next_change(at),
        }
    }

    fn named(&self, text: impl Display) -> String {
        let mut named = String::with_capacity(SENTENCE);
        let written = match (&self.result.slo, &self.result.group) {
            (Some(slo), Some(group)) => write!(named, "{slo} {group}: {text}"),
            (Some(slo), None) => write!(named, "{slo}: {text}"),
            (None, _) => write!(named, "{text}"),
        };
        written.expect("a text takes whatever is written");
        named
    }
}

/// Most sentences are shorter.
const SENTENCE: usize = 96;

/// The order of rules of equal verdict.
const ORDER: [&str; 9] = [
    "noSlo",
    "freshness",
    "budget",
    "burn",
    "exhaustion",
    "coverage",
    "incidents",
    "freeze",
    "dependencies",
];

/// Worst first, in an order that does not depend on how SLOs, rules or policies were listed.
pub(super) fn sort(rows: &mut [Row<'_>]) {
    rows.sort_by(|a, b| key(a).cmp(&key(b)));
}

fn key(Row { result: row, rank, .. }: &Row<'_>) -> impl Ord {
    let limit = row.threshold.map(f64::to_bits);
    (
        Reverse(row.verdict),
        *rank,
        row.slo.as_deref(),
        row.window.as_deref(),
        row.group.as_ref(),
        row.reason.as_str(),
        limit,
    )
}
