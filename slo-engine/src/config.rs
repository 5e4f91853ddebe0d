//! The configuration: a file, overridden by `HEADROOM__SECTION__KEY` environment variables.
//!
//! The defaults are in code; `config.default.yaml` names every key and a test holds the two together.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use slo_core::spec::SpecError;
use slo_core::spec::yaml::documents;
use slo_core::time::Span;
use thiserror::Error;

use crate::http::{Adapters, TlsFiles};
use crate::oidc::Oidc;
use crate::record::signing::Signing;
use crate::source::config::{SourceConfig, span_text};

mod check;
mod environment;
mod gate;

pub(crate) use check::listen;
pub use gate::{Gate, RateLimit};

/// The reference of all keys.
pub const DEFAULTS: &str = include_str!("../config.default.yaml");

/// The whole configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Config {
    /// The HTTP server.
    pub server: Server,
    /// The ledger's database.
    pub store: Store,
    /// The keys of signatures.
    pub signing: Signing,
    /// The gate.
    pub gate: Gate,
    /// The SLO files.
    pub specs: Specs,
    /// The policy files.
    pub policies: Paths,
    /// Where events come from; the first of kind prometheus or scrape is the default.
    pub sources: Vec<SourceConfig>,
    /// When sources are read.
    pub schedule: Schedule,
    /// What callers with a wire of their own call services and environments.
    pub adapters: Adapters,
    /// Whose job tokens are accepted.
    pub oidc: Oidc,
    /// What the engine says about itself.
    pub telemetry: Telemetry,
}

/// The section `server`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Server {
    /// Address and port.
    pub listen: String,
    /// The address by which people and CI reach the server.
    pub public_url: Option<String>,
    /// The certificate.
    pub tls: TlsFiles,
}

/// The section `store`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Store {
    /// `sqlite://PATH`.
    pub url: String,
}

/// The section `specs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Specs {
    /// Files and folders.
    pub paths: Vec<PathBuf>,
    /// Whether a changed file is read again without a signal.
    pub watch: bool,
}

/// The section `policies`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Paths {
    /// Files and folders.
    pub paths: Vec<PathBuf>,
}

/// The section `schedule`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Schedule {
    /// How often sources are read.
    #[serde(with = "span_text")]
    pub tick: Span,
}

/// The section `telemetry`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Telemetry {
    /// The form of log lines.
    pub log: LogFormat,
    /// error, warn, info, debug or trace; or a filter such as `info,slo_engine=debug`.
    pub level: String,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            server: Server::default(),
            store: Store::default(),
            signing: Signing::default(),
            gate: Gate::default(),
            specs: Specs::default(),
            policies: Paths::default(),
            sources: vec![SourceConfig::default()],
            schedule: Schedule::default(),
            adapters: Adapters::default(),
            oidc: Oidc::default(),
            telemetry: Telemetry::default(),
        }
    }
}

impl Default for Server {
    fn default() -> Self {
        Self { listen: "127.0.0.1:8080".to_owned(), public_url: None, tls: TlsFiles::default() }
    }
}

impl Default for Store {
    fn default() -> Self {
        Self { url: "sqlite://data/headroom.db".to_owned() }
    }
}

impl Default for Specs {
    fn default() -> Self {
        Self { paths: vec![PathBuf::from("slos")], watch: true }
    }
}

impl Default for Schedule {
    fn default() -> Self {
        Self { tick: Span::seconds(15) }
    }
}

impl Default for Telemetry {
    fn default() -> Self {
        Self { log: LogFormat::Text, level: "info".to_owned() }
    }
}

/// Why the configuration cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The file is wrong.
    #[error("{0}")]
    Wrong(Box<SpecError>),
    /// An environment variable is wrong.
    #[error("the environment variable {name} does not fit the configuration: {reason}")]
    Variable {
        /// The variable.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Two values do not go together.
    #[error("{0}")]
    Impossible(String),
}

impl Config {
    /// Reads a file, if one is given, and applies the environment.
    ///
    /// # Errors
    /// What is wrong and where.
    pub fn load(
        path: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let config = path.map_or_else(|| Ok(Self::default()), Self::read)?;
        environment::overridden(config, environment)?.checked()
    }

    fn read(path: &Path) -> Result<Self, ConfigError> {
        let bytes = std::fs::read(path).map_err(|e| ConfigError::Unreadable {
            path: path.to_owned(),
            reason: e.to_string(),
        })?;
        if is_blank(&bytes) {
            return Ok(Self::default());
        }
        let wrong = |e: SpecError| ConfigError::Wrong(Box::new(e));
        let name = path.display().to_string();
        let mut all = documents(&name, &bytes);
        if all.len() > 1 {
            return Err(wrong(SpecError::of_file(&name, "a configuration is one document")));
        }
        all.remove(0).and_then(|document| document.read()).map_err(wrong)
    }

    fn checked(self) -> Result<Self, ConfigError> {
        check::check(&self).map_err(ConfigError::Impossible)?;
        Ok(self)
    }
}

/// Whether a text says nothing: comments, empty lines and marks of documents.
fn is_blank(bytes: &[u8]) -> bool {
    let says = |line: &&[u8]| !(line.is_empty() || line.starts_with(b"#") || line == b"---");
    !bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).any(|line| says(&line))
}

#[cfg(test)]
mod tests;
