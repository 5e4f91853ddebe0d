//! Pages for people: plain HTML that needs no script.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use budget_gate::words;
use chrono::{DateTime, Utc};
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

use super::problem::Problem;

pub(super) mod decisions;
pub(super) mod slo;

/// A page holds its style, and needs nothing else from anywhere.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
    form-action 'self'; frame-ancestors 'none'";

static PAGES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut pages = Environment::new();
    pages.set_undefined_behavior(UndefinedBehavior::Strict);
    pages.add_filter("instant", instant);
    pages.add_filter("percent", words::percent);
    pages.add_filter("count", words::number);
    for (name, text) in [
        ("layout.html", include_str!("../../templates/ui/layout.html")),
        ("decision.html", include_str!("../../templates/ui/decision.html")),
        ("slo.html", include_str!("../../templates/ui/slo.html")),
        ("decisions.html", include_str!("../../templates/ui/decisions.html")),
    ] {
        pages.add_template(name, text).expect("a test renders every page");
    }
    pages
});

/// An instant of JSON as people read it.
fn instant(text: &str) -> String {
    text.parse::<DateTime<Utc>>().map_or_else(|_| text.to_owned(), words::instant)
}

/// A page.
fn page(name: &str, shown: &impl Serialize) -> Result<Response, Problem> {
    let rendered = PAGES
        .get_template(name)
        .and_then(|page| page.render(minijinja::Value::from(minijinja::value::Serde(shown))));
    let text = rendered.map_err(|error| {
        tracing::error!(%error, page = name, "cannot render a page");
        Problem::internal()
    })?;
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
    ];
    Ok((headers, text).into_response())
}
