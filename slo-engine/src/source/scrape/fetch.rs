//! Asks one target for its page, within a time and a size. Does not parse it, and does not retry:
//! the next scrape is the retry.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, DATE, HeaderName, LOCATION};
use reqwest::{Client, ClientBuilder, Response, StatusCode};

use super::target::Target;
use super::text::Format;

#[cfg(test)]
mod tests;

/// What is asked for; Prometheus 3 sends the same, so that UTF-8 names come unescaped.
const ACCEPTED: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8,\
                        text/plain;version=0.0.4;q=0.5";

/// How long the body of a refusal may take: the refusal itself is the news.
const EXCERPT_WAIT: Duration = Duration::from_millis(500);

/// What one scrape may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For the whole of it, from connecting to the last byte.
    pub timeout: Duration,
    /// Bytes of the body after decompression.
    pub body: usize,
}

impl Default for Limits {
    /// 10 s and 16 MiB.
    fn default() -> Self {
        Self { timeout: Duration::from_secs(10), body: 16 << 20 }
    }
}

/// A page that came whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The body, decompressed.
    pub text: String,
    /// The format that its `Content-Type` announced.
    pub format: Format,
    /// When the scrape began: the instant of all samples without a timestamp of their own.
    pub started: DateTime<Utc>,
    /// The target's clock by its `Date` header, in whole seconds.
    pub date: Option<DateTime<Utc>>,
}

/// The step that failed.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No connection, or no answer that is HTTP.
    #[error("asking {target} failed")]
    Ask {
        /// The target.
        target: String,
        /// Why.
        source: reqwest::Error,
    },
    /// Not done in time.
    #[error(
        "{target} did not send its whole page within {timeout:?} ({bytes} bytes came); \
         make it faster or raise the source's timeout"
    )]
    Timeout {
        /// The target.
        target: String,
        /// The limit.
        timeout: Duration,
        /// Bytes of the body that came until then.
        bytes: usize,
    },
    /// An answer that points elsewhere.
    #[error(
        "{target} redirects to {location}; redirects are not followed, \
         configure the address that answers itself"
    )]
    Redirect {
        /// The target.
        target: String,
        /// The `Location`, escaped.
        location: String,
    },
    /// Not 200.
    #[error("{target} answered {status} instead of 200 OK{excerpt}")]
    Status {
        /// The target.
        target: String,
        /// The status.
        status: StatusCode,
        /// The beginning of the body, escaped, with its introduction; may be empty.
        excerpt: String,
    },
    /// A page of another kind.
    #[error(
        "{target} sent {content_type}{excerpt}; \
         metrics are text/plain or application/openmetrics-text, check the path"
    )]
    ContentType {
        /// The target.
        target: String,
        /// What was announced.
        content_type: String,
        /// The beginning of the body, escaped, with its introduction; may be empty.
        excerpt: String,
    },
    /// Compressed in a way that was not offered.
    #[error("{target} sent its page with Content-Encoding {encoding}, which was not asked for")]
    Encoding {
        /// The target.
        target: String,
        /// What was announced.
        encoding: String,
    },
    /// Larger than allowed.
    #[error(
        "{target} sent more than {limit} bytes (decompressed), so its page was refused; \
         expose fewer series or raise the limit"
    )]
    TooLarge {
        /// The target.
        target: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// Broke off, or could not be decompressed.
    #[error("the page of {target} broke off after {bytes} bytes")]
    Body {
        /// The target.
        target: String,
        /// Bytes of the body that came until then.
        bytes: usize,
        /// Why.
        source: reqwest::Error,
    },
    /// Not UTF-8.
    #[error("the page of {target} is not UTF-8 in line {line}; expose UTF-8 text")]
    Utf8 {
        /// The target.
        target: String,
        /// The line, from 1.
        line: usize,
        /// Where exactly.
        source: std::str::Utf8Error,
    },
}

/// Finishes a client that is fit for scraping: it never follows a redirect.
///
/// # Errors
/// What the builder refuses, for example a CA file that is none.
pub fn client(builder: ClientBuilder) -> Result<Client, reqwest::Error> {
    builder.redirect(reqwest::redirect::Policy::none()).build()
}

