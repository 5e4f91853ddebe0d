//! The verdict: each rule of the selected policy is asked about each SLO that gates, the worst of
//! what they say is `computed`, and a few steps lead from there to `verdict`. Pure: the same input
//! gives the same decision, in whatever order SLOs, rules and policies are listed.

use std::borrow::Borrow;

use chrono::{DateTime, Utc};
use slo_core::slo::{Gate, Service};
use slo_core::view::{BudgetView, WindowView};

use crate::decision::{Decision, DryRun, PolicyRef, Request, Unblocks, Verdict};
use crate::policy::{Answer, Policy, Rule};
use crate::select::{Selection, Subject, on_trial, select};
use row::{Asked, Row};

mod budget;
mod data;
mod pace;
mod remaining;
mod row;
mod steps;
mod unblock;

/// Decides on a request at `now`.
///
/// `service` is the declared service that the request names, in its environment; `None` when it is
/// not declared. `views` may hold views of other services; they are left out. Only SLOs that gate
/// take part: those that inform only are not listed either, and a grouped SLO is read as its parent.
/// A declared SLO that gates and has no view is unknown. All ages are taken at `now`.
#[must_use]
pub fn decide<V: Borrow<BudgetView>>(
    request: &Request,
    service: Option<&Service>,
    views: &[V],
    policies: &[Policy],
    now: DateTime<Utc>,
) -> Decision {
    let undeclared = Subject {
        service: &request.service,
        environment: request.environment.as_deref(),
        declared: None,
    };
    let subject = service.map_or(undeclared, Subject::from);
    let case = Case { service, views: gating(&subject, views), now };
    let mut decision = blank(request, &subject, &case);
    for policy in on_trial(policies, &subject) {
        let computed = worst(&case.rows(policy, request));
        decision.dry_run.push(DryRun { policy: policy.name.as_str().to_owned(), computed });
    }
    match select(policies, &subject) {
        Selection::One(policy) => {
            answer(&mut decision, policy, case.rows(policy, request), request);
        }
        Selection::Nothing => refuse(
            &mut decision,
            &format!("no policy applies to {}", named(&subject)),
            "a policy applies",
            "write a policy that applies to the service, or declare the service",
        ),
        Selection::Tie(a, b) => refuse(
            &mut decision,
            &format!(
                "policies `{}` and `{}` are equally specific for {}",
                a.name.as_str(),
                b.name.as_str(),
                named(&subject)
            ),
            "one policy is the most specific",
            "name the service or its environment in one of the two policies",
        ),
    }
    decision
}

fn named(subject: &Subject<'_>) -> String {
    match subject.environment {
        Some(environment) => format!("{} in {environment}", subject.service),
        None => subject.service.to_owned(),
    }
}

/// The views that decide.
fn gating<'a, V: Borrow<BudgetView>>(subject: &Subject<'_>, views: &'a [V]) -> Vec<&'a BudgetView> {
    let ours = |view: &&BudgetView| {
        *view.service == *subject.service
            && subject.environment.is_none_or(|e| *e == *view.environment)
            && view.group.is_none()
            && view.gate != Gate::Informs
    };
    views.iter().map(Borrow::borrow).filter(ours).collect()
}

/// What the rules are asked about.
struct Case<'a> {
    service: Option<&'a Service>,
    views: Vec<&'a BudgetView>,
    now: DateTime<Utc>,
}

impl Case<'_> {
    /// What the rules of a policy say, worst first.
    fn rows(&self, policy: &Policy, request: &Request) -> Vec<Row> {
        let mut rows: Vec<Row> = self.unseen().collect();
        if rows.is_empty() && self.views.is_empty() {
            return vec![no_slo(policy.no_slo, &request.service)];
        }
        for view in &self.views {
            let (now, evidence) = (self.now, &row::evidence(view, self.now).into());
            rows.extend(of_slo(&Asked { policy, view, now, evidence }));
        }
        rows.extend(policy.rules.iter().filter_map(of_service));
        row::sort(&mut rows);
        rows
    }

    /// Declared SLOs that gate and have no view.
    fn unseen(&self) -> impl Iterator<Item = Row> {
        let declared = self.service.into_iter().flat_map(|service| &service.slos);
        let unseen = declared.filter(|slo| {
            let is_seen = self.views.iter().any(|view| *view.slo == *slo.id.slo.as_str());
            slo.gate != Gate::Informs && !is_seen
        });
        unseen.map(|slo| data::not_evaluated(slo))
    }
}

