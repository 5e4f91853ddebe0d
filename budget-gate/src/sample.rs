//! A service, its views and policies, for the tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use slo_core::slo::{Gate, Name, Service};
use slo_core::spec::yaml;
use slo_core::spec::{SpecError, load};
use slo_core::time::Span;
use slo_core::view::{BudgetView, BudgetingName, BurnView, State, Unit, WindowView};

use crate::calendar::{self, Calendar};
use crate::decision::{Decision, Request};
use crate::incident::Incident;
use crate::overriding::Override;
use crate::policy::rule::Severity;
use crate::policy::{self, Policy};
use crate::{Facts, decide};

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub(crate) fn now() -> DateTime<Utc> {
    at("2026-11-21T10:00:00Z")
}

/// A peek that was denied, as the client's tests know it.
pub(crate) fn denied() -> Decision {
    serde_json::from_str(include_str!("../tests/it/denied.json")).unwrap()
}

/// A recorded decision that an override turned into a warning.
pub(crate) fn recorded() -> Decision {
    serde_json::from_str(include_str!("../tests/it/overridden.json")).unwrap()
}

/// A denied and recorded decision with a text wherever one stands that comes from elsewhere.
pub(crate) fn evil(text: &str) -> Decision {
    let mut decision = recorded();
    (decision.verdict, decision.allow) = (denied().verdict, false);
    decision.unblocks = denied().unblocks;
    let mut json = serde_json::to_value(decision).unwrap();
    poison(&mut json, text);
    serde_json::from_value(json).unwrap()
}

/// Puts a text into every string that is no enum and no instant.
fn poison(json: &mut serde_json::Value, text: &str) {
    const READ: [&str; 7] = ["at", "until", "kind", "verdict", "computed", "unblocks", "mode"];
    match json {
        serde_json::Value::Object(map) => map
            .iter_mut()
            .filter(|(key, value)| !READ.contains(&key.as_str()) || value.is_object())
            .for_each(|(_, value)| poison(value, text)),
        serde_json::Value::Array(list) => list.iter_mut().for_each(|value| poison(value, text)),
        serde_json::Value::String(said) => text.clone_into(said),
        _ => {}
    }
}

/// An SLO of `orders` in production at 99.9 % over 30 days, read until half a minute ago.
pub(crate) fn view(slo: &str, bad: f64, total: f64) -> BudgetView {
    let until = now() - Duration::seconds(30);
    BudgetView {
        service: "orders".into(),
        slo: slo.into(),
        environment: "production".into(),
        group: None,
        objective: 0.999,
        state: State::Healthy,
        conditions: vec![State::Healthy],
        evaluated_at: now() - Duration::seconds(4),
        data_until: Some(until),
        age_seconds: Some(26.0),
        windows: vec![window("30d", bad, total)],
        burn: vec![BurnView { window: Span::minutes(60), rate: Some(0.5), bad: bad as i64 }],
        alerts: Vec::new(),
        sources: Arc::default(),
        findings: Vec::new(),
        backfill: None,
        gate: Gate::Decides,
        stale_after_seconds: 300.0,
        answers: Vec::new(),
    }
}

pub(crate) fn window(name: &str, bad: f64, total: f64) -> WindowView {
    let allowed = 0.001 * total;
    let spent = if total > 0.0 { bad / allowed } else { 0.0 };
    WindowView {
        window: name.into(),
        from: now() - Duration::days(30),
        to: now(),
        budgeting: BudgetingName::Occurrences,
        unit: Some(Unit::Events),
        bounds: None,
        good: Some(total - bad),
        bad: Some(bad),
        total: Some(total),
        sli: (total > 0.0).then(|| (total - bad) / total),
        allowed: Some(allowed),
        spent: Some(spent),
        remaining: Some(1.0 - spent),
        coverage: Some(1.0),
        maturity: 1.0,
        interval: None,
        partial: 0,
        assumed: 0.0,
        dropped: 0.0,
        without_exclusions: None,
        estimate: None,
        exhausts_at: None,
        recovers_at: None,
        usual_ratio: None,
    }
}

/// The same SLO without any number.
pub(crate) fn no_data(slo: &str) -> BudgetView {
    let mut view = view(slo, 0.0, 0.0);
    (view.state, view.conditions) = (State::NoData, vec![State::NoData]);
    (view.data_until, view.age_seconds) = (None, None);
    view.burn[0].rate = None;
    let w = &mut view.windows[0];
    (w.good, w.bad, w.total, w.sli) = (None, None, None, None);
    (w.allowed, w.spent, w.remaining, w.coverage) = (None, None, None, None);
    view
}