/// Asks the target once. `now` is the scrape's start.
///
/// # Errors
/// The step that failed; then there are no samples at all.
pub async fn fetch(
    client: &Client,
    target: &Target,
    limits: Limits,
    now: DateTime<Utc>,
) -> Result<Page, FetchError> {
    let mut bytes = Vec::new();
    let reading = read(client, target, limits.body, &mut bytes);
    let outcome = tokio::time::timeout(limits.timeout, reading).await;
    let (format, date) = outcome.map_err(|_| FetchError::Timeout {
        target: target.to_string(),
        timeout: limits.timeout,
        bytes: bytes.len(),
    })??;
    let text = utf8(bytes, target)?;
    Ok(Page { text, format, started: now, date })
}

type Head = (Format, Option<DateTime<Utc>>);

async fn read(
    client: &Client,
    target: &Target,
    limit: usize,
    bytes: &mut Vec<u8>,
) -> Result<Head, FetchError> {
    let asked = client.get(target.url().clone()).header(ACCEPT, ACCEPTED).send().await;
    let mut response = asked
        .map_err(|e| FetchError::Ask { target: target.to_string(), source: e.without_url() })?;
    let format = accept(&mut response, target).await?;
    let too_large = || FetchError::TooLarge { target: target.to_string(), limit };
    if response.content_length().is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    while let Some(chunk) = response.chunk().await.map_err(|e| FetchError::Body {
        target: target.to_string(),
        bytes: bytes.len(),
        source: e.without_url(),
    })? {
        if bytes.len() + chunk.len() > limit {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok((format, date(&response)))
}

/// The format of an answer that may be read, or why it may not.
async fn accept(response: &mut Response, target: &Target) -> Result<Format, FetchError> {
    let status = response.status();
    if status.is_redirection() && response.headers().contains_key(LOCATION) {
        let location = header(response, &LOCATION).unwrap_or_default();
        return Err(FetchError::Redirect { target: target.to_string(), location });
    }
    if response.url() != target.url() {
        let location = response.url().to_string();
        return Err(FetchError::Redirect { target: target.to_string(), location });
    }
    if status != StatusCode::OK {
        let (target, excerpt) = (target.to_string(), excerpt(response).await);
        return Err(FetchError::Status { target, status, excerpt });
    }
    if let Some(encoding) = header(response, &CONTENT_ENCODING).filter(|e| e != "identity") {
        return Err(FetchError::Encoding { target: target.to_string(), encoding });
    }
    let announced = header(response, &CONTENT_TYPE);
    let Some(format) = announced.as_deref().and_then(Format::of_content_type) else {
        let content_type = announced.unwrap_or_else(|| "no Content-Type".to_owned());
        let (target, excerpt) = (target.to_string(), excerpt(response).await);
        return Err(FetchError::ContentType { target, content_type, excerpt });
    };
    Ok(format)
}

/// The first bytes of a body that is refused anyway.
async fn excerpt(response: &mut Response) -> String {
    let first = tokio::time::timeout(EXCERPT_WAIT, response.chunk()).await;
    match first {
        Ok(Ok(Some(chunk))) => format!(", beginning with `{}`", escaped(&chunk)),
        Ok(Ok(None) | Err(_)) | Err(_) => String::new(),
    }
}

fn header(response: &Response, name: &HeaderName) -> Option<String> {
    response.headers().get(name).map(|value| escaped(value.as_bytes()))
}

/// At most 120 bytes, as one line that a terminal may show.
fn escaped(bytes: &[u8]) -> String {
    const SHOWN: usize = 120;
    let shown = &bytes[..bytes.len().min(SHOWN)];
    let more = if shown.len() < bytes.len() { "..." } else { "" };
    let text = String::from_utf8_lossy(shown);
    text.chars()
        .map(|c| if c.is_control() { c.escape_debug().to_string() } else { c.to_string() })
        .chain([more.to_owned()])
        .collect()
}

fn date(response: &Response) -> Option<DateTime<Utc>> {
    let text = response.headers().get(DATE)?.to_str().ok()?;
    DateTime::parse_from_rfc2822(text).ok().map(|date| date.with_timezone(&Utc))
}

fn utf8(bytes: Vec<u8>, target: &Target) -> Result<String, FetchError> {
    String::from_utf8(bytes).map_err(|error| {
        let source = error.utf8_error();
        let good = &error.as_bytes()[..source.valid_up_to()];
        let line = 1 + good.iter().filter(|b| **b == b'\n').count();
        FetchError::Utf8 { target: target.to_string(), line, source }
    })
}
