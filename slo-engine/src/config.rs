//! The configuration: a file, overridden by `HEADROOM__SECTION__KEY` environment variables.
//!
//! The defaults are in code; `config.default.yaml` names every key and a test holds the two together.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use slo_core::spec::SpecError;
use slo_core::spec::yaml::documents;
use slo_core::time::Span;
use thiserror::Error;

use crate::http::{Adapters, TlsFiles};
use crate::oidc::Oidc;
use crate::record::signing::{Signing, VERDICTS_FOR};
use crate::source::config::{SourceConfig, span_text};

mod gate;

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
        let config = config.overridden(environment)?;
        config.checked()
    }

    fn read(path: &Path) -> Result<Self, ConfigError> {
        let bytes = std::fs::read(path).map_err(|e| ConfigError::Unreadable {
            path: path.to_owned(),
            reason: e.to_string(),
        })?;
        let wrong = |e: SpecError| ConfigError::Wrong(Box::new(e));
        let name = path.display().to_string();
        let mut all = documents(&name, &bytes);
        if all.len() > 1 {
            return Err(wrong(SpecError::of_file(&name, "a configuration is one document")));
        }
        all.remove(0).and_then(|document| document.read()).map_err(wrong)
    }

    fn overridden(
        self,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut variables: Vec<(String, String)> =
            environment.into_iter().filter(|(name, _)| name.starts_with("HEADROOM__")).collect();
        variables.sort();
        let mut config = self;
        for (name, value) in variables {
            let wrong = |reason: String| ConfigError::Variable { name: name.clone(), reason };
            let path: Vec<&str> = name.split("__").skip(1).collect();
            config.make_room(&path);
            let mut tree = serde_json::to_value(&config).map_err(|e| wrong(e.to_string()))?;
            set(&mut tree, &path, &value).map_err(wrong)?;
            config = serde_json::from_value(tree).map_err(|e| wrong(e.to_string()))?;
        }
        Ok(config)
    }

    /// A variable may name the source after the last one: it begins as the defaults.
    fn make_room(&mut self, path: &[&str]) {
        if let [section, at, ..] = path
            && section.eq_ignore_ascii_case("sources")
            && at.parse() == Ok(self.sources.len())
        {
            self.sources.push(SourceConfig::default());
        }
    }

    fn checked(self) -> Result<Self, ConfigError> {
        let mut names: Vec<&str> = self.sources.iter().map(|s| s.name.as_str()).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            let message = format!("two sources are called `{}`; names are unique", twice[0]);
            return Err(ConfigError::Impossible(message));
        }
        if let Some(source) = self.sources.iter().find(|source| holds_credentials(&source.url)) {
            let message = format!(
                "the url of source `{}` holds a user or a password, which errors and answers would show; \
                 put them under auth.basic",
                source.name
            );
            return Err(ConfigError::Impossible(message));
        }
        let mut levels = self.telemetry.level.split(',').map(str::trim);
        if let Some(wrong) = levels.find(|part| !part.contains('=') && !is_level(part)) {
            let message = format!(
                "telemetry.level: `{wrong}` is no level; levels are off, error, warn, info, debug and trace, \
                 of a part of the program as in `hyper=debug`"
            );
            return Err(ConfigError::Impossible(message));
        }
        self.server.tls.both().map_err(|half| ConfigError::Impossible(half.to_string()))?;
        if !VERDICTS_FOR.contains(&self.signing.verdicts_for) {
            let message = "signing.verdictsFor must be 1m to 1d".to_owned();
            return Err(ConfigError::Impossible(message));
        }
        if self.schedule.tick < Span::seconds(1) {
            return Err(ConfigError::Impossible("schedule.tick must be at least 1s".to_owned()));
        }
        if self.schedule.tick > LONGEST_TICK {
            let message = format!("schedule.tick must be at most {LONGEST_TICK}");
            return Err(ConfigError::Impossible(message));
        }
        Ok(self)
    }
}

/// Whether an address names a user or a password; of what is no address an `@` is enough.
fn holds_credentials(url: &str) -> bool {
    match reqwest::Url::parse(url) {
        Ok(address) if address.has_host() => {
            !address.username().is_empty() || address.password().is_some()
        }
        _ => url.contains('@'),
    }
}

fn is_level(text: &str) -> bool {
    text.parse::<tracing::level_filters::LevelFilter>().is_ok()
}

/// A longer tick is a mistake: every number would be stale before the next one.
const LONGEST_TICK: Span = Span::minutes(1_440);

/// Sets the value at a path; keys match without regard to case, as environment variables are upper case.
fn set(tree: &mut Value, path: &[&str], value: &str) -> Result<(), String> {
    let Some((key, rest)) = path.split_first() else {
        *tree = scalar(tree, value);
        return Ok(());
    };
    match tree {
        Value::Object(map) => {
            let known = map.keys().find(|k| k.eq_ignore_ascii_case(key)).cloned();
            let known = known.ok_or_else(|| format!("there is no key `{}`", key.to_lowercase()))?;
            set(map.get_mut(&known).unwrap_or(&mut Value::Null), rest, value)
        }
        Value::Array(list) => {
            let at: usize = key.parse().map_err(|_| format!("`{key}` is no position in a list"))?;
            let length = list.len();
            let item =
                list.get_mut(at).ok_or_else(|| format!("there are {length}, counted from 0"))?;
            set(item, rest, value)
        }
        _ => Err(format!("`{}` is not a section", key.to_lowercase())),
    }
}

