//! A signed token as it is sent: RS256 alone, whatever its header asks for.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// A public key: modulus and exponent.
pub(super) type Key = RsaPublicKeyComponents<Vec<u8>>;

/// Longer ones are not read.
const LONGEST: usize = 16 * 1_024;

/// A token whose signature nobody looked at yet.
#[derive(Debug)]
pub(super) struct Token<'a> {
    /// Which key has signed it, as it says.
    pub(super) kid: String,
    /// What is signed.
    text: &'a str,
    payload: &'a str,
    signature: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// What a reader must understand: nothing here is.
    crit: Option<serde_json::Value>,
}

impl<'a> Token<'a> {
    /// Reads a token.
    pub(super) fn read(text: &'a str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("it is longer than {LONGEST} bytes"));
        }
        let parts: Vec<&str> = text.split('.').collect();
        let [header, payload, signature] = parts[..] else {
            return Err("it does not have three parts".to_owned());
        };
        let header: Header = json(header)?;
        if header.alg != "RS256" {
            return Err(format!("its algorithm is {:.20}; only RS256 is accepted", header.alg));
        }
        if header.crit.is_some() {
            return Err("its header has `crit`".to_owned());
        }
        let kid = header.kid.ok_or("its header names no key (kid)")?;
        let signed = &text[..text.len() - signature.len() - 1];
        Ok(Self { kid, text: signed, payload, signature: bytes(signature)? })
    }

    /// What it says; nothing of it is proven before [`Token::verify`].
    pub(super) fn claims<T: DeserializeOwned>(&self) -> Result<T, String> {
        json(self.payload)
    }

    /// Whether a key has signed it.
    pub(super) fn verify(&self, key: &Key) -> Result<(), String> {
        let verified =
            key.verify(&RSA_PKCS1_2048_8192_SHA256, self.text.as_bytes(), &self.signature);
        verified.map_err(|_| "its signature is wrong".to_owned())
    }
}

fn bytes(text: &str) -> Result<Vec<u8>, String> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| "a part of it is no base64url".to_owned())
}

fn json<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_slice(&bytes(text)?).map_err(|error| format!("a part of it is wrong: {error}"))
}
