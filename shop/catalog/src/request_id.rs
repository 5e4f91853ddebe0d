//! The id and trace under which a request is found in the log: the caller's if usable, else our own.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::HeaderMap;

use crate::random::draw;

pub(crate) const HEADER: &str = "x-request-id";

/// Makes ids that differ within the process, and between processes by their start time.
#[derive(Debug)]
pub(crate) struct RequestIds {
    seed: u64,
    next: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, next: AtomicU64::new(0) }
    }

    /// The caller's `x-request-id` when it is short and printable, else a new one.
    pub(crate) fn of(&self, headers: &HeaderMap) -> String {
        let given = headers.get(HEADER).and_then(|value| value.to_str().ok());
        match given {
            Some(id) if (1..=128).contains(&id.len()) => id.to_owned(),
            _ => self.fresh(),
        }
    }

    fn fresh(&self) -> String {
        let ordinal = self.next.fetch_add(1, Ordering::Relaxed);
        format!("{:016x}{:016x}", draw(self.seed, ordinal), draw(!self.seed, ordinal))
    }
}

/// The trace id of a W3C `traceparent` header, version 00: `00-<32 hex>-<16 hex>-<2 hex>`.
pub(crate) fn trace_id(headers: &HeaderMap) -> Option<String> {
    let parent = headers.get("traceparent")?.to_str().ok()?;
    let mut parts = parent.split('-');
    let (version, trace) = (parts.next()?, parts.next()?);
    let hex = trace.len() == 32 && trace.bytes().all(|byte| byte.is_ascii_hexdigit());
    (version == "00" && hex && trace.bytes().any(|byte| byte != b'0'))
        .then(|| trace.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_callers_id_is_kept_and_an_empty_one_replaced() {
        let ids = RequestIds::new(1);
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, HeaderValue::from_static("abc"));
        assert_eq!(ids.of(&headers), "abc");
        headers.insert(HEADER, HeaderValue::from_static(""));
        assert_eq!(ids.of(&headers).len(), 32);
        assert_ne!(ids.of(&headers), ids.of(&headers));
    }

    #[test]
    fn a_trace_of_zeros_or_of_the_wrong_length_is_no_trace() {
        let of = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("traceparent", HeaderValue::from_static(text));
            trace_id(&headers)
        };
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(of(good).as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        assert_eq!(of("00-00000000000000000000000000000000-00f067aa0ba902b7-01"), None);
        assert_eq!(of("00-abc-00f067aa0ba902b7-01"), None);
        assert_eq!(of("nonsense"), None);
    }
}