/// A text as the kind of value that stands there: numbers and booleans where they fit.
fn scalar(there: &Value, text: &str) -> Value {
    match there {
        Value::String(_) => Value::String(text.to_owned()),
        Value::Array(_) if !text.trim_start().starts_with('[') => {
            text.split(',').map(|part| Value::String(part.trim().to_owned())).collect()
        }
        _ => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn the_reference_file_names_the_defaults() {
        let all = documents("config.default.yaml", DEFAULTS.as_bytes());
        let read: Config = all.into_iter().next().unwrap().unwrap().read().unwrap();
        assert_eq!(read, Config::default());
    }

    #[test]
    fn the_reference_file_names_every_key() {
        fn keys(value: &Value, out: &mut Vec<String>) {
            match value {
                Value::Object(map) => map.iter().for_each(|(key, value)| {
                    out.push(key.clone());
                    keys(value, out);
                }),
                Value::Array(list) => list.iter().for_each(|value| keys(value, out)),
                _ => {}
            }
        }
        let mut all = Vec::new();
        keys(&serde_json::to_value(Config::default()).unwrap(), &mut all);
        for key in all {
            assert!(DEFAULTS.contains(&format!("{key}:")), "config.default.yaml lacks {key}");
        }
    }

    #[test]
    fn environment_variables_override_any_key() {
        let config = Config::load(
            None,
            environment(&[
                ("HEADROOM__SERVER__PUBLICURL", "https://headroom.example"),
                ("HEADROOM__SOURCES__0__URL", "http://prom:9090"),
                ("HEADROOM__SOURCES__0__MAXSAMPLES", "5"),
                ("HEADROOM__SPECS__PATHS", "a,b"),
                ("PATH", "/bin"),
            ]),
        )
        .unwrap();
        assert_eq!(config.server.public_url.as_deref(), Some("https://headroom.example"));
        assert_eq!(
            (config.sources[0].url.as_str(), config.sources[0].max_samples),
            ("http://prom:9090", 5)
        );
        assert_eq!(config.specs.paths, [PathBuf::from("a"), PathBuf::from("b")]);
    }

    #[test]
    fn a_second_source_may_come_from_the_environment_alone() {
        let pairs =
            [("HEADROOM__SOURCES__1__NAME", "eu"), ("HEADROOM__SOURCES__1__URL", "http://eu:9090")];
        let config = Config::load(None, environment(&pairs)).unwrap();
        assert_eq!((config.sources.len(), config.sources[1].name.as_str()), (2, "eu"));
        assert!(Config::load(None, environment(&[("HEADROOM__SOURCES__5__NAME", "x")])).is_err());
    }

    #[test]
    fn a_variable_that_fits_nowhere_is_named() {
        for name in
            ["HEADROOM__SERVER__LISTN", "HEADROOM__SOURCES__X__URL", "HEADROOM__SCHEDULE__TICK"]
        {
            let error = Config::load(None, environment(&[(name, "soon")])).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    #[test]
    fn a_tick_that_cannot_be_meant_is_refused() {
        for tick in ["0s", "500ms", "100000000d"] {
            let error = Config::load(None, environment(&[("HEADROOM__SCHEDULE__TICK", tick)]));
            assert!(error.unwrap_err().to_string().contains("schedule.tick"), "{tick}");
        }
    }

    #[test]
    fn a_certificate_and_its_key_come_together() {
        let (cert, key) = ("HEADROOM__SERVER__TLS__CERTFILE", "HEADROOM__SERVER__TLS__KEYFILE");
        let error = Config::load(None, environment(&[(cert, "a.pem")])).unwrap_err().to_string();
        assert_eq!(
            error,
            "server.tls.certFile is set and server.tls.keyFile is not; set both, or none"
        );
        let both = Config::load(None, environment(&[(cert, "a.pem"), (key, "b.pem")])).unwrap();
        assert_eq!(both.server.tls.key_file, Some(PathBuf::from("b.pem")));
    }

    #[test]
    fn a_password_in_the_url_of_a_source_is_refused_without_showing_it() {
        let load =
            |url: &str| Config::load(None, environment(&[("HEADROOM__SOURCES__0__URL", url)]));
        for url in
            ["http://usr:s3cret@localhost:9090", "https://usr@s3cret", "usr:s3cret@localhost:x"]
        {
            let error = load(url).unwrap_err().to_string();
            assert!(error.contains("auth.basic") && !error.contains("s3cret"), "{error}");
        }
        assert!(load("http://localhost:9090/a@b").is_ok());
    }

    #[test]
    fn a_level_that_is_none_is_refused_and_does_not_silence_the_log() {
        let load =
            |level: &str| Config::load(None, environment(&[("HEADROOM__TELEMETRY__LEVEL", level)]));
        for level in ["wran", "warning", "info,loud"] {
            let error = load(level).unwrap_err().to_string();
            assert!(error.contains("is no level; levels are off, error, warn"), "{error}");
        }
        for level in ["warn", "DEBUG", "info, hyper=debug", "off"] {
            assert!(load(level).is_ok(), "{level}");
        }
    }

    #[test]
    fn an_unknown_key_in_the_file_has_a_place() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "server:\n  lisen: 1\n").unwrap();
        let error = Config::load(Some(file.path()), []).unwrap_err().to_string();
        assert!(
            error.contains(":2:3") && error.contains("lisen") && error.contains("listen"),
            "{error}"
        );
    }
}
