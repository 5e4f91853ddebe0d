//! The OpenAPI document: paths come from the handlers, schemas from the types that are serialised.

use std::borrow::Cow;
use std::collections::BTreeMap;

use budget_gate::deployment::Deployment;
use budget_gate::exclusion::Exclusion;
use budget_gate::signed::Jwks;
use budget_gate::{Decision, Kind, Request, Verdict};
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

use super::adapters::{admission, alertmanager, argo_rollouts, flagger, github, gitlab, terraform};
use super::attribution::Attribution;
use super::caller::{OPEN, SIGNED};
use super::gate::{overrides, watch};
use super::history::History;
use super::page::Page;
use super::problem::{self, ProblemDocument};
use super::{deployments, exclusions, health, incidents, services};

/// Where schemas are in the document.
const SCHEMAS: &str = "#/components/schemas/";

/// Groups of operations, in the order of the page.
const TAGS: [(&str, &str); 7] = [
    ("gate", "May this be deployed?"),
    ("adapters", "The same, for callers that have a wire of their own"),
    ("deployments", "What runs where, and what it cost"),
    ("incidents", "What is wrong now"),
    ("exclusions", "Times that are not to count against SLOs"),
    ("budgets", "What is left, and where it went"),
    ("operation", "The engine itself"),
];

/// The schemas of all answers.
fn schemas() -> serde_json::Map<String, Value> {
    let place = |settings: &mut SchemaSettings| settings.definitions_path = SCHEMAS[1..].into();
    let settings = SchemaSettings::draft2020_12().for_serialize().with(place);
    let mut generator = settings.into_generator();
    let mut all = Of(&mut generator);
    all.with::<health::Alive>().with::<health::Ready>().with::<Jwks>().with::<ProblemDocument>();
    all.with::<Page<services::Summary<'_>>>().with::<services::Whole<'_>>();
    all.with::<Page<BudgetView>>().with::<State>();
    all.with::<Attribution>()
        .with::<History>()
        .with::<Decision>()
        .with::<Page<Decision>>()
        .with::<Kind>();
    all.with::<Verdict>().with::<overrides::Shown>().with::<Page<overrides::Shown>>();
    all.with::<watch::Watch>().with::<Deployment>().with::<Page<Deployment>>();
    all.with::<deployments::DeploymentCost>();
    all.with::<incidents::Shown>().with::<Page<incidents::Shown>>();
    all.with::<exclusions::Accepted>().with::<exclusions::Shown>();
    all.with::<Page<exclusions::Shown>>();
    all.with::<argo_rollouts::RolloutVerdict>().with::<admission::AdmissionAnswer>();
    all.with::<alertmanager::AlertsTaken>();
    let mut definitions = generator.take_definitions(true);
    definitions.extend(asked());
    definitions
}

/// The schemas of all bodies.
fn asked() -> serde_json::Map<String, Value> {
    let place = |settings: &mut SchemaSettings| settings.definitions_path = SCHEMAS[1..].into();
    let settings = SchemaSettings::draft2020_12().for_deserialize().with(place);
    let mut generator = settings.into_generator();
    let mut all = Of(&mut generator);
    all.with::<Request>().with::<overrides::NewOverride>();
    all.with::<deployments::NewDeployment>().with::<incidents::NewIncident>();
    all.with::<Exclusion>();
    all.with::<flagger::FlaggerHook>().with::<argo_rollouts::RolloutQuestion>();
    all.with::<admission::AdmissionReview>().with::<alertmanager::AlertGroup>();
    all.with::<github::ProtectionRule>().with::<gitlab::StatusCheck>();
    all.with::<terraform::RunTask>();
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
    document["components"] = serde_json::json!({
        "schemas": schemas(),
        "securitySchemes": {(TOKEN): {"type": "http", "scheme": "bearer", "description": "A machine token"}},
    });
    for (path, operations) in document["paths"].as_object_mut().into_iter().flatten() {
        for (method, operation) in operations.as_object_mut().into_iter().flatten() {
            add_common(path, &mut operation["responses"]);
            if ![&OPEN[..], &SIGNED[..]].concat().contains(&path.as_str()) {
                operation["security"] = security(method);
            }
            if let Some(body) = operation.get_mut("requestBody") {
                body["required"] = true.into();
            }
        }
    }
    document["x-generated"] = "made by `slo-engine openapi`; do not edit".into();
    document
}

/// How callers show who they are.
const TOKEN: &str = "token";

/// Writes always need a token; reads where others than this machine can reach the server.
fn security(method: &str) -> Value {
    match method {
        "get" => serde_json::json!([{(TOKEN): []}, {}]),
        _ => serde_json::json!([{(TOKEN): []}]),
    }
}

/// Answers that every operation may give.
const COMMON: [(&str, &str); 4] = [
    ("400", "A part of the question cannot be read; `errors` names it"),
    ("401", "The request lacks a valid machine token"),
    ("429", "The token asks too often"),
    (
        "503",
        "There is no answer now: nothing has been evaluated lately, or the database cannot be used",
    ),
];

fn add_common(path: &str, responses: &mut Value) {
    let is_open = OPEN.contains(&path);
    for (status, description) in COMMON {
        if !is_open || !["401", "429"].contains(&status) {
            let schema = serde_json::json!({"$ref": format!("{SCHEMAS}Problem")});
            let common = serde_json::json!({
                "description": description,
                "content": {(problem::CONTENT_TYPE): {"schema": schema}},
            });
            // An operation that answers in its caller's words says so itself.
            let own = responses[status].take();
            responses[status] = if own.is_null() { common } else { own };
        }
    }
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

/// The query key `verdict`: the schema that answers have too.
pub(super) struct VerdictKey;

impl PartialSchema for VerdictKey {
    fn schema() -> RefOr<Schema> {
        Ref::new(format!("{SCHEMAS}Verdict")).into()
    }
}

impl ToSchema for VerdictKey {
    fn name() -> Cow<'static, str> {
        "Verdict".into()
    }
}

/// Answer 403.
pub(super) struct Forbidden;
/// Answer 404.
pub(super) struct NotFound;
/// Answer 409.
pub(super) struct Conflict;
/// Answers 413 and 415.
pub(super) struct Unread;
/// The same where two objects of Kubernetes have to fit.
pub(super) struct UnreadReview;
/// Answer 422.
pub(super) struct Unprocessable;

type Responses = BTreeMap<String, RefOr<Response>>;

impl IntoResponses for NotFound {
    fn responses() -> Responses {
        said(404, "There is no such thing")
    }
}

impl IntoResponses for Forbidden {
    fn responses() -> Responses {
        said(403, "The token lacks the scope for this")
    }
}

impl IntoResponses for Conflict {
    fn responses() -> Responses {
        said(409, "It cannot be done as things are now")
    }
}

impl IntoResponses for Unread {
    fn responses() -> Responses {
        unread("The body is larger than 1 MiB")
    }
}

impl IntoResponses for UnreadReview {
    fn responses() -> Responses {
        unread("The body is larger than 4 MiB")
    }
}

impl IntoResponses for Unprocessable {
    fn responses() -> Responses {
        said(422, "The body contradicts what is known")
    }
}

fn unread(too_large: &str) -> Responses {
    let mut both = said(413, too_large);
    both.extend(said(415, "The body is not application/json"));
    both
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
