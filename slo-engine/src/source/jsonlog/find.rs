//! Which files there are: those that globs name, and those beside them that may be what became of one.

use std::collections::HashSet;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

use super::file::{identity, modified};
use super::position::{Identity, Position};

/// A regular file that was there just now.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    /// Whether a glob names it; another one is read only when it is a known file or a copy of one.
    pub(super) is_named: bool,
    pub(super) identity: Identity,
    pub(super) size: u64,
    pub(super) modified: i64,
}

impl Found {
    fn new(path: PathBuf, is_named: bool, metadata: &Metadata) -> Self {
        let (size, identity) = (metadata.len(), identity(metadata));
        Self { path, is_named, identity, size, modified: modified(metadata) }
    }

    /// The last part of its path.
    pub(super) fn name(&self) -> String {
        name(&self.path)
    }

    /// Its path without links.
    pub(super) fn real_path(&self) -> String {
        let real = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        real.to_string_lossy().into_owned()
    }
}

/// The files that globs name, each once.
pub(super) fn named(globs: &[String], problems: &mut Vec<String>) -> Vec<Found> {
    let (mut all, mut seen) = (Vec::new(), HashSet::new());
    for pattern in globs {
        let paths = paths(pattern, problems);
        if paths.is_empty() {
            problems.push(format!("there is no file {pattern}"));
        }
        for path in paths {
            match path.metadata() {
                Ok(metadata) if metadata.is_file() => {
                    let found = Found::new(path, true, &metadata);
                    if seen.insert(found.identity) {
                        all.push(found);
                    }
                }
                Ok(_) => problems.push(format!(
                    "{} is no file; let `files` name files alone, such as *.json",
                    path.display()
                )),
                Err(error) => problems.extend(problem(&path, &error)),
            }
        }
    }
    all
}

fn paths(pattern: &str, problems: &mut Vec<String>) -> Vec<PathBuf> {
    let found = match glob::glob(pattern) {
        Ok(found) => found,
        Err(error) => {
            problems.push(format!("`{pattern}` is no pattern of files: {error}"));
            return Vec::new();
        }
    };
    let mut paths = Vec::new();
    for path in found {
        match path {
            Ok(path) => paths.push(path),
            Err(error) => problems.extend(problem(error.path(), error.error())),
        }
    }
    paths
}

/// The files in the folders of positions whose content is elsewhere now, that are called similarly.
pub(super) fn beside<'p>(
    lost: impl Iterator<Item = &'p Position>,
    known: &HashSet<Identity>,
    problems: &mut Vec<String>,
) -> Vec<Found> {
    let mut stems: HashSet<(&Path, &str)> = HashSet::new();
    for position in lost {
        let path = Path::new(&position.path);
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
        stems.extend(path.parent().map(|folder| (folder, stem)));
    }
    let (mut all, mut seen) = (Vec::new(), known.clone());
    for (folder, stem) in stems {
        match in_folder(folder, stem) {
            Ok(found) => all.extend(found.into_iter().filter(|f| seen.insert(f.identity))),
            Err(error) => problems.extend(problem(folder, &error)),
        }
    }
    all
}

fn in_folder(folder: &Path, stem: &str) -> io::Result<Vec<Found>> {
    let mut all = Vec::new();
    for entry in folder.read_dir()? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(stem) {
            // One that vanished since, and links, whose files are somewhere else.
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_file() {
                all.push(Found::new(entry.path(), false, &metadata));
            }
        }
    }
    Ok(all)
}

/// What to say of a file that could not be read; nothing of one that is gone.
pub(super) fn problem(path: &Path, error: &io::Error) -> Option<String> {
    let remedy = match error.kind() {
        io::ErrorKind::NotFound => return None,
        io::ErrorKind::PermissionDenied => "; let the engine's user read it",
        io::ErrorKind::UnexpectedEof => "; it ends in the middle and is read on when it grows",
        _ => "",
    };
    Some(format!("cannot read {}: {error}{remedy}", path.display()))
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
