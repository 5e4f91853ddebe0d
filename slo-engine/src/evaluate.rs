//! From counts to views. `reading` is shared by the server's tick and by one-shot commands.

pub mod backfill;
pub mod engine;
pub mod exclusion;
mod live;
mod mix;
pub mod oneshot;
pub mod past;
pub mod peeks;
pub mod reading;
pub mod recount;
pub mod snapshot;
mod subset;
