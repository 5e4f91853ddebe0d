//! Calls to other systems: to addresses of the configuration alone, never where an answer or a message
//! leads.

use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder};
use ring::hmac;
use serde_json::Value;

use super::callbacks::Failed;

/// How long one call may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// No more of an answer is read.
const LONGEST: usize = 4 << 20;

/// What another system answered.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

impl Reply {
    /// Whether it was taken.
    pub(super) fn is_taken(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether the same call may be taken later.
    pub(super) fn is_passing(&self) -> bool {
        self.status >= 500 || [401, 403, 408, 429].contains(&self.status)
    }

    /// The JSON of an answer.
    pub(super) fn json(&self) -> Result<Value, Failed> {
        serde_json::from_slice(&self.body).map_err(|error| Failed(format!("no JSON: {error}")))
    }

    /// The status and the beginning of the body, for a log.
    pub(super) fn said(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let text = budget_gate::text::shortened(&budget_gate::harmless::harmless(text.trim()), 200);
        format!("{} {text}", self.status)
    }
}

/// A client that follows nothing.
pub(in crate::http) fn client() -> Client {
    let builder = Client::builder().timeout(TIMEOUT).user_agent("headroom");
    let client = builder.redirect(reqwest::redirect::Policy::none()).build();
    client.expect("a client without certificates of its own can be built")
}

/// A request below an address of the configuration.
pub(super) fn request(client: &Client, method: Method, base: &str, path: &str) -> RequestBuilder {
    client.request(method, format!("{}{path}", base.trim_end_matches('/')))
}

/// Sends a request and reads the answer.
pub(super) async fn send(request: RequestBuilder) -> Result<Reply, Failed> {
    let told = |error: &reqwest::Error| {
        let cause = std::error::Error::source(error).map_or_else(String::new, |c| format!(": {c}"));
        Failed(format!("no answer{cause}"))
    };
    let mut response = request.send().await.map_err(|error| told(&error.without_url()))?;
    let (status, mut body) = (response.status().as_u16(), Vec::new());
    while let Some(chunk) = response.chunk().await.map_err(|error| told(&error.without_url()))? {
        body.extend_from_slice(&chunk);
        if body.len() > LONGEST {
            return Err(Failed("the answer is too long".to_owned()));
        }
    }
    Ok(Reply { status, body })
}

/// Whether a body is signed with a key: `signature` is hexadecimal. The comparison takes the same time
/// whatever differs.
pub(super) fn is_signed(
    algorithm: hmac::Algorithm,
    key: &str,
    body: &[u8],
    signature: &str,
) -> bool {
    let key = hmac::Key::new(algorithm, key.as_bytes());
    bytes(signature).is_some_and(|tag| hmac::verify(&key, body, &tag).is_ok())
}

/// The bytes of a hexadecimal text.
fn bytes(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2);
    let byte = |pair: &[u8]| {
        let digits = std::str::from_utf8(pair).ok().filter(|p| p.len() == 2 && !p.contains('+'))?;
        u8::from_str_radix(digits, 16).ok()
    };
    pairs.map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_body_and_key_alone() {
        // RFC 4231, test case 2.
        let (key, body) = ("Jefe", b"what do ya want for nothing?");
        let signature = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        fn holds(key: &str, body: &[u8], signature: &str) -> bool {
            is_signed(hmac::HMAC_SHA256, key, body, signature)
        }
        assert!(holds(key, body, signature));
        assert!(holds(key, body, &signature.to_uppercase()));
        assert!(!holds("jefe", body, signature));
        assert!(!holds(key, b"what do ya want for nothing!", signature));
        for wrong in ["", "5b", "zz", "+5", &signature[..63], &format!("{signature}00")] {
            assert!(!holds(key, body, wrong), "{wrong}");
        }
    }
}
