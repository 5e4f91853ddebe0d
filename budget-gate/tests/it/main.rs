//! The command line against an engine that is faked, byte by byte.

mod check;
mod ci;
mod engine;
mod manage;
mod peek;
mod verify;
mod wait;
mod watch;
