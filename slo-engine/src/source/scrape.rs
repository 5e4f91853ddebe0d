//! Reads `/metrics` of targets directly: fetch one page, parse it whole or refuse it whole.
//! Knows targets and series; knows nothing of SLOs, counting or storage.

pub mod attempt;
pub mod fetch;
pub mod target;
pub mod text;
