//! One Prometheus API: sends queries, limits answers, and says what went wrong.

use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::StreamExt;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde::de::DeserializeSeed;
use tokio::task::JoinSet;

use super::wire::{Reply, Row, Rows, Series};
use crate::source::client;
use crate::source::config::SourceConfig;
use crate::source::error::{SourceError, chain, start_of};

/// A client for one source.
#[derive(Clone)]
pub struct Api {
    client: prometheus_http_query::Client,
    url: String,
    timeout: Duration,
    /// The largest body that is read.
    limit: usize,
    /// Where the next body is read into: a server's answers are equally long, tick after tick.
    spare: Arc<Mutex<Vec<u8>>>,
}

/// A body is kept for the next one where it takes no more bytes.
const SPARE: usize = 4 << 20;

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").field("url", &self.url).finish_non_exhaustive()
    }
}

/// What an answer is to hold: its `resultType`, and the time of its samples (Unix milliseconds).
#[derive(Clone, Copy)]
pub struct Wanted {
    pub kind: &'static str,
    pub from: i64,
    pub to: i64,
}

/// An answer and when the server says it gave it.
#[derive(Debug)]
pub struct Answer<T> {
    /// What was asked for.
    pub data: T,
    /// The server's `Date`.
    pub date: Option<DateTime<Utc>>,
    /// Whether it is a VictoriaMetrics, which shows samples later than Prometheus does.
    pub shows_late: bool,
}

/// A body, and what its head says.
type Received = Answer<Vec<u8>>;

impl Received {
    /// The same head with what was read from the body.
    fn with<T>(&self, data: T) -> Answer<T> {
        Answer { data, date: self.date, shows_late: self.shows_late }
    }
}

impl Api {
    /// A client as configured.
    ///
    /// # Errors
    /// What cannot be used: an address, a header, a secret, a certificate.
    pub fn new(config: &SourceConfig) -> Result<Self, SourceError> {
        let setup = |reason: String| SourceError::Setup { name: config.name.clone(), reason };
        let timeout = Duration::from_millis(config.timeout.as_millis().unsigned_abs());
        let builder = client::builder(config).map_err(setup)?.gzip(false).timeout(timeout);
        let client = builder.build().map_err(|e| setup(chain(&e)))?;
        let url = config.url.trim_end_matches('/').to_owned();
        let client = prometheus_http_query::Client::from(client, &url)
            .map_err(|e| setup(format!("`{url}` is not an address: {e}")))?;
        // A sample takes about 25 bytes; leave room for labels.
        let limit = config.max_samples.saturating_mul(64).saturating_add(4 << 20);
        Ok(Self { client, url, timeout, limit, spare: Arc::default() })
    }

    /// The address, without secrets.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// An instant query at a time in Unix milliseconds; a range selector gives raw samples.
    ///
    /// # Errors
    /// Why there is no whole answer.
    pub async fn query(
        &self,
        expression: &str,
        at: i64,
    ) -> Result<Answer<Vec<Series>>, SourceError> {
        let received = self.ask(expression, at).await?;
        let kind = if expression.ends_with(']') { "matrix" } else { "vector" };
        let data = self.series(&received.data, Wanted { kind, from: i64::MIN, to: at })?;
        Ok(received.with(data))
    }

