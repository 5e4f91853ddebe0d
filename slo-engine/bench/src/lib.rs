//! What the benchmark program and the integration tests share: real servers, the engine's binary,
//! samples as text, and a count of events that is written apart from the engine's own.

pub mod compare;
pub mod engine;
pub mod openmetrics;
pub mod oracle;
pub mod random;
pub mod rough;
pub mod server;
pub mod traffic;
