//! An issuer's public keys: read when they are needed first, again every ten minutes, and at once when a
//! token names one that is not known; but never more often than twice a minute, whatever is sent. While the
//! issuer is down those known go on for a day.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Client;
use serde::Deserialize;

use super::jws::Key;

/// Keys are read again after so long.
const OLD: TimeDelta = TimeDelta::minutes(10);
/// Keys that could not be read again for so long are forgotten.
const FORGOTTEN: TimeDelta = TimeDelta::days(1);
/// Between two reads.
const PAUSE: TimeDelta = TimeDelta::seconds(30);
/// How long a read may take: callers are promised an answer within 3 s.
const TIMEOUT: Duration = Duration::from_secs(2);
/// No more is read.
const LONGEST: usize = 1 << 20;

/// Keys of one issuer.
#[derive(Debug)]
pub(super) struct Keys {
    url: String,
    client: Client,
    known: RwLock<Arc<Known>>,
    /// When they were read last, or it was tried.
    tried: tokio::sync::Mutex<Option<DateTime<Utc>>>,
}

#[derive(Debug, Default)]
struct Known {
    keys: HashMap<String, Arc<Key>>,
    read: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Written>,
}

/// A key as it is published; others than RSA keys for signatures are left out.
#[derive(Deserialize)]
struct Written {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

impl Keys {
    pub(super) fn of(url: String) -> Self {
        let client = Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none());
        let client = client.build().expect("a client without certificates of its own can be built");
        Self { url, client, known: RwLock::default(), tried: None.into() }
    }

    /// A key by its name.
    ///
    /// # Errors
    /// `true` when nobody can say, because the keys cannot be read; `false` when there is none.
    pub(super) async fn find(&self, kid: &str, now: DateTime<Utc>) -> Result<Arc<Key>, bool> {
        let is_fresh = |known: &Known| known.read.is_some_and(|at| now - at < OLD);
        let known = self.known();
        if let Some(key) = known.keys.get(kid).filter(|_| is_fresh(&known)) {
            return Ok(key.clone());
        }
        self.read(kid, now).await;
        let known = self.known();
        let is_held = known.read.is_some_and(|at| now - at < FORGOTTEN);
        match known.keys.get(kid).filter(|_| is_held) {
            Some(key) => Ok(key.clone()),
            None => Err(!is_fresh(&known)),
        }
    }

    fn known(&self) -> Arc<Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the keys, unless somebody has just tried.
    async fn read(&self, kid: &str, now: DateTime<Utc>) {
        let mut tried = self.tried.lock().await;
        let known = self.known();
        let is_found = known.keys.contains_key(kid) && known.read.is_some_and(|at| now - at < OLD);
        if is_found || tried.is_some_and(|at| (now - at).abs() < PAUSE) {
            return;
        }
        *tried = Some(now);
        match self.fetch().await {
            Ok(keys) => {
                let mut place = self.known.write().unwrap_or_else(PoisonError::into_inner);
                *place = Arc::new(Known { keys, read: Some(now) });
            }
            Err(why) => tracing::warn!(url = self.url, why, "cannot read the keys of an issuer"),
        }
    }

    async fn fetch(&self) -> Result<HashMap<String, Arc<Key>>, String> {
        let sent = self.client.get(&self.url).send().await;
        let mut response = sent.map_err(|error| error.without_url().to_string())?;
        if !response.status().is_success() {
            return Err(format!("status {}", response.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| e.without_url().to_string())? {
            body.extend_from_slice(&chunk);
            if body.len() > LONGEST {
                return Err("the answer is too long".to_owned());
            }
        }
        let document: Document = serde_json::from_slice(&body).map_err(|e| e.to_string())?;
        Ok(document.keys.into_iter().filter_map(Written::key).collect())
    }
}

impl Written {
    fn key(self) -> Option<(String, Arc<Key>)> {
        let is_ours = self.kty == "RSA"
            && self.usage.is_none_or(|usage| usage == "sig")
            && self.alg.is_none_or(|alg| alg == "RS256");
        let number = |text: Option<String>| URL_SAFE_NO_PAD.decode(text?).ok();
        let (n, e) = (number(self.n)?, number(self.e)?);
        is_ours.then_some((self.kid?, Arc::new(Key { n, e })))
    }
}
