//! Verdicts that can be checked without asking the engine: what it signs, and the keys by which
//! anybody can tell that it did. A compact JWS (RFC 7515) with Ed25519 (RFC 8037), its claims those of
//! a JWT (RFC 7519). Signing is the engine's work.

use chrono::serde::ts_seconds;
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::decision::{Decision, Kind, Verdict};

#[cfg(feature = "verify")]
pub mod verify;

/// The only algorithm.
pub const ALGORITHM: &str = "EdDSA";

/// What a header says that it stands before.
pub const TYPE: &str = "JWT";

/// The first part of a signed verdict. A header with more in it is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`ALGORITHM`].
    pub alg: String,
    /// Which key signed.
    pub kid: Option<String>,
    /// [`TYPE`].
    pub typ: Option<String>,
}

impl Header {
    /// The header of what a key signs.
    #[must_use]
    pub fn of(kid: &str) -> Self {
        let [alg, kid, typ] = [ALGORITHM, kid, TYPE].map(str::to_owned);
        Self { alg, kid: Some(kid), typ: Some(typ) }
    }
}

/// What is signed. Instants are in whole seconds since 1970, as in every JWT; what a decision does not
/// have is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who signed: the address of the engine.
    pub iss: String,
    /// When the gate looked.
    #[serde(with = "ts_seconds")]
    pub iat: DateTime<Utc>,
    /// From when it holds: the same.
    #[serde(with = "ts_seconds")]
    pub nbf: DateTime<Utc>,
    /// Until when it holds.
    #[serde(with = "ts_seconds")]
    pub exp: DateTime<Utc>,
    /// The decision's id.
    pub jti: String,
    /// The service.
    pub service: String,
    /// The environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The version to be deployed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The digest of its image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Its commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// What the deploy claims to be.
    pub kind: Kind,
    /// The verdict.
    pub verdict: Verdict,
    /// Whether the deploy may go.
    pub allow: bool,
    /// The decision's number in the record.
    pub seq: u64,
    /// The hash of the chain of records up to it.
    pub hash: String,
}

impl Claims {
    /// What may be signed of a decision when the gate has looked at an instant, for so long; `None`
    /// when it is not recorded.
    #[must_use]
    pub fn of(
        decision: &Decision,
        issuer: &str,
        looked: DateTime<Utc>,
        holds_for: TimeDelta,
    ) -> Option<Self> {
        let recorded = decision.recorded.as_ref()?;
        let looked = looked.trunc_subsecs(0);
        Some(Self {
            iss: issuer.to_owned(),
            iat: looked,
            nbf: looked,
            exp: looked.checked_add_signed(holds_for)?,
            jti: decision.id.clone()?,
            service: decision.service.clone(),
            environment: decision.environment.clone(),
            version: decision.version.clone(),
            digest: decision.digest.clone(),
            commit: decision.commit.clone(),
            kind: decision.kind,
            verdict: decision.verdict,
            allow: decision.allow,
            seq: recorded.seq,
            hash: recorded.hash.clone(),
        })
    }
}

/// A public Ed25519 key as JSON (RFC 8037).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Jwk {
    /// `OKP`.
    pub kty: String,
    /// `Ed25519`.
    pub crv: String,
    /// The key's 32 bytes, base64url.
    pub x: String,
    /// Its name: its SHA-256 thumbprint (RFC 7638).
    pub kid: String,
    /// `sig`.
    #[serde(rename = "use")]
    pub usage: String,
    /// `EdDSA`.
    pub alg: String,
}

impl Jwk {
    /// The key of these bytes in base64url, with this name.
    #[must_use]
    pub fn of(x: String, kid: String) -> Self {
        let [kty, crv, usage, alg] = ["OKP", "Ed25519", "sig", ALGORITHM].map(str::to_owned);
        Self { kty, crv, x, kid, usage, alg }
    }
}

/// The keys of signed verdicts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Jwks {
    /// Each that may have signed what still holds, newest first.
    pub keys: Vec<Jwk>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{denied, now, recorded};

    #[test]
    fn what_is_signed_names_the_deploy_and_its_record_and_leaves_out_what_is_not_known() {
        let looked = now() + TimeDelta::milliseconds(900);
        let claims = Claims::of(&recorded(), "https://h.example", looked, TimeDelta::minutes(15));
        let json = serde_json::to_value(claims.unwrap()).unwrap();
        let decision = serde_json::to_value(recorded()).unwrap();
        let begin = now().timestamp();
        for (claim, said) in [("iat", begin), ("nbf", begin), ("exp", begin + 900)] {
            assert_eq!(json[claim], said, "{claim}");
        }
        for same in ["service", "environment", "version", "kind", "verdict", "allow"] {
            assert_eq!(json[same], decision[same], "{same}");
        }
        assert_eq!((&json["iss"], &json["jti"]), (&"https://h.example".into(), &decision["id"]));
        for same in ["seq", "hash"] {
            assert_eq!(json[same], decision["recorded"][same], "{same}");
        }
        assert_eq!(json.get("digest").is_some(), !decision["digest"].is_null());
    }

    #[test]
    fn a_peek_is_not_signed() {
        let minute = TimeDelta::minutes(1);
        assert_eq!(Claims::of(&denied(), "https://h.example", now(), minute), None);
    }
}
