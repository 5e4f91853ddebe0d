//! The whole service on a port of its own: every status, every count, every log line.
//!
//! `cfg(test)` tells clippy that the helpers in these files are tests too.
#![cfg(test)]

mod faults;
mod log;
mod metrics;
mod problems;
mod products;
mod shutdown;
mod storage;
mod support;
