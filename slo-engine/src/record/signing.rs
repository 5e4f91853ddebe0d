//! Keys in files. The one that signs ends of the chain, and signed ends themselves: who keeps one
//! elsewhere can prove later that nothing before it was changed. Signed verdicts have keys of their own.

use std::fmt;
use std::fs::{self, File};
use std::io::Write;
use std::ops::RangeInclusive;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat, SubsecRound, Utc};
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use slo_core::time::Span;
use thiserror::Error;

use super::chain::{Hash, Head};
use crate::source::config::span_text;
use crate::store::Store;

/// The section `signing` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Signing {
    /// The folder of the keys; the database's when there is none.
    pub keys: Option<PathBuf>,
    /// How long a signed verdict holds.
    #[serde(with = "span_text")]
    pub verdicts_for: Span,
}

impl Default for Signing {
    fn default() -> Self {
        Self { keys: None, verdicts_for: Span::minutes(15) }
    }
}

/// How long signed verdicts may hold: a shorter time ends before a deploy does, and after a longer one
/// nobody knows any more what the gate would say.
pub const VERDICTS_FOR: RangeInclusive<Span> = Span::minutes(1)..=Span::minutes(1_440);

impl Signing {
    /// Where the keys are.
    #[must_use]
    pub fn folder<'a>(&'a self, database: &'a Path) -> &'a Path {
        let beside = database.parent().unwrap_or(Path::new(""));
        self.keys.as_deref().unwrap_or(beside)
    }

    /// Where the key of the heads is.
    #[must_use]
    pub fn path(&self, database: &Path) -> PathBuf {
        self.folder(database).join("heads.pem")
    }

    /// The key of the heads; the first start makes it.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn key(&self, store: &Store) -> Result<SigningKey, KeyError> {
        let path = self.path(store.path());
        match SigningKey::read(&path)? {
            Some(key) => Ok(key),
            None => SigningKey::make(&path),
        }
    }
}

/// An Ed25519 key.
pub struct SigningKey(Ed25519KeyPair);

/// Only what everybody may see of it.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", STANDARD.encode(self.public()))
    }
}

/// Why there is no key to sign with. Every variant says what to do.
#[derive(Debug, Error)]
pub enum KeyError {
    /// Somebody else may have it.
    #[error("the signing key {} can be read by others (mode {mode:04o}); `chmod 600 {}`, and if they may have copied it, move it away: the next start makes another", path.display(), path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It holds something else.
    #[error("{} is no Ed25519 key in PEM; put the key back, or move the file away: the next start makes another", .0.display())]
    NoKey(PathBuf),
    /// The name of a key of verdicts does not say from when it signs.
    #[error("{} is no name for a key of signed verdicts; it says from when the key signs: verdicts-20261121T100000Z.pem", .0.display())]
    Name(PathBuf),
    /// All keys of verdicts are gone, or none signs yet.
    #[error("no key in {} signs verdicts now; put one there, or the next start makes one", .0.display())]
    NoneSigns(PathBuf),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers for a signing key")]
    NoRandom,
    /// A file could not be handled.
    #[error("cannot {step} the signing key {}: {reason}", path.display())]
    File {
        /// What was being done.
        step: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: std::io::Error,
    },
}

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

impl SigningKey {
    /// The key of a file; `None` when there is no file.
    ///
    /// # Errors
    /// When it cannot be read, is none, or can be read by others.
    pub fn read(path: &Path) -> Result<Option<Self>, KeyError> {
        let failed = |reason| KeyError::File { step: "read", path: path.to_owned(), reason };
        let mode = match fs::metadata(path) {
            Ok(data) => data.permissions().mode() & 0o7777,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(failed(e)),
        };
        if mode & 0o077 != 0 {
            return Err(KeyError::Open { path: path.to_owned(), mode });
        }
        let text = fs::read_to_string(path).map_err(failed)?;
        parsed(&text).map(|pair| Some(Self(pair))).ok_or_else(|| KeyError::NoKey(path.to_owned()))
    }

