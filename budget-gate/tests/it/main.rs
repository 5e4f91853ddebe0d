//! The command line against an engine that is faked, byte by byte.

mod engine;
mod peek;
