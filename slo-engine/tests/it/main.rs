//! Integration tests against real servers.

mod live;
mod scrape;
mod support;
