//! `kind: Exclusion` of `headroom/v1`: from a document to an [`Exclusion`], and its JSON Schema.

use schemars::generate::SchemaSettings;
use serde_json::Value;
use slo_core::spec::SpecError;
use slo_core::spec::yaml::Document;

use super::Exclusion;
use super::written::Written;

/// Reads a document of kind `Exclusion`.
///
/// # Errors
/// The first thing that is wrong with it, at its place.
pub fn read(document: &Document) -> Result<Exclusion, SpecError> {
    let shape: Written = document.read()?;
    let exclusion = shape.read().map_err(|fault| fault.at(document))?;
    let error = document.error(shape.spot(), "this exclusion does not say who wrote it");
    if exclusion.author.is_none() {
        return Err(error.with_remedy("add `author: you@example.com`"));
    }
    Ok(Exclusion { place: Some(error.place), excerpt: error.excerpt, ..exclusion })
}

/// The JSON Schema (draft 2020-12) of an `Exclusion` document, for editors.
#[must_use]
pub fn schema() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<Written>().to_value();
    if let Some(root) = schema.as_object_mut() {
        let comment = "made by `slo-engine schema --kind exclusion`; do not edit";
        root.insert("$comment".to_owned(), comment.into());
    }
    schema
}
