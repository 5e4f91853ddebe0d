//! Which other processes have a file open, where the system tells (Linux).

use std::fs;
use std::path::Path;

/// Processes that have a file open, such as `slo-engine (process 4711)`. Empty also where nobody
/// can tell: of other users' processes only root is told.
#[must_use]
pub fn holders(file: &Path) -> Vec<String> {
    let Ok(file) = fs::canonicalize(file) else { return Vec::new() };
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let mut found: Vec<String> = processes
        .filter_map(Result::ok)
        .filter_map(|process| process.file_name().to_str()?.parse::<u32>().ok())
        .filter(|id| *id != std::process::id() && has_open(*id, &file))
        .map(named)
        .collect();
    found.sort();
    found
}

fn has_open(process: u32, file: &Path) -> bool {
    let Ok(open) = fs::read_dir(format!("/proc/{process}/fd")) else { return false };
    open.filter_map(Result::ok).any(|fd| fs::read_link(fd.path()).is_ok_and(|at| at == file))
}

fn named(process: u32) -> String {
    let name = fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
    match name.trim() {
        "" => format!("process {process}"),
        name => format!("{name} (process {process})"),
    }
}
