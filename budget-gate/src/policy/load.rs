//! All policies of all files together with their calendars and exclusions, ready to be decided by.

use std::sync::Arc;

use slo_core::slo::Service;
use slo_core::spec::yaml::Document;
use slo_core::spec::{SpecError, Warning};

use super::{Policy, read, shipped};
use crate::calendar::{self, Calendar};
use crate::exclusion::{self, Exclusion};
use crate::select::{Conflict, MissingWindow, check, missing_windows};

mod links;

/// The policies that are in force, and what is declared beside them.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The policies, in the order of the files.
    pub policies: Vec<Policy>,
    /// The calendars, in the order of the files.
    pub calendars: Vec<Calendar>,
    /// The exclusions, in the order of the files.
    pub exclusions: Vec<Exclusion>,
    /// What is allowed but cannot be meant.
    pub warnings: Vec<Warning>,
    /// Whether no document of kind `Policy` was found, so that the shipped policy is used.
    pub is_shipped: bool,
}

/// Reads the documents of kinds `Policy`, `Calendar` and `Exclusion` among others, and checks what
/// holds between them and the declared services.
///
/// # Errors
/// Everything that is wrong: of each document the first fault, and documents that cannot stand side
/// by side.
pub fn load(documents: &[Document], services: &[Arc<Service>]) -> Result<Loaded, Vec<SpecError>> {
    load_beside(documents, services, &[])
}

/// The same, where calendars are known that the documents may name; one of the documents stands in
/// for a known one of its name.
///
/// # Errors
/// As [`load`].
pub fn load_beside(
    documents: &[Document],
    services: &[Arc<Service>],
    known: &[Calendar],
) -> Result<Loaded, Vec<SpecError>> {
    let mut found = Found::of(documents);
    found.errors.extend(check(&found.policies, services).iter().map(Conflict::error));
    found.errors.extend(links::doubles(&found.calendars));
    let is_new = |old: &&Calendar| found.calendars.iter().all(|new| new.name != old.name);
    let kept: Vec<Calendar> = known.iter().filter(is_new).cloned().collect();
    found.calendars.extend(kept);
    if found.errors.is_empty() {
        found.errors.extend(links::unknown_calendars(&found.policies, &found.calendars));
    }
    found.finish(services)
}

#[derive(Default)]
struct Found {
    policies: Vec<Policy>,
    calendars: Vec<Calendar>,
    exclusions: Vec<Exclusion>,
    errors: Vec<SpecError>,
}

impl Found {
    fn of(documents: &[Document]) -> Self {
        let mut found = Self::default();
        for document in documents {
            if let Err(error) = found.take(document) {
                found.errors.push(error);
            }
        }
        found
    }

    fn take(&mut self, document: &Document) -> Result<(), SpecError> {
        match document.kind.as_ref().map(|kind| kind.value.as_str()) {
            Some("Policy") => self.policies.push(read(document)?),
            Some("Calendar") => self.calendars.push(calendar::read(document)?),
            Some("Exclusion") => self.exclusions.push(exclusion::read(document)?),
            _ => {}
        }
        Ok(())
    }

    fn finish(mut self, services: &[Arc<Service>]) -> Result<Loaded, Vec<SpecError>> {
        if !self.errors.is_empty() {
            return Err(self.errors);
        }
        let is_shipped = self.policies.is_empty();
        if is_shipped {
            self.policies.push(shipped());
        }
        let Self { policies, calendars, exclusions, .. } = self;
        let missing = missing_windows(&policies, services);
        let mut warnings: Vec<Warning> = missing.iter().map(MissingWindow::warning).collect();
        warnings.extend(links::idle_patterns(&exclusions, services));
        Ok(Loaded { policies, calendars, exclusions, warnings, is_shipped })
    }
}
