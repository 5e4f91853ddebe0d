//! The only place that writes: the answer to standard output or a file, all else to standard error.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::Path;

/// Writes an answer to standard output. A reader that has gone away is no failure: the exit code
/// says it all.
///
/// # Errors
/// Why it cannot be written.
pub(crate) fn answer(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Writes an answer to a file.
///
/// # Errors
/// Why it cannot be written.
pub(crate) fn answer_to(file: &Path, text: &str) -> io::Result<()> {
    std::fs::write(file, text)
}

/// Says something about the program itself.
pub(crate) fn diagnostic(text: &str) {
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(io::stderr().lock(), "budget-gate: {text}");
}

/// Whether standard output shows colours: a terminal whose user did not set `NO_COLOR`.
pub(crate) fn shows_colours() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    io::stdout().is_terminal() && !refused && !is_dumb
}
