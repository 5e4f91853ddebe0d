//! Reads the SLO files that a command names.

use std::path::PathBuf;

use anyhow::bail;
use slo_core::spec::{Set, SpecError};

use crate::cli::output;
use crate::config::Config;
use crate::files;

/// The files of a command, or those of the configuration when it names none.
pub(super) fn read(paths: &[PathBuf], config: &Config) -> Result<Set, Vec<SpecError>> {
    let chosen: Vec<PathBuf> = if paths.is_empty() {
        config.specs.paths.iter().chain(&config.policies.paths).cloned().collect()
    } else {
        paths.to_vec()
    };
    let set = slo_core::spec::load(files::read(&chosen)?)?;
    if set.is_empty() {
        let names: Vec<String> = chosen.iter().map(|p| p.display().to_string()).collect();
        let empty = SpecError::of_file(&names.join(", "), "there is no SLO in these files");
        let remedy = "write a document with `kind: Service` and at least one SLO";
        return Err(vec![empty.with_remedy(remedy)]);
    }
    Ok(set)
}

/// The same, with errors printed as people read them.
pub(super) fn read_or_complain(paths: &[PathBuf], config: &Config) -> anyhow::Result<Set> {
    read(paths, config).or_else(|errors| {
        for error in &errors {
            output::complain(&format!("error: {error}\n"));
        }
        let count = errors.len();
        bail!("{count} {} in the SLO files", if count == 1 { "error" } else { "errors" })
    })
}
