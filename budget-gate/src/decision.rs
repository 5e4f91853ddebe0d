//! What is asked and what is answered: JSON as docs/reference fixes it; absent is `null`.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use slo_core::view::Group;

use crate::overriding::Overridden;
use crate::policy::Mode;

/// What a deploy claims to be.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// A new version.
    #[default]
    Release,
    /// Back to a version that ran before.
    Rollback,
    /// Repairs what users suffer from.
    Hotfix,
    /// Closes a hole.
    Security,
    /// Changes configuration only.
    Config,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 5] =
        [Self::Release, Self::Rollback, Self::Hotfix, Self::Security, Self::Config];

    /// The kind as users write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Rollback => "rollback",
            Self::Hotfix => "hotfix",
            Self::Security => "security",
            Self::Config => "config",
        }
    }
}

/// May one deploy? In the order of combination: the greatest of several verdicts is theirs.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// Yes.
    Allow,
    /// Yes, and there is something to know.
    Warn,
    /// Too little is known to say.
    Unknown,
    /// No.
    Deny,
}

impl Verdict {
    /// Whether the deploy may go: true for allow and warn.
    #[must_use]
    pub const fn allows(self) -> bool {
        matches!(self, Self::Allow | Self::Warn)
    }

    /// The verdict as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Warn => "warn",
            Self::Unknown => "unknown",
            Self::Deny => "deny",
        }
    }

    /// What a command that asked says by its exit code: 0 go, 20 deny, 30 unknown. 2 is left for a
    /// wrong question.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Allow | Self::Warn => 0,
            Self::Deny => 20,
            Self::Unknown => 30,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The question: may this version of this service be deployed?
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Request {
    /// The service.
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,63}$"))]
    pub service: String,
    /// The environment; may be left out where the service has one only.
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,63}$"))]
    pub environment: Option<String>,
    /// The version to be deployed.
    #[schemars(length(min = 1, max = 200))]
    pub version: Option<String>,
    /// Its commit.
    #[schemars(length(min = 1, max = 200))]
    pub commit: Option<String>,
    /// The digest of its image.
    #[schemars(length(min = 1, max = 200))]
    pub digest: Option<String>,
    /// Anything by which the caller knows the deploy.
    #[schemars(length(min = 1, max = 200))]
    pub identifier: Option<String>,
    /// What the deploy claims to be.
    #[serde(default)]
    pub kind: Kind,
    /// Why, where the kind wants a reason.
    #[schemars(length(min = 1, max = 2_000))]
    pub reason: Option<String>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// Its id; null for a peek, which is not recorded.
    pub id: Option<String>,
    /// When it was made.
    pub at: DateTime<Utc>,
    /// The service.
    pub service: String,
    /// The environment; null when an undeclared service was asked about without one.
    pub environment: Option<String>,
    /// The version to be deployed.
    pub version: Option<String>,
    /// Its commit.
    pub commit: Option<String>,
    /// What the deploy claims to be.
    pub kind: Kind,
    /// The digest of its image.
    pub digest: Option<String>,
    /// Anything by which the caller knows the deploy.
    pub identifier: Option<String>,
    /// Why, as the caller said.
    pub reason: Option<String>,
    /// Who deploys, as the caller said.
    pub actor: Option<String>,
    /// Who asked, as the engine knows; null without authentication.
    pub principal: Option<String>,
    /// The effective verdict.
    pub verdict: Verdict,
    /// Whether the deploy may go: the only field that a script must read.
    pub allow: bool,
    /// What the rules say together, before kind, override, `onUnknown` and mode.
    pub computed: Verdict,
    /// The steps that led from `computed` to `verdict`, in their order.
    pub because: Vec<String>,
    /// Why `computed` is not allow, worst first.
    pub reasons: Vec<String>,
    /// What each rule says of each SLO that gates, worst first.
    pub rules: Vec<RuleResult>,
    /// What would open the gate; null when `allow` is true.
    pub unblocks: Option<Unblocks>,
    /// The policy that decided; null when none applies.
    pub policy: Option<PolicyRef>,
    /// What policies on trial say.
    pub dry_run: Vec<DryRun>,
    /// The override that changed the verdict.
    #[serde(rename = "override")]
    pub overridden: Option<Overridden>,
    /// What became of the claim to be a rollback, hotfix or security fix; null for other kinds.
    #[serde(default)]
    pub claim: Option<Claim>,
    /// Where a person can read it; null for a peek.
    pub permalink: Option<String>,
    /// Its place in the record; null for a peek, and when it could not be recorded.
    pub recorded: Option<Recorded>,
    /// The age of the oldest view that it was made from, in seconds; null without SLOs.
    pub snapshot_age_seconds: Option<i64>,
    /// The signed verdict, a compact JWS; null for a peek, in lists, when it could not be recorded,
    /// and when the decision is too old to go by.
    pub token: Option<String>,
}

/// What became of the kind that a deploy claims to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// Whether it is believed.
    pub standing: Standing,
    /// Why.
    pub reason: String,
    /// Whether it counts against the quota of overrides: it changed the verdict, and is not proven.
    pub counts: bool,
}

