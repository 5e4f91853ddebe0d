//! Integration tests against real servers.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod live;
mod scrape;
mod support;
