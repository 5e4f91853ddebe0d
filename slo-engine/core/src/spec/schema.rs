//! The JSON Schema of `kind: Service`, made from the types that read it.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::native::ServiceDocument;

/// The JSON Schema (draft 2020-12) of a `Service` document, for editors.
#[must_use]
pub fn schema() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let schema = generator.into_root_schema_for::<ServiceDocument>();
    let mut value = schema.to_value();
    if let Some(root) = value.as_object_mut() {
        let comment = "made by `slo-engine schema`; do not edit";
        root.insert("$comment".to_owned(), comment.into());
    }
    value
}
