//! Whether a signed verdict proves that a deploy may go or may not. Pure: the keys and the time of day
//! are arguments. What is not proven is a [`Refusal`] that says why.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde::de::DeserializeOwned;
use thiserror::Error;

use super::{ALGORITHM, Claims, Header, TYPE};
use crate::harmless::harmless;

mod keys;

pub use keys::Keys;

/// The largest signed verdict.
pub const MOST_BYTES: usize = 16 * 1_024;

/// So far may the clocks of the engine and of who checks be apart.
pub const LEEWAY: TimeDelta = TimeDelta::seconds(30);

/// What a signed verdict must say. What is `None` may be anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected<'a> {
    /// The address of the engine.
    pub issuer: Option<&'a str>,
    /// The service.
    pub service: &'a str,
    /// The environment.
    pub environment: &'a str,
    /// The version that is deployed.
    pub version: Option<&'a str>,
    /// The digest of the image that is deployed.
    pub digest: Option<&'a str>,
    /// How long ago the gate may have looked.
    pub max_age: Option<TimeDelta>,
}

/// Why a signed verdict proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Nobody reads that.
    #[error("it has {0} bytes; a signed verdict has at most {MOST_BYTES}")]
    Huge(usize),
    /// It is something else.
    #[error("it is no signed verdict: that is three parts with a full stop between them")]
    NotCompact,
    /// A part is written in a way that no engine writes.
    #[error("its {0} is not base64url as an engine writes it")]
    Base64(&'static str),
    /// A part is no JSON of its shape.
    #[error("its {part} cannot be read: {reason}")]
    Json {
        /// The part.
        part: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Signed in another way, or not at all.
    #[error("its algorithm is `{0}`; the only one is {ALGORITHM}")]
    Algorithm(String),
    /// The header is that of something else.
    #[error("its type is `{0}`; that of a signed verdict is {TYPE}")]
    Type(String),
    /// The header does not say which key.
    #[error("it does not say which key signed it")]
    Nameless,
    /// A key that is not there.
    #[error(
        "it was signed with the key `{0}`, which is not among the given ones; the engine's are at /.well-known/jwks.json"
    )]
    UnknownKey(String),
    /// Changed, or signed by somebody else.
    #[error("its signature is not that of the key that it names")]
    Signature,
    /// The claims contradict each other.
    #[error("it says `allow: {allow}` of a verdict that is not so")]
    Contradiction {
        /// What it says.
        allow: bool,
    },
    /// It does not hold any more.
    #[error("it has expired at {0}")]
    Expired(DateTime<Utc>),
    /// It does not hold yet.
    #[error("it holds from {0}, which is not yet; are the clocks right?")]
    NotYet(DateTime<Utc>),
    /// It is older than is wanted.
    #[error("the gate looked at {0}, which is too long ago")]
    Old(DateTime<Utc>),
    /// It is about something else.
    #[error("its {what} is {}; expected is `{expected}`", said(signed.as_deref()))]
    Other {
        /// The claim.
        what: &'static str,
        /// What is signed.
        signed: Option<String>,
        /// What should be.
        expected: String,
    },
}

fn said(signed: Option<&str>) -> String {
    signed.map_or_else(|| "not said".to_owned(), |signed| format!("`{signed}`"))
}

/// Checks a signed verdict. The verdict itself may be a refusal of the deploy: that is proven, too.
///
/// # Errors
/// Why it proves nothing.
pub fn verify(
    token: &str,
    keys: &Keys,
    expected: &Expected<'_>,
    now: DateTime<Utc>,
) -> Result<Claims, Refusal> {
    let claims = signed(token, keys)?;
    if claims.allow != claims.verdict.allows() {
        return Err(Refusal::Contradiction { allow: claims.allow });
    }
    in_time(&claims, expected.max_age, now)?;
    expected.fits(&claims)?;
    Ok(claims)
}

/// The claims that one of the keys signed. Nothing of them is read before that is sure.
fn signed(token: &str, keys: &Keys) -> Result<Claims, Refusal> {
    if token.len() > MOST_BYTES {
        return Err(Refusal::Huge(token.len()));
    }
    let (message, signature) = token.rsplit_once('.').ok_or(Refusal::NotCompact)?;
    let (header, claims) = message.split_once('.').ok_or(Refusal::NotCompact)?;
    if claims.contains('.') {
        return Err(Refusal::NotCompact);
    }
    let kid = key_of(&json("header", header)?)?;
    let key = keys.get(&kid).ok_or_else(|| Refusal::UnknownKey(short(&kid)))?;
    let signature = bytes("signature", signature)?;
    let key = UnparsedPublicKey::new(&ED25519, key);
    key.verify(message.as_bytes(), &signature).map_err(|_| Refusal::Signature)?;
    json("claims", claims)
}

fn key_of(header: &Header) -> Result<String, Refusal> {
    if header.alg != ALGORITHM {
        return Err(Refusal::Algorithm(short(&header.alg)));
    }
    match header.typ.as_deref() {
        Some(TYPE) => header.kid.clone().ok_or(Refusal::Nameless),
        other => Err(Refusal::Type(short(other.unwrap_or_default()))),
    }
}

fn bytes(part: &'static str, text: &str) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Refusal::Base64(part))
}

fn json<T: DeserializeOwned>(part: &'static str, text: &str) -> Result<T, Refusal> {
    object(&bytes(part, text)?).map_err(|reason| Refusal::Json { part, reason })
}

/// Reads an object. A field that is there twice is refused by what is read into.
fn object<T: DeserializeOwned>(text: &[u8]) -> Result<T, String> {
    // A list of values in the order of the fields would be read as well.
    if text.trim_ascii_start().first() != Some(&b'{') {
        return Err("it is no JSON object".to_owned());
    }
    serde_json::from_slice(text).map_err(|error| short(&error.to_string()))
}

/// As much of a text from elsewhere as a message takes.
fn short(text: &str) -> String {
    harmless(&text.chars().take(100).collect::<String>())
}

fn in_time(claims: &Claims, max_age: Option<TimeDelta>, now: DateTime<Utc>) -> Result<(), Refusal> {
    if claims.exp <= now - LEEWAY {
        return Err(Refusal::Expired(claims.exp));
    }
    let begins = claims.nbf.max(claims.iat);
    if begins > now + LEEWAY {
        return Err(Refusal::NotYet(begins));
    }
    let oldest = max_age.and_then(|age| (now - LEEWAY).checked_sub_signed(age));
    match oldest.is_some_and(|oldest| claims.iat < oldest) {
        true => Err(Refusal::Old(claims.iat)),
        false => Ok(()),
    }
}

impl Expected<'_> {
    fn fits(&self, claims: &Claims) -> Result<(), Refusal> {
        for (what, signed, expected) in [
            ("issuer", Some(&claims.iss), self.issuer),
            ("service", Some(&claims.service), Some(self.service)),
            ("environment", claims.environment.as_ref(), Some(self.environment)),
            ("version", claims.version.as_ref(), self.version),
            ("digest", claims.digest.as_ref(), self.digest),
        ] {
            let Some(expected) = expected else { continue };
            if signed.map(String::as_str) != Some(expected) {
                let signed = signed.map(|signed| short(signed));
                return Err(Refusal::Other { what, signed, expected: short(expected) });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
