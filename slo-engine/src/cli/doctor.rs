//! `slo-engine doctor`: whether everything that a server needs is there and in order. Changes nothing.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::budget::{Page, blocking};
use super::output;
use crate::config::{Config, ConfigError};

mod adapters;
mod database;
mod files;
mod listener;
mod records;
mod sources;

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// The checks as JSON: {"items": [...], "next": null}
    #[arg(long)]
    json: bool,
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Status {
    Ok,
    Warn,
    Fail,
}

/// One check.
#[derive(Debug, Serialize)]
struct Check {
    check: String,
    status: Status,
    message: String,
    remedy: Option<String>,
}

impl Check {
    fn ok(check: &str, message: impl Into<String>) -> Self {
        let (check, message) = (check.to_owned(), message.into());
        Self { check, status: Status::Ok, message, remedy: None }
    }

    fn warn(check: &str, message: impl Into<String>, remedy: &str) -> Self {
        Self { status: Status::Warn, remedy: Some(remedy.to_owned()), ..Self::ok(check, message) }
    }

    fn fail(check: &str, message: impl Into<String>, remedy: &str) -> Self {
        Self { status: Status::Fail, remedy: Some(remedy.to_owned()), ..Self::ok(check, message) }
    }
}

impl Doctor {
    pub(super) fn run(
        &self,
        config: Result<Config, ConfigError>,
        file: Option<&Path>,
    ) -> anyhow::Result<ExitCode> {
        let checks = match config {
            Ok(config) => blocking(checks(&config, file))?,
            // Everything else would be checked against the wrong configuration.
            Err(error) => {
                let remedy = "`slo-engine config` prints all keys with their defaults";
                vec![Check::fail("config", error.to_string(), remedy)]
            }
        };
        let failed = checks.iter().any(|check| check.status == Status::Fail);
        self.show(checks)?;
        Ok(ExitCode::from(u8::from(failed)))
    }

    fn show(&self, checks: Vec<Check>) -> anyhow::Result<()> {
        if self.json {
            return output::json(&Page { items: checks, next: None });
        }
        let width = checks.iter().map(|check| check.check.len()).max().unwrap_or(0);
        for check in &checks {
            output::text(&line(check, width, output::colours()))?;
        }
        Ok(())
    }
}

/// All checks, in the order in which a start needs them.
async fn checks(config: &Config, file: Option<&Path>) -> Vec<Check> {
    let mut checks = vec![files::config(config, file), files::declared(config)];
    checks.extend(files::secrets(config));
    checks.extend(database::checks(config).await);
    checks.extend(records::checks(config).await);
    checks.push(listener::check(config));
    checks.extend(listener::certificate(config));
    checks.extend(sources::checks(config).await);
    checks.extend(adapters::checks(config));
    checks
}

fn line(check: &Check, width: usize, colours: bool) -> String {
    let (word, colour) = match check.status {
        Status::Ok => ("ok  ", 32),
        Status::Warn => ("warn", 33),
        Status::Fail => ("FAIL", 31),
    };
    let word = if colours { format!("\u{1b}[{colour}m{word}\u{1b}[0m") } else { word.to_owned() };
    // One line each, also where a message has an excerpt below it.
    let message = check.message.split('\n').map(str::trim).collect::<Vec<_>>().join(" ");
    let remedy = check.remedy.as_ref().map_or_else(String::new, |r| format!("; remedy: {r}"));
    format!("{word}  {:<width$}  {message}{remedy}\n", check.check)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_one_line_with_its_remedy() {
        let check = Check::fail("files", "a.yaml:1:1: bad\n1 | x\n  | ^", "mend it");
        assert_eq!(
            line(&check, 6, false),
            "FAIL  files   a.yaml:1:1: bad 1 | x | ^; remedy: mend it\n"
        );
        assert!(line(&check, 6, true).starts_with("\u{1b}[31mFAIL"));
    }
}
