//! Reads the files that a command names, and says what is wrong with them.

use std::path::PathBuf;

use anyhow::anyhow;
use slo_core::spec::SpecError;

use super::output::{self, counted};
use crate::config::Config;
use crate::declared::{self, Declared};

/// The files of a command, or those of the configuration when it names none.
pub(super) fn paths(given: &[PathBuf], config: &Config) -> Vec<PathBuf> {
    if given.is_empty() {
        return config.specs.paths.iter().chain(&config.policies.paths).cloned().collect();
    }
    given.to_vec()
}

/// What they declare; errors are printed as people read them, of warnings only that there are some.
pub(super) fn read(given: &[PathBuf], config: &Config) -> anyhow::Result<Declared> {
    let scrape = config.sources.first().map(|source| source.scrape_interval);
    let declared = declared::read(&paths(given, config), scrape).map_err(|errors| told(&errors))?;
    match declared.warnings.len() {
        0 => {}
        some => output::complain(&format!(
            "note: {} in the files, `slo-engine validate` shows them",
            counted(some, "warning")
        )),
    }
    Ok(declared)
}

/// Prints errors; what is left to say is how many.
pub(super) fn told(errors: &[SpecError]) -> anyhow::Error {
    for error in errors {
        output::complain(&format!("error: {error}\n"));
    }
    anyhow!("the files have {}", counted(errors.len(), "error"))
}