/// Whether a claimed kind is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Standing {
    /// What ran here proves it.
    Proven,
    /// Nothing is known that could prove or disprove it.
    Unproven,
    /// The caller may claim it.
    Accepted,
    /// It is disproved, or there were too many: the deploy is treated as a release.
    Refused,
}

impl Standing {
    /// Whether such claims are limited in number.
    #[must_use]
    pub const fn is_limited(self) -> bool {
        matches!(self, Self::Unproven | Self::Accepted)
    }
}

/// What one rule says of one SLO.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuleResult {
    /// The rule's key in the policy, or `noSlo`. `freshness` is there for every SLO, because numbers
    /// that are missing or stale are unknown under every policy.
    pub rule: Cow<'static, str>,
    /// The SLO; null for rules of the service.
    pub slo: Option<Arc<str>>,
    /// The group of the SLO; null for its parent.
    pub group: Option<Group>,
    /// The window that was looked at.
    pub window: Option<Arc<str>>,
    /// What the rule says.
    pub verdict: Verdict,
    /// What was seen: a share for budget and coverage, a rate for burn, seconds for exhaustion and
    /// freshness.
    pub observed: Option<f64>,
    /// The limit that was crossed, else the one that would be crossed first; in the same unit.
    pub threshold: Option<f64>,
    /// A sentence with the numbers.
    pub reason: String,
    /// When the rule will no longer stand in the way, by the forecast; null when it does not, or
    /// when nobody knows.
    pub unblocks: Option<DateTime<Utc>>,
    /// The page that shows where the numbers come from.
    pub evidence: Option<Arc<str>>,
}

/// What would open the gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Unblocks {
    /// The earliest instant at which the same question would be allowed, all rules together; null
    /// when nobody knows.
    pub at: Option<DateTime<Utc>>,
    /// What will have happened then, or must happen.
    pub because: String,
    /// What a person can do.
    pub acts: Vec<String>,
}

/// The policy that decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyRef {
    /// Its name.
    pub name: String,
    /// `sha256:` and the hash of its canonical JSON.
    pub hash: String,
    /// Whether its verdicts hold.
    pub mode: Mode,
}

/// What a policy on trial says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DryRun {
    /// Its name.
    pub policy: String,
    /// What its rules say together.
    pub computed: Verdict,
}

/// Where a decision stands in the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Recorded {
    /// Its number.
    pub seq: u64,
    /// The hash of the chain up to it.
    pub hash: String,
}

/// What stands last in a decision's JSON and is no part of its record.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Unrecorded<'a> {
    recorded: &'a Option<Recorded>,
    snapshot_age_seconds: &'a Option<i64>,
    token: &'a Option<String>,
}

impl Decision {
    /// The JSON that is recorded and chained: all but `recorded`, `snapshotAgeSeconds` and `token`.
    ///
    /// # Errors
    /// When a number in it has no JSON.
    pub fn record(&self) -> serde_json::Result<Vec<u8>> {
        let Self { recorded, snapshot_age_seconds, token, .. } = self;
        let rest = serde_json::to_vec(&Unrecorded { recorded, snapshot_age_seconds, token })?;
        let mut record = serde_json::to_vec(self)?;
        // `rest` begins with a brace where the whole has a comma.
        record.truncate(record.len() - rest.len());
        record.push(b'}');
        Ok(record)
    }
}

impl Request {
    /// A question about a release of a service.
    #[must_use]
    pub fn of(service: &str) -> Self {
        Self { service: service.to_owned(), ..Self::default() }
    }

    /// Whether nothing is asked about but a release of the service.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let Self { service: _, environment: _, version, commit, digest, identifier, kind, reason } =
            self;
        let texts = [version, commit, digest, identifier, reason];
        *kind == Kind::Release && texts.iter().all(|text| text.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deny_beats_unknown_beats_warn_beats_allow() {
        let order = [Verdict::Allow, Verdict::Warn, Verdict::Unknown, Verdict::Deny];
        assert!(order.is_sorted());
        assert_eq!(order.map(Verdict::allows), [true, true, false, false]);
    }

    #[test]
    fn a_record_is_the_decision_without_what_is_only_known_later() {
        let mut decision: Decision =
            serde_json::from_str(include_str!("../tests/it/denied.json")).unwrap();
        decision.token = Some("eyJ".to_owned());
        decision.recorded = Some(Recorded { seq: 812, hash: "sha256:ab".to_owned() });
        let mut whole = serde_json::to_value(&decision).unwrap();
        for key in ["recorded", "snapshotAgeSeconds", "token"] {
            assert!(whole.as_object_mut().unwrap().remove(key).is_some(), "{key}");
        }
        let record = decision.record().unwrap();
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&record).unwrap(), whole);
        let again: Decision = serde_json::from_slice(&record).unwrap();
        assert_eq!((again.recorded, again.rules), (None, decision.rules));
    }

    #[test]
    fn kinds_are_written_as_they_are_read() {
        for kind in Kind::ALL {
            let json = format!("\"{}\"", kind.as_str());
            assert_eq!(serde_json::from_str::<Kind>(&json).unwrap(), kind);
        }
    }
}
