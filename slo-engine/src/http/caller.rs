//! Who asks, by the machine token of the request. Writes always need one; reads need one as soon as
//! others than this machine can reach the server. A caller that can send no header has its token in the
//! path.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::adapters::WITHIN;
use super::app::App;
use super::problem::Problem;
use crate::oidc::NotAccepted;
use crate::token::{Principal, Refused, Scope};

/// Whoever asks has a valid token; and how long it took to know: the keys of job tokens may have to be
/// read first. The time that a body takes does not count: whoever sends one slowly gets no unrecorded
/// answer by it.
#[derive(Clone)]
pub(super) struct Caller(pub(super) Arc<Principal>, pub(super) Duration);

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        // Where reads need a token as well, it has been checked already.
        if let Some(caller) = parts.extensions.remove::<Self>() {
            return Ok(caller);
        }
        let began = Instant::now();
        let principal = match secret(parts, app).await {
            Some(secret) => by_secret(app, &secret).await,
            None => authenticate(app, &parts.headers).await,
        };
        Ok(Self(principal?, began.elapsed()))
    }
}

/// How routes end whose last part says who asks.
const SECRET: &str = "/t/{secret}";

/// Whether the path of a route says who asks.
fn has_secret(extensions: &axum::http::Extensions) -> bool {
    extensions.get::<MatchedPath>().is_some_and(|route| route.as_str().ends_with(SECRET))
}

async fn secret(parts: &mut Parts, app: &Arc<App>) -> Option<String> {
    if !has_secret(&parts.extensions) {
        return None;
    }
    let params = RawPathParams::from_request_parts(parts, app).await.ok()?;
    params.iter().find(|(name, _)| *name == "secret").map(|(_, value)| value.to_owned())
}

/// A path with a wrong secret is no path of the server.
async fn by_secret(app: &App, secret: &str) -> Result<Arc<Principal>, Problem> {
    app.shared.tokens.check_secret(secret, app.now()).await.map_err(|refused| match refused {
        Refused::TooOften { retry_after } => too_often(retry_after),
        _ => Problem::plain(StatusCode::NOT_FOUND),
    })
}

/// A path as it may be shown: without a secret that stands in it.
pub(super) fn shown(path: &str) -> String {
    match path.split_once("/t/").filter(|_| path.starts_with("/v1/adapters/")) {
        Some((before, _)) => format!("{before}/t/***"),
        None => path.to_owned(),
    }
}

fn too_often(retry_after: Duration) -> Problem {
    let seconds = retry_after.as_secs_f64().ceil() as u64;
    Problem::too_many("this token asks too often").again_after(seconds)
}

impl Caller {
    /// What is left of the time within which an answer is promised.
    pub(super) fn left(&self) -> Duration {
        WITHIN.saturating_sub(self.1)
    }

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
    // A job token has three parts; a machine token has none.
    if bearer.contains('.') {
        return by_job(app, bearer).await;
    }
    let checked = app.shared.tokens.check(bearer, app.now()).await;
    let principal = checked.map_err(|refused| match refused {
        Refused::TooOften { retry_after } => too_often(retry_after),
        refused => Problem::unauthorized(refused.to_string()),
    })?;
    // It stands in addresses, and whoever can read those is not to have more than an adapter has.
    if principal.is_for_paths() {
        let said =
            format!("{} is for the path of an adapter only: /v1/adapters/...", principal.name);
        return Err(Problem::unauthorized(said));
    }
    Ok(principal)
}

async fn by_job(app: &App, token: &str) -> Result<Arc<Principal>, Problem> {
    app.shared.oidc.check(token, app.now()).await.map_err(|refused| match refused {
        NotAccepted::TooOften { retry_after, .. } => too_often(retry_after),
        NotAccepted::Unreadable(_) => Problem::unavailable(refused.to_string()).again_after(30),
        NotAccepted::Wrong(_) => Problem::unauthorized(refused.to_string()),
    })
}

/// Paths whose callers sign what they send.
pub(super) const SIGNED: [&str; 3] =
    ["/v1/adapters/github", "/v1/adapters/gitlab", "/v1/adapters/terraform"];

/// Paths that tell nothing of anybody's services.
pub(super) const OPEN: [&str; 3] = ["/healthz", "/readyz", "/.well-known/jwks.json"];

/// Lets a request pass with a valid token.
pub(super) async fn guard(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    if OPEN.contains(&path) || SIGNED.contains(&path) || has_secret(request.extensions()) {
        return next.run(request).await;
    }
    let began = Instant::now();
    match authenticate(&app, request.headers()).await {
        Ok(principal) => {
            request.extensions_mut().insert(Caller(principal, began.elapsed()));
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}
