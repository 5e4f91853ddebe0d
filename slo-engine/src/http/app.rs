//! What handlers are given: the newest snapshot, the time, and how answers are written.

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::sync::Notify;

use super::adapters::{github, outgoing};
use super::metrics::Metrics;
use super::problem::Problem;
use super::{Shared, described};
use crate::evaluate::snapshot::Snapshot;
use crate::record::Records;

/// What all handlers share.
pub(super) struct App {
    pub(super) shared: Arc<Shared>,
    pub(super) metrics: Metrics,
    /// Says that there is a question to answer by a call.
    pub(super) callbacks: Notify,
    /// The client of such calls.
    pub(super) outgoing: reqwest::Client,
    /// Tokens of the GitHub App.
    pub(super) github: github::Access,
    /// `/openapi.json`.
    pub(super) openapi: Bytes,
    /// `/docs`.
    pub(super) docs: Bytes,
}

impl App {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let openapi = super::openapi();
        Self {
            metrics: Metrics::new(Arc::clone(&shared)),
            callbacks: Notify::new(),
            outgoing: outgoing::client(),
            github: github::Access::default(),
            docs: described::page(&openapi).into(),
            openapi: format!("{openapi:#}\n").into(),
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
        self.shared.latest.get().ok_or_else(|| {
            let soon = u64::try_from(self.shared.tick.as_millis() / 1_000).unwrap_or(1);
            Problem::unavailable("nothing has been evaluated yet").again_after(soon)
        })
    }
}

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
    serde_json::to_writer(&mut text, value).map_err(unwritten)?;
    Ok(written(text))
}

/// An answer that has no JSON.
pub(super) fn unwritten(error: serde_json::Error) -> Problem {
    tracing::error!(%error, "cannot write an answer as JSON");
    Problem::internal()
}

/// An answer that is JSON already.
pub(super) fn written(text: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}
