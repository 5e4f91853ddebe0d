//! Alertmanager's webhook (version 4): alerts become incidents, which policies go by.
//!
//! A notification lists all alerts of its group that fire, and those that were resolved since the last
//! one. So an open incident of the group that is not listed has been resolved too, and its notification
//! was lost; where the list was cut, nobody knows, and it stays open as long as the group fires.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use budget_gate::harmless::acts;
use budget_gate::incident::Incident;
use budget_gate::policy::rule::Severity;
use budget_gate::text;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use slo_core::slo::Name;

use super::mapping::{Renamed, renamed};
use super::told;
use crate::gate::{Gate, id};
use crate::http::app::{App, json};
use crate::http::body::Body;
use crate::http::caller::Caller;
use crate::http::gate::overrides::unrecorded;
use crate::http::openapi::{Forbidden, Unread};
use crate::http::problem::Problem;
use crate::token::{Principal, Scope};

/// The section `adapters.alertmanager`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Alertmanager {
    /// Labels that name the service; the first that an alert has counts.
    pub service_labels: Vec<String>,
    /// Labels that name the environment; an alert without one is about all of them.
    pub environment_labels: Vec<String>,
    /// The label that says how bad it is.
    pub severity_label: String,
    /// What its values mean; others, and none at all, are major.
    pub severities: BTreeMap<String, Weight>,
    /// What labels call a service; others are called as they are here.
    pub services: Vec<Renamed>,
    /// What labels call an environment.
    pub environments: Vec<Renamed>,
}

/// What an alert of a severity becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Weight {
    /// A critical incident.
    Critical,
    /// A major one.
    Major,
    /// A minor one.
    Minor,
    /// None.
    Ignore,
}

impl Default for Alertmanager {
    fn default() -> Self {
        let labels = |all: &[&str]| all.iter().map(|label| (*label).to_owned()).collect();
        let severities = [
            ("critical", Weight::Critical),
            ("page", Weight::Critical),
            ("warning", Weight::Minor),
            ("ticket", Weight::Minor),
            ("info", Weight::Ignore),
            ("none", Weight::Ignore),
        ];
        Self {
            service_labels: labels(&["service"]),
            environment_labels: labels(&["environment", "env"]),
            severity_label: "severity".to_owned(),
            severities: severities.map(|(name, weight)| (name.to_owned(), weight)).into(),
            services: Vec::new(),
            environments: Vec::new(),
        }
    }
}

/// What Alertmanager sends; what else it sends is not read.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct AlertGroup {
    /// `4`.
    version: String,
    /// Which group of alerts it is.
    group_key: String,
    /// How many alerts of the group are not listed.
    #[serde(default)]
    truncated_alerts: u64,
    /// Whether any alert of the group fires.
    status: AlertStatus,
    /// Which receiver it is sent to.
    #[serde(default)]
    receiver: String,
    /// The alerts.
    alerts: Vec<Alert>,
}

/// How an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) enum AlertStatus {
    /// It fires.
    Firing,
    /// It no longer does.
    Resolved,
}

/// One alert.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct Alert {
    /// How it is.
    status: AlertStatus,
    /// Its labels.
    labels: BTreeMap<String, String>,
    /// What people wrote about it; `summary` is the incident's title.
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    /// Since when it fires.
    #[serde(default)]
    starts_at: Option<DateTime<Utc>>,
    /// Which alert it is.
    fingerprint: String,
}

/// What became of the alerts.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(in crate::http) struct AlertsTaken {
    /// Incidents that are open now and were not.
    opened: usize,
    /// Those that were open and stay so.
    confirmed: usize,
    /// Those that were open and are not.
    closed: usize,
    /// Alerts that are no incident.
    ignored: Vec<AlertIgnored>,
}

/// An alert that is no incident.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct AlertIgnored {
    /// Its name.
    alert: String,
    /// Why.
    why: String,
}

/// Take over the alerts of a group as incidents
///
/// An alert that fires opens or confirms an incident of the service that its label `service` names; one
/// that is resolved closes it, as does a list of the whole group in which it is missing.
#[utoipa::path(post, path = "/v1/adapters/alertmanager", tag = "adapters", operation_id = "alertmanager",
    request_body(content = ref("#/components/schemas/AlertGroup"), content_type = "application/json"),
    responses((status = 200, description = "They are taken over", body = ref("#/components/schemas/AlertsTaken")), Unread, Forbidden))]
