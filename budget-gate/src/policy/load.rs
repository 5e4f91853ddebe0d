//! All policies of all files together, ready to be decided by.

use std::sync::Arc;

use slo_core::slo::Service;
use slo_core::spec::yaml::Document;
use slo_core::spec::{SpecError, Warning};

use super::{Policy, read, shipped};
use crate::select::{Conflict, MissingWindow, check, missing_windows};

/// The policies that are in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The policies, in the order of the files.
    pub policies: Vec<Policy>,
    /// What is allowed but cannot be meant.
    pub warnings: Vec<Warning>,
    /// Whether no document of kind `Policy` was found, so that the shipped policy is used.
    pub is_shipped: bool,
}

/// Reads the documents of kind `Policy` among others, and checks what holds between them and the
/// declared services.
///
/// # Errors
/// Everything that is wrong: of each document the first fault, and policies that cannot stand side
/// by side.
pub fn load(documents: &[Document], services: &[Arc<Service>]) -> Result<Loaded, Vec<SpecError>> {
    let is_policy = |d: &&Document| d.kind.as_ref().is_some_and(|kind| kind.value == "Policy");
    let (mut policies, mut errors) = (Vec::new(), Vec::new());
    for document in documents.iter().filter(is_policy) {
        match read(document) {
            Ok(policy) => policies.push(policy),
            Err(error) => errors.push(error),
        }
    }
    errors.extend(check(&policies, services).iter().map(Conflict::error));
    if !errors.is_empty() {
        return Err(errors);
    }
    let is_shipped = policies.is_empty();
    if is_shipped {
        policies.push(shipped());
    }
    let mut warnings: Vec<Warning> = policies.iter().flat_map(Policy::warnings).collect();
    warnings.extend(missing_windows(&policies, services).iter().map(MissingWindow::warning));
    Ok(Loaded { policies, warnings, is_shipped })
}
