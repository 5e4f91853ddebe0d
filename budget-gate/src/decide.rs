//! The verdict: each rule of the selected policy is asked about each SLO that gates, the worst of
//! what they say is `computed`, and a few steps lead from there to `verdict`. Pure: the same input
//! gives the same decision, in whatever order SLOs, rules and policies are listed. What would open the
//! gate is found by asking again at later instants.

use std::borrow::Borrow;

use chrono::{DateTime, Utc};
use slo_core::slo::{Gate, Service};
use slo_core::time::Span;
use slo_core::view::{BudgetView, WindowView};

use crate::calendar::Calendar;
use crate::decision::{Claim, Decision, DryRun, PolicyRef, Request, Standing, Unblocks, Verdict};
use crate::deployment::Deployment;
use crate::incident::Incident;
use crate::lasting::{Aged, Lasting};
use crate::overriding::{Overridden, Override};
use crate::policy::{Answer, Policy, Rule};
use crate::select::{Selection, Subject, on_trial, select};
use moment::Moment;
use row::{Asked, Row};
use steps::Course;

mod budget;
mod claim;
mod data;
mod moment;
mod pace;
mod remaining;
mod row;
mod service;
mod steps;
mod unblock;

/// What is known of a service in an environment when somebody asks.
#[derive(Clone, Copy)]
pub struct Facts<'a, V> {
    /// The declared service that the request names, in its environment; `None` when it is not
    /// declared.
    pub service: Option<&'a Service>,
    /// Its views; those of other services are left out.
    pub views: &'a [V],
    /// Views of the groups of its SLOs, where groups decide.
    pub groups: &'a [V],
    /// The views of another service in the same environment; `None` when it is not declared there.
    pub dependencies: &'a dyn Fn(&str) -> Option<&'a [V]>,
    /// All calendars.
    pub calendars: &'a [Calendar],
    /// Incidents of the service; closed ones and those of other environments are left out.
    pub incidents: &'a [Incident],
    /// An incident that nothing confirms for so long is closed.
    pub incidents_close_after: Span,
    /// What was told and asked before.
    pub known: Known<'a>,
}

/// What was told and asked before about a service in an environment.
#[derive(Clone, Copy, Default)]
pub struct Known<'a> {
    /// What ran, oldest first.
    pub deployments: &'a [Deployment],
    /// Overrides.
    pub overrides: &'a [Override],
    /// When claims were made that count against the quota.
    pub claims: &'a [DateTime<Utc>],
    /// When a decision on the same question was made, which this one may repeat: its claim is not held
    /// against itself.
    pub asked_before: Option<DateTime<Utc>>,
}

impl<'a, V> Facts<'a, V> {
    /// Nothing but budgets.
    #[must_use]
    pub fn of(service: Option<&'a Service>, views: &'a [V]) -> Self {
        Self {
            service,
            views,
            groups: &[],
            dependencies: &|_| None,
            calendars: &[],
            incidents: &[],
            incidents_close_after: Span::minutes(240),
            known: Known::default(),
        }
    }
}

/// Decides on a request at `now`.
///
/// Only SLOs that gate take part: those that inform only are not listed either, and a grouped SLO is
/// read as its parent, unless its groups decide and there are some. A declared SLO that gates and has no view is unknown. All ages are taken at
/// `now`.
#[must_use]
pub fn decide<V: Borrow<BudgetView>>(
    request: &Request,
    facts: &Facts<'_, V>,
    policies: &[Policy],
    now: DateTime<Utc>,
) -> Decision {
    made(request, facts, policies, &Moment::of(now)).decision
}

