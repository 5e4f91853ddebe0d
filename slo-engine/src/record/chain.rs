//! The chain of records: hash = SHA-256(the hash before ‖ the record's JSON bytes as stored); the
//! first hash before is zeros. Pure.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};
use thiserror::Error;

/// A hash of the chain.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The hash of what is stored after this one.
    #[must_use]
    pub fn then(self, json: &[u8]) -> Self {
        Self(Sha256::new().chain_update(self.0).chain_update(json).finalize().into())
    }
}

/// `sha256:` and 64 hex digits.
impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Hash {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no hash; it is sha256: and 64 hex digits");
        let hex = text.strip_prefix("sha256:").filter(|hex| hex.len() == 64).ok_or_else(wrong)?;
        let mut bytes = [0; 32];
        for (byte, digits) in bytes.iter_mut().zip(hex.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| wrong())?;
            let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            *byte = u8::from_str_radix(digits, 16).ok().filter(|_| is_hex).ok_or_else(wrong)?;
        }
        Ok(Self(bytes))
    }
}

/// Where a chain ends: the number and hash of its last record; zeros before the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    /// The last record's number.
    pub seq: i64,
    /// The last record's hash.
    pub hash: Hash,
}

impl Head {
    /// The end after one more record.
    #[must_use]
    pub fn then(self, json: &[u8]) -> Self {
        Self { seq: self.seq + 1, hash: self.hash.then(json) }
    }

    /// The end after a link as it is stored.
    ///
    /// # Errors
    /// Why the link does not belong here.
    pub fn follow(self, link: &Link<'_>) -> Result<Self, Fault> {
        let next = self.then(link.json);
        if link.seq > next.seq {
            return Err(Fault::Missing { from: next.seq, to: link.seq - 1 });
        }
        if link.seq < next.seq {
            return Err(Fault::Place { next: next.seq });
        }
        if link.hash != next.hash.0 {
            let stored = link.hash.try_into().map(Hash).ok();
            return Err(Fault::Hash { stored, computed: next.hash });
        }
        Ok(next)
    }
}

/// A record as it is stored.
#[derive(Debug, Clone, Copy)]
pub struct Link<'a> {
    /// Its number.
    pub seq: i64,
    /// Its JSON bytes.
    pub json: &'a [u8],
    /// Its hash.
    pub hash: &'a [u8],
}

/// What is wrong with a link.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// Others are gone.
    #[error("{} missing before it", range(*from, *to))]
    Missing {
        /// The first number that is missing.
        from: i64,
        /// The last one.
        to: i64,
    },
    /// It has the number of another one.
    #[error("it has no place in the chain: number {next} comes next")]
    Place {
        /// The next number.
        next: i64,
    },
    /// The hash is not that of the JSON and the hash before.
    #[error(
        "its JSON, its hash or its place was changed: the hash stored is {}, that of its JSON after the record before is {computed}",
        stored.map_or_else(|| "no SHA-256".to_owned(), |hash| hash.to_string())
    )]
    Hash {
        /// What is stored, if it has a hash's length.
        stored: Option<Hash>,
        /// What it must be.
        computed: Hash,
    },
    /// A column by which it is found differs from what was recorded.
    #[error("its column `{column}` was changed: it says {stored}, the record says {recorded}")]
    Column {
        /// The column.
        column: &'static str,
        /// What the column says.
        stored: String,
        /// What the record says.
        recorded: String,
    },
}

fn range(from: i64, to: i64) -> String {
    if from == to { format!("record {from} is") } else { format!("records {from} to {to} are") }
}

#[cfg(test)]
mod tests;
