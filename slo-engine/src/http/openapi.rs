//! The OpenAPI document: paths come from the handlers, schemas from the types that are serialised.

use std::borrow::Cow;
use std::collections::BTreeMap;

use budget_gate::{Decision, Kind};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::Value;
use slo_core::view::{BudgetView, State};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    Content, Info, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Response, ResponseBuilder,
    Schema,
};
use utoipa::{IntoResponses, PartialSchema, ToSchema};

use super::history::History;
use super::page::Page;
use super::problem::{self, ProblemDocument};
use super::{health, services};

/// Where schemas are in the document.
const SCHEMAS: &str = "#/components/schemas/";

/// Groups of operations, in the order of the page.
const TAGS: [(&str, &str); 3] = [
    ("gate", "May this be deployed?"),
    ("budgets", "What is left, and where it went"),
    ("operation", "The engine itself"),
];

/// The schemas of all answers.
fn schemas() -> serde_json::Map<String, Value> {
    let place = |settings: &mut SchemaSettings| settings.definitions_path = SCHEMAS[1..].into();
    let settings = SchemaSettings::draft2020_12().for_serialize().with(place);
    let mut generator = settings.into_generator();
    let mut all = Of(&mut generator);
    all.with::<health::Alive>().with::<health::Ready>().with::<ProblemDocument>();
    all.with::<Page<services::Summary<'_>>>().with::<services::Whole<'_>>();
    all.with::<Page<BudgetView>>().with::<State>();
    all.with::<History>().with::<Decision>().with::<Kind>();
    generator.take_definitions(true)
}

struct Of<'a>(&'a mut SchemaGenerator);

impl Of<'_> {
    fn with<T: JsonSchema>(&mut self) -> &mut Self {
        self.0.subschema_for::<T>();
        self
    }
}

/// The document.
pub(super) fn document(paths: &OpenApi) -> Value {
    let mut document = serde_json::to_value(paths).expect("a document of texts serialises");
    document["components"] = serde_json::json!({ "schemas": schemas() });
    document["x-generated"] = "made by `slo-engine openapi`; do not edit".into();
    document
}

/// The document before there are paths.
pub(super) fn empty() -> OpenApi {
    let said = "Error budgets of services and what they mean for a deploy. JSON is camelCase; \
        instants are RFC 3339 in UTC; shares are numbers 0..1 (`remaining` may be negative); what \
        is not known is null, never 0. Errors are application/problem+json.";
    let info: Info = InfoBuilder::new()
        .title("Headroom")
        .description(Some(said))
        .version(env!("CARGO_PKG_VERSION"))
        .build();
    let tags =
        TAGS.map(|(name, said)| TagBuilder::new().name(name).description(Some(said)).build());
    OpenApiBuilder::new().info(info).tags(Some(tags)).build()
}

/// The query key `kind`: the schema that answers have too.
pub(super) struct KindKey;
/// The query key `state`: the schema that answers have too.
pub(super) struct StateKey;

impl PartialSchema for KindKey {
    fn schema() -> RefOr<Schema> {
        Ref::new(format!("{SCHEMAS}Kind")).into()
    }
}

impl ToSchema for KindKey {
    fn name() -> Cow<'static, str> {
        "Kind".into()
    }
}

impl PartialSchema for StateKey {
    fn schema() -> RefOr<Schema> {
        Ref::new(format!("{SCHEMAS}State")).into()
    }
}

impl ToSchema for StateKey {
    fn name() -> Cow<'static, str> {
        "State".into()
    }
}

/// Answer 400.
pub(super) struct BadRequest;
/// Answer 404.
pub(super) struct NotFound;
/// Answer 503.
pub(super) struct Unavailable;

type Responses = BTreeMap<String, RefOr<Response>>;

impl IntoResponses for BadRequest {
    fn responses() -> Responses {
        said(400, "A part of the question cannot be read; `errors` names it")
    }
}

impl IntoResponses for NotFound {
    fn responses() -> Responses {
        said(404, "There is no such thing")
    }
}

impl IntoResponses for Unavailable {
    fn responses() -> Responses {
        said(503, "Nothing has been evaluated yet, or not lately")
    }
}

fn said(status: u16, description: &str) -> Responses {
    let schema = Ref::new(format!("{SCHEMAS}Problem"));
    let response = ResponseBuilder::new()
        .description(description)
        .content(problem::CONTENT_TYPE, Content::new(Some(schema)))
        .build();
    [(status.to_string(), response.into())].into()
}

#[cfg(test)]
mod tests;
