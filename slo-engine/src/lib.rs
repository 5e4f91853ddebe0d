//! Headroom's engine: reads sources, keeps the ledger of good and total events, serves budgets and
//! verdicts. The binary only parses arguments and calls [`cli`].

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod declared;
pub mod evaluate;
pub mod files;
pub mod gate;
pub mod http;
mod memory;
mod nightly;
pub mod oidc;
pub mod record;
pub mod replay;
pub mod schedule;
pub mod source;
pub mod store;
pub mod token;
