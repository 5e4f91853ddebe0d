//! Incidents that are open now, as alert managers and people report them.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use slo_core::time::Span;

use crate::policy::rule::Severity;

/// One incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Incident {
    /// Its id.
    pub id: String,
    /// By what its reporter knows it: the same key confirms an open incident.
    pub key: String,
    /// The service that it is of.
    pub service: String,
    /// The environment; null where it is of all.
    pub environment: Option<String>,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in a few words.
    pub title: String,
    /// Since when it is open.
    pub opened_at: DateTime<Utc>,
    /// When it was last confirmed.
    pub confirmed_at: DateTime<Utc>,
    /// When it was closed, or closed by itself; null while it is open.
    pub closed_at: Option<DateTime<Utc>>,
}

impl Incident {
    /// Whether it is of an environment; one of a service without a known environment is of all.
    #[must_use]
    pub fn concerns(&self, environment: Option<&str>) -> bool {
        match (&self.environment, environment) {
            (Some(own), Some(asked)) => own == asked,
            _ => true,
        }
    }

    /// When it closes by itself, unless it is confirmed again.
    #[must_use]
    pub fn lapses_at(&self, closes_after: Span) -> DateTime<Utc> {
        let after = chrono::Duration::milliseconds(closes_after.as_millis());
        self.confirmed_at.checked_add_signed(after).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// Whether it is open: nobody closed it, and it was confirmed lately.
    #[must_use]
    pub fn is_open(&self, closes_after: Span, now: DateTime<Utc>) -> bool {
        self.closed_at.is_none() && now < self.lapses_at(closes_after)
    }
}

#[cfg(test)]
mod tests {
    use chrono::Duration;

    use super::*;
    use crate::sample::{incident, now};

    #[test]
    fn an_incident_that_nothing_confirms_for_4_hours_is_no_longer_open() {
        let mut one = incident("db", Severity::Critical);
        let four = Span::minutes(240);
        one.confirmed_at = now() - Duration::hours(4) + Duration::seconds(1);
        assert!(one.is_open(four, now()));
        one.confirmed_at = now() - Duration::hours(4);
        assert!(!one.is_open(four, now()));
        one.confirmed_at = now();
        one.closed_at = Some(now());
        assert!(!one.is_open(four, now()));
    }

    #[test]
    fn an_incident_without_an_environment_concerns_all() {
        let mut one = incident("db", Severity::Critical);
        assert!(one.concerns(Some("production")) && !one.concerns(Some("staging")));
        assert!(one.concerns(None));
        one.environment = None;
        assert!(one.concerns(Some("staging")));
    }
}