/// The same, with what answers the question until something in it changes but its ages; `None` where
/// that is so at once.
#[must_use]
pub fn prepare<V: Borrow<BudgetView>>(
    request: &Request,
    facts: &Facts<'_, V>,
    policies: &[Policy],
    now: DateTime<Utc>,
) -> (Decision, Option<Lasting>) {
    let moment = Moment::noting(now);
    let Made { mut decision, ages, oldest } = made(request, facts, policies, &moment);
    let until = moment.until().filter(|until| now < *until);
    let lasting = until.and_then(|until| Lasting::of(&mut decision, &ages, oldest, until));
    (decision, lasting)
}

/// A decision, and what in its rules goes with the clock.
struct Made {
    decision: Decision,
    ages: Vec<(usize, Aged)>,
    /// When the oldest view that it was made from was made.
    oldest: Option<DateTime<Utc>>,
}

fn made<V: Borrow<BudgetView>>(
    request: &Request,
    facts: &Facts<'_, V>,
    policies: &[Policy],
    moment: &Moment,
) -> Made {
    let undeclared = Subject {
        service: &request.service,
        environment: request.environment.as_deref(),
        declared: None,
    };
    let subject = facts.service.map_or(undeclared, Subject::from);
    let case = Case { facts, subject, views: gating(&subject, facts), moment };
    let oldest = case.views.iter().map(|view| view.evaluated_at).min();
    let (mut decision, mut ages) = (blank(request, &case, oldest), Vec::new());
    if claim::is_made_by(request.kind) {
        // What is claimed is judged by what was when.
        moment.exactly();
    }
    for policy in on_trial(policies, &subject) {
        let computed = worst(&case.rows(policy, request));
        decision.dry_run.push(DryRun { policy: policy.name.as_str().to_owned(), computed });
    }
    match select(policies, &subject) {
        Selection::One(policy) => ages = answer(&mut decision, &case, policy, request),
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
    if decision.policy.is_none() {
        pass_proven(&mut decision, claim::of(request, None, &facts.known, moment.shown()));
    }
    Made { decision, ages, oldest }
}

/// A proven rollback goes also where no policy says so: nothing may keep a broken version running.
fn pass_proven(decision: &mut Decision, claim: Option<Claim>) {
    let proven = claim.filter(|claim| claim.standing == Standing::Proven);
    if let Some(claim) = proven {
        let reason = &claim.reason;
        decision.because.push(format!("kind: a proven rollback passes as a warning: {reason}"));
        (decision.verdict, decision.allow, decision.unblocks) = (Verdict::Warn, true, None);
        decision.claim = Some(claim);
    }
}

fn named(subject: &Subject<'_>) -> String {
    match subject.environment {
        Some(environment) => format!("{} in {environment}", subject.service),
        None => subject.service.to_owned(),
    }
}

/// The views that decide.
fn gating<'a, V: Borrow<BudgetView>>(
    subject: &Subject<'_>,
    facts: &Facts<'a, V>,
) -> Vec<&'a BudgetView> {
    let ours = |view: &&BudgetView| {
        *view.service == *subject.service
            && subject.environment.is_none_or(|e| *e == *view.environment)
            && view.gate != Gate::Informs
    };
    let all = |views: &'a [V]| views.iter().map(Borrow::borrow).filter(ours);
    let groups = || all(facts.groups).filter(|view| view.group.is_some());
    let mut gating = Vec::new();
    for view in all(facts.views).filter(|view| view.group.is_none()) {
        let before = gating.len();
        if view.gate == Gate::Groups {
            gating.extend(groups().filter(|group| group.slo == view.slo));
        }
        if gating.len() == before {
            gating.push(view);
        }
    }
    gating
}

/// What the rules are asked about.
struct Case<'f, 'a, V> {
    facts: &'f Facts<'a, V>,
    subject: Subject<'f>,
    views: Vec<&'a BudgetView>,
    moment: &'f Moment,
}

