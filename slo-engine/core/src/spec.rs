//! The files a user writes: texts in, domain types out. Reads no file itself.
//!
//! [`yaml`] turns a text into documents whose every error knows its place; [`native`] reads
//! `kind: Service`; [`load`] reads whole folders and checks what holds between documents.

mod error;
mod excerpt;
pub mod native;
mod schema;
mod set;
mod suggest;
pub mod yaml;

pub use error::{Place, SpecError, Warning};
pub use schema::schema;
pub use set::{Set, load};
pub use suggest::nearest;
