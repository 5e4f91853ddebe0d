//! Arguments that several commands take.

use std::path::PathBuf;
use std::time::Duration;

use budget_gate::Kind;
use budget_gate::policy::scalar::Length;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use reqwest::Url;
use slo_core::slo::Name;

/// What is to be deployed.
#[derive(Args)]
pub(crate) struct Subject {
    /// The service
    #[arg(long, value_name = "S", value_parser = name)]
    pub(crate) service: String,
    /// The environment; may be left out where the service has one only
    #[arg(long, value_name = "E", value_parser = name)]
    pub(crate) environment: Option<String>,
    /// The version to be deployed
    #[arg(long, value_name = "V")]
    pub(crate) version: Option<String>,
    /// What the deploy claims to be
    #[arg(long, default_value = "release", value_parser = kinds())]
    pub(crate) kind: Kind,
}

/// How the engine is reached.
#[derive(Args)]
pub(crate) struct Engine {
    /// Where the engine listens
    #[arg(long, env = "HEADROOM_URL", value_parser = url)]
    pub(crate) url: Url,
    /// A machine token
    #[arg(long, env = "HEADROOM_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// How long to try until an answer is there
    #[arg(long, default_value = "10s", value_name = "LENGTH", value_parser = length)]
    pub(crate) timeout: Duration,
    /// What holds when the engine gives no answer that can be relied on
    #[arg(long, default_value = "deny")]
    pub(crate) on_unreachable: OnUnreachable,
}

/// How the answer is given.
#[derive(Args)]
pub(crate) struct Answering {
    /// What the answer is written as
    #[arg(long, default_value = "text")]
    pub(crate) format: Format,
    /// Write the answer to a file instead of the standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// The exit code of a warning
    #[arg(long, default_value_t = 0, value_name = "CODE")]
    pub(crate) warn_exit_code: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnUnreachable {
    /// Exit 30
    Deny,
    /// Exit 0
    Allow,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// The decision as the engine gave it
    Json,
}

fn name(text: &str) -> Result<String, String> {
    Name::parse(text).map(|name| name.as_str().to_owned())
}

fn kinds() -> impl TypedValueParser<Value = Kind> {
    let known = PossibleValuesParser::new(Kind::ALL.map(Kind::as_str));
    known.map(|text| Kind::ALL.into_iter().find(|k| k.as_str() == text).unwrap_or_default())
}

fn url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|e| format!("{e}; write it like http://headroom:8080"))?;
    match url.scheme() {
        "http" | "https" if url.query().is_none() && url.fragment().is_none() => Ok(url),
        "http" | "https" => Err("it holds the engine's address only, no ? and no #".to_owned()),
        _ => Err("it begins with http:// or https://".to_owned()),
    }
}

fn length(text: &str) -> Result<Duration, String> {
    let millis = Length::parse(text)?.span().as_millis();
    u64::try_from(millis).map(Duration::from_millis).map_err(|e| e.to_string())
}