pub(in crate::http) async fn call(
    State(app): State<Arc<App>>,
    caller: Caller,
    Body(group): Body<AlertGroup>,
) -> Result<Response, Problem> {
    if group.version != "4" {
        return Err(Problem::bad("version", "only version 4 of the webhook is known"));
    }
    if !caller.0.has(Scope::Incident) {
        return Err(Problem::forbidden(format!("{} lacks the scope `incident`", caller.0.name)));
    }
    let (gate, now) = (&app.shared.gate, app.now());
    let config = &app.shared.adapters.alertmanager;
    let taken = async {
        let prefix = prefix(&group);
        let reporting = gate.reporting(&prefix).await;
        let mut taking = Taking::of(gate, &prefix, &caller.0, now);
        let known = Known { config, principal: &caller.0 };
        group.alerts.iter().for_each(|alert| taking.take(alert, &known));
        taking.finish(&group);
        let Taking { changed, taken, .. } = taking;
        if !changed.is_empty() {
            gate.report(reporting, changed, now).await.map_err(|why| unrecorded(&why))?;
        }
        json(&taken)
    };
    // Alertmanager tries again after 5xx; what was written by then is confirmed.
    let late = |_| Problem::unavailable("incidents cannot be written now").again_after(5);
    tokio::time::timeout(caller.left(), taken).await.map_err(late)?
}

/// By what alerts are read.
struct Known<'a> {
    config: &'a Alertmanager,
    principal: &'a Principal,
}

/// In front of the fingerprints of a group's alerts.
fn prefix(group: &AlertGroup) -> String {
    let hash = Sha256::digest(format!("{}\n{}", group.receiver, group.group_key));
    let hash = hash.iter().take(6).fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    format!("alertmanager:{hash}:")
}

/// A group that is being taken over.
struct Taking {
    now: DateTime<Utc>,
    /// In front of the fingerprints of the group's alerts.
    prefix: String,
    /// Open incidents of the group that no alert spoke of yet, by key.
    open: BTreeMap<String, Incident>,
    seen: HashSet<String>,
    changed: Vec<Incident>,
    taken: AlertsTaken,
}

impl Taking {
    fn of(gate: &Gate, prefix: &str, by: &Principal, now: DateTime<Utc>) -> Self {
        let after = gate.incidents_close_after();
        // Whoever may not report an incident does not close it either.
        let may =
            |one: &Incident| by.may(Scope::Incident, &one.service, one.environment.as_deref());
        let state = gate.state();
        let open = state.incidents_below(prefix);
        let open: Vec<_> = open.filter(|one| one.is_open(after, now) && may(one)).collect();
        let (seen, changed, taken) = (HashSet::new(), Vec::new(), AlertsTaken::default());
        let mut taking =
            Self { now, prefix: prefix.to_owned(), open: BTreeMap::new(), seen, changed, taken };
        for one in open {
            // Of two for one alert (an answer was lost, and it was written all the same) one goes on.
            if let Some(doubled) = taking.open.insert(one.key.clone(), one.clone()) {
                taking.close(doubled);
            }
        }
        taking
    }

    fn take(&mut self, alert: &Alert, known: &Known<'_>) {
        let letters = alert.fingerprint.chars().filter(char::is_ascii_alphanumeric).take(64);
        let key = self.prefix.chars().chain(letters).collect::<String>();
        // The same alert twice in one list says nothing new.
        if !self.seen.insert(key.clone()) {
            return;
        }
        match (self.open.remove(&key), alert.status) {
            (Some(open), AlertStatus::Resolved) => self.close(open),
            (None, AlertStatus::Resolved) => {}
            (open, AlertStatus::Firing) => match incident(alert, key, known, self.now) {
                Ok(new) => self.keep(open, new),
                Err(why) => self.ignore(alert, open, why),
            },
        }
    }

