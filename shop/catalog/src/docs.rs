//! The description of the API for people (`/docs`) and machines (`/openapi.json`), from one source.

use std::fmt::Write;

use axum::http::header;
use axum::response::{Html, IntoResponse};
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::{OpenApi, RefOr, Required};

use crate::problem::ProblemKind;

/// The OpenAPI document.
pub(crate) fn json(openapi: &OpenApi) -> impl IntoResponse + Clone + Send + Sync + 'static {
    let text = openapi.to_json().expect("a document made of texts serializes");
    ([(header::CONTENT_TYPE, "application/json")], text)
}

/// The page: every operation with its parameters, then every kind of problem.
pub(crate) fn page(openapi: &OpenApi) -> Html<String> {
    let mut rows = String::new();
    for (path, item) in &openapi.paths.paths {
        for (method, operation) in operations(item) {
            rows.push_str(&row(method, path, operation));
        }
    }
    let mut problems = String::new();
    for (anchor, title, status) in ProblemKind::ALL.map(ProblemKind::parts) {
        let code = status.as_u16();
        let _ = writeln!(
            problems,
            "<tr id=\"{anchor}\"><td>{code}</td><td>{anchor}</td><td>{title}</td></tr>"
        );
    }
    let page = include_str!("docs.html");
    Html(page.replace("<!-- operations -->", &rows).replace("<!-- problems -->", &problems))
}

fn operations(item: &PathItem) -> impl Iterator<Item = (&'static str, &Operation)> {
    let known =
        [("GET", &item.get), ("POST", &item.post), ("PUT", &item.put), ("DELETE", &item.delete)];
    known.into_iter().filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
}

/// All texts are ours, so nothing here needs escaping.
fn row(method: &str, path: &str, operation: &Operation) -> String {
    let summary = operation.summary.as_deref().unwrap_or_default();
    let parameters: Vec<String> = operation
        .parameters
        .iter()
        .flatten()
        .filter_map(|parameter| match parameter {
            RefOr::T(parameter) => Some(parameter),
            RefOr::Ref(_) => None,
        })
        .map(|parameter| match parameter.required {
            Required::True => parameter.name.clone(),
            Required::False => format!("{}?", parameter.name),
        })
        .collect();
    let codes: Vec<&str> = operation.responses.responses.keys().map(String::as_str).collect();
    format!(
        "<tr><td><code>{method} {path}</code></td><td>{}</td><td>{summary}</td><td>{}</td></tr>\n",
        parameters.join(", "),
        codes.join(", "),
    )
}
