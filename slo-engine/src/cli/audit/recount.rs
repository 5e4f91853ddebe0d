//! `slo-engine audit recount`: the ledger against what the sources still hold.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use clap::Args;
use comfy_table::CellAlignment;
use slo_core::slo::{Reference, Slo};

use crate::cli::budget::{Page, blocking};
use crate::cli::progress::Progress;
use crate::cli::{declare, output, table};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::declared::Declared;
use crate::evaluate::recount::{Asked, Counts, Recount, recount, sample};

/// Arguments of `audit recount`.
#[derive(Debug, Args)]
pub(super) struct ShowRecount {
    /// The SLOs; with @ENVIRONMENT where there are several. Without any, a sample that changes each day
    #[arg(value_name = "SERVICE/SLO", value_parser = Reference::parse)]
    slos: Vec<Reference>,
    /// How many SLOs the sample has
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    sample: usize,
    /// Both counts as JSON: {"items": [...], "next": null}
    #[arg(long)]
    json: bool,
}

impl ShowRecount {
    pub(super) fn run(&self, config: &Config) -> anyhow::Result<ExitCode> {
        let declared = declare::read(&[], config)?;
        let slos = self.slos(&declared, config)?;
        let asked = Asked { sources: &config.sources, services: &declared.services, slos: &slos };
        let all = blocking(async {
            let store = super::open(config).await?;
            let progress = Progress::new("counting anew");
            let now = SystemClock.now();
            let all = recount(&store, asked, now, &|share| progress.show(share)).await;
            store.close().await;
            all
        })??;
        let is_off = all.iter().any(|one| one.is_alarming() || one.problem.is_some());
        if self.json {
            output::json(&Page { items: all, next: None })?;
        } else {
            output::text(&shown(&all))?;
        }
        Ok(ExitCode::from(u8::from(is_off)))
    }

    fn slos(&self, declared: &Declared, config: &Config) -> anyhow::Result<Vec<Arc<Slo>>> {
        if self.slos.is_empty() {
            let day = SystemClock.now().timestamp() / 86_400;
            return Ok(sample(&declared.services, &config.sources, self.sample, day));
        }
        let mut found = Vec::new();
        for wanted in &self.slos {
            let all = declared.services.iter().flat_map(|service| &service.slos);
            let named: Vec<Arc<Slo>> = all.filter(|slo| is_meant(wanted, slo)).cloned().collect();
            if named.is_empty() {
                bail!("no file declares {}/{}", wanted.service, wanted.slo);
            }
            found.extend(named);
        }
        Ok(found)
    }
}

fn is_meant(wanted: &Reference, slo: &Slo) -> bool {
    let environment = wanted.environment.as_ref();
    (&wanted.service, &wanted.slo) == (&slo.id.service, &slo.id.slo)
        && environment.is_none_or(|environment| *environment == slo.id.environment)
}

fn shown(all: &[Recount]) -> String {
    let mut rows = table::plain();
    rows.set_header(["SLO", "FROM", "TO", "LEDGER", "SOURCE", "OFF"]);
    for one in all {
        let instant = |at: Option<chrono::DateTime<chrono::Utc>>| {
            at.map_or_else(String::new, |at| at.format("%Y-%m-%d %H:%M").to_string())
        };
        let counts = |Counts { bad, total }: Counts| format!("{bad} of {total}");
        let off = match (&one.problem, one.off) {
            (Some(problem), _) => problem.clone(),
            (None, off) => format!("{:.3} %", off.unwrap_or(0.0) * 100.0),
        };
        let (from, to) = (instant(one.from), instant(one.to));
        rows.add_row([one.slo.clone(), from, to, counts(one.ledger), counts(one.source), off]);
    }
    for column in 3..5 {
        if let Some(column) = rows.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let off = all.iter().filter(|one| one.is_alarming()).count();
    let unread = all.iter().filter(|one| one.problem.is_some()).count();
    let said = match (all.len(), off, unread) {
        (0, _, _) => "there is no SLO whose source keeps a past".to_owned(),
        (_, 0, 0) => "ledger and sources agree".to_owned(),
        (count, 0, unread) => format!("{unread} of {count} could not be compared, see above"),
        (_, off, _) => {
            format!("{off} differ by more than 0.5 %: `slo-engine explain` shows the source's side")
        }
    };
    format!("{}\n{said}\n", table::trimmed(&rows))
}
