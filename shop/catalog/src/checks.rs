//! Collects what is wrong with a request, so that one answer names all of it.

use crate::problem::{FieldError, Problem, ProblemKind};

/// The complaints so far, at most one for each field.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    errors: Vec<FieldError>,
}

impl Checks {
    /// Notes `detail` for `field` unless it holds, or the field is already complained about.
    pub(crate) fn require(&mut self, holds: bool, field: &str, detail: impl Into<String>) {
        if !holds && !self.errors.iter().any(|error| error.field == field) {
            self.errors.push(FieldError::new(field, detail));
        }
    }

    /// A field that must be there; the default stands in only until `done` refuses the request.
    pub(crate) fn given<T: Default>(&mut self, field: &str, value: Option<T>) -> T {
        self.require(value.is_some(), field, "is required");
        value.unwrap_or_default()
    }

    pub(crate) fn done(self, kind: ProblemKind) -> Result<(), Problem> {
        if self.errors.is_empty() {
            return Ok(());
        }
        Err(Problem::of_fields(kind, self.errors))
    }
}
