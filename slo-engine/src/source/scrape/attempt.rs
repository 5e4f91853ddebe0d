//! One scrape of one target, from question to rows: what Prometheus tells as `up`,
//! `scrape_duration_seconds` and `scrape_samples_scraped`, for failures too.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::Client;

use super::fetch::{self, FetchError, Limits};
use super::target::Target;
use super::text::{self, Row, TextError};
use crate::source::agreement::SKEW_MOST;

/// What came of one scrape.
#[derive(Debug)]
pub struct Attempt {
    /// When it began.
    pub started: DateTime<Utc>,
    /// How long it took, parsing included.
    pub duration: Duration,
    /// The samples, or why there are none.
    pub outcome: Result<Scrape, ScrapeError>,
}

impl Attempt {
    /// Whether the target answered with a page that could be read whole.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        self.outcome.is_ok()
    }

    /// Samples on the page, wanted or not; 0 when the scrape failed.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.outcome.as_ref().map_or(0, |scrape| scrape.samples)
    }
}

/// A page that was read whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Scrape {
    /// The wanted rows, with the target's `job` and `instance` among their labels and an instant
    /// each: its own, else the scrape's start.
    pub rows: Vec<Row>,
    /// All samples of the page, wanted or not.
    pub samples: usize,
    /// The target's clock by its `Date` header, in whole seconds.
    pub date: Option<DateTime<Utc>>,
}

/// The step that failed.
#[derive(Debug, thiserror::Error)]
pub enum ScrapeError {
    /// The page did not come.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The page came and is broken.
    #[error("the page of {target} was refused")]
    Text {
        /// The target.
        target: String,
        /// Where and why.
        source: TextError,
    },
    /// A sample has a timestamp that is still to come: counted, it would hide all until then.
    #[error(
        "the page of {target} was refused: a sample is stamped {seconds} s ahead of our clock; \
         expose no timestamps, or set the target's clock"
    )]
    Ahead {
        /// The target.
        target: String,
        /// By how much.
        seconds: i64,
    },
}

/// Scrapes a target once; `now` is its start. `wanted` is asked for metric names.
pub async fn attempt(
    client: &Client,
    target: &Target,
    limits: Limits,
    now: DateTime<Utc>,
    wanted: impl Fn(&str) -> bool,
) -> Attempt {
    let began = tokio::time::Instant::now();
    let outcome = scrape(client, target, limits, now, wanted).await;
    Attempt { started: now, duration: began.elapsed(), outcome }
}

async fn scrape(
    client: &Client,
    target: &Target,
    limits: Limits,
    now: DateTime<Utc>,
    wanted: impl Fn(&str) -> bool,
) -> Result<Scrape, ScrapeError> {
    let page = fetch::fetch(client, target, limits, now).await?;
    let mut exposition = text::parse(&page.text, page.format, wanted)
        .map_err(|source| ScrapeError::Text { target: target.to_string(), source })?;
    let latest = exposition.rows.iter().filter_map(|row| row.millis).max();
    let seconds = latest.map_or(0, |latest| (latest - now.timestamp_millis()) / 1_000);
    if seconds > SKEW_MOST {
        return Err(ScrapeError::Ahead { target: target.to_string(), seconds });
    }
    for row in &mut exposition.rows {
        row.labels = target.series(&row.labels);
        row.millis = row.millis.or(Some(now.timestamp_millis()));
    }
    Ok(Scrape { rows: exposition.rows, samples: exposition.samples, date: page.date })
}
