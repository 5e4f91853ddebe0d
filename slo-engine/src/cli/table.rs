//! Budgets as a table for people.

use budget_gate::words::{number, with_decimals};
use comfy_table::{Cell, Color, Table, presets};
use slo_core::view::{BudgetView, State, WindowView};

use super::output;

/// A table without lines, without colours where nobody sees them.
pub(super) fn plain() -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    if !output::colours() {
        table.force_no_tty();
    }
    table
}

/// Indented, without the blanks at the ends of its lines.
pub(super) fn trimmed(table: &Table) -> String {
    let lines: Vec<String> = table.lines().map(|line| format!(" {}", line.trim_end())).collect();
    lines.join("\n")
}

/// Prints a row per SLO and window, worst state first, then what people should know.
pub(super) fn show(views: &[BudgetView]) -> anyhow::Result<()> {
    let mut table = plain();
    table.set_header([
        "SLO",
        "STATE",
        "WINDOW",
        "OBJECTIVE",
        "SLI",
        "BAD",
        "TOTAL",
        "REMAINING",
        "COVERAGE",
        "BURN",
    ]);
    let mut sorted: Vec<&BudgetView> = views.iter().collect();
    sorted.sort_by_key(|view| view.state);
    for view in &sorted {
        for (at, window) in view.windows.iter().enumerate() {
            table.add_row(row(view, window, at == 0));
        }
    }
    output::text(&format!("{table}\n"))?;
    // What there is to know about a group stands at its SLO.
    for view in sorted.into_iter().filter(|view| view.group.is_none()) {
        let name = name(view);
        for finding in &view.findings {
            output::text(&format!("{name}: {}\n", finding.message))?;
        }
        if let Some(error) = view.sources.iter().find_map(|s| s.last_error.as_ref()) {
            output::text(&format!("{name}: {error}\n"))?;
        }
    }
    Ok(())
}

fn name(view: &BudgetView) -> String {
    let name = format!("{}/{}@{}", view.service, view.slo, view.environment);
    view.group.as_ref().map_or(name.clone(), |group| format!("{name} {group}"))
}

fn row(view: &BudgetView, window: &WindowView, first: bool) -> Vec<Cell> {
    let burn = view.burn.first().and_then(|b| Some(format!("{:.2} ({})", b.rate?, b.window)));
    let mut state = Cell::new(word(view.state));
    if output::colours() {
        state = state.fg(colour(view.state));
    }
    let shown = |text: String| Cell::new(if first { text } else { String::new() });
    vec![
        shown(name(view)),
        if first { state } else { Cell::new("") },
        Cell::new(&window.window),
        shown(percent(view.objective, 5)),
        Cell::new(or_dash(window.sli.map(|s| percent(s, 4)))),
        Cell::new(or_dash(window.bad.map(number))),
        Cell::new(or_dash(window.total.map(number))),
        Cell::new(or_dash(window.deciding_remaining().map(|r| percent(r, 2)))),
        Cell::new(or_dash(window.coverage.map(|c| percent(c, 2)))),
        shown(or_dash(burn)),
    ]
}

pub(super) const fn word(state: State) -> &'static str {
    match state {
        State::NoData => "no data",
        State::Stale => "stale",
        State::Exhausted => "exhausted",
        State::AtRisk => "at risk",
        State::Healthy => "healthy",
    }
}

const fn colour(state: State) -> Color {
    match state {
        State::NoData | State::Stale => Color::Magenta,
        State::Exhausted => Color::Red,
        State::AtRisk => Color::Yellow,
        State::Healthy => Color::Green,
    }
}

fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".to_owned())
}

/// A share as a percentage with at most so many decimals.
fn percent(share: f64, decimals: usize) -> String {
    with_decimals(share * 100.0, decimals) + " %"
}
