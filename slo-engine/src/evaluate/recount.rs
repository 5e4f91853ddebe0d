//! Counts SLOs anew, straight from what their sources still hold, and compares that with the ledger.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;
use slo_core::bucket::Sums;
use slo_core::plan::shares;
use slo_core::slo::{Service, Slo, SloId};
use slo_core::time::Minute;

use super::live::identity;
use super::oneshot::{self, One, Question};
use crate::source::config::{SourceConfig, SourceKind, defaults};
use crate::store::{LedgerKey, Registered, Store, StoreError};

/// Beyond this share of the total or of the budget the two counts contradict each other.
pub const ALARM: f64 = 0.005;

/// Minutes at both ends that are left out: there the source may have forgotten or not yet shown some.
const EDGE: i64 = 10;

/// One SLO, counted twice.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Recount {
    /// Which one, as `service/slo@environment`.
    pub slo: String,
    /// The first instant that both have.
    pub from: Option<DateTime<Utc>>,
    /// The instant after the last.
    pub to: Option<DateTime<Utc>>,
    /// Bad and all events of the ledger.
    pub ledger: Counts,
    /// Bad and all events of the source.
    pub source: Counts,
    /// By how much they differ: the larger of the totals' difference as a share of the total and the
    /// bad events' as a share of the budget. Null when there was nothing to compare.
    pub off: Option<f64>,
    /// Why there was nothing to compare.
    pub problem: Option<String>,
    #[serde(skip)]
    id: SloId,
}

/// Events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// Bad ones.
    pub bad: i64,
    /// All of them.
    pub total: i64,
}

impl Recount {
    /// Which SLO.
    #[must_use]
    pub const fn id(&self) -> &SloId {
        &self.id
    }

    /// Whether the two counts contradict each other.
    #[must_use]
    pub fn is_alarming(&self) -> bool {
        self.off.is_some_and(|off| off > ALARM)
    }

    fn nothing(slo: &Slo, problem: impl Into<String>) -> Self {
        Self {
            slo: slo.id.to_string(),
            from: None,
            to: None,
            ledger: Counts::default(),
            source: Counts::default(),
            off: None,
            problem: Some(problem.into()),
            id: slo.id.clone(),
        }
    }
}

/// What is counted anew.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The sources.
    pub sources: &'a [SourceConfig],
    /// All that is declared.
    pub services: &'a [Arc<Service>],
    /// The SLOs.
    pub slos: &'a [Arc<Slo>],
}

/// Some SLOs that can be counted anew, others each day.
#[must_use]
pub fn sample(
    services: &[Arc<Service>],
    sources: &[SourceConfig],
    count: usize,
    day: i64,
) -> Vec<Arc<Slo>> {
    let slos = services.iter().flat_map(|service| &service.slos);
    let all: Vec<&Arc<Slo>> = slos.filter(|slo| unasked(slo, sources).is_none()).collect();
    let begin = usize::try_from(day.unsigned_abs()).unwrap_or(0).wrapping_mul(count);
    (0..count.min(all.len())).map(|at| all[(begin + at) % all.len()].clone()).collect()
}

/// Why an SLO cannot be counted anew.
fn unasked(slo: &Slo, sources: &[SourceConfig]) -> Option<String> {
    let shares = shares(slo, defaults(sources));
    if shares.is_empty() {
        return Some("it is made of other SLOs".to_owned());
    }
    let kind = |name: &str| sources.iter().find(|s| s.name == *name).map(|source| source.kind);
    let past = |kind| matches!(kind, Some(SourceKind::Prometheus | SourceKind::Elasticsearch));
    let without = shares.iter().find(|share| !past(kind(&share.source)))?;
    Some(format!("source `{}` keeps no past to count", without.source))
}

