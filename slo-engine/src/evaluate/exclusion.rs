//! Exclusions that are in force, worked out to minutes: which SLOs they are about, and when they act.

use std::sync::Arc;

use budget_gate::exclusion::{Exclusion, Times};
use chrono::{DateTime, TimeDelta, Utc};
use slo_core::calendar;
use slo_core::exclusion::Excluded;
use slo_core::slo::{Slo, SloId};
use slo_core::time::Minute;

/// An exclusion that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForce {
    /// Its id, or where a file declares it.
    pub name: String,
    /// What it says.
    pub exclusion: Exclusion,
    /// What comes every week counts from then on; `None` for all times.
    pub since: Option<DateTime<Utc>>,
}

impl InForce {
    /// One that a file declares.
    #[must_use]
    pub fn declared(exclusion: &Exclusion) -> Self {
        let place = exclusion.place.as_ref().map(ToString::to_string);
        let name = place.unwrap_or_else(|| "a file".to_owned());
        Self { name, exclusion: exclusion.clone(), since: None }
    }

    /// Every minute of `from..to` that it touches.
    fn runs(&self, from: Minute, to: Minute) -> impl Iterator<Item = (Minute, Minute)> {
        let since = match self.exclusion.times {
            Times::Once(_) => None,
            Times::Weekly { .. } => self.since,
        };
        let from = since.map_or(from.start(), |since| since.max(from.start()));
        let spans = self.exclusion.spans(from, to.start()).into_iter();
        spans.map(|(from, until)| {
            (Minute::of(from), Minute::of(until - TimeDelta::milliseconds(1)) + 1)
        })
    }
}

/// An exclusion and the minutes on which it acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acting {
    in_force: InForce,
    minutes: Excluded,
}

impl Acting {
    /// Those that act in minutes `from..to`.
    #[must_use]
    pub fn between<'a>(
        all: impl IntoIterator<Item = &'a InForce>,
        (from, to): (Minute, Minute),
    ) -> Vec<Arc<Self>> {
        let acting = all.into_iter().map(|one| {
            let minutes = Excluded::new(one.runs(from, to));
            Self { in_force: one.clone(), minutes }
        });
        acting.filter(|one| !one.minutes.is_empty()).map(Arc::new).collect()
    }

    /// Those about an SLO.
    #[must_use]
    pub fn on(all: &[Arc<Self>], slo: &SloId) -> Vec<Arc<Self>> {
        let (service, name) = (slo.service.as_str(), slo.slo.as_str());
        let environment = slo.environment.as_str();
        let is_about = |one: &&Arc<Self>| one.in_force.exclusion.covers(service, name, environment);
        all.iter().filter(is_about).cloned().collect()
    }

    /// Adds those of a composite to those of a member: what is excluded for the whole is so in each part.
    pub fn join(all: &mut Vec<Arc<Self>>, of_composite: &[Arc<Self>]) {
        for one in of_composite {
            if !all.contains(one) {
                all.push(one.clone());
            }
        }
    }

    /// The minutes of all of them.
    #[must_use]
    pub fn minutes(all: &[Arc<Self>]) -> Excluded {
        Excluded::new(all.iter().flat_map(|one| one.minutes.runs()))
    }

    /// How many minutes of `from..to` it excludes.
    #[must_use]
    pub fn count(&self, from: Minute, to: Minute) -> i64 {
        self.minutes.count(from, to)
    }
}

/// `planned upgrade (slos.yaml:3:7)`.
impl std::fmt::Display for Acting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.in_force.exclusion.reason, self.in_force.name)
    }
}

/// The minutes around an instant that the views of SLOs go by: the windows, the period before a calendar
/// one, and the rest of it.
#[must_use]
pub fn reach<'a>(
    slos: impl IntoIterator<Item = &'a Arc<Slo>>,
    now: DateTime<Utc>,
) -> (Minute, Minute) {
    let windows = slos.into_iter().flat_map(|slo| &slo.windows);
    let longest = windows.map(|window| calendar::longest(*window)).max().unwrap_or(0);
    let (longest, now) = (longest.max(8 * DAY), Minute::of(now));
    (now - 2 * longest - 2 * DAY, now + longest + 2 * DAY)
}

const DAY: i64 = 1_440;

#[cfg(test)]
mod tests;
