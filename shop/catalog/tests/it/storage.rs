//! A repository whose storage does not answer: 503 everywhere, and not ready.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use chrono::{DateTime, Utc};
use shop_catalog::clock::Clock;
use shop_catalog::log::Log;
use shop_catalog::metrics::Metrics;
use shop_catalog::product::{Details, Product};
use shop_catalog::repository::{Answer, Page, Repository, RepositoryError, Slice};
use shop_catalog::{App, router};
use tower::ServiceExt;

struct Gone;

fn gone<'a, T: Send + 'a>() -> Answer<'a, T> {
    Box::pin(async { Err(RepositoryError::Unavailable("connection refused".into())) })
}

impl Repository for Gone {
    fn list(&self, _: Page) -> Answer<'_, Slice> {
        gone()
    }

    fn search<'a>(&'a self, _: &'a str, _: Page) -> Answer<'a, Slice> {
        gone()
    }

    fn get(&self, _: u64) -> Answer<'_, Product> {
        gone()
    }

    fn create(&self, _: Details, _: DateTime<Utc>) -> Answer<'_, Product> {
        gone()
    }

    fn update(&self, _: u64, _: Details, _: DateTime<Utc>) -> Answer<'_, Product> {
        gone()
    }

    fn delete(&self, _: u64) -> Answer<'_, ()> {
        gone()
    }

    fn ready(&self) -> Answer<'_, ()> {
        gone()
    }
}

#[tokio::test]
async fn without_its_storage_the_service_is_alive_not_ready_and_answers_503() {
    let clock = Clock::System;
    let metrics = Metrics::new(clock.now());
    let (log, _writer) = Log::start(Box::new(std::io::sink()), metrics.log_lines_dropped());
    let router = router(App::new(Arc::new(Gone), metrics, log, clock));
    for (path, status) in
        [("/healthz", 200), ("/readyz", 503), ("/products", 503), ("/search?q=x", 503)]
    {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status, "{path}");
    }
}
