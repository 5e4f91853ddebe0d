//! Integration tests against real servers.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod alerts;
mod apart;
mod callbacks;
mod cli;
mod conformance;
mod counters;
mod exclusions;
mod faults;
mod groups;
mod kinds;
mod latency;
mod lines;
mod live;
mod logs;
mod native;
mod records;
mod recount;
mod refinements;
mod replay;
mod scenarios;
mod scrape;
mod serve;
mod support;
mod tls;
mod truth;
mod verdicts;