    /// Makes a key in a file that does not exist yet.
    ///
    /// # Errors
    /// When it cannot be written; a file that is there by now stays as it is.
    pub fn make(path: &Path) -> Result<Self, KeyError> {
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new());
        let der = made.map_err(|_| KeyError::NoRandom)?;
        let written = write_new(path, &pem(der.as_ref()));
        written.map_err(|reason| KeyError::File {
            step: "write",
            path: path.to_owned(),
            reason,
        })?;
        tracing::info!("a new key for signatures: {}", path.display());
        Self::read(path)?.ok_or_else(|| KeyError::NoKey(path.to_owned()))
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        self.0.public_key().as_ref().try_into().expect("an Ed25519 public key has 32 bytes")
    }

    /// Signs the end of a chain.
    #[must_use]
    pub fn sign(&self, head: Head, now: DateTime<Utc>) -> SignedHead {
        let at = now.trunc_subsecs(0);
        let mut signed = SignedHead { head, at, public_key: self.public(), signature: [0; 64] };
        signed.signature = self.signature(signed.message().as_bytes());
        signed
    }

    /// Signs a message.
    pub(super) fn signature(&self, message: &[u8]) -> [u8; 64] {
        let signature = self.0.sign(message);
        signature.as_ref().try_into().expect("an Ed25519 signature has 64 bytes")
    }
}

fn pem(der: &[u8]) -> String {
    let encoded = STANDARD.encode(der);
    let lines = encoded.as_bytes().chunks(64).map(String::from_utf8_lossy);
    format!("{BEGIN}\n{}\n{END}\n", lines.collect::<Vec<_>>().join("\n"))
}

fn parsed(pem: &str) -> Option<Ed25519KeyPair> {
    let (_, rest) = pem.split_once(BEGIN)?;
    let (body, _) = rest.split_once(END)?;
    let der = STANDARD.decode(body.split_whitespace().collect::<String>()).ok()?;
    Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).ok()
}

/// Writes a file of mode 0600 that appears when it is whole, unless there is one already.
fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new()
        .permissions(fs::Permissions::from_mode(0o600))
        .tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path)?;
    File::open(folder)?.sync_all()
}

/// The end of a chain at an instant, signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHead {
    /// The end.
    pub head: Head,
    /// When it was signed, in whole seconds.
    pub at: DateTime<Utc>,
    /// The key that signed.
    pub public_key: [u8; 32],
    /// Of [`SignedHead::message`].
    pub signature: [u8; 64],
}

impl SignedHead {
    /// What is signed.
    #[must_use]
    pub fn message(&self) -> String {
        let Head { seq, hash } = self.head;
        format!("headroom-head-v1\n{seq}\n{hash}\n{}\n", seconds(self.at))
    }

    /// Whether the signature is that of its key.
    #[must_use]
    pub fn is_genuine(&self) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, &self.public_key);
        key.verify(self.message().as_bytes(), &self.signature).is_ok()
    }

    /// The key as it is shown.
    #[must_use]
    pub fn key_text(&self) -> String {
        STANDARD.encode(self.public_key)
    }

    /// As JSON shows it.
    #[must_use]
    pub fn shown(&self) -> ShownHead {
        ShownHead {
            seq: self.head.seq,
            hash: self.head.hash.to_string(),
            at: Some(seconds(self.at)),
            public_key: Some(self.key_text()),
            signature: Some(STANDARD.encode(self.signature)),
        }
    }
}

fn seconds(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A head as JSON; without a signature it is what a decision says of its record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShownHead {
    /// The last record's number.
    pub seq: i64,
    /// The hash of the chain up to it.
    pub hash: String,
    /// When it was signed.
    pub at: Option<String>,
    /// The key that signed, base64.
    pub public_key: Option<String>,
    /// The signature, base64.
    pub signature: Option<String>,
}

impl ShownHead {
    /// The end of the chain that it shows.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn head(&self) -> Result<Head, String> {
        Ok(Head { seq: self.seq, hash: self.hash.parse::<Hash>()? })
    }

    /// The signed head, when it has a signature.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn signed(&self) -> Result<Option<SignedHead>, String> {
        let (Some(at), Some(key), Some(signature)) = (&self.at, &self.public_key, &self.signature)
        else {
            return Ok(None);
        };
        let at = DateTime::parse_from_rfc3339(at).map_err(|e| format!("`{at}`: {e}"))?;
        let at = at.with_timezone(&Utc);
        let (public_key, signature) = (bytes(key)?, bytes(signature)?);
        Ok(Some(SignedHead { head: self.head()?, at, public_key, signature }))
    }
}

fn bytes<const N: usize>(text: &str) -> Result<[u8; N], String> {
    let decoded = STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    decoded.ok_or_else(|| format!("`{text}` is not {N} bytes in base64"))
}

#[cfg(test)]
mod tests;
