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

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/schema/service.v1.json");

    #[test]
    fn the_committed_schema_is_the_one_that_the_types_give() {
        let made = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
        let committed = std::fs::read_to_string(FILE).unwrap_or_default();
        assert!(
            committed == made,
            "docs/schema/service.v1.json is not current; run \
             `slo-engine schema > docs/schema/service.v1.json`"
        );
    }
}
