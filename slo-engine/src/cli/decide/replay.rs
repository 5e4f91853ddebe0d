//! Asks a proposed policy about recorded decisions.

use std::process::ExitCode;

use anyhow::{Context, bail};
use budget_gate::harmless::harmless_json;
use budget_gate::words;
use chrono::{DateTime, Utc};

use super::{Decide, shown};
use crate::cli::budget::blocking;
use crate::cli::progress::Progress;
use crate::cli::{declare, output};
use crate::config::Config;
use crate::declared::Declared;
use crate::replay::{Item, Replay, Summary};
use crate::store::{Store, path_of};

impl Decide {
    pub(super) fn replay(&self, config: &Config) -> anyhow::Result<ExitCode> {
        let between = self.between()?;
        let loaded = declare::read(&self.paths, config)?;
        let proposed = self.proposed(loaded.clone())?;
        for policy in proposed.policies.iter().filter(|policy| !policy.is_enforced()) {
            let name = policy.name.as_str();
            output::complain(&format!(
                "note: policy `{name}` is a dry run and denies nothing; `mode: enforce` tries it in earnest"
            ));
        }
        let summary = blocking(self.ask(config, (&loaded, &proposed), between))??;
        Ok(ExitCode::from(u8::from(summary.all.changed > 0)))
    }

    fn between(&self) -> anyhow::Result<(DateTime<Utc>, DateTime<Utc>)> {
        let (from, to) = (self.from.context("--replay needs --from")?, self.to);
        if from >= to {
            let (from, to) = (words::instant(from), words::instant(to));
            bail!("--from {from} is not before --to {to}");
        }
        Ok((from, to))
    }

    async fn ask(
        &self,
        config: &Config,
        (loaded, proposed): (&Declared, &Declared),
        between: (DateTime<Utc>, DateTime<Utc>),
    ) -> anyhow::Result<Summary> {
        let store = Store::open_to_read(&path_of(&config.store.url)?).await?;
        store.refuse_older().await?;
        let replay = Replay {
            store: &store,
            sources: &config.sources,
            incidents_close_after: config.gate.incidents_close_after,
            loaded,
            proposed,
            between,
            service: self.service.as_deref(),
            environment: self.environment.as_deref(),
        };
        let progress = Progress::new("asking again");
        let mut shown = Shown { is_json: self.json, is_first: true };
        let mut each = |item: &Item| shown.item(item);
        let summary = replay.run(&mut each, &|share| progress.show(share)).await?;
        drop(progress);
        store.close().await;
        shown.end(&summary)?;
        Ok(summary)
    }
}

/// Prints each decision when it is found, so that none is kept.
struct Shown {
    is_json: bool,
    is_first: bool,
}

impl Shown {
    fn item(&mut self, item: &Item) -> anyhow::Result<()> {
        if !self.is_json {
            return output::text(&shown::item(item));
        }
        let before = self.begin();
        output::text(&harmless_json(&format!("{before}{}", serde_json::to_string(item)?)))
    }

    fn begin(&mut self) -> &'static str {
        if std::mem::take(&mut self.is_first) { "{\"items\": [\n" } else { ",\n" }
    }

    fn end(&mut self, summary: &Summary) -> anyhow::Result<()> {
        if !self.is_json {
            return output::text(&shown::summary(summary));
        }
        let before = if self.is_first { "{\"items\": [" } else { "\n" };
        let summary = serde_json::to_string(summary)?;
        output::text(&harmless_json(&format!("{before}], \"summary\": {summary}}}\n")))
    }
}
