//! The configuration, the SLO files, and who else can read the secrets.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::Check;
use crate::cli::declare;
use crate::cli::output::counted;
use crate::config::Config;
use crate::declared;
use crate::source::config::{Secret, SourceConfig};

pub(super) fn config(config: &Config, file: Option<&Path>) -> Check {
    let variables = std::env::vars().filter(|(name, _)| name.starts_with("HEADROOM__")).count();
    let from = file.map_or_else(|| "no file, the defaults".to_owned(), |f| f.display().to_string());
    let message = match variables {
        0 => from,
        some => format!("{from}; changed by {}", counted(some, "environment variable")),
    };
    let plain = config.sources.iter().flat_map(secrets_of);
    let has_secret = plain.into_iter().any(|secret| matches!(secret, Secret::Text(_)));
    match file.filter(|file| has_secret && is_open(file)) {
        Some(file) => Check::warn(
            "config",
            format!("{message}; it holds a secret and everybody can read it"),
            &format!("chmod 600 {}, or write {{file: PATH}} or {{env: NAME}}", file.display()),
        ),
        None => Check::ok("config", message),
    }
}

pub(super) fn declared(config: &Config) -> Check {
    let scrape = config.sources.first().map(|source| source.scrape_interval);
    let declared = match declared::read(&declare::paths(&[], config), scrape) {
        Ok(declared) => declared,
        Err(errors) => {
            let first = errors.first().map(|e| format!("{}: {}", e.place, e.message));
            let count = counted(errors.len(), "error");
            let message = format!("{count}; the first: {}", first.unwrap_or_default());
            return Check::fail("files", message, "`slo-engine validate` shows all of them");
        }
    };
    let (slos, services) = (declared.slos(), declared.services.len());
    let policies = match declared.is_shipped {
        true => "no policy (so the shipped one decides)".to_owned(),
        false => counted(declared.policies.len(), "policy"),
    };
    let found = format!("{} of {}, {policies}", counted(slos, "SLO"), counted(services, "service"));
    match declared.warnings.len() {
        0 => Check::ok("files", found),
        some => Check::warn(
            "files",
            format!("{found}; {}", counted(some, "warning")),
            "`slo-engine validate` shows them",
        ),
    }
}

/// Files with secrets that everybody on the machine can read.
pub(super) fn secrets(config: &Config) -> Vec<Check> {
    let of_sources = config.sources.iter().flat_map(secrets_of).filter_map(|secret| match secret {
        Secret::File { file } => Some(file),
        _ => None,
    });
    let open = of_sources.chain(&config.server.tls.key_file).filter(|file| is_open(file));
    let warn = |file: &std::path::PathBuf| {
        let message = format!("everybody can read the secret in {}", file.display());
        Check::warn("permissions", message, &format!("chmod 600 {}", file.display()))
    };
    open.map(warn).collect()
}

fn secrets_of(source: &SourceConfig) -> Vec<&Secret> {
    let basic = source.auth.basic.as_ref().map(|basic| &basic.password);
    source.auth.bearer.iter().chain(basic).chain(source.headers.values()).collect()
}

fn is_open(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|data| data.permissions().mode() & 0o004 != 0)
}