/// The same numbers, read until so long ago.
pub(crate) fn aged(mut view: BudgetView, minutes: i64) -> BudgetView {
    view.data_until = Some(now() - Duration::minutes(minutes));
    view
}

pub(crate) fn service(name: &str, tier: u8, environment: &str, labels: &[(&str, &str)]) -> Service {
    Service {
        name: Name::parse(name).unwrap(),
        environment: Name::parse(environment).unwrap(),
        title: None,
        owner: None,
        tier,
        depends_on: Vec::new(),
        links: BTreeMap::new(),
        labels: labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        slos: Vec::new(),
    }
}

/// A service `orders` whose document declares these SLOs.
pub(crate) fn declaring(slos: &[&str]) -> Arc<Service> {
    let mut text = "apiVersion: headroom/v1\nkind: Service\nservice: orders\ntier: 1\n\
        environment: production\nslos:\n"
        .to_owned();
    for slo in slos {
        text.push_str(&format!(
            "  - {{name: {slo}, objective: 99.9%, indicator: {{ratio: {{total: hits, bad: misses}}}}}}\n"
        ));
    }
    let set = load(&[("orders.yaml".to_owned(), text.into_bytes())]).unwrap();
    set.services.into_iter().next().unwrap()
}

/// Reads a policy; the head is put in front.
pub(crate) fn try_policy(body: &str) -> Result<Policy, SpecError> {
    let text = format!("apiVersion: headroom/v1\nkind: Policy\n{body}");
    let mut documents = yaml::documents("policies/p.yaml", text.as_bytes());
    policy::read(&documents.remove(0)?)
}

/// Reads a calendar; the head is put in front.
pub(crate) fn try_calendar(body: &str) -> Result<Calendar, SpecError> {
    let text = format!("apiVersion: headroom/v1\nkind: Calendar\n{body}");
    let mut documents = yaml::documents("policies/c.yaml", text.as_bytes());
    calendar::read(&documents.remove(0)?)
}

/// A calendar of a zone with entries, one YAML flow mapping each.
pub(crate) fn calendar(zone: &str, closed: &[&str], only: &[&str]) -> Calendar {
    let (closed, only) = (closed.join(", "), only.join(", "));
    let body = format!("calendar: c\nzone: {zone}\nclosed: [{closed}]\nonly: [{only}]\n");
    try_calendar(&body).unwrap()
}

/// An enforced policy `p` with rules, one YAML flow mapping each, that denies what is unknown.
pub(crate) fn rules(rules: &[&str]) -> Policy {
    policy("p", "onUnknown: deny\nnoSlo: deny\n", rules)
}

/// A policy with rules and further keys.
pub(crate) fn policy(name: &str, keys: &str, rules: &[&str]) -> Policy {
    let rules: String = rules.iter().map(|rule| format!("  - {rule}\n")).collect();
    let rules =
        if rules.is_empty() { "rules: []\n".to_owned() } else { format!("rules:\n{rules}") };
    try_policy(&format!("policy: {name}\n{keys}{rules}")).unwrap()
}

/// Asks about budgets alone.
pub(crate) fn decided(request: &Request, views: &[BudgetView], policies: &[Policy]) -> Decision {
    decide(request, &Facts::of(None, views), policies, now())
}

/// An open incident of `orders` in production.
pub(crate) fn incident(key: &str, severity: Severity) -> Incident {
    Incident {
        id: format!("id-{key}"),
        key: key.to_owned(),
        service: "orders".to_owned(),
        environment: Some("production".to_owned()),
        severity,
        title: "the database is gone".to_owned(),
        opened_at: now() - Duration::hours(2),
        confirmed_at: now() - Duration::minutes(5),
        closed_at: None,
    }
}

/// An override of ana's that nobody approved, made an hour ago for so many hours.
pub(crate) fn override_of(id: &str, hours: i64) -> Override {
    let at = now() - Duration::hours(1);
    Override {
        id: id.to_owned(),
        service: "orders".to_owned(),
        environment: "production".to_owned(),
        commit: None,
        reason: "the queue has to move".to_owned(),
        author: "token:ana".to_owned(),
        at,
        until: at + Duration::hours(hours),
        approvals: Vec::new(),
        revoked_by: None,
        revoked_at: None,
    }
}
