//! What the server answers, every route in one list. Handlers read the newest snapshot; only
//! histories ask the database. Where it listens, and whether it may, is the caller's.

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use serde::Deserialize;
use serde_json::Value;
use slo_core::time::Span;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

use crate::clock::Clock;
use crate::evaluate::snapshot::Latest;
use crate::gate::Gate;
use crate::oidc::Verifier;
use crate::record::verdicts::Verdicts;
use crate::store::Store;
use crate::token::Tokens;
use app::App;

mod adapters;
mod app;
#[cfg(test)]
mod arbitrary;
mod attribution;
mod body;
mod caller;
mod connections;
mod deployments;
mod described;
mod exclusions;
mod front;
mod gate;
mod health;
mod history;
mod incidents;
mod jwks;
mod metrics;
mod observe;
mod openapi;
mod page;
mod place;
mod problem;
mod query;
mod services;
mod slos;
mod tls;
mod ui;
#[cfg(test)]
pub(crate) mod world;

pub use adapters::callbacks::Callbacks;
pub use adapters::{Adapters, Renamed};
pub use connections::serve;
pub use front::Front;
pub use tls::{Certificate, TlsError, TlsFiles};

/// What the answers are made from.
pub struct Shared {
    /// The newest snapshot.
    pub latest: Latest,
    /// The ledger, for histories.
    pub store: Store,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// What is known beside budgets, and the record.
    pub gate: Arc<Gate>,
    /// Who may ask.
    pub tokens: Tokens,
    /// Job tokens of CI systems.
    pub oidc: Verifier,
    /// Who signs verdicts.
    pub verdicts: Arc<Verdicts>,
    /// Whether whoever reaches the server may read.
    pub reads_are_open: bool,
    /// What callers with a wire of their own call services and environments.
    pub adapters: Adapters,
    /// How often there should be a new snapshot.
    pub tick: Span,
}

/// How large one may be that holds two objects of Kubernetes, each with up to 1.5 MiB.
const LARGEST_BODY: usize = 4 << 20;

/// Every route.
#[expect(clippy::too_many_lines, reason = "all routes are in one list")]
fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::with_openapi(openapi::empty())
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(metrics::metrics))
        .routes(routes!(jwks::show))
        .routes(routes!(described::openapi))
        .routes(routes!(described::docs))
        .routes(routes!(services::list))
        .routes(routes!(services::show))
        .routes(routes!(slos::list))
        .routes(routes!(slos::show))
        .routes(routes!(slos::of_groups))
        .routes(routes!(history::show))
        .routes(routes!(attribution::show))
        .routes(routes!(gate::peek))
        .routes(routes!(gate::watch::watch))
        .routes(routes!(gate::decisions::decide, gate::decisions::list))
        .routes(routes!(gate::decisions::show))
        .routes(routes!(gate::overrides::create, gate::overrides::list))
        .routes(routes!(gate::overrides::approve))
        .routes(routes!(gate::overrides::revoke))
        .routes(routes!(deployments::create, deployments::list))
        .routes(routes!(deployments::show))
        .routes(routes!(incidents::report, incidents::list))
        .routes(routes!(incidents::close))
        .routes(routes!(exclusions::create, exclusions::list))
        .routes(routes!(exclusions::approve))
        .routes(routes!(exclusions::remove))
        .routes(routes!(adapters::flagger::call))
        .routes(routes!(adapters::flagger::call_by_secret))
        .routes(routes!(
            adapters::argo_rollouts::call,
            adapters::argo_rollouts::get,
            adapters::argo_rollouts::put
        ))
        .routes(routes!(
            adapters::argo_rollouts::call_by_secret,
            adapters::argo_rollouts::get_by_secret,
            adapters::argo_rollouts::put_by_secret
        ))
        .routes(routes!(adapters::admission::call).layer(DefaultBodyLimit::max(LARGEST_BODY)))
        .routes(
            routes!(adapters::admission::call_by_secret).layer(DefaultBodyLimit::max(LARGEST_BODY)),
        )
        .routes(routes!(adapters::alertmanager::call))
        .routes(routes!(adapters::github::call))
        .routes(routes!(adapters::gitlab::call))
        .routes(routes!(adapters::terraform::call))
        .routes(routes!(ui::decisions::list))
        .routes(routes!(ui::decisions::show))
        .routes(routes!(ui::slo::show))
}

/// The whole server.
pub fn router(shared: Arc<Shared>) -> Front {
    start(shared).0
}

/// The whole server, and what answers by calls of its own.
pub fn start(shared: Arc<Shared>) -> (Front, Callbacks) {
    let gate = Arc::clone(&shared.gate);
    shared.latest.prepares(move |before, next| gate.prepare(before, next));
    let app = Arc::new(App::new(shared));
    let (routes, _) = routes().split_for_parts();
    // Where reads are open there is nothing to guard, and a peek is worth the microsecond.
    let routes = match app.shared.reads_are_open {
        true => routes,
        false => routes.layer(from_fn_with_state(Arc::clone(&app), caller::guard)),
    };
    let around = observe::Around::new(&app, observe::LIMITS);
    let router = observe::layered(routes, &around).with_state(Arc::clone(&app));
    (Front::new(router, around), Callbacks(app))
}

/// The description of all routes, OpenAPI 3.1.
#[must_use]
pub fn openapi() -> Value {
    openapi::document(&routes().into_openapi())
}

/// The query string of routes that take none.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}
