//! Ends of the chain that somebody kept elsewhere.

use std::str::FromStr;

use crate::record::chain::Head;
use crate::record::signing::{ShownHead, SignedHead};

/// An end of the chain as it was once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// The end.
    pub head: Head,
    /// With its signature, when that was kept too.
    pub signed: Option<SignedHead>,
}

impl Anchor {
    /// The key that signed it, when its signature is right.
    pub(super) fn key(&self) -> Option<[u8; 32]> {
        let signed = self.signed.as_ref().filter(|signed| signed.is_genuine());
        signed.map(|signed| signed.public_key)
    }
}

/// Reads `SEQ:sha256:HEX`, or the JSON of a signed head or of a decision's `recorded`.
impl FromStr for Anchor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let wrong = |why: String| format!("no head of a chain: {why}");
        if text.starts_with('{') {
            let shown: ShownHead = serde_json::from_str(text).map_err(|e| wrong(e.to_string()))?;
            let (head, signed) = (shown.head().map_err(wrong)?, shown.signed().map_err(wrong)?);
            return Ok(Self { head, signed });
        }
        let form = || wrong(format!("`{text}` is not SEQ:sha256:HEX, JSON of a head, or its file"));
        let (seq, hash) = text.split_once(':').ok_or_else(form)?;
        let seq: i64 = seq.parse().ok().filter(|seq| *seq > 0).ok_or_else(form)?;
        Ok(Self { head: Head { seq, hash: hash.parse().map_err(wrong)? }, signed: None })
    }
}
