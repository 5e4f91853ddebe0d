//! An open-loop load generator for the shop: arrivals never wait for answers.
//!
//! It counts what it sent and what came back, so that others can compare their counts with it.

mod arrivals;
mod client;
pub mod clock;
pub mod config;
mod counts;
mod curve;
mod mix;
pub mod output;
mod plan;
mod random;
pub mod report;
mod run;
mod status;

pub use config::Config;
pub use curve::Curve;
pub use mix::Mix;
pub use run::{Load, RunError};
