//! What becomes of the kind that a deploy claims to be. Claims are cheap: a rollback has to be proven
//! by what ran here, and what cannot be proven is limited in number.

use chrono::{DateTime, Utc};

use super::Known;
use crate::decision::{Claim, Kind, Request, Standing};
use crate::deployment::{Rollback, forgiven, rollback};
use crate::overriding::{WEEK, used};
use crate::policy::{Policy, Treatment};

/// Whether a kind claims anything.
pub(super) const fn is_made_by(kind: Kind) -> bool {
    !matches!(kind, Kind::Release | Kind::Config)
}

/// The claim of a request at an instant; `None` for kinds that claim nothing. Without a policy nothing
/// is limited.
pub(super) fn of(
    request: &Request,
    policy: Option<&Policy>,
    known: &Known<'_>,
    at: DateTime<Utc>,
) -> Option<Claim> {
    match request.kind {
        Kind::Release | Kind::Config => None,
        Kind::Rollback => Some(match rollback(known.deployments, request, at) {
            Rollback::Proven { from } => {
                made(Standing::Proven, format!("it ran here before {from}, which runs now"))
            }
            Rollback::Disproved(why) => {
                made(Standing::Refused, format!("{why}, so it is treated as a release"))
            }
            Rollback::Unknowable => {
                let why = "no deployment is known here to prove it";
                limited(Standing::Unproven, why, quota(policy, known, at))
            }
        }),
        kind @ (Kind::Hotfix | Kind::Security) => {
            let held = policy.map_or(Treatment::Rules, |policy| policy.treatment(kind));
            let quota = (held != Treatment::Rules).then(|| quota(policy, known, at)).flatten();
            Some(limited(Standing::Accepted, "the caller may claim it", quota))
        }
    }
}

fn made(standing: Standing, reason: String) -> Claim {
    Claim { standing, reason, counts: false }
}

/// A claim that counts against the quota, where there is one.
fn limited(standing: Standing, why: &str, quota: Option<Quota>) -> Claim {
    match quota {
        Some(Quota { most, used }) if used >= most => {
            let reason = format!(
                "{why}, and the quota of {most} overrides and claims in 7 d is spent, so it is \
                 treated as a release"
            );
            made(Standing::Refused, reason)
        }
        _ => made(standing, why.to_owned()),
    }
}

/// How many overrides and claims there may be in 7 days, and how many there were.
#[derive(Clone, Copy)]
pub(super) struct Quota {
    pub(super) most: u32,
    pub(super) used: u32,
}

/// `None` where the policy does not limit them. The claim of a decision that is asked for again is not
/// held against itself.
pub(super) fn quota(
    policy: Option<&Policy>,
    known: &Known<'_>,
    at: DateTime<Utc>,
) -> Option<Quota> {
    let policy = policy?;
    let most = policy.per_week()?;
    let all = used(policy, known.overrides, known.claims, at);
    let is_own = known.asked_before.is_some_and(|own| known.claims.contains(&own));
    Some(Quota { most, used: all.saturating_sub(u32::from(is_own)) })
}

/// The next instant at which a claim may stand differently.
pub(super) fn changes_after(
    request: &Request,
    known: &Known<'_>,
    at: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    if !is_made_by(request.kind) {
        return None;
    }
    let overrides = known.overrides.iter().map(|one| one.at);
    let spent = known.claims.iter().copied().chain(overrides);
    let freed = spent.filter_map(|spent| spent.checked_add_signed(WEEK));
    freed.chain(forgiven(known.deployments, request)).filter(|then| *then > at).min()
}
