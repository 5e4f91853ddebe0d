//! The shop's product catalogue: a small service to observe.
//!
//! It serves products from memory, tells what it did in metrics and log lines, and fails on demand
//! in a graded way. It knows nothing of who watches it.

pub mod app;
mod checks;
pub mod clock;
pub mod config;
mod docs;
mod endpoints;
mod extract;
pub mod faults;
pub mod log;
pub mod metrics;
mod observe;
pub mod problem;
pub mod product;
mod random;
pub mod repository;
mod request_id;
mod router;

pub use app::{App, RunError, run};
pub use config::Config;
pub use router::router;

/// The name under which the service appears in metrics and log lines.
pub const SERVICE: &str = "catalog";
