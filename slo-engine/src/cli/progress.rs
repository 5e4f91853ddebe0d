//! How far long work is, on stderr: a line that is rewritten on a terminal, one line per tenth else.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicU32, Ordering};

/// Shows shares of one task.
pub(super) struct Progress {
    task: &'static str,
    terminal: bool,
    shown: AtomicU32,
}

impl Progress {
    pub(super) fn new(task: &'static str) -> Self {
        Self { task, terminal: std::io::stderr().is_terminal(), shown: AtomicU32::new(0) }
    }

    /// Shows a share 0..1 when it has grown enough to be worth a line.
    pub(super) fn show(&self, share: f64) {
        let step = if self.terminal { 1 } else { 10 };
        let percent = (share * 100.0) as u32 / step * step;
        if self.shown.fetch_max(percent, Ordering::Relaxed) >= percent {
            return;
        }
        let mut err = std::io::stderr().lock();
        let _ = match (self.terminal, percent) {
            (true, 100) => write!(err, "\r\x1b[K"),
            (true, _) => write!(err, "\r{} {percent} %", self.task),
            (false, _) => writeln!(err, "{} {percent} %", self.task),
        };
        let _ = err.flush();
    }
}
