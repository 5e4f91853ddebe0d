//! Finds the files of SLOs and policies below the configured paths.

use std::path::{Path, PathBuf};

use slo_core::spec::SpecError;

/// All YAML files at and below the paths, by name, with their bytes. Hidden files are left out.
///
/// # Errors
/// Paths that do not exist and files that cannot be read.
pub fn read(paths: &[PathBuf]) -> Result<Vec<(String, Vec<u8>)>, Vec<SpecError>> {
    let (found, mut errors) = find(paths);
    let mut files = Vec::with_capacity(found.len());
    for path in found {
        let name = path.display().to_string();
        match std::fs::read(&path) {
            Ok(bytes) => files.push((name, bytes)),
            Err(e) => errors.push(SpecError::of_file(&name, format!("cannot be read: {e}"))),
        }
    }
    if errors.is_empty() { Ok(files) } else { Err(errors) }
}

/// The names of the files that [`read`] would read.
#[must_use]
pub fn list(paths: &[PathBuf]) -> Vec<PathBuf> {
    find(paths).0
}

fn find(paths: &[PathBuf]) -> (Vec<PathBuf>, Vec<SpecError>) {
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    for path in paths {
        collect(path, true, &mut found, &mut errors);
    }
    found.sort();
    found.dedup();
    (found, errors)
}

fn collect(path: &Path, given: bool, found: &mut Vec<PathBuf>, errors: &mut Vec<SpecError>) {
    let name = path.display().to_string();
    if !path.is_dir() {
        if given && !path.exists() {
            let missing = SpecError::of_file(&name, "there is no such file or folder");
            errors.push(missing.with_remedy("give a file or folder with SLO files"));
        } else if given || is_yaml(path) {
            found.push(path.to_owned());
        }
        return;
    }
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(e) => return errors.push(SpecError::of_file(&name, format!("cannot be listed: {e}"))),
    };
    for entry in entries.filter_map(Result::ok) {
        if !entry.file_name().to_string_lossy().starts_with('.') {
            collect(&entry.path(), false, found, errors);
        }
    }
}

fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "yaml" || e == "yml")
}
