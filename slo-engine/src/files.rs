//! Finds the files of SLOs and policies below the configured paths.

use std::io::Read;
use std::path::{Path, PathBuf};

use slo_core::spec::SpecError;
use slo_core::spec::yaml::MAX_BYTES;

/// All YAML files at and below the paths, by name, with their bytes. Hidden files are left out.
///
/// # Errors
/// Paths that do not exist and files that cannot be read.
pub fn read(paths: &[PathBuf]) -> Result<Vec<(String, Vec<u8>)>, Vec<SpecError>> {
    let (found, mut errors) = find(paths);
    let mut files = Vec::with_capacity(found.len());
    for path in found {
        let name = path.display().to_string();
        match bytes_of(&path) {
            Ok(bytes) => files.push((name, bytes)),
            Err(e) => errors.push(SpecError::of_file(&name, format!("cannot be read: {e}"))),
        }
    }
    if errors.is_empty() { Ok(files) } else { Err(errors) }
}

/// The bytes of a file, or the first ones of one that is larger than any that is read.
fn bytes_of(path: &Path) -> std::io::Result<Vec<u8>> {
    // To open a pipe would wait for somebody who writes.
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    let most = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
    std::fs::File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The names of the files that [`read`] would read.
#[must_use]
pub fn list(paths: &[PathBuf]) -> Vec<PathBuf> {
    find(paths).0
}

fn find(paths: &[PathBuf]) -> (Vec<PathBuf>, Vec<SpecError>) {
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    for path in paths {
        if path.exists() {
            collect(path, &mut Vec::new(), &mut found, &mut errors);
        } else {
            let missing =
                SpecError::of_file(&path.display().to_string(), "there is no such file or folder");
            errors.push(missing.with_remedy("give a file or folder with SLO files"));
        }
    }
    found.sort();
    found.dedup();
    (found, errors)
}

/// `within` are the folders that lead here: a link back to one of them is not followed.
fn collect(
    path: &Path,
    within: &mut Vec<PathBuf>,
    found: &mut Vec<PathBuf>,
    errors: &mut Vec<SpecError>,
) {
    if !path.is_dir() {
        if within.is_empty() || is_yaml(path) {
            found.push(path.to_owned());
        }
        return;
    }
    let unlisted = |e: std::io::Error| {
        SpecError::of_file(&path.display().to_string(), format!("cannot be listed: {e}"))
    };
    let listed = path.canonicalize().and_then(|real| Ok((real, std::fs::read_dir(path)?)));
    let (real, entries) = match listed {
        Ok((real, _)) if within.contains(&real) => return,
        Ok(listed) => listed,
        Err(e) => return errors.push(unlisted(e)),
    };
    within.push(real);
    for entry in entries {
        match entry {
            Ok(entry) if entry.file_name().to_string_lossy().starts_with('.') => {}
            Ok(entry) => collect(&entry.path(), within, found, errors),
            Err(e) => errors.push(unlisted(e)),
        }
    }
    within.pop();
}

fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "yaml" || e == "yml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_to_a_folder_above_is_not_followed_and_one_beside_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(at("slos/team")).unwrap();
        std::fs::create_dir(at("shared")).unwrap();
        std::fs::write(at("slos/a.yaml"), "a").unwrap();
        std::fs::write(at("shared/b.yml"), "b").unwrap();
        std::os::unix::fs::symlink(at("slos"), at("slos/loop")).unwrap();
        std::os::unix::fs::symlink("..", at("slos/team/up")).unwrap();
        std::os::unix::fs::symlink("../shared", at("slos/shared")).unwrap();
        let found = list(&[at("slos")]);
        assert_eq!(found, [at("slos/a.yaml"), at("slos/shared/b.yml")]);
        assert_eq!(read(&[at("slos")]).unwrap().len(), 2);
    }

    #[test]
    fn a_pipe_is_an_error_and_of_a_large_file_only_the_first_bytes_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let (pipe, large) = (folder.path().join("a.yaml"), folder.path().join("b.yaml"));
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let errors = read(&[folder.path().to_owned()]).unwrap_err();
        assert!(errors[0].to_string().contains("it is no regular file"), "{}", errors[0]);
        std::fs::File::create(&large).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(read(&[large]).unwrap()[0].1.len(), MAX_BYTES + 1);
    }

    #[test]
    fn a_file_that_is_given_is_read_whatever_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("slo.txt");
        std::fs::write(&file, "a").unwrap();
        assert_eq!(list(std::slice::from_ref(&file)), [file]);
        assert!(list(&[folder.path().to_owned()]).is_empty());
        let errors = read(&[folder.path().join("none")]).unwrap_err();
        assert!(errors[0].to_string().contains("there is no such file or folder"));
    }
}
