//! Reads `/metrics` of targets directly: fetch one page, parse it whole or refuse it whole.

pub mod attempt;
pub mod fetch;
pub mod source;
pub mod target;
pub mod text;
