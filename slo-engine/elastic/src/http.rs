//! Sends requests and reads bounded answers.
//!
//! The `elasticsearch` crate gives the paths and the shapes of errors. It is not asked to send, because its answers can
//! only be read whole, however long they are, and because it follows redirects with the body and the headers.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, Utc};
use elasticsearch::http::headers::{
    AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
};
use elasticsearch::http::response::Exception;
use elasticsearch::http::{StatusCode, Url};

use crate::reply::{reason_of, start_of};
use crate::{Auth, Config, Error};

/// The largest body that is read. The largest answer to one request is about a tenth.
const LIMIT: usize = 16 << 20;

/// A client of one address.
#[derive(Clone)]
pub(crate) struct Http {
    client: reqwest::Client,
    base: Url,
    timeout: Duration,
}

impl std::fmt::Debug for Http {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Http").field("url", &self.url()).finish_non_exhaustive()
    }
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) status: StatusCode,
    pub(crate) body: Vec<u8>,
    pub(crate) date: Option<DateTime<Utc>>,
    retry_after: Option<Duration>,
}

impl Http {
    pub(crate) fn new(config: &Config) -> Result<Self, Error> {
        let mut builder = reqwest::Client::builder()
            .gzip(false)
            .timeout(config.timeout)
            .redirect(reqwest::redirect::Policy::none())
            .default_headers(headers(config)?);
        if let Some(pem) = &config.ca_pem {
            let certificates = reqwest::Certificate::from_pem_bundle(pem).map_err(|e| {
                Error::Setup(format!("the certificates cannot be read: {}", chain(&e)))
            })?;
            builder = builder.tls_certs_merge(certificates);
        }
        let client = builder.build().map_err(|e| Error::Setup(chain(&e)))?;
        Ok(Self { client, base: base(&config.url)?, timeout: config.timeout })
    }

    /// The address, without secrets.
    pub(crate) fn url(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Sends lines of JSON.
    pub(crate) async fn post(&self, path: &str, lines: Vec<u8>) -> Result<Received, Error> {
        let request =
            self.client.post(self.path(path)?).header(CONTENT_TYPE, "application/x-ndjson");
        self.receive(request.body(lines)).await?.or_refused(self.url())
    }

    /// Asks for a page; its status is the caller's affair.
    pub(crate) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Received, Error> {
        self.receive(self.client.get(self.path(path)?).query(query)).await
    }

    fn path(&self, path: &str) -> Result<Url, Error> {
        self.base
            .join(path.trim_start_matches('/'))
            .map_err(|e| Error::Setup(format!("{path}: {e}")))
    }

    async fn receive(&self, request: reqwest::RequestBuilder) -> Result<Received, Error> {
        let mut response = request.send().await.map_err(|e| self.broken(&e))?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.broken(&e))? {
            if body.len() + chunk.len() > LIMIT {
                return Err(Error::TooLarge { url: self.url().to_owned(), limit: LIMIT });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Received {
            status: response.status(),
            body,
            date: date(response.headers()),
            retry_after: retry_after(response.headers()),
        })
    }

    fn broken(&self, error: &reqwest::Error) -> Error {
        let url = self.url().to_owned();
        if error.is_timeout() {
            return Error::Timeout { url, after: self.timeout };
        }
        // That it failed, and where to, is said already.
        let cause = std::error::Error::source(error);
        Error::Unreachable { url, reason: cause.map_or_else(|| chain(error), chain) }
    }

    pub(crate) fn garbage(&self, body: &[u8], reason: impl Into<String>) -> Error {
        Error::Garbage { url: self.url().to_owned(), reason: reason.into(), start: start_of(body) }
    }
}

impl Received {
    /// Itself if the status is 200.
    fn or_refused(self, url: &str) -> Result<Self, Error> {
        let url = url.to_owned();
        match self.status {
            StatusCode::OK => Ok(self),
            StatusCode::TOO_MANY_REQUESTS => {
                Err(Error::Throttled { url, retry_after: self.retry_after, reason: self.reason() })
            }
            status => Err(Error::Status { url, status: status.as_u16(), reason: self.reason() }),
        }
    }

    /// What an answer that is no success says about it.
    pub(crate) fn reason(&self) -> String {
        match serde_json::from_slice::<Exception>(&self.body) {
            Ok(exception) => reason_of(exception.error()),
            Err(_) if self.body.is_empty() => "an empty answer".to_owned(),
            Err(_) => start_of(&self.body),
        }
    }
}

fn base(url: &str) -> Result<Url, Error> {
    let wrong = |why: String| Error::Setup(why);
    let mut base = Url::parse(url).map_err(|e| wrong(format!("the url is not an address: {e}")))?;
    if !base.username().is_empty() || base.password().is_some() {
        return Err(wrong(
            "the url holds a user or a password; write them under `auth`".to_owned(),
        ));
    }
    if !matches!(base.scheme(), "http" | "https") {
        return Err(wrong(format!("`{}` is not http or https", base.scheme())));
    }
    base.set_query(None);
    base.set_fragment(None);
    if !base.path().ends_with('/') {
        base.set_path(&format!("{}/", base.path()));
    }
    Ok(base)
}

fn headers(config: &Config) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    for (name, value) in &config.headers {
        let header: HeaderName = name
            .parse()
            .map_err(|_| Error::Setup(format!("`{name}` cannot be the name of a header")))?;
        headers.insert(header, secret(name, value)?);
    }
    let authorization = match &config.auth {
        Auth::None => return Ok(headers),
        Auth::Basic { username, password } => {
            format!("Basic {}", BASE64.encode(format!("{username}:{password}")))
        }
        Auth::ApiKey(pair) if pair.contains(':') => format!("ApiKey {}", BASE64.encode(pair)),
        Auth::ApiKey(encoded) => format!("ApiKey {encoded}"),
        Auth::Bearer(token) => format!("Bearer {token}"),
    };
    headers.insert(AUTHORIZATION, secret("auth", &authorization)?);
    Ok(headers)
}

fn secret(name: &str, value: &str) -> Result<HeaderValue, Error> {
    let mut header = HeaderValue::from_str(value).map_err(|_| {
        Error::Setup(format!("the value of {name} holds characters that a header cannot carry"))
    })?;
    header.set_sensitive(true);
    Ok(header)
}

fn date(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    let text = headers.get("date")?.to_str().ok()?;
    DateTime::parse_from_rfc2822(text).ok().map(|date| date.with_timezone(&Utc))
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get("retry-after")?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// An error with all its causes, the outermost first.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        next = cause.source();
    }
    text
}
