//! What is a value of the right type and cannot be meant. Each message begins with the key.

use slo_core::time::Span;

use super::Config;
use crate::record::signing::VERDICTS_FOR;
use crate::source::config::{Auth, SourceConfig, SourceKind};

/// A longer tick is a mistake: every number would be stale before the next one.
const LONGEST_TICK: Span = Span::minutes(1_440);

pub(super) fn check(config: &Config) -> Result<(), String> {
    listen(&config.server.listen).map_err(|why| format!("server.listen: {why}"))?;
    if let Some(url) = &config.server.public_url {
        address("server.publicUrl", url)?;
    }
    config.server.tls.both().map_err(|half| half.to_string())?;
    if !VERDICTS_FOR.contains(&config.signing.verdicts_for) {
        return Err("signing.verdictsFor must be 1m to 1d".to_owned());
    }
    if config.gate.incidents_close_after < Span::minutes(1) {
        return Err("gate.incidentsCloseAfter must be at least 1m".to_owned());
    }
    if config.schedule.tick < Span::seconds(1) {
        return Err("schedule.tick must be at least 1s".to_owned());
    }
    if config.schedule.tick > LONGEST_TICK {
        return Err(format!("schedule.tick must be at most {LONGEST_TICK}"));
    }
    let adapters = &config.adapters;
    address("adapters.github.url", &adapters.github.url)?;
    address("adapters.gitlab.url", &adapters.gitlab.url)?;
    address("adapters.terraform.url", &adapters.terraform.url)?;
    names(&config.sources)?;
    for (at, one) in config.sources.iter().enumerate() {
        source(one).map_err(|why| format!("sources[{at}] (`{}`): {why}", one.name))?;
    }
    level(&config.telemetry.level)
}

/// Whether a text is a host and a port; what is wrong with it.
pub(crate) fn listen(text: &str) -> Result<(), String> {
    match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(()),
        _ => Err(format!("`{text}` is no address with a port, such as 127.0.0.1:8080")),
    }
}

fn address(key: &str, text: &str) -> Result<(), String> {
    // What hides a password is not shown.
    if holds_credentials(text) {
        return Err(format!(
            "{key}: the address holds a user or a password, which errors and answers would show; remove it"
        ));
    }
    let read = reqwest::Url::parse(text);
    match read.is_ok_and(|url| url.has_host() && matches!(url.scheme(), "http" | "https")) {
        true => Ok(()),
        false => Err(format!("{key}: `{text}` is no address; it begins with http:// or https://")),
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

fn names(sources: &[SourceConfig]) -> Result<(), String> {
    let mut names: Vec<&str> = sources.iter().map(|s| s.name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(twice) => Err(format!("two sources are called `{}`; names are unique", twice[0])),
        None => Ok(()),
    }
}

fn source(source: &SourceConfig) -> Result<(), String> {
    if source.name.is_empty() {
        return Err("name is empty; SLOs call a source by its name".to_owned());
    }
    match source.kind {
        SourceKind::Prometheus | SourceKind::Elasticsearch if holds_credentials(&source.url) => {
            return Err("url holds a user or a password, which errors and answers would show; \
                        put them under auth.basic"
                .to_owned());
        }
        SourceKind::Prometheus | SourceKind::Elasticsearch => address("url", &source.url)?,
        SourceKind::Scrape if source.targets.is_empty() => {
            return Err("it has no targets; list the addresses of /metrics pages".to_owned());
        }
        SourceKind::Jsonlog if source.files.is_empty() => {
            return Err("it has no files; list the paths of logs, which may hold *".to_owned());
        }
        SourceKind::Scrape | SourceKind::Jsonlog => {}
    }
    for (key, span) in [("timeout", source.timeout), ("scrapeInterval", source.scrape_interval)] {
        if span <= Span::seconds(0) {
            return Err(format!("{key} must be more than 0s"));
        }
    }
    for (key, number) in
        [("maxQueryBytes", source.max_query_bytes), ("maxSamples", source.max_samples)]
    {
        if number == 0 {
            return Err(format!("{key} must be at least 1"));
        }
    }
    auth(&source.auth, source.kind)
}

fn auth(auth: &Auth, kind: SourceKind) -> Result<(), String> {
    let given = [auth.bearer.is_some(), auth.basic.is_some(), auth.api_key.is_some()];
    if given.into_iter().filter(|is_given| *is_given).count() > 1 {
        return Err("auth has more than one of bearer, basic and apiKey; keep one".to_owned());
    }
    if auth.api_key.is_some() && kind != SourceKind::Elasticsearch {
        return Err("auth.apiKey is of kind elasticsearch; use bearer or basic".to_owned());
    }
    match &auth.basic {
        Some(basic) if basic.username.is_empty() => Err("auth.basic has no username".to_owned()),
        Some(basic) if basic.password.is_empty() => Err("auth.basic has no password".to_owned()),
        _ => Ok(()),
    }
}

fn level(text: &str) -> Result<(), String> {
    let is_level = |text: &str| text.parse::<tracing::level_filters::LevelFilter>().is_ok();
    let mut levels = text.split(',').map(str::trim);
    match levels.find(|part| !part.contains('=') && !is_level(part)) {
        Some(wrong) => Err(format!(
            "telemetry.level: `{wrong}` is no level; levels are off, error, warn, info, debug and trace, \
             of a part of the program as in `hyper=debug`"
        )),
        None => Ok(()),
    }
}
