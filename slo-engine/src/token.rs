//! Machine tokens: who may ask for what. A token is `hr_<id>_<secret>`; of the secret only a
//! SHA-256 is kept, and nothing here ever shows it but the text of a new one.

use std::fmt;
use std::str::FromStr;

use budget_gate::select::Glob;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use thiserror::Error;

mod bucket;
mod cache;
mod stored;

pub(crate) use bucket::Bucket;
pub use cache::{Refused, Tokens};
pub use stored::{Asked, Made, NotMade, Revoked, StoredToken, create, list, revoke};

const ID: usize = 10;
const SECRET: usize = 32;
const PREFIX: &str = "hr_";
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// A token with its secret.
#[derive(Clone)]
pub struct Token {
    id: String,
    secret: String,
}

/// Without the secret.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}_***", self.id)
    }
}

/// The system has no random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the system gives no random numbers for a token")]
pub struct NoRandom;

impl Token {
    /// A new token.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn random() -> Result<Self, NoRandom> {
        let mut bytes = [0; ID + SECRET];
        SystemRandom::new().fill(&mut bytes).map_err(|_| NoRandom)?;
        Ok(Self::of(&bytes))
    }

    /// The token of random bytes.
    fn of(bytes: &[u8; ID + SECRET]) -> Self {
        let (id, secret) = bytes.split_at(ID);
        let letter = |byte: &u8| char::from(BASE32[usize::from(byte % 32)]);
        let hex = |text: String, byte: &u8| format!("{text}{byte:02x}");
        Self { id: id.iter().map(letter).collect(), secret: secret.iter().fold(String::new(), hex) }
    }

    /// Reads a token as it is sent; `None` when it is none. A `-` may stand for each `_`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.replace('-', "_");
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let is_id = id.len() == ID && id.bytes().all(|letter| BASE32.contains(&letter));
        let is_hex = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
        let is_secret = secret.len() == 2 * SECRET && secret.bytes().all(is_hex);
        (is_id && is_secret).then(|| Self { id: id.to_owned(), secret: secret.to_owned() })
    }

    /// The public part.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The whole text, secret and all: for the one who is to have it.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}_{}", self.id, self.secret)
    }

    /// The same for a path: a Kubernetes API server takes none with a `_` for that of a webhook.
    #[must_use]
    pub fn reveal_for_path(&self) -> String {
        self.reveal().replace('_', "-")
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.reveal()).into())
    }
}

/// What is kept of a token: SHA-256 of its whole text, which has 256 random bits.
#[derive(Clone, Copy)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Whether both are of one token; takes the same time whatever differs.
    #[must_use]
    pub fn is_of(&self, token: &Token) -> bool {
        self.0.ct_eq(&token.hash().0).into()
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What a token may do; any token may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Scope {
    /// Ask for recorded decisions.
    Decide,
    /// Say what runs.
    Deploy,
    /// Open, confirm and close incidents.
    Incident,
    /// Exclude time from budgets.
    Exclude,
    /// Override the gate, and approve overrides.
    Override,
    /// Everything.
    Admin,
    /// Claim that a deploy is a hotfix.
    #[serde(rename = "kind:hotfix")]
    KindHotfix,
    /// Claim that a deploy closes a security hole.
    #[serde(rename = "kind:security")]
    KindSecurity,
    /// Ask for recorded decisions as a part of an adapter's path, and be good for nothing else.
    Adapter,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 9] = [
        Self::Decide,
        Self::Deploy,
        Self::Incident,
        Self::Exclude,
        Self::Override,
        Self::Admin,
        Self::KindHotfix,
        Self::KindSecurity,
        Self::Adapter,
    ];

    /// The scope as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Decide => "decide",
            Self::Deploy => "deploy",
            Self::Incident => "incident",
            Self::Exclude => "exclude",
            Self::Override => "override",
            Self::Admin => "admin",
            Self::KindHotfix => "kind:hotfix",
            Self::KindSecurity => "kind:security",
            Self::Adapter => "adapter",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = Self::ALL.map(Self::as_str).join(", ");
        let found = Self::ALL.into_iter().find(|scope| scope.as_str() == text);
        found.ok_or_else(|| format!("`{text}` is no scope; there are {all}"))
    }
}

/// Who asks: a token that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// `token:NAME`.
    pub name: String,
    /// The token's id.
    pub id: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// For which services; for all when there is no pattern.
    pub services: Vec<Glob>,
    /// In which environments; in all when there is no pattern.
    pub environments: Vec<Glob>,
}

impl Principal {
    /// Whether it has a scope, wherever that holds.
    #[must_use]
    pub fn has(&self, scope: Scope) -> bool {
        let gives = |has: Scope| {
            has == scope || has == Scope::Admin || (has, scope) == (Scope::Adapter, Scope::Decide)
        };
        self.scopes.iter().any(|has| gives(*has))
    }

    /// Whether it was made to stand in a path, and for nothing else.
    #[must_use]
    pub fn is_for_paths(&self) -> bool {
        self.scopes.contains(&Scope::Adapter)
    }

    /// Whether it may do something to a service in an environment. What concerns all environments
    /// (`None`) is only for those who may do it in every one.
    #[must_use]
    pub fn may(&self, scope: Scope, service: &str, environment: Option<&str>) -> bool {
        self.has(scope)
            && within(&self.services, Some(service))
            && within(&self.environments, environment)
    }
}

fn within(patterns: &[Glob], name: Option<&str>) -> bool {
    let matches = |glob: &Glob| match name {
        Some(name) => glob.matches(name),
        None => glob.as_str() == "*",
    };
    patterns.is_empty() || patterns.iter().any(matches)
}

#[cfg(test)]
mod tests;
