//! What a recorded decision tells about the numbers that it went by.

use std::collections::BTreeMap;

use budget_gate::Decision;
use budget_gate::decision::RuleResult;
use chrono::{DateTime, TimeDelta, Utc};
use slo_core::slo::{Service, Slo};

use super::gating;
use crate::evaluate::past::Past;

pub(super) struct Seen<'a> {
    decision: &'a Decision,
    /// How old the numbers of each SLO were, in milliseconds; `None` where there were none.
    ages: BTreeMap<&'a str, Option<i64>>,
    /// How old those of each source were.
    sources: BTreeMap<String, i64>,
}

impl<'a> Seen<'a> {
    pub(super) fn of(decision: &'a Decision, service: Option<&Service>, past: &Past) -> Self {
        let ages: BTreeMap<&str, Option<i64>> = own(decision, "freshness")
            .map(|(slo, row)| (slo, row.observed.map(|age| (age * 1e3).round() as i64)))
            .collect();
        let mut sources = BTreeMap::new();
        for slo in service.into_iter().flat_map(gating) {
            let age = ages.get(slo.id.slo.as_str()).copied().flatten();
            if let Some((age, source)) = age.zip(past.source(&slo.id)) {
                let youngest = sources.entry(source.name.clone()).or_insert(age);
                *youngest = age.min(*youngest);
            }
        }
        Self { decision, ages, sources }
    }

    /// How far an SLO of the decision's service had been read; `None` when it had no data.
    pub(super) fn until(&self, slo: &Slo, past: &Past) -> Option<DateTime<Utc>> {
        match self.ages.get(slo.id.slo.as_str()) {
            Some(age) => age.map(|age| self.ago(age)),
            None => Some(self.usual(slo, past)),
        }
    }

    /// How far an SLO had been read of which nothing is recorded: as far as others of its source, or as
    /// its source's lag says.
    pub(super) fn usual(&self, slo: &Slo, past: &Past) -> DateTime<Utc> {
        let source = past.source(&slo.id);
        let age = source.and_then(|source| self.sources.get(&source.name).copied());
        self.ago(age.unwrap_or_else(|| source.map_or(0, |source| source.lag().as_millis())))
    }

    fn ago(&self, millis: i64) -> DateTime<Utc> {
        let at = self.decision.at.timestamp_millis() - millis;
        DateTime::from_timestamp_millis(at)
            .unwrap_or(self.decision.at - TimeDelta::milliseconds(millis))
    }

    /// An SLO that counted and that the files do not declare any more.
    pub(super) fn undeclared(&self, service: Option<&Service>) -> Option<String> {
        let declared = |name: &str| {
            let mut slos = service.into_iter().flat_map(gating);
            slos.any(|slo| slo.id.slo.as_str() == name)
        };
        let gone = self.ages.keys().find(|name| !declared(name))?;
        Some(format!("{gone}: it decided then, and is not declared any more"))
    }

    /// What remained of budgets, by SLO and window.
    pub(super) fn budgets(&self, slo: &str) -> BTreeMap<&'a str, f64> {
        let rows = own(self.decision, "budget").filter(|(name, _)| *name == slo);
        rows.filter_map(|(_, row)| Some((row.window.as_deref()?, row.observed?))).collect()
    }
}

/// The rows of a rule about SLOs of the service itself.
fn own<'a>(
    decision: &'a Decision,
    rule: &'a str,
) -> impl Iterator<Item = (&'a str, &'a RuleResult)> {
    let rows = decision.rules.iter().filter(move |row| row.rule == rule && row.group.is_none());
    rows.filter_map(|row| Some((row.slo.as_deref()?, row)))
}
