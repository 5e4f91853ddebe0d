//! Overrides: a person takes the responsibility for deploys that the rules refuse, for a while.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::decision::Request;
use crate::policy::{Overriding, Policy};
use crate::words;

/// An override as it was asked for, approved and perhaps revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Override {
    /// Its id.
    pub id: String,
    /// The service.
    pub service: String,
    /// The environment.
    pub environment: String,
    /// The commit that it is for; null for any.
    pub commit: Option<String>,
    /// Why.
    pub reason: String,
    /// Who asked for it, as the engine knows.
    pub author: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Until when it holds.
    pub until: DateTime<Utc>,
    /// Who approved it, as the engine knows; never the author, nobody twice.
    pub approvals: Vec<String>,
    /// Who revoked it; null while it may hold.
    pub revoked_by: Option<String>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// The override that changed a verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Overridden {
    /// Its id.
    pub id: String,
    /// Why.
    pub reason: String,
    /// Who asked for it.
    pub author: String,
    /// Who approved it.
    pub approvals: Vec<String>,
    /// Until when it holds.
    pub until: DateTime<Utc>,
}

impl From<&Override> for Overridden {
    fn from(from: &Override) -> Self {
        Self {
            id: from.id.clone(),
            reason: from.reason.clone(),
            author: from.author.clone(),
            approvals: from.approvals.clone(),
            until: from.until,
        }
    }
}

impl Override {
    /// Whether it may still hold at an instant, once it is approved.
    #[must_use]
    pub fn is_current(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && self.at <= now && now < self.until
    }

    /// How many approvals it lacks under a policy; `None` where the policy takes no override, or none
    /// of this length.
    #[must_use]
    pub fn lacks(&self, policy: &Policy) -> Option<u32> {
        let terms = policy.overriding.as_ref().filter(|terms| terms.allowed)?;
        let is_short = terms.takes(self.until - self.at);
        is_short.then(|| terms.approvals.saturating_sub(self.approved_by()))
    }

    /// How many others approved it, each once.
    fn approved_by(&self) -> u32 {
        let others = self.approvals.iter().filter(|name| **name != self.author);
        u32::try_from(others.collect::<BTreeSet<_>>().len()).unwrap_or(u32::MAX)
    }

    /// Whether it is for this deploy.
    #[must_use]
    pub fn is_for(&self, request: &Request) -> bool {
        self.commit.is_none() || self.commit == request.commit
    }

    /// Whether it lets this deploy go.
    #[must_use]
    pub fn holds(&self, policy: &Policy, request: &Request, now: DateTime<Utc>) -> bool {
        self.is_current(now) && self.is_for(request) && self.lacks(policy) == Some(0)
    }

    /// Whether it counts against the quota: it was made in the last 7 days, and is in force, was, or
    /// may still become so.
    #[must_use]
    pub fn counts(&self, policy: &Policy, now: DateTime<Utc>) -> bool {
        let is_recent = self.at <= now && now - self.at < WEEK;
        let lacks = self.lacks(policy);
        is_recent && (lacks == Some(0) || (lacks.is_some() && self.is_current(now)))
    }
}

/// Quotas are over this long.
pub const WEEK: Duration = Duration::days(7);

/// How many overrides and claims count against a policy's quota.
#[must_use]
pub fn used(
    policy: &Policy,
    overrides: &[Override],
    claims: &[DateTime<Utc>],
    now: DateTime<Utc>,
) -> u32 {
    let claims = claims.iter().filter(|at| **at <= now && now - **at < WEEK).count();
    let overrides = overrides.iter().filter(|one| one.counts(policy, now)).count();
    u32::try_from(claims + overrides).unwrap_or(u32::MAX)
}

impl Overriding {
    /// Whether an override may hold so long.
    #[must_use]
    pub fn takes(&self, length: Duration) -> bool {
        let longest = self.max_duration.as_ref().map(|longest| longest.span().as_millis());
        longest.is_none_or(|longest| length.num_milliseconds() <= longest)
    }

    /// The terms in words, as an act that a person can do.
    #[must_use]
    pub fn act(&self) -> String {
        let mut act = "override".to_owned();
        match self.approvals {
            0 => {}
            1 => act.push_str(" with 1 approval"),
            several => act.push_str(&format!(" with {several} approvals")),
        }
        if let Some(longest) = &self.max_duration {
            act.push_str(&format!(" for {} at most", words::length(longest.seconds())));
        }
        act
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{now, override_of, policy};

    const TERMS: &str = "onUnknown: deny\nnoSlo: deny\n\
        override: {allowed: true, approvals: 1, maxDuration: 4h, perWeek: 2}\n";

    fn request(commit: Option<&str>) -> Request {
        Request { commit: commit.map(str::to_owned), ..Request::of("orders") }
    }

    #[test]
    fn an_override_holds_once_it_is_approved_until_it_ends() {
        let policy = policy("p", TERMS, &[]);
        let mut one = override_of("o1", 2);
        assert_eq!(one.lacks(&policy), Some(1));
        assert!(!one.holds(&policy, &request(None), now()));
        one.approvals.push("token:ben".to_owned());
        assert!(one.holds(&policy, &request(None), one.at));
        assert!(one.holds(&policy, &request(None), one.until - Duration::seconds(1)));
        assert!(!one.holds(&policy, &request(None), one.until));
        assert!(!one.holds(&policy, &request(None), one.at - Duration::seconds(1)));
        one.revoked_at = Some(now());
        assert!(!one.holds(&policy, &request(None), now()));
    }

    #[test]
    fn an_override_for_a_commit_is_for_no_other() {
        let policy = policy("p", TERMS, &[]);
        let mut one = override_of("o1", 2);
        one.approvals.push("token:ben".to_owned());
        one.commit = Some("9f".to_owned());
        assert!(one.holds(&policy, &request(Some("9f")), now()));
        assert!(!one.holds(&policy, &request(Some("9e")), now()));
        assert!(!one.holds(&policy, &request(None), now()));
    }

    #[test]
    fn a_policy_takes_none_that_is_longer_than_it_says_and_none_where_it_forbids_them() {
        let long = override_of("o1", 5);
        assert_eq!(long.lacks(&policy("p", TERMS, &[])), None);
        let one = override_of("o1", 2);
        let bare = "onUnknown: deny\nnoSlo: deny\n";
        assert_eq!(one.lacks(&policy("p", bare, &[])), None);
        let never = format!("{bare}override: {{allowed: false}}\n");
        assert_eq!(one.lacks(&policy("p", &never, &[])), None);
    }

    #[test]
    fn those_that_never_held_leave_the_quota_when_they_end() {
        let policy = policy("p", TERMS, &[]);
        let mut one = override_of("o1", 2);
        assert!(one.counts(&policy, now()), "it may be approved");
        assert!(!one.counts(&policy, one.until));
        one.approvals.push("token:ben".to_owned());
        assert!(one.counts(&policy, one.until));
        assert!(!one.counts(&policy, one.at + WEEK));
    }
}
