//! Integration tests against real servers.

mod live;
mod support;
