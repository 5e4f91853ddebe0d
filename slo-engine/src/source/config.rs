//! The section `sources` of the configuration.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use slo_core::time::Span;

/// One source of events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SourceConfig {
    /// The name that SLOs use.
    pub name: String,
    /// What speaks there.
    pub kind: SourceKind,
    /// The address of a Prometheus API, with its path prefix if it has one.
    pub url: String,
    /// The addresses of `/metrics` pages, for kind `scrape`.
    pub targets: Vec<TargetConfig>,
    /// How to authenticate.
    pub auth: Auth,
    /// Headers for every request, such as `X-Scope-OrgID`.
    pub headers: BTreeMap<String, Secret>,
    /// Certificates (PEM) to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// How long one request may take.
    #[serde(with = "span_text")]
    pub timeout: Span,
    /// How far behind now the source is read.
    #[serde(with = "span_text")]
    pub lag: Span,
    /// How far each read reaches back over the last one; null is 15s, and 60s where the server hides
    /// fresh samples (VictoriaMetrics).
    #[serde(with = "optional_span_text")]
    pub overlap: Option<Span>,
    /// How often targets are scraped.
    #[serde(with = "span_text")]
    pub scrape_interval: Span,
    /// Longer queries are split.
    pub max_query_bytes: usize,
    /// The most samples that one answer should hold.
    pub max_samples: usize,
}

/// A target of kind `scrape`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum TargetConfig {
    /// Only its address; the job is the source's name.
    Address(String),
    /// Its address and job.
    Named {
        /// The address.
        url: String,
        /// The label `job`.
        job: String,
    },
}

/// What speaks at a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SourceKind {
    /// The Prometheus HTTP API (Prometheus, Thanos, Mimir, VictoriaMetrics).
    Prometheus,
    /// `/metrics` pages, read directly.
    Scrape,
    /// Elasticsearch or OpenSearch.
    Elasticsearch,
    /// Files of JSON lines.
    Jsonlog,
}

/// How to authenticate at a source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Auth {
    /// A bearer token.
    pub bearer: Option<Secret>,
    /// A user and a password.
    pub basic: Option<Basic>,
}

/// HTTP basic authentication.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Basic {
    /// The user's name.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// A text that may be secret: written plainly, or kept in an environment variable or a file.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Secret {
    /// The text itself.
    Text(String),
    /// In an environment variable.
    Env {
        /// The variable's name.
        env: String,
    },
    /// In a file; surrounding white space is cut.
    File {
        /// The file's path.
        file: PathBuf,
    },
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(_) => f.write_str("***"),
            Self::Env { env } => write!(f, "{{env: {env}}}"),
            Self::File { file } => write!(f, "{{file: {}}}", file.display()),
        }
    }
}

impl Secret {
    /// The text.
    ///
    /// # Errors
    /// Which variable or file could not be read.
    pub fn reveal(&self) -> Result<String, String> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::Env { env } => {
                std::env::var(env).map_err(|_| format!("the environment variable {env} is not set"))
            }
            Self::File { file } => std::fs::read_to_string(file)
                .map(|text| text.trim().to_owned())
                .map_err(|e| format!("cannot read {}: {e}", file.display())),
        }
    }
}

impl Default for SourceConfig {
    fn default() -> Self {
        Self {
            name: "prometheus".to_owned(),
            kind: SourceKind::Prometheus,
            url: "http://localhost:9090".to_owned(),
            targets: Vec::new(),
            auth: Auth::default(),
            headers: BTreeMap::new(),
            ca_file: None,
            timeout: Span::seconds(30),
            lag: Span::seconds(0),
            overlap: None,
            scrape_interval: Span::seconds(60),
            max_query_bytes: 64 * 1024,
            max_samples: 2_000_000,
        }
    }
}

/// A span written as people write it.
pub mod span_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use slo_core::time::Span;

    /// Writes `30s`.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(span: &Span, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(span)
    }

    /// Reads `30s`.
    ///
    /// # Errors
    /// What a duration looks like.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
        Span::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// A span or null.
pub mod optional_span_text {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
    use slo_core::time::Span;

    /// Writes `30s` or null.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(span: &Option<Span>, serializer: S) -> Result<S::Ok, S::Error> {
        span.map(|s| s.to_string()).serialize(serializer)
    }

    /// Reads `30s` or null.
    ///
    /// # Errors
    /// What a duration looks like.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Span>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| Span::parse(&text).map_err(D::Error::custom)).transpose()
    }
}
