//! Who asks, by the machine token of the request. Writes always need one; reads need one as soon as
//! others than this machine can reach the server.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::app::App;
use super::problem::Problem;
use crate::token::{Principal, Refused, Scope};

/// Whoever asks has a valid token.
pub(super) struct Caller(pub(super) Arc<Principal>);

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        // Where reads need a token as well, it has been checked already.
        match parts.extensions.remove::<Arc<Principal>>() {
            Some(principal) => Ok(Self(principal)),
            None => authenticate(app, &parts.headers).await.map(Self),
        }
    }
}

impl Caller {
    /// # Errors
    /// When the token may not do this to a service in an environment.
    pub(super) fn needs(
        &self,
        scope: Scope,
        service: &str,
        environment: Option<&str>,
    ) -> Result<(), Problem> {
        if self.0.may(scope, service, environment) {
            return Ok(());
        }
        let place = environment.map_or_else(String::new, |e| format!(" in {e}"));
        Err(Problem::forbidden(format!(
            "{} lacks the scope `{scope}` for {service}{place}; `slo-engine token create` gives it",
            self.0.name
        )))
    }
}

async fn authenticate(app: &App, headers: &HeaderMap) -> Result<Arc<Principal>, Problem> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = given.and_then(|text| {
        let (scheme, token) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let Some(bearer) = bearer else {
        let said = "this needs a machine token: `Authorization: Bearer hr_...`, made by `slo-engine \
            token create`";
        return Err(Problem::unauthorized(said));
    };
    app.shared.tokens.check(bearer, app.now()).await.map_err(|refused| match refused {
        Refused::TooOften { retry_after } => {
            let seconds = retry_after.as_secs_f64().ceil() as u64;
            Problem::too_many("this token asks too often").again_after(seconds)
        }
        refused => Problem::unauthorized(refused.to_string()),
    })
}

/// Paths that tell nothing of anybody's services.
pub(super) const OPEN: [&str; 2] = ["/healthz", "/readyz"];

/// Lets a request pass with a valid token.
pub(super) async fn guard(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    if OPEN.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    match authenticate(&app, request.headers()).await {
        Ok(principal) => {
            request.extensions_mut().insert(principal);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}
