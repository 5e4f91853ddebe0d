//! In front of all routes: a plain peek whose answer is kept is given it at once. Anything else, also what
//! is no peek at all, goes on to the routes, whose answer to such a peek is the same.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Bytes, HttpBody};
use axum::http::{Method, Request};
use axum::response::Response;
use axum::routing::future::RouteFuture;
use futures::future::Either;
use tower::Service;

use super::app::written;
use super::observe::Around;

/// The whole server.
#[derive(Clone)]
pub struct Front {
    /// All routes.
    pub router: Router,
    around: Arc<Around>,
}

/// What comes before the service in the path of a peek.
const PEEK: &str = "/v1/gate/";

impl Front {
    pub(super) const fn new(router: Router, around: Arc<Around>) -> Self {
        Self { router, around }
    }

    /// The answer that is kept for a request.
    fn kept<B: HttpBody>(&self, request: &Request<B>) -> Option<Response> {
        let app = &self.around.app;
        let asks_nothing_else = request.uri().query().is_none() && request.body().is_end_stream();
        if request.method() != Method::GET || !asks_nothing_else || !app.shared.reads_are_open {
            return None;
        }
        // A name that the path spells in another way is not found here.
        let service = request.uri().path().strip_prefix(PEEK)?;
        let newest = app.shared.latest.look();
        let question = (service, None);
        let (verdict, text) = app.shared.gate.kept(newest.as_ref()?, question, app.now())?;
        app.metrics.peeked_again(verdict);
        let id = self.around.id_of(request.headers());
        tracing::debug!(id = id.to_str().unwrap_or_default(), "answered with what is kept");
        let mut response = written(text);
        self.around.stamp(&mut response, id);
        Some(response)
    }
}

impl<B> Service<Request<B>> for Front
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Either<Ready<Result<Response, Infallible>>, RouteFuture<Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<B>>::poll_ready(&mut self.router, context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self.kept(&request) {
            Some(response) => Either::Left(ready(Ok(response))),
            None => Either::Right(self.router.call(request)),
        }
    }
}