    fn keep(&mut self, open: Option<Incident>, new: Incident) {
        // An alert whose labels lead elsewhere now is another incident.
        let is_same =
            |one: &Incident| (&one.service, &one.environment) == (&new.service, &new.environment);
        match open {
            Some(one) if is_same(&one) => {
                self.taken.confirmed += 1;
                let Incident { severity, title, confirmed_at, .. } = new;
                self.changed.push(Incident { severity, title, confirmed_at, ..one });
            }
            other => {
                other.into_iter().for_each(|one| self.close(one));
                self.taken.opened += 1;
                self.changed.push(new);
            }
        }
    }

    fn close(&mut self, one: Incident) {
        self.taken.closed += 1;
        self.changed.push(Incident { closed_at: Some(self.now), ..one });
    }

    fn ignore(&mut self, alert: &Alert, open: Option<Incident>, why: String) {
        // It was taken over once; that it is ignored now is a change of the configuration.
        open.into_iter().for_each(|one| self.close(one));
        let name = alert.labels.get("alertname").map_or("an alert without a name", String::as_str);
        self.taken.ignored.push(AlertIgnored { alert: plain(name), why });
    }

    /// What the list does not speak of.
    fn finish(&mut self, group: &AlertGroup) {
        let may_fire = group.truncated_alerts > 0 && group.status == AlertStatus::Firing;
        for (_, one) in std::mem::take(&mut self.open) {
            if may_fire {
                self.taken.confirmed += 1;
                self.changed.push(Incident { confirmed_at: self.now, ..one });
            } else {
                self.close(one);
            }
        }
    }
}

/// The incident that an alert opens.
///
/// # Errors
/// Why it opens none.
fn incident(
    alert: &Alert,
    key: String,
    known: &Known<'_>,
    now: DateTime<Utc>,
) -> Result<Incident, String> {
    let Known { config, principal } = known;
    let severity = config.severity(alert).ok_or("alerts of its severity are ignored")?;
    let service = first(alert, &config.service_labels);
    let service =
        service.ok_or_else(|| format!("it has no label {}", config.service_labels.join(" or ")))?;
    let service = renamed(&config.services, service);
    Name::parse(&service).map_err(|said| format!("service: {said}"))?;
    let environment = first(alert, &config.environment_labels);
    let environment = environment.map(|said| renamed(&config.environments, said));
    // One that cannot be an environment's name is about no one of them: then about all.
    let environment = environment.filter(|name| Name::parse(name).is_ok());
    if !principal.may(Scope::Incident, &service, environment.as_deref()) {
        let place = environment.map_or_else(String::new, |e| format!(" in {e}"));
        return Err(format!("{} lacks the scope `incident` for {service}{place}", principal.name));
    }
    let is_told = |at: &DateTime<Utc>| (DateTime::UNIX_EPOCH..=now).contains(at);
    Ok(Incident {
        id: id::new(now),
        key,
        service,
        environment,
        severity,
        title: title(alert),
        opened_at: alert.starts_at.filter(is_told).unwrap_or(now),
        confirmed_at: now,
        closed_at: None,
    })
}

impl Alertmanager {
    /// How bad an alert is; `None` where it is to be ignored.
    fn severity(&self, alert: &Alert) -> Option<Severity> {
        let said = alert.labels.get(&self.severity_label);
        let weight = said.and_then(|said| self.severities.get(said)).copied();
        match weight.unwrap_or(Weight::Major) {
            Weight::Critical => Some(Severity::Critical),
            Weight::Major => Some(Severity::Major),
            Weight::Minor => Some(Severity::Minor),
            Weight::Ignore => None,
        }
    }
}

fn first(alert: &Alert, labels: &[String]) -> Option<String> {
    labels.iter().find_map(|label| told(alert.labels.get(label).cloned()))
}

/// What is wrong, in a few words that can be shown anywhere.
fn title(alert: &Alert) -> String {
    let said = ["summary", "description"].iter().find_map(|key| alert.annotations.get(*key));
    let said = said.or_else(|| alert.labels.get("alertname")).map(|said| plain(said));
    told(said).unwrap_or_else(|| "an alert without a name".to_owned())
}

fn plain(text: &str) -> String {
    let plain: String = text.chars().map(|c| if acts(c) { ' ' } else { c }).collect();
    text::shortened(plain.trim(), 200)
}

#[cfg(test)]
mod tests;
