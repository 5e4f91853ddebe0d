//! Sends one request over kept-alive connections and reads its whole answer.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::Deserialize;
use tokio::time::timeout;

/// Larger answers are read, but not for an id.
const MAX_CREATED_BYTES: usize = 64 * 1024;

#[derive(Debug, Clone)]
pub(crate) struct Client {
    pool: Pool<HttpConnector, Body>,
    timeout: Duration,
}

/// A whole answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    /// The product that a create made.
    pub(crate) created: Option<u64>,
}

/// Why there was no whole answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TransportError {
    Connect,
    Timeout,
    /// The connection broke, or what came over it was no HTTP.
    Other,
}

impl Client {
    pub(crate) fn new(timeout: Duration, connections: usize) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(connections)
            .build(connector);
        Self { pool, timeout }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Result<Answer, TransportError> {
        timeout(self.timeout, self.exchange(request)).await.unwrap_or(Err(TransportError::Timeout))
    }

    async fn exchange(&self, request: Request<Body>) -> Result<Answer, TransportError> {
        let response = self.pool.request(request).await.map_err(|error| {
            if error.is_connect() { TransportError::Connect } else { TransportError::Other }
        })?;
        let code = response.status().as_u16();
        let created = match response.status() {
            StatusCode::CREATED => created_id(response).await?,
            _ => {
                discard(response).await?;
                None
            }
        };
        Ok(Answer { code, created })
    }
}

/// Reads to the end without keeping anything, so that the connection can be used again.
async fn discard(response: Response<impl BodyExt + Unpin>) -> Result<(), TransportError> {
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        frame.map_err(|_| TransportError::Other)?;
    }
    Ok(())
}

async fn created_id<B>(response: Response<B>) -> Result<Option<u64>, TransportError>
where
    B: BodyExt,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    #[derive(Deserialize)]
    struct Created {
        id: u64,
    }
    let body = Limited::new(response.into_body(), MAX_CREATED_BYTES);
    let bytes = body.collect().await.map_err(|_| TransportError::Other)?.to_bytes();
    Ok(serde_json::from_slice::<Created>(&bytes).ok().map(|created| created.id))
}