impl<'a, V: Borrow<BudgetView>> Case<'_, 'a, V> {
    /// What the rules of a policy say, worst first.
    fn rows(&self, policy: &Policy, request: &Request) -> Vec<Row<'a>> {
        let mut rows: Vec<Row<'a>> = self.unseen().collect();
        if rows.is_empty() && self.views.is_empty() {
            return vec![no_slo(policy.no_slo, &request.service)];
        }
        for view in &self.views {
            let (moment, evidence) = (self.moment, &row::evidence(view).into());
            rows.extend(of_slo(&Asked { policy, view, moment, evidence }));
        }
        rows.extend(policy.rules.iter().flat_map(|rule| service::rows(self, policy, rule)));
        row::sort(&mut rows);
        rows
    }

    /// Declared SLOs that gate and have no view.
    fn unseen(&self) -> impl Iterator<Item = Row<'a>> {
        let declared = self.facts.service.into_iter().flat_map(|service| &service.slos);
        let unseen = declared.filter(|slo| {
            let is_seen = self.views.iter().any(|view| *view.slo == *slo.id.slo.as_str());
            slo.gate != Gate::Informs && !is_seen
        });
        unseen.map(|slo| data::not_evaluated(slo))
    }
}

fn no_slo<'a>(answer: Answer, service: &str) -> Row<'a> {
    let verdict = answer.verdict();
    let reason = format!("{service} has no SLO that gates; for that the policy says {verdict}");
    let row = Row::of_service("noSlo").says(verdict, &reason);
    row.opens(|| None, format_args!("{service} has an SLO that gates"))
}

/// What the rules say of one SLO; whether there is fresh data is asked under every policy.
fn of_slo<'c>(asked: &Asked<'_>) -> Vec<Row<'c>> {
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

fn worst(rows: &[Row<'_>]) -> Verdict {
    rows.iter().map(|row| row.result.verdict).max().unwrap_or(Verdict::Allow)
}

/// Fills in what a policy decides.
fn answer<V: Borrow<BudgetView>>(
    decision: &mut Decision,
    case: &Case<'_, '_, V>,
    policy: &Policy,
    request: &Request,
) -> Vec<(usize, Aged)> {
    let mut rows = case.rows(policy, request);
    decision.policy = Some(PolicyRef {
        name: policy.name.as_str().to_owned(),
        hash: policy.hash.clone(),
        mode: policy.mode,
    });
    decision.computed = worst(&rows);
    let course = Course { policy, request, known: case.facts.known };
    let mut way = case
        .moment
        .find(|now| course.from(decision.computed, now), |now| course.changes_after(now));
    decision.verdict = way.verdict;
    decision.allow = way.verdict.allows();
    decision.because.clone_from(&way.because);
    decision.overridden = way.overridden.map(Overridden::from);
    if !decision.allow {
        let unblocks = unblock::unblocks(&rows, &course, decision.computed, case.moment);
        decision.unblocks = Some(unblocks);
    }
    let aged = |(at, row): (usize, &mut Row<'_>)| Some((at, row.aged.take()?));
    let ages = rows.iter_mut().enumerate().filter_map(aged).collect();
    decision.rules = rows.into_iter().map(|row| row.result).collect();
    let claim = way.claim.take();
    let counts = |claim: &Claim| way.is_by_kind && claim.standing.is_limited();
    decision.claim = claim.map(|claim| Claim { counts: counts(&claim), ..claim });
    let speaking = decision.rules.iter().filter(|rule| rule.verdict != Verdict::Allow);
    decision.reasons = speaking.map(|rule| rule.reason.clone()).collect();
    ages
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
fn blank<V>(request: &Request, case: &Case<'_, '_, V>, oldest: Option<DateTime<Utc>>) -> Decision {
    Decision {
        id: None,
        at: case.moment.shown(),
        service: request.service.clone(),
        environment: case.subject.environment.map(str::to_owned),
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
        claim: None,
        recorded: None,
        snapshot_age_seconds: oldest.map(|at| case.moment.since(at).num_seconds()),
        permalink: None,
        token: None,
    }
}

#[cfg(test)]
mod facts_laws;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod table;
#[cfg(test)]
mod tests;
