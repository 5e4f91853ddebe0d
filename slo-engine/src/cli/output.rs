//! The only place that prints. A reader that goes away (`| head`) ends the command quietly.

use std::io::{IsTerminal, Write};

use serde::Serialize;

/// Prints a value as indented JSON.
pub(super) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    text(&format!("{}\n", serde_json::to_string_pretty(value)?))
}

/// Prints a text as it stands.
pub(super) fn text(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        written => Ok(written?),
    }
}

/// Prints a line for a person to stderr; a closed stderr is nobody's fault.
pub(super) fn complain(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Whether stdout shows colours: a terminal that can, and nobody set `NO_COLOR`.
pub(super) fn colours() -> bool {
    let is_refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    std::io::stdout().is_terminal() && !is_refused && !is_dumb
}

/// `1 error`, `2 errors`, `2 policies`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    match (count, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{count} {stem}ies"),
        (_, None) => format!("{count} {noun}s"),
    }
}

/// `12.3 MiB`
pub(super) fn size(bytes: u64) -> String {
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let (mut number, mut unit) = (bytes as f64, 0);
    while number >= 1024.0 && unit + 1 < units.len() {
        (number, unit) = (number / 1024.0, unit + 1);
    }
    let decimals = usize::from(unit > 0 && number < 100.0);
    format!("{number:.decimals$} {}", units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nouns_follow_their_number() {
        let said = [(0, "error"), (1, "policy"), (2, "policy"), (3, "SLO")];
        let said = said.map(|(count, noun)| counted(count, noun));
        assert_eq!(said, ["0 errors", "1 policy", "2 policies", "3 SLOs"]);
    }

    #[test]
    fn sizes_are_read_at_a_glance() {
        let said = [900, 12_900_000, 400 << 20, 2_u64 << 40].map(size);
        assert_eq!(said, ["900 bytes", "12.3 MiB", "400 MiB", "2.0 TiB"]);
    }
}
