//! From counts to views. `reading` is shared by the server's tick and by one-shot commands.

pub mod oneshot;
pub mod reading;
