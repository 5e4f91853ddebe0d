//! Proves the chain of a database whole, or names the first link that is not; compares it with
//! heads that were signed and with heads that somebody kept elsewhere.

use serde::Serialize;

use super::chain::Head;
use super::heads::{hash_at, heads_after};
use super::signing::SignedHead;
use crate::store::{Store, StoreError};

mod anchor;
mod walk;

pub use anchor::Anchor;
pub use walk::{Walked, last_links, walk};

/// So many findings on signed heads are described, the others are counted.
const DESCRIBED: u64 = 20;
const PAGE: u32 = 500;

/// What an audit found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// Where the chain ends, or where it breaks.
    pub end: Head,
    /// How many signed heads were compared.
    pub heads: u64,
    /// The anchors, and whether they hold.
    pub anchors: Vec<(Head, bool)>,
    /// Where the chain ends when it is walked from the newest anchor that holds; only where it
    /// broke before that.
    pub from_anchor: Option<Head>,
    /// What is wrong; nothing when all is whole.
    pub findings: Vec<Finding>,
    /// How many more findings on signed heads there are.
    pub left_out: u64,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// What it is.
    pub code: Code,
    /// The record.
    pub seq: i64,
    /// Its kind, where it is there.
    pub kind: Option<String>,
    /// Its id, where it is there.
    pub id: Option<String>,
    /// A sentence.
    pub message: String,
}

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Code {
    /// A link of the chain does not hold.
    Broken,
    /// A record that a head names has another hash now.
    Rewritten,
    /// A record that a head names is gone, with all after it.
    Cut,
    /// A signature is not that of its key.
    Signature,
    /// Another key has signed.
    Key,
}

impl Finding {
    fn on(head: Head, code: Code, message: String) -> Self {
        Self { code, seq: head.seq, kind: None, id: None, message }
    }
}

/// Walks the whole chain and compares its heads; `progress` is told shares.
///
/// # Errors
/// When the database cannot be read.
pub async fn audit(
    store: &Store,
    anchors: &[Anchor],
    key: Option<[u8; 32]>,
    progress: &(dyn Fn(f64) + Sync),
) -> Result<Audit, StoreError> {
    let Walked { end, broken } = walk(store, Head::default(), progress).await?;
    let mut audit = Audit {
        end,
        heads: 0,
        anchors: Vec::new(),
        from_anchor: None,
        findings: Vec::from_iter(broken),
        left_out: 0,
    };
    audit.compare_anchors(store, anchors).await?;
    let mut keys: Vec<[u8; 32]> = anchors.iter().filter_map(Anchor::key).chain(key).collect();
    audit.compare_heads(store, &mut keys).await?;
    audit.walk_from_anchor(store).await?;
    Ok(audit)
}

impl Audit {
    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.findings.is_empty()
    }

    async fn compare_anchors(&mut self, store: &Store, all: &[Anchor]) -> Result<(), StoreError> {
        for anchor in all {
            let wrong = compare(store, anchor.head, "the anchor").await?;
            self.anchors.push((anchor.head, wrong.is_none()));
            self.findings.extend(wrong);
            if anchor.signed.as_ref().is_some_and(|signed| !signed.is_genuine()) {
                let message = "the anchor's signature is not that of its key".to_owned();
                self.findings.push(Finding::on(anchor.head, Code::Signature, message));
            }
        }
        Ok(())
    }

    /// Compares all signed heads; without any key to trust, all must be of the first one's.
    async fn compare_heads(
        &mut self,
        store: &Store,
        keys: &mut Vec<[u8; 32]>,
    ) -> Result<(), StoreError> {
        let mut after = (i64::MIN, i64::MIN);
        loop {
            let page = heads_after(store.pool(), after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = (last.head.seq, last.at.timestamp_millis());
            for signed in page {
                if keys.is_empty() {
                    keys.push(signed.public_key);
                }
                self.heads += 1;
                let wrong = wrong_with(store, &signed, keys).await?;
                self.note(wrong);
            }
        }
    }

    fn note(&mut self, wrong: Option<Finding>) {
        match wrong {
            Some(_) if self.findings.len() as u64 >= DESCRIBED => self.left_out += 1,
            wrong => self.findings.extend(wrong),
        }
    }

    async fn walk_from_anchor(&mut self, store: &Store) -> Result<(), StoreError> {
        let hold = self.anchors.iter().filter(|(head, holds)| *holds && head.seq > self.end.seq);
        if let Some(from) = hold.map(|(head, _)| *head).max_by_key(|head| head.seq) {
            let Walked { end, broken } = walk(store, from, &|_| {}).await?;
            self.from_anchor = Some(end);
            self.findings.extend(broken);
        }
        Ok(())
    }
}

async fn wrong_with(
    store: &Store,
    signed: &SignedHead,
    keys: &[[u8; 32]],
) -> Result<Option<Finding>, StoreError> {
    let when = signed.at.format("%Y-%m-%d %H:%M:%S UTC");
    let found = |code, message| Ok(Some(Finding::on(signed.head, code, message)));
    if !signed.is_genuine() {
        let message = format!("the signature of the head signed at {when} is not that of its key");
        return found(Code::Signature, message);
    }
    if !keys.contains(&signed.public_key) {
        let key = signed.key_text();
        let message = format!(
            "the head signed at {when} is signed by another key, {key}; \
             where that was the key once, give a head that it signed as --anchor"
        );
        return found(Code::Key, message);
    }
    compare(store, signed.head, &format!("the head signed at {when}")).await
}

/// Compares a head with the record that it names.
async fn compare(store: &Store, head: Head, whose: &str) -> Result<Option<Finding>, StoreError> {
    let Head { seq, hash } = head;
    if head == Head::default() {
        return Ok(None);
    }
    let (code, message) = match hash_at(store.pool(), seq).await? {
        Some(stored) if stored == hash.0 => return Ok(None),
        Some(_) => {
            let message = format!("it was rewritten since {whose}, which says {hash}");
            (Code::Rewritten, message)
        }
        None => (Code::Cut, format!("it is gone, and all after it; {whose} says {hash}")),
    };
    Ok(Some(Finding::on(head, code, message)))
}

#[cfg(test)]
mod tests;
