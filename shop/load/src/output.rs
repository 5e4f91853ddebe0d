//! The one output place: JSON lines on stdout, words on stderr, the report in a file.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use crate::report::Report;

/// One line of JSON on stdout.
pub fn line(report: &Report) {
    let text = serde_json::to_string(report).expect("texts and numbers serialize");
    // a reader that went away wants no more lines, and the load goes on for the others
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// The report as indented JSON; a reader sees the old file or the whole new one.
pub fn file(path: &Path, report: &Report) -> io::Result<()> {
    let mut text = serde_json::to_string_pretty(report).expect("texts and numbers serialize");
    text.push('\n');
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    fs::write(&partial, text)?;
    fs::rename(&partial, path)
}

/// One line of words on stderr.
pub fn say(text: &str) {
    let _ = writeln!(io::stderr(), "shop-load: {text}");
}
