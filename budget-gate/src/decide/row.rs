//! What one rule says of one SLO, with what has to happen before it says something better.

use std::cmp::Reverse;

use chrono::{DateTime, SecondsFormat, Utc};
use slo_core::view::{Ask, BudgetView};

use crate::decision::{RuleResult, Verdict};
use crate::policy::Policy;

/// One SLO before one policy.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) policy: &'a Policy,
    pub(super) view: &'a BudgetView,
    pub(super) now: DateTime<Utc>,
}

/// A rule's result, and what will have happened (or must happen) when it no longer stands in the way.
pub(super) struct Row {
    pub(super) result: RuleResult,
    pub(super) opening: String,
}

impl Asked<'_> {
    /// A rule that allows, to be said more of.
    pub(super) fn row(&self, rule: &str) -> Row {
        let mut row = Row::of_service(rule);
        row.result.slo = Some(self.view.slo.clone());
        row.result.group.clone_from(&self.view.group);
        row.result.evidence = Some(evidence(self.view, self.now));
        row
    }

    /// When the forecast sees a question answered, not before now: an instant that is past is one
    /// that the next evaluation will confirm. The outer `None` says that nobody asked.
    pub(super) fn answer(&self, ask: &Ask) -> Option<Option<DateTime<Utc>>> {
        let (_, at) = self.view.answers.iter().find(|(asked, _)| asked == ask)?;
        Some(at.map(|at| at.max(self.now)))
    }
}

fn evidence(view: &BudgetView, now: DateTime<Utc>) -> String {
    let at = now.to_rfc3339_opts(SecondsFormat::Secs, true);
    format!("/slos/{}/{}?at={at}&environment={}", view.service, view.slo, view.environment)
}

impl Row {
    /// A rule of the service that allows, to be said more of.
    pub(super) fn of_service(rule: &str) -> Self {
        let result = RuleResult {
            rule: rule.to_owned(),
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
        Self { result, opening: String::new() }
    }

    pub(super) fn over(mut self, window: &str) -> Self {
        self.result.window = Some(window.to_owned());
        self
    }

    pub(super) fn saw(mut self, observed: Option<f64>, threshold: Option<f64>) -> Self {
        self.result.observed = observed;
        self.result.threshold = threshold;
        self
    }

    /// The verdict and its reason, which names the SLO first.
    pub(super) fn says(mut self, verdict: Verdict, reason: &str) -> Self {
        self.result.verdict = verdict;
        self.result.reason = self.named(reason);
        self
    }

    /// When the rule will no longer stand in the way, and what will have happened then. Kept only
    /// where it does stand in the way.
    pub(super) fn opens(mut self, at: Option<DateTime<Utc>>, when: &str) -> Self {
        if !self.result.verdict.allows() {
            self.result.unblocks = at;
            self.opening = self.named(when);
        }
        self
    }

    fn named(&self, text: &str) -> String {
        self.result.slo.as_ref().map_or_else(|| text.to_owned(), |slo| format!("{slo}: {text}"))
    }
}

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
pub(super) fn sort(rows: &mut [Row]) {
    rows.sort_by_cached_key(|row| {
        let r = &row.result;
        let rule = ORDER.iter().position(|rule| *rule == r.rule);
        let limit = r.threshold.map(f64::to_bits);
        (Reverse(r.verdict), rule, r.slo.clone(), r.window.clone(), r.reason.clone(), limit)
    });
}
