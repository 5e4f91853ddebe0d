//! What would open the gate, and when: the same question is asked at every instant at which one of its
//! rules, or an override, is known to change.

use chrono::{DateTime, Duration, Utc};

use super::moment::Moment;
use super::row::Row;
use super::steps::Way;
use super::{Course, Known, claim};
use crate::decision::{Kind, Request, Unblocks, Verdict};
use crate::deployment::last_good;
use crate::overriding::Override;

/// No instant is looked for beyond this.
const HORIZON: Duration = Duration::days(400);

/// The earliest instant at which the question would be allowed, all rules together, and what a person
/// can do before.
pub(super) fn unblocks(
    rows: &[Row<'_>],
    course: &Course<'_>,
    computed: Verdict,
    moment: &Moment,
) -> Unblocks {
    let next = |now| next_change(rows, course, now);
    let (acts, opens) =
        moment.find(|now| (acts(rows, course, computed, now), opens_at(rows, course, now)), next);
    let Known { deployments, overrides, claims, .. } = course.known;
    let has_past = !(deployments.is_empty() && overrides.is_empty() && claims.is_empty());
    if has_past || (opens.is_none() && next(moment.shown()).is_some()) {
        // Quotas, rollbacks and how far is looked go with the clock.
        moment.exactly();
    }
    match opens {
        Some((at, because)) => Unblocks { at: Some(at), because, acts },
        None => Unblocks { at: None, because: needed(rows, course), acts },
    }
}

/// The first instant that allows, and the last thing that has to happen before it. What will have
/// happened by now the next evaluation will confirm.
fn opens_at(
    rows: &[Row<'_>],
    course: &Course<'_>,
    now: DateTime<Utc>,
) -> Option<(DateTime<Utc>, String)> {
    let (mut at, mut before) = (now, None);
    loop {
        let verdicts = rows.iter().map(|row| row.verdict_at(at));
        let way = course.from(verdicts.max().unwrap_or(Verdict::Allow), at);
        if way.verdict.allows() {
            let was = |row: &Row<'_>| before.map_or(row.result.verdict, |at| row.verdict_at(at));
            let blocked = |row: &&Row<'_>| course.blocks(was(row));
            let opened = rows.iter().filter(blocked).find(|row| !course.blocks(row.verdict_at(at)));
            let because = opened.map_or_else(|| of_people(&way, course), |row| row.opening.clone());
            return Some((at, because));
        }
        before = Some(at);
        at = next_change(rows, course, at).filter(|at| *at - now < HORIZON)?;
    }
}

/// The next instant at which a rule or an override is known to change.
fn next_change(
    rows: &[Row<'_>],
    course: &Course<'_>,
    after: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let changes = rows.iter().filter_map(|row| row.changes_after(after));
    changes.chain(course.changes_after(after)).min()
}

/// What has to happen where no instant is known, each thing once, the first three in full.
fn needed(rows: &[Row<'_>], course: &Course<'_>) -> String {
    let blocking = rows.iter().filter(|row| course.blocks(row.result.verdict));
    let (open, known): (Vec<_>, Vec<_>) = blocking.partition(|row| row.result.unblocks.is_none());
    let mut all: Vec<&str> = Vec::new();
    for row in if open.is_empty() { &known } else { &open } {
        if !all.contains(&row.opening.as_str()) {
            all.push(&row.opening);
        }
    }
    let shown = all[..all.len().min(3)].join("; ");
    let more = match all.len().saturating_sub(3) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    format!("no instant is known; needed: {shown}{more}")
}

/// What opens the gate where no rule changes.
fn of_people(way: &Way<'_>, course: &Course<'_>) -> String {
    let kind = course.request.kind.as_str();
    match way.overridden {
        Some(one) => format!("the override {} by {} begins", one.id, one.author),
        None => format!("the claim to be a {kind} holds again"),
    }
}

/// What a person can do.
fn acts(
    rows: &[Row<'_>],
    course: &Course<'_>,
    computed: Verdict,
    now: DateTime<Utc>,
) -> Vec<String> {
    let mut acts: Vec<String> = rows.iter().filter_map(|row| row.act.clone()).collect();
    acts.extend(override_act(course, now));
    acts.extend(Kind::ALL.into_iter().filter_map(|kind| kind_act(kind, course, computed, now)));
    acts
}

/// An override that waits is to be approved; else a new one may be asked for, while the quota lasts.
fn override_act(course: &Course<'_>, now: DateTime<Utc>) -> Option<String> {
    let Course { policy, request, known } = course;
    let may_hold = |one: &&Override| one.is_current(now) && one.is_for(request);
    let mut waiting: Vec<&Override> = known.overrides.iter().filter(may_hold).collect();
    waiting.sort_by(|a, b| a.id.cmp(&b.id));
    for one in waiting {
        if let Some(lacking @ 1..) = one.lacks(policy) {
            let (id, author) = (&one.id, &one.author);
            let more = if lacking == 1 { "approval is" } else { "approvals are" };
            return Some(format!(
                "approve the override {id} by {author}: {lacking} {more} missing"
            ));
        }
    }
    let terms = policy.overriding.as_ref().filter(|terms| terms.allowed)?;
    let has_quota = claim::quota(Some(policy), known, now).is_none_or(|q| q.used < q.most);
    has_quota.then(|| terms.act())
}

/// A kind of deploy that would go now. Of a rollback it is known where it could go.
fn kind_act(
    kind: Kind,
    course: &Course<'_>,
    computed: Verdict,
    now: DateTime<Utc>,
) -> Option<String> {
    let mut request = Request { kind, ..course.request.clone() };
    let mut act = format!("ask with --kind {}, if it is one", kind.as_str());
    if let (Kind::Rollback, Some(good)) = (kind, last_good(course.known.deployments, now)) {
        let running = course.known.deployments.iter().rfind(|one| one.at <= now);
        // Where the running build has the same version, only the digest tells them apart.
        let is_twin = running.is_some_and(|running| running.version == good.version);
        request.digest = good.digest.clone().filter(|_| is_twin);
        request.version = Some(good.version.clone());
        let digest =
            request.digest.as_ref().map_or_else(String::new, |digest| format!(" ({digest})"));
        act = format!("roll back to {}{digest} with --kind rollback", good.version);
    }
    let is_other = kind != Kind::Release && request != *course.request;
    let way = Course { request: &request, ..*course }.from(computed, now);
    (is_other && way.verdict.allows()).then_some(act)
}
