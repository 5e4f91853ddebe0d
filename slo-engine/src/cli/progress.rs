//! How far long work is, on stderr: nothing for the first second, then a line that is rewritten on a
//! terminal, else at most one line per tenth.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Work that is done sooner is not worth a word.
const QUIET: Duration = Duration::from_secs(1);

/// Shows shares of one task.
pub(super) struct Progress {
    task: &'static str,
    began: Instant,
    terminal: bool,
    shown: AtomicU32,
}

impl Progress {
    pub(super) fn new(task: &'static str) -> Self {
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let terminal = std::io::stderr().is_terminal() && !is_dumb;
        Self { task, began: Instant::now(), terminal, shown: AtomicU32::new(0) }
    }

    /// Shows a share 0..1 when it has grown enough to be worth a line.
    pub(super) fn show(&self, share: f64) {
        let step = if self.terminal { 1 } else { 10 };
        let percent = (share * 100.0) as u32 / step * step;
        if self.began.elapsed() < QUIET
            || self.shown.fetch_max(percent, Ordering::Relaxed) >= percent
        {
            return;
        }
        let mut err = std::io::stderr().lock();
        let _ = match self.terminal {
            true => write!(err, "\r\x1b[K{} {percent} %", self.task),
            false => writeln!(err, "{} {percent} %", self.task),
        };
        let _ = err.flush();
    }
}

/// The line goes with the work, however it ended.
impl Drop for Progress {
    fn drop(&mut self) {
        if self.terminal && self.shown.load(Ordering::Relaxed) > 0 {
            let mut err = std::io::stderr().lock();
            let _ = write!(err, "\r\x1b[K").and_then(|()| err.flush());
        }
    }
}
