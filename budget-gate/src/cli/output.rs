//! The only place that writes: the answer to standard output or a file, all else to standard error.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::Path;

use super::Exit;

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

/// Adds an answer at the end of a file.
///
/// # Errors
/// Why it cannot be written.
pub(crate) fn append_to(file: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(file)?;
    file.write_all(text.as_bytes())
}

/// Says something about the program itself.
pub(crate) fn diagnostic(text: &str) {
    log(&format!("budget-gate: {text}\n"));
}

/// Says something to those who read the log.
pub(crate) fn log(text: &str) {
    // Where standard error is closed there is nobody to tell.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Says what was wrong with the question.
pub(crate) fn wrong(why: &str) -> Exit {
    diagnostic(why);
    Exit::Usage
}

/// Writes the answer of something that is done.
pub(crate) fn done(text: &str) -> Exit {
    match answer(text) {
        Ok(()) => Exit::Go,
        Err(error) => wrong(&format!("it is done, but the answer cannot be written: {error}")),
    }
}

/// Whether standard output is a terminal.
pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}
