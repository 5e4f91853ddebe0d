//! The only place that prints: results to stdout, what goes on to stderr.

use std::io::Write;

use comfy_table::{Table, presets};

use crate::report::{Figure, Must, Outcome, Report};

/// Says what goes on.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Prints lines to stdout.
pub(crate) fn text(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    Ok(out.write_all(text.as_bytes()).and_then(|()| out.flush())?)
}

/// Prints a run as a table, then what was found where a figure was missed.
pub(crate) fn report(report: &Report) -> anyhow::Result<()> {
    let machine = &report.machine;
    text(&format!("{} x {}, {} GiB\n", machine.cpus, machine.model, machine.memory_gib))?;
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(["ROW", "FIGURE", "VALUE", "MUST REACH", ""]);
    for outcome in &report.rows {
        for (at, figure) in outcome.figures.iter().enumerate() {
            table.add_row(cells(outcome, figure, at == 0));
        }
    }
    text(&format!("{table}\n"))?;
    for outcome in &report.rows {
        let sizes: Vec<String> = outcome.workload.iter().map(|(k, v)| format!("{k} {v}")).collect();
        let (row, seconds) = (&outcome.row, outcome.seconds);
        text(&format!("{row}: {} ({}; {seconds:.0} s)\n", outcome.measure, sizes.join(", ")))?;
        for note in &outcome.notes {
            text(&format!("  {note}\n"))?;
        }
    }
    Ok(())
}

fn cells(outcome: &Outcome, figure: &Figure, first: bool) -> [String; 5] {
    let must = match figure.must {
        Must::Nothing => "-".to_owned(),
        Must::AtMost(limit) => format!("<= {limit} {}", figure.unit),
        Must::AtLeast(limit) => format!(">= {limit} {}", figure.unit),
        Must::EqualRounded(wanted) => format!("{wanted:.1} {}", figure.unit),
    };
    let verdict = match (figure.must, figure.passed) {
        (Must::Nothing, _) => "",
        (_, true) => "ok",
        (_, false) => "MISSED",
    };
    let row = if first { outcome.row.clone() } else { String::new() };
    [row, figure.name.clone(), number(figure), must, verdict.to_owned()]
}

fn number(figure: &Figure) -> String {
    let value = figure.value;
    let digits = match value.abs() {
        v if v.fract() == 0.0 => 0,
        v if v >= 10.0 => 1,
        v if v >= 0.1 => 3,
        _ => 5,
    };
    format!("{value:.digits$} {}", figure.unit)
}