    /// The same, not yet read ([`Self::each`]).
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn ask(&self, expression: &str, at: i64) -> Result<Answer<Vec<u8>>, SourceError> {
        let time = format!("{}.{:03}", at.div_euclid(1_000), at.rem_euclid(1_000));
        let request = self.client.query(expression).query("time", time).post_raw();
        let api = self.clone();
        // Beside its connection: here, each piece of the body would wake up another thread.
        let mut asking = JoinSet::new();
        asking.spawn(async move {
            let sent = request.await.map_err(|e| api.failed(&e))?;
            api.body(sent).await
        });
        let answer = asking.join_next().await.expect("one task was spawned");
        answer.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))
    }

    /// Takes each series of an answer.
    ///
    /// # Errors
    /// Why it is no whole answer; of what was taken until then nothing may be used.
    pub fn each(
        &self,
        body: &[u8],
        wanted: Wanted,
        mut take: impl FnMut(Row<'_>) -> serde_json::Result<()>,
    ) -> Result<(), SourceError> {
        let mut take = |row: Row<'_>| match row.fault((wanted.from, wanted.to)) {
            // Counted, one from later would hide all that comes until then.
            Some(fault) => Err(serde::de::Error::custom(fault)),
            None => take(row),
        };
        let kind = self.data(body, Rows(&mut take))?;
        if kind == wanted.kind {
            return Ok(());
        }
        let reason = format!("a result of type `{kind}`, and a {} was asked for", wanted.kind);
        Err(self.garbage(body, reason))
    }

    fn series(&self, body: &[u8], wanted: Wanted) -> Result<Vec<Series>, SourceError> {
        let mut all = Vec::new();
        self.each(body, wanted, |row| Series::of(row).map(|series| all.push(series)))?;
        Ok(all)
    }

    /// A range query; instants and step in Unix milliseconds.
    ///
    /// # Errors
    /// Why there is no whole answer.
    pub async fn query_range(
        &self,
        expression: &str,
        start: i64,
        end: i64,
        step: i64,
    ) -> Result<Answer<Vec<Series>>, SourceError> {
        let step = step as f64 / 1e3;
        let request = self.client.query_range(expression, start / 1_000, end / 1_000, step);
        let sent = request.post_raw().await.map_err(|e| self.failed(&e))?;
        let received = self.body(sent).await?;
        let data = self.series(&received.data, Wanted { kind: "matrix", from: start, to: end })?;
        Ok(received.with(data))
    }

    /// The values that a label has in the series of a selector between two instants (Unix milliseconds).
    ///
    /// # Errors
    /// Why there is no whole answer.
    pub async fn label_values(
        &self,
        label: &str,
        selector: &str,
        from: i64,
        to: i64,
    ) -> Result<Vec<String>, SourceError> {
        let path = format!("{}/api/v1/label/{label}/values", self.url);
        let (from, to) = (from.div_euclid(1_000).to_string(), (to / 1_000 + 1).to_string());
        let query = [("match[]", selector), ("start", from.as_str()), ("end", to.as_str())];
        let sent = self.client.inner().get(path).query(&query).send().await;
        let received = self.body(sent.map_err(|e| self.broken(&e))?).await?;
        self.read(&received.data)
    }

    /// The version of what answers, as its build information says.
    ///
    /// # Errors
    /// Why it does not tell; not every server does.
    pub async fn version(&self) -> Result<String, SourceError> {
        #[derive(Deserialize)]
        struct Build {
            version: String,
        }
        let path = format!("{}/api/v1/status/buildinfo", self.url);
        let sent = self.client.inner().get(path).send().await;
        let received = self.body(sent.map_err(|e| self.broken(&e))?).await?;
        Ok(start_of(self.read::<Build>(&received.data)?.version.as_bytes()))
    }

    /// Takes back a body that has been read.
    pub fn take_back(&self, body: Vec<u8>) {
        if body.capacity() <= SPARE {
            *self.spare() = body;
        }
    }

    fn spare(&self) -> MutexGuard<'_, Vec<u8>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn body(&self, response: reqwest::Response) -> Result<Received, SourceError> {
        let status = response.status();
        // VictoriaMetrics alone names its host so, in every answer.
        let shows_late = response.headers().contains_key("x-server-hostname");
        if status.is_redirection() {
            let to = elsewhere(response.headers());
            return Err(self.status(status.as_u16(), to.as_bytes()));
        }
        let date = date(response.headers());
        let retry_after = retry_after(response.headers());
        let length = response.content_length().map_or(0, |n| usize::try_from(n).unwrap_or(0));
        let mut body = std::mem::take(&mut *self.spare());
        body.clear();
        body.reserve(length.min(self.limit));
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            body.extend_from_slice(&chunk.map_err(|e| self.broken(&e))?);
            if body.len() > self.limit {
                return Err(SourceError::TooLarge { url: self.url.clone(), limit: self.limit });
            }
        }
        if status.as_u16() == 429 {
            return Err(SourceError::Throttled { url: self.url.clone(), retry_after });
        }
        if !status.is_success() {
            // 400, 422 and 503 carry the API's own error when the API sent them.
            return Err(match self.read::<serde::de::IgnoredAny>(&body) {
                Err(refused @ SourceError::Refused { .. }) => refused,
                _ => self.status(status.as_u16(), &body),
            });
        }
        Ok(Answer { data: body, date, shows_late })
    }

    fn read<'a, T: Deserialize<'a>>(&self, body: &'a [u8]) -> Result<T, SourceError> {
        self.data(body, PhantomData)
    }

    fn data<'a, S: DeserializeSeed<'a>>(
        &self,
        body: &'a [u8],
        seed: S,
    ) -> Result<S::Value, SourceError> {
        if body.is_empty() {
            return Err(self.garbage(body, "its answer is empty".to_owned()));
        }
        let reply = Reply::read(body, seed).map_err(|e| self.garbage(body, e.to_string()))?;
        if reply.status != "success" {
            let text =
                |t: Option<std::borrow::Cow<'_, str>>| start_of(t.unwrap_or_default().as_bytes());
            return Err(SourceError::Refused {
                url: self.url.clone(),
                kind: text(reply.error_type),
                message: text(reply.error),
            });
        }
        let mut partial: Vec<String> =
            reply.warnings.into_iter().filter(|w| !w.starts_with("PromQL ")).collect();
        if reply.is_partial {
            partial.push("some of its storage did not answer (isPartial)".to_owned());
        }
        if !partial.is_empty() {
            let warnings = start_of(partial.join("; ").as_bytes());
            return Err(SourceError::Partial { url: self.url.clone(), warnings });
        }
        reply.data.ok_or_else(|| self.garbage(body, "no data".to_owned()))
    }

    fn status(&self, status: u16, body: &[u8]) -> SourceError {
        SourceError::Status { url: self.url.clone(), status, body: start_of(body) }
    }

    fn garbage(&self, body: &[u8], reason: String) -> SourceError {
        SourceError::Garbage { url: self.url.clone(), reason, start: start_of(body) }
    }

    fn failed(&self, error: &prometheus_http_query::Error) -> SourceError {
        let sent = match error {
            prometheus_http_query::Error::Client(e) => e.inner(),
            _ => None,
        };
        let other = || SourceError::Unreachable { url: self.url.clone(), reason: chain(error) };
        sent.map_or_else(other, |e| self.broken(e))
    }

    fn broken(&self, error: &reqwest::Error) -> SourceError {
        if error.is_timeout() {
            return SourceError::Timeout { url: self.url.clone(), after: self.timeout };
        }
        SourceError::Unreachable { url: self.url.clone(), reason: causes(error) }
    }
}

/// Why a request failed; that it did, and where to, is said already.
fn causes(error: &reqwest::Error) -> String {
    let cause = std::error::Error::source(error);
    cause.map_or_else(|| chain(error), chain)
}

/// Where a redirect leads, without what may be secret there.
fn elsewhere(headers: &HeaderMap) -> String {
    let location = headers.get("location").and_then(|to| to.to_str().ok()).unwrap_or("nowhere");
    let place = location.split(['?', '#']).next().unwrap_or_default();
    format!(
        "it redirects to {place}, which is not followed; configure the address that answers itself"
    )
}

fn date(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    let text = headers.get("date")?.to_str().ok()?;
    DateTime::parse_from_rfc2822(text).ok().map(|date| date.with_timezone(&Utc))
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get("retry-after")?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
