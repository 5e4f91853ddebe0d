//! The keys that may have signed, from the JSON at `/.well-known/jwks.json`.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{object, short};
use crate::signed::{Jwk, Jwks};

/// Public keys by their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys(BTreeMap<String, [u8; 32]>);

impl Keys {
    /// Reads a JWKS.
    ///
    /// # Errors
    /// Why it is none that an engine serves.
    pub fn read(jwks: &[u8]) -> Result<Self, String> {
        let Jwks { keys: listed } = object(jwks)?;
        let mut keys = BTreeMap::new();
        for jwk in listed {
            let key = public(&jwk)?;
            if keys.insert(jwk.kid.clone(), key).is_some_and(|other| other != key) {
                return Err(format!("two keys are called `{}`", short(&jwk.kid)));
            }
        }
        match keys.is_empty() {
            true => Err("there is no key in it".to_owned()),
            false => Ok(Self(keys)),
        }
    }

    pub(super) fn get(&self, kid: &str) -> Option<&[u8; 32]> {
        self.0.get(kid)
    }
}

fn public(jwk: &Jwk) -> Result<[u8; 32], String> {
    let Jwk { x, kid, .. } = jwk;
    if *jwk != Jwk::of(x.clone(), kid.clone()) {
        return Err(format!("the key `{}` is no Ed25519 key that signs with EdDSA", short(kid)));
    }
    let bytes = URL_SAFE_NO_PAD.decode(x).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| format!("the key `{}` is not 32 bytes in base64url", short(kid)))
}
