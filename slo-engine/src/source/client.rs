//! HTTP clients of sources that are asked directly: who asks, whom they trust, and no redirects.

use reqwest::ClientBuilder;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::config::{Secret, SourceConfig};
use super::error::chain;

/// A client as configured: headers, authentication, certificates.
pub(super) fn builder(config: &SourceConfig) -> Result<ClientBuilder, String> {
    let builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .default_headers(headers(config)?);
    let Some(file) = &config.ca_file else { return Ok(builder) };
    let pem =
        std::fs::read(file).map_err(|e| format!("cannot read caFile {}: {e}", file.display()))?;
    let certificates = reqwest::Certificate::from_pem_bundle(&pem)
        .map_err(|e| format!("caFile {}: {}", file.display(), chain(&e)))?;
    Ok(builder.tls_certs_merge(certificates))
}

fn headers(config: &SourceConfig) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in &config.headers {
        let header: HeaderName =
            name.parse().map_err(|_| format!("`{name}` cannot be the name of a header"))?;
        headers.insert(header, secret_header(name, &of(name, value)?)?);
    }
    if let Some(bearer) = &config.auth.bearer {
        let value = format!("Bearer {}", of("auth.bearer", bearer)?);
        headers.insert("authorization", secret_header("auth.bearer", &value)?);
    }
    if let Some(basic) = &config.auth.basic {
        use base64::Engine;
        let pair = format!("{}:{}", basic.username, of("auth.basic", &basic.password)?);
        let value = base64::engine::general_purpose::STANDARD.encode(pair);
        headers.insert("authorization", secret_header("auth.basic", &format!("Basic {value}"))?);
    }
    Ok(headers)
}

/// What a key is set to.
fn of(key: &str, secret: &Secret) -> Result<String, String> {
    secret.reveal().map_err(|why| format!("{key}: {why}"))
}

fn secret_header(name: &str, value: &str) -> Result<HeaderValue, String> {
    let mut header = HeaderValue::from_str(value)
        .map_err(|_| format!("the value of {name} holds characters that a header cannot carry"))?;
    header.set_sensitive(true);
    Ok(header)
}
