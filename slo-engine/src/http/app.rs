//! What handlers are given: the newest snapshot, the time, and how answers are written.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::adapters::{github, outgoing};
use super::metrics::Metrics;
use super::problem::Problem;
use super::{Shared, described};
use crate::declared::Declared;
use crate::evaluate::snapshot::Snapshot;
use crate::record::Records;

/// What all handlers share.
pub(super) struct App {
    pub(super) shared: Arc<Shared>,
    pub(super) metrics: Metrics,
    /// Says that there is a question to answer by a call.
    pub(super) callbacks: Notify,
    /// The client of such calls. It and what follows is made when it is needed: none of it is for the
    /// first verdict after a start.
    pub(super) outgoing: LazyLock<reqwest::Client>,
    /// Tokens of the GitHub App.
    pub(super) github: github::Access,
    /// `/openapi.json`.
    pub(super) openapi: LazyLock<Bytes>,
    /// `/docs`.
    pub(super) docs: LazyLock<Bytes>,
}

impl App {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            metrics: Metrics::new(Arc::clone(&shared)),
            callbacks: Notify::new(),
            outgoing: LazyLock::new(outgoing::client),
            github: github::Access::default(),
            docs: LazyLock::new(|| described::page(&super::openapi()).into()),
            openapi: LazyLock::new(|| format!("{:#}\n", super::openapi()).into()),
            shared,
        }
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.shared.clock.now()
    }

    /// The newest snapshot.
    ///
    /// # Errors
    /// Before the first one.
    pub(super) fn snapshot(&self) -> Result<Arc<Snapshot>, Problem> {
        self.shared.latest.get().ok_or_else(|| self.not_yet())
    }

    /// What verdicts on a service go by: the newest snapshot, or before the first its part of that.
    ///
    /// # Errors
    /// When neither is there in time.
    pub(super) async fn snapshot_of(&self, service: &str) -> Result<Arc<Snapshot>, Problem> {
        if let Some(newest) = self.shared.latest.get() {
            return Ok(newest);
        }
        let found = timeout(START_WITHIN, self.shared.latest.of(service)).await;
        found.ok().flatten().ok_or_else(|| self.not_yet())
    }

    /// What the files declare.
    ///
    /// # Errors
    /// Before that is known.
    pub(super) fn declared(&self) -> Result<Arc<Declared>, Problem> {
        self.shared.latest.declared().ok_or_else(|| self.not_yet())
    }

    /// Lets a request wait for the first snapshot while that is being made; it has nothing to answer
    /// from before.
    pub(super) async fn wait_for_start(&self) {
        drop(timeout(START_WITHIN, self.shared.latest.whole()).await);
    }

    fn not_yet(&self) -> Problem {
        let soon = u64::try_from(self.shared.tick.as_millis() / 1_000).unwrap_or(1);
        Problem::unavailable("nothing has been evaluated yet").again_after(soon)
    }
}

/// How long a request waits for the first snapshot: callers are promised an answer within 3 s, and a
/// decision waits for its record, too.
const START_WITHIN: Duration = Duration::from_millis(1_500);

impl App {
    /// What was recorded.
    pub(super) fn records(&self) -> Records {
        Records::of(self.shared.gate.store().clone())
    }
}

/// An answer, written once.
///
/// # Errors
/// When it has no JSON.
pub(super) fn json(value: &impl Serialize) -> Result<Response, Problem> {
    let mut text = Vec::with_capacity(4_096);
    serde_json::to_writer(&mut text, value).map_err(|error| unwritten(&error))?;
    Ok(written(text))
}

/// An answer that has no JSON.
pub(super) fn unwritten(error: &serde_json::Error) -> Problem {
    tracing::error!(%error, "cannot write an answer as JSON");
    Problem::internal()
}

/// An answer that is JSON already.
pub(super) fn written(text: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}
