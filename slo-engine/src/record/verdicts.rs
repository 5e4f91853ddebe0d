//! Signed verdicts, and their keys: files `verdicts-{instant}.pem` in the folder of keys. A key can be
//! checked by from when its file lies there, and signs from the instant in its name until the next one
//! does. So a new one is known to everybody before it is used.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use budget_gate::Decision;
use budget_gate::signed::{Claims, Header, Jwk, Jwks};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::signing::{KeyError, Signing, SigningKey};

/// Signs verdicts.
pub struct Verdicts {
    folder: PathBuf,
    issuer: String,
    holds_for: TimeDelta,
    keys: RwLock<Arc<[Key]>>,
}

/// A key that signs from an instant on.
struct Key {
    from: DateTime<Utc>,
    name: String,
    key: SigningKey,
}

impl Verdicts {
    /// Reads the keys; where none signs yet, one is made.
    ///
    /// # Errors
    /// Why there is none.
    pub fn open(
        signing: &Signing,
        database: &Path,
        issuer: String,
        now: DateTime<Utc>,
    ) -> Result<Self, KeyError> {
        let folder = signing.folder(database).to_owned();
        let mut keys = read(&folder)?;
        if signs(&keys, now).is_none() {
            SigningKey::make(&folder.join(now.format(NAME).to_string()))?;
            keys = read(&folder)?;
        }
        let holds_for = TimeDelta::milliseconds(signing.verdicts_for.as_millis());
        Ok(Self { folder, issuer, holds_for, keys: RwLock::new(keys.into()) })
    }

    /// Reads the keys again.
    ///
    /// # Errors
    /// Why they cannot be used; then those from before stay.
    pub fn read_again(&self, now: DateTime<Utc>) -> Result<(), KeyError> {
        let keys = read(&self.folder)?;
        signs(&keys, now).ok_or_else(|| KeyError::NoneSigns(self.folder.clone()))?;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys.into();
        Ok(())
    }

    /// The files of the keys; none when the folder cannot be read.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        listed(&self.folder).unwrap_or_default()
    }

    /// The public keys, newest first.
    #[must_use]
    pub fn jwks(&self) -> Jwks {
        let mut keys: Vec<Jwk> = Vec::new();
        for key in self.keys().iter().rev() {
            // The same key may lie there under two names.
            if keys.iter().all(|jwk| jwk.kid != key.name) {
                keys.push(Jwk::of(encoded(&key.key), key.name.clone()));
            }
        }
        Jwks { keys }
    }

    /// The signed verdict of a decision as of an instant at which the gate looked; `None` when it is
    /// not recorded, when that was too long ago, or when there is no key.
    #[must_use]
    pub fn token(
        &self,
        decision: &Decision,
        looked: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Option<String> {
        let claims = Claims::of(decision, &self.issuer, looked, self.holds_for)?;
        if claims.exp <= now {
            return None;
        }
        let keys = self.keys();
        let key = signs(&keys, now)?;
        let message = format!("{}.{}", part(&Header::of(&key.name)), part(&claims));
        let signature = URL_SAFE_NO_PAD.encode(key.key.signature(message.as_bytes()));
        Some(format!("{message}.{signature}"))
    }

    fn keys(&self) -> Arc<[Key]> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn part(value: &impl Serialize) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(value).expect("texts and numbers have JSON"))
}

/// The newest one whose time has come.
fn signs(keys: &[Key], now: DateTime<Utc>) -> Option<&Key> {
    keys.iter().rev().find(|key| key.from <= now)
}

/// The name of a key's file, by the instant from which it signs.
const NAME: &str = "verdicts-%Y%m%dT%H%M%SZ.pem";

/// What is called so holds a key of verdicts, or a mistake.
fn is_key(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("verdicts-") && name.ends_with(".pem")
}

/// The files of keys; no folder holds none.
fn listed(folder: &Path) -> Result<Vec<PathBuf>, KeyError> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let failed = |reason| KeyError::File { step: "list", path: folder.to_owned(), reason };
    let entries = match fs::read_dir(folder) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = paths.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    paths.retain(|path| is_key(path));
    paths.sort();
    Ok(paths)
}

/// The keys of a folder, oldest first.
fn read(folder: &Path) -> Result<Vec<Key>, KeyError> {
    let mut keys = Vec::new();
    for path in listed(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let from = NaiveDateTime::parse_from_str(&name, NAME);
        let from = from.map_err(|_| KeyError::Name(path.clone()))?.and_utc();
        // A file that goes away meanwhile was not there.
        if let Some(key) = SigningKey::read(&path)? {
            keys.push(Key { from, name: thumbprint(&encoded(&key)), key });
        }
    }
    keys.sort_by_key(|key| key.from);
    Ok(keys)
}

/// How many keys are in a folder, and the name of the one that signs.
///
/// # Errors
/// Why they cannot be used.
pub fn signs_now(folder: &Path, now: DateTime<Utc>) -> Result<(usize, Option<String>), KeyError> {
    let keys = read(folder)?;
    Ok((keys.len(), signs(&keys, now).map(|key| key.name.clone())))
}

fn encoded(key: &SigningKey) -> String {
    URL_SAFE_NO_PAD.encode(key.public())
}

/// RFC 7638: SHA-256 of the members that make the key, in the order of their names.
fn thumbprint(x: &str) -> String {
    let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    URL_SAFE_NO_PAD.encode(Sha256::digest(members))
}

#[cfg(test)]
mod tests;
