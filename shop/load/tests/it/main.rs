//! The load against a real catalogue: both must have counted the same.
//!
//! `cfg(test)` tells clippy that the helpers in these files are tests too.
#![cfg(test)]

mod agreement;
mod open_loop;
mod output;
mod support;
