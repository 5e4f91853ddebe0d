//! Callers that sign what they send: whether they did, and who they are to the gate.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use ring::hmac;

use super::outgoing::is_signed;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::source::config::Secret;
use crate::token::{Principal, Scope};

/// The secret that an adapter is configured with. Without one there is no such route.
pub(super) fn secret(configured: Option<&Secret>) -> Result<String, Problem> {
    let Some(secret) = configured else { return Err(Problem::plain(StatusCode::NOT_FOUND)) };
    let revealed = secret.reveal().ok().filter(|secret| !secret.is_empty());
    revealed.ok_or_else(|| {
        tracing::error!(
            "the secret of an adapter cannot be read, or is empty: nothing is accepted"
        );
        Problem::unavailable("the signature cannot be checked now").again_after(30)
    })
}

/// # Errors
/// When a body is not signed with the key.
pub(super) fn signed(
    algorithm: hmac::Algorithm,
    key: &str,
    body: &[u8],
    signature: Option<&str>,
) -> Result<(), Problem> {
    match is_signed(algorithm, key, body, signature.unwrap_or_default()) {
        true => Ok(()),
        false => Err(Problem::unauthorized("the signature is missing or wrong")),
    }
}

/// Who asks: an adapter whose caller has signed.
pub(super) fn caller(adapter: &str) -> Caller {
    let principal = Principal {
        name: format!("adapter:{adapter}"),
        id: String::new(),
        scopes: vec![Scope::Decide],
        services: Vec::new(),
        environments: Vec::new(),
    };
    Caller(Arc::new(principal), Duration::ZERO)
}

/// The path of an address below another one; `None` where it is not. Nothing in it leads out again.
pub(super) fn below(base: &str, address: &str) -> Option<String> {
    let path = address.strip_prefix(base.trim_end_matches('/'))?;
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"/-_.~".contains(&b);
    let is_below = path.starts_with('/') && !path.contains("..") && path.bytes().all(is_plain);
    is_below.then(|| path.to_owned())
}

/// `owner/name` of a repository, as it may stand in a path.
pub(super) fn path_of(repository: &str) -> Option<&str> {
    let (owner, name) = repository.split_once('/')?;
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let is_part =
        |part: &str| !part.is_empty() && part != "." && part != ".." && part.bytes().all(is_plain);
    (is_part(owner) && is_part(name)).then_some(repository)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_two_plain_parts() {
        assert_eq!(path_of("acme/orders.api"), Some("acme/orders.api"));
        for wrong in ["acme", "acme/", "/x", "a/b/c", "a/..", "a/b?c", "a/b%2f"] {
            assert_eq!(path_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_address_is_below_another_one_only_where_nothing_leads_out() {
        let base = "https://tf.example/";
        assert_eq!(below(base, "https://tf.example/api/v2/x").as_deref(), Some("/api/v2/x"));
        for wrong in [
            "https://tf.example.evil/api",
            "https://tf.example@evil/api",
            "https://tf.example:9/api",
            "http://tf.example/api",
            "https://tf.example",
            "https://tf.example/a/../../b",
            "https://tf.example/a?b",
            "https://tf.example/a%2e",
        ] {
            assert_eq!(below(base, wrong), None, "{wrong}");
        }
    }
}