/// Counts SLOs anew at `now`.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn recount(
    store: &Store,
    asked: Asked<'_>,
    now: DateTime<Utc>,
    progress: &(dyn Fn(f64) + Sync),
) -> Result<Vec<Recount>, StoreError> {
    let (may, not): (Vec<&Arc<Slo>>, Vec<&Arc<Slo>>) =
        asked.slos.iter().partition(|slo| unasked(slo, asked.sources).is_none());
    let question = Question {
        sources: asked.sources,
        slos: may.into_iter().cloned().collect(),
        services: asked.services,
        at: now,
        burns: &[],
        asks: &[],
        // What happened is compared, whether it counts or not.
        exclusions: &[],
        now: None,
    };
    let marks = store.watermarks().await?;
    let marks: HashMap<String, Minute> =
        marks.into_iter().map(|mark| (mark.source, mark.minute)).collect();
    let key = |slo: &Arc<Slo>| LedgerKey {
        slo: slo.id.clone(),
        fingerprint: identity(&shares(slo, defaults(asked.sources))),
    };
    let keys: Vec<LedgerKey> = question.slos.iter().map(key).collect();
    let ledgers = store.registered(&keys).await?;
    let read = oneshot::read(&question, progress).await;
    let mut all = Vec::with_capacity(asked.slos.len());
    for ((slo, one), ledger) in question.slos.iter().zip(read).zip(ledgers) {
        let end = shares(slo, defaults(asked.sources))
            .iter()
            .map(|share| Some(*marks.get(&share.source)? - share.delay.as_minutes()))
            .min()
            .flatten();
        all.push(match (ledger, end) {
            (Some(ledger), Some(end)) => compared(store, slo, &one, &ledger, end).await?,
            _ => Recount::nothing(slo, "the ledger holds nothing of it as it is declared now"),
        });
    }
    let reason = |slo: &&Arc<Slo>| unasked(slo, asked.sources).unwrap_or_default();
    all.extend(not.iter().map(|slo| Recount::nothing(slo, reason(slo))));
    Ok(all)
}

async fn compared(
    store: &Store,
    slo: &Slo,
    one: &One,
    ledger: &Registered,
    end: Minute,
) -> Result<Recount, StoreError> {
    if let Some(error) = &one.reading.last_error {
        return Ok(Recount::nothing(slo, error.clone()));
    }
    let events = one.account.events();
    let begin = [ledger.first, events.first(), one.from];
    let begin = begin.into_iter().flatten().max().map(|first| first + EDGE);
    let to = end - EDGE;
    let Some(from) = begin.filter(|from| *from < to && events.first().is_some()) else {
        return Ok(Recount::nothing(slo, "source and ledger have no minutes in common"));
    };
    let mut kept = Sums::default();
    for (hour, minutes) in store.history(ledger.id, from.hour(), to.hour() + 1).await? {
        for at in 0..60 {
            let minute = Minute(hour * 60 + i64::try_from(at).unwrap_or(0));
            if from <= minute && minute < to {
                kept.add(&minutes.get(at));
            }
        }
    }
    let anew = events.sums(from, to);
    let counts = |sums: &Sums| Counts { bad: sums.bad(), total: sums.total };
    Ok(Recount {
        slo: slo.id.to_string(),
        from: Some(from.start()),
        to: Some(to.start()),
        ledger: counts(&kept),
        source: counts(&anew),
        off: Some(off(&kept, &anew, slo.objective.budget())),
        problem: None,
        id: slo.id.clone(),
    })
}

fn off(kept: &Sums, anew: &Sums, budget: f64) -> f64 {
    let total = kept.total.max(anew.total);
    if total == 0 {
        return 0.0;
    }
    let totals = (kept.total - anew.total).abs() as f64 / total as f64;
    let spent = (kept.bad() - anew.bad()).abs() as f64 / (budget * total as f64);
    totals.max(spent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_off_by_the_larger_of_traffic_and_budget() {
        let sums = |good, total| Sums { good, total, ..Sums::default() };
        assert!(off(&sums(990, 1_000), &sums(990, 1_000), 0.01).abs() < 1e-12);
        // 10 of 1,000 events are missing, and none of the bad ones.
        assert!((off(&sums(990, 1_000), &sums(980, 990), 0.01) - 0.01).abs() < 1e-12);
        // One bad event of ten that the objective allows.
        assert!((off(&sums(990, 1_000), &sums(991, 1_000), 0.01) - 0.1).abs() < 1e-12);
        assert!(off(&sums(0, 0), &sums(0, 0), 0.01).abs() < 1e-12);
    }
}
