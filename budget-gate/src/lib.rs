//! May this be deployed now? Policies, and the verdicts they give on budgets.
//!
//! Pure: budgets, policies and `now` are arguments, a [`Decision`] is the answer. Reading sources,
//! serving HTTP and recording decisions are the engine's work; the client is in the binary.
//!
//! The way of a question: [`select`] finds the policy, [`decide()`] asks its rules about each SLO and
//! combines what they say, [`Decision`] is what callers read.
#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod annotation;
pub mod calendar;
pub mod decide;
pub mod decision;
pub mod deployment;
pub mod exclusion;
mod fault;
pub mod harmless;
pub mod incident;
pub mod junit;
pub mod lasting;
pub mod markdown;
pub mod overriding;
pub mod policy;
pub mod repeat;
pub mod sarif;
pub mod select;
pub mod signed;
pub mod text;
pub mod words;

pub use decide::{Facts, Known, decide, prepare};
pub use decision::{Decision, Kind, Request, Verdict};
pub use policy::Policy;

mod summary;

#[cfg(test)]
mod sample;
