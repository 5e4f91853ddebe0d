//! The section `sources` of the configuration.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use slo_core::plan::{Defaults, Feeds, Share};
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
    /// The files, for kind `jsonlog`; names may hold `*`.
    pub files: Vec<String>,
    /// The field that says when a document or line happened, for logs.
    pub time_field: String,
    /// How to authenticate.
    pub auth: Auth,
    /// Headers for every request, such as `X-Scope-OrgID`.
    pub headers: BTreeMap<String, Secret>,
    /// Certificates (PEM) to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// How long one request may take.
    #[serde(with = "span_text")]
    pub timeout: Span,
    /// How far behind now the source is read; null is 0s, and 10s for Elasticsearch.
    #[serde(with = "optional_span_text")]
    pub lag: Option<Span>,
    /// How far each read reaches back over the last one; null is 15s, 60s where the server hides
    /// fresh samples (VictoriaMetrics), and 120s for Elasticsearch.
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
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "a target is an address or {url: ADDRESS, job: NAME}"
)]
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
    /// An API key of Elasticsearch, as its `encoded` form.
    pub api_key: Option<Secret>,
}

/// HTTP basic authentication.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Basic {
    /// The user's name.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// A text that may be secret: written plainly, or kept in an environment variable or a file.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "a secret is a text, {env: NAME} or {file: PATH}"
)]
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

impl Default for Secret {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl Secret {
    /// Whether nothing is written there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Text(text) if text.is_empty())
    }

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
            files: Vec::new(),
            time_field: "@timestamp".to_owned(),
            auth: Auth::default(),
            headers: BTreeMap::new(),
            ca_file: None,
            timeout: Span::seconds(30),
            lag: None,
            overlap: None,
            scrape_interval: Span::seconds(60),
            max_query_bytes: 64 * 1024,
            max_samples: 2_000_000,
        }
    }
}

impl SourceKind {
    /// Whether it holds documents, not series.
    #[must_use]
    pub const fn holds_logs(self) -> bool {
        matches!(self, Self::Elasticsearch | Self::Jsonlog)
    }
}

impl SourceConfig {
    /// How far behind now the source is read.
    #[must_use]
    pub fn lag(&self) -> Span {
        let default = if self.kind == SourceKind::Elasticsearch { 10 } else { 0 };
        self.lag.unwrap_or(Span::seconds(default))
    }
}

/// The sources of sides that name none: the first for metrics, and the first for logs.
#[must_use]
pub fn defaults(sources: &[SourceConfig]) -> Defaults<'_> {
    let first = |logs: bool| {
        let found = sources.iter().find(|source| source.kind.holds_logs() == logs);
        found.map_or("", |source| source.name.as_str())
    };
    Defaults { metrics: first(false), logs: first(true) }
}

/// The source that a share names.
///
/// # Errors
/// A sentence when there is none, or when it holds other things.
pub fn source_of<'a>(
    sources: &'a [SourceConfig],
    share: &Share,
) -> Result<&'a SourceConfig, String> {
    let (fits, kinds, lacks): (fn(SourceKind) -> bool, _, _) = match share.feeds {
        Feeds::Logs(_) => (SourceKind::holds_logs, "elasticsearch or jsonlog", "holds no logs"),
        Feeds::Raw { .. } => {
            (|kind| kind == SourceKind::Prometheus, "prometheus", "works out no ratios")
        }
        _ => (|kind| !kind.holds_logs(), "prometheus or scrape", "holds no metrics"),
    };
    let name = &share.source;
    if name.is_empty() {
        return Err(format!("no source of kind {kinds} is configured"));
    }
    match sources.iter().find(|source| source.name == *name) {
        Some(source) if fits(source.kind) => Ok(source),
        Some(_) => Err(format!("source `{name}` {lacks}; name one of kind {kinds}")),
        None => {
            let known: Vec<&str> = sources.iter().map(|s| s.name.as_str()).collect();
            Err(format!("no source is called `{name}`; the configuration has {}", known.join(", ")))
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
