//! Arguments that several commands take.

use std::path::PathBuf;
use std::time::Duration;

use budget_gate::Kind;
use budget_gate::policy::scalar::Length;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use reqwest::Url;
use slo_core::slo::Name;

/// Where something is deployed.
#[derive(Args)]
pub(crate) struct Place {
    /// The service; in CI the name of the repository where it is left out
    #[arg(long, value_name = "S", value_parser = name)]
    pub(crate) service: Option<String>,
    /// The environment; may be left out where the service has one only
    #[arg(long, value_name = "E", value_parser = name)]
    pub(crate) environment: Option<String>,
}

/// What is to be deployed.
#[derive(Args)]
pub(crate) struct Subject {
    #[command(flatten)]
    pub(crate) place: Place,
    /// The version to be deployed; in CI the tag where it is left out
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
    /// A machine token, or a job token of the CI system; an argument can be seen by whoever else is on
    /// the machine, the variable not. A job of GitHub Actions that may have a job token (`id-token:
    /// write`) gets one itself
    #[arg(long, env = "HEADROOM_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// How long to try until an answer is there
    #[arg(long, default_value = "10s", value_name = "LENGTH", value_parser = length)]
    pub(crate) timeout: Duration,
}

impl Engine {
    /// The engine in a message: no path, no password.
    pub(crate) fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }
}

/// What holds without an answer.
#[derive(Args)]
pub(crate) struct Closed {
    /// What holds when the engine gives no answer that can be relied on
    #[arg(long, default_value = "deny")]
    pub(crate) on_unreachable: OnUnreachable,
}

/// How the answer is written.
#[derive(Args)]
pub(crate) struct Written {
    /// What the answer is written as
    #[arg(long, default_value = "text")]
    pub(crate) format: Format,
    /// Write the answer to a file instead of the standard output; the log gets the text
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// How the answer is given.
#[derive(Args)]
pub(crate) struct Answering {
    #[command(flatten)]
    pub(crate) written: Written,
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
    /// For the test report of a CI system
    Junit,
    /// For a summary or a comment
    Markdown,
    /// For a code scanning page
    Sarif,
}

/// An id as the engine gives them; it becomes part of an address.
pub(crate) fn id(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    match !text.is_empty() && text.len() <= 64 && text.chars().all(plain) {
        true => Ok(text.to_owned()),
        false => Err("it is no id; ids look like 01JD3Q5Z1V8Y2M4N6P8R0T2W4X".to_owned()),
    }
}

pub(crate) fn digest(text: &str) -> Result<String, String> {
    let hex = text.strip_prefix("sha256:").unwrap_or_default();
    match hex.len() == 64 && hex.chars().all(|c| c.is_ascii_hexdigit() && !c.is_ascii_uppercase()) {
        true => Ok(text.to_owned()),
        false => Err("it is sha256: and 64 digits 0-9a-f, as a registry gives it".to_owned()),
    }
}

pub(crate) fn length(text: &str) -> Result<Duration, String> {
    let millis = Length::parse(text)?.span().as_millis();
    u64::try_from(millis).map(Duration::from_millis).map_err(|e| e.to_string())
}

pub(crate) fn name(text: &str) -> Result<String, String> {
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