fn no_slo(answer: Answer, service: &str) -> Row {
    let verdict = answer.verdict();
    let reason = format!("{service} has no SLO that gates; for that the policy says {verdict}");
    let row = Row::of_service("noSlo").says(verdict, &reason);
    row.opens(None, format_args!("{service} has an SLO that gates"))
}

/// What the rules say of one SLO; whether there is fresh data is asked under every policy.
fn of_slo(asked: &Asked<'_>) -> Vec<Row> {
    let mut rows = vec![data::freshness(asked)];
    for rule in &asked.policy.rules {
        match rule {
            Rule::Budget(rule) => rows.push(budget::budget(asked, rule)),
            Rule::Burn(rule) => rows.push(pace::burn(asked, rule)),
            Rule::Exhaustion(rule) => {
                rows.extend(windows(asked).map(|w| pace::exhaustion(asked, rule, w)));
            }
            Rule::Coverage(rule) => {
                rows.extend(windows(asked).map(|w| data::coverage(asked, rule, w)));
            }
            Rule::Freshness(_)
            | Rule::Incidents(_)
            | Rule::Freeze(_)
            | Rule::Dependencies(_)
            | Rule::Watch(_) => {}
        }
    }
    rows
}

/// The windows that a rule without a window of its own looks at: the first, and those that the
/// policy's budget rules name.
fn windows<'a>(asked: &Asked<'a>) -> impl Iterator<Item = &'a WindowView> {
    let policy = asked.policy;
    let named = |name: &str| {
        let mut names = policy.budget_rules().filter_map(|rule| rule.window.as_ref());
        names.any(|window| window.as_str() == name)
    };
    let all = asked.view.windows.iter().enumerate();
    all.filter(move |(at, w)| *at == 0 || named(&w.window)).map(|(_, w)| w)
}

/// What a rule says of the service as a whole. Rules that this version cannot answer are unknown:
/// to leave out a freeze would be to allow what it forbids.
fn of_service(rule: &Rule) -> Option<Row> {
    if rule.is_evaluated() {
        return None;
    }
    let name = rule.name();
    let reason = format!("rule `{name}` is not evaluated by this version");
    let row = Row::of_service(name).says(Verdict::Unknown, &reason);
    Some(row.opens(None, format_args!("a version that evaluates `{name}`, or a policy without it")))
}

fn worst(rows: &[Row]) -> Verdict {
    rows.iter().map(|row| row.result.verdict).max().unwrap_or(Verdict::Allow)
}

/// Fills in what a policy decides.
fn answer(decision: &mut Decision, policy: &Policy, rows: Vec<Row>, request: &Request) {
    decision.policy = Some(PolicyRef {
        name: policy.name.as_str().to_owned(),
        hash: policy.hash.clone(),
        mode: policy.mode,
    });
    decision.computed = worst(&rows);
    let course = steps::from(decision.computed, policy, request.kind);
    decision.verdict = course.verdict;
    decision.allow = course.verdict.allows();
    decision.because = course.because;
    if !decision.allow {
        decision.unblocks = Some(unblock::unblocks(&rows, policy, request));
    }
    decision.rules = rows.into_iter().map(|row| row.result).collect();
    let speaking = decision.rules.iter().filter(|rule| rule.verdict != Verdict::Allow);
    decision.reasons = speaking.map(|rule| rule.reason.clone()).collect();
}

/// Without one policy that decides everything is denied.
fn refuse(decision: &mut Decision, reason: &str, needed: &str, act: &str) {
    decision.reasons.push(reason.to_owned());
    decision.unblocks = Some(Unblocks {
        at: None,
        because: format!("no instant is known; needed: {needed}"),
        acts: vec![act.to_owned()],
    });
}

/// A peek that denies, to be filled in.
fn blank(request: &Request, subject: &Subject<'_>, case: &Case<'_>) -> Decision {
    let oldest = case.views.iter().map(|view| view.evaluated_at).min();
    Decision {
        id: None,
        at: case.now,
        service: request.service.clone(),
        environment: subject.environment.map(str::to_owned),
        version: request.version.clone(),
        commit: request.commit.clone(),
        kind: request.kind,
        digest: request.digest.clone(),
        identifier: request.identifier.clone(),
        reason: request.reason.clone(),
        actor: None,
        principal: None,
        verdict: Verdict::Deny,
        allow: false,
        computed: Verdict::Deny,
        because: Vec::new(),
        reasons: Vec::new(),
        rules: Vec::new(),
        unblocks: None,
        policy: None,
        dry_run: Vec::new(),
        overridden: None,
        recorded: None,
        snapshot_age_seconds: oldest.map(|at| (case.now - at).num_seconds()),
        permalink: None,
        token: None,
    }
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
