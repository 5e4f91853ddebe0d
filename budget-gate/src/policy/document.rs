//! `kind: Policy` of `headroom/v1`: from a document to a [`Policy`], and its JSON Schema.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Deserialize;
use serde_json::Value;
use slo_core::spec::yaml::{self, Document, Spanned};
use slo_core::spec::{Place, SpecError};

use super::hash::hash;
use super::rule::Rule;
use super::scalar::Word;
use super::{Answer, Mode, OnUnrecorded, Overriding, Policy, Treatment};
use crate::decision::Kind;
use crate::select::Applies;

/// When one may deploy.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Policy", rename = "Policy")]
struct PolicyDocument {
    /// Which language this is.
    #[serde(rename = "apiVersion")]
    #[schemars(extend("const" = "headroom/v1"))]
    _api_version: String,
    /// Which kind of document this is.
    #[serde(rename = "kind")]
    #[schemars(extend("const" = "Policy"))]
    _kind: String,
    /// The policy's name; unique.
    policy: Spanned<Word>,
    /// What it is for; what is not named matches everything.
    #[serde(default)]
    applies: Applies,
    /// Whether its verdicts hold; default enforce.
    #[serde(default)]
    mode: Mode,
    /// What it asks of each SLO that gates and of the service.
    rules: Vec<Spanned<Rule>>,
    /// What an unknown verdict becomes. There is no default.
    #[schemars(required)]
    on_unknown: Option<Answer>,
    /// The verdict for a service without an SLO that gates. There is no default.
    #[schemars(required)]
    no_slo: Option<Answer>,
    /// What holds when a decision cannot be recorded; default deny.
    #[serde(default)]
    on_unrecorded: OnUnrecorded,
    /// What a deploy that claims to be of a kind is held to; default rules, for a rollback allow.
    #[serde(default)]
    #[schemars(extend("propertyNames" = {
        "enum": ["release", "rollback", "hotfix", "security", "config"]
    }))]
    kinds: BTreeMap<Kind, Spanned<Treatment>>,
    /// Whether and how people may overrule it.
    #[serde(rename = "override")]
    overriding: Option<Overriding>,
}

/// Reads a document of kind `Policy`.
///
/// # Errors
/// The first thing that is wrong with it, at its place.
pub fn read(document: &Document) -> Result<Policy, SpecError> {
    let shape: PolicyDocument = document.read()?;
    shape.refuse_contradictions(document)?;
    let name = shape.policy.spot;
    let missing = |message: &str, remedy: &str| document.error(name, message).with_remedy(remedy);
    let on_unknown = shape
        .on_unknown
        .ok_or_else(|| missing(NO_ON_UNKNOWN, "add `onUnknown: deny`, or warn or allow"))?;
    let no_slo =
        shape.no_slo.ok_or_else(|| missing(NO_NO_SLO, "add `noSlo: deny`, or warn or allow"))?;
    let SpecError { place, excerpt, .. } = document.error(name, "");
    let mut policy = Policy {
        name: shape.policy.value,
        applies: shape.applies,
        mode: shape.mode,
        rules: shape.rules.into_iter().map(|rule| rule.value).collect(),
        on_unknown,
        no_slo,
        on_unrecorded: shape.on_unrecorded,
        kinds: shape.kinds.into_iter().map(|(kind, treatment)| (kind, treatment.value)).collect(),
        overriding: shape.overriding,
        place,
        excerpt,
        hash: String::new(),
    };
    policy.hash = hash(&policy);
    Ok(policy)
}

const NO_ON_UNKNOWN: &str = "this policy does not say what happens when too little is known to \
    decide; that has no default, because any would surprise someone";
const NO_NO_SLO: &str = "this policy does not say what happens to a service without an SLO; that \
    has no default, because any would surprise someone";

impl PolicyDocument {
    fn refuse_contradictions(&self, document: &Document) -> Result<(), SpecError> {
        for rule in &self.rules {
            rule.value.check().map_err(|said| document.error(rule.spot, said))?;
        }
        match self.kinds.get(&Kind::Rollback) {
            Some(treatment) if treatment.value == Treatment::Rules => {
                let said = "a rollback that the rules refuse would keep a broken version running";
                let remedy = "write `rollback: allow` or `rollback: warn`";
                Err(document.error(treatment.spot, said).with_remedy(remedy))
            }
            _ => Ok(()),
        }
    }
}

/// The policy that the engine uses when no file holds one; its text is
/// `slo-engine/policies/default.yaml`.
///
/// # Panics
/// Never: a test reads the same text.
#[must_use]
pub fn shipped() -> Policy {
    let text = include_str!("../../../slo-engine/policies/default.yaml");
    let document = yaml::documents(SHIPPED, text.as_bytes()).into_iter().next();
    let document = document.and_then(Result::ok).expect("the shipped policy is one document");
    read(&document).expect("the shipped policy is right")
}

/// Where errors say that the shipped policy is written.
const SHIPPED: &str = "policies/default.yaml";

/// The JSON Schema (draft 2020-12) of a `Policy` document, for editors.
#[must_use]
pub fn schema() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<PolicyDocument>().to_value();
    if let Some(root) = schema.as_object_mut() {
        let comment = "made by `slo-engine schema --kind policy`; do not edit";
        root.insert("$comment".to_owned(), comment.into());
    }
    schema
}

impl Policy {
    /// An error about the policy as a whole, at its name.
    #[must_use]
    pub fn error(&self, message: impl Into<String>) -> SpecError {
        let place: Place = self.place.clone();
        SpecError { place, excerpt: self.excerpt.clone(), message: message.into(), remedy: None }
    }
}
