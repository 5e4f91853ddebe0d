//! The pure domain of Headroom: what an SLO is, how events are counted, what is left of a budget.
//!
//! Nothing here reads a clock, a file or the network: time, samples and file texts are arguments.
//! The pipeline runs in one direction: [`spec`] -> [`plan`] -> [`counter`] -> [`ledger`] -> [`budget`].
#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod bucket;
pub mod budget;
pub mod burn;
pub mod calendar;
pub mod composite;
pub mod counter;
pub mod exclusion;
pub mod filter;
pub mod forecast;
pub mod histogram;
pub mod labels;
pub mod ledger;
pub mod plan;
pub mod selector;
pub mod sli;
pub mod slo;
pub mod spec;
pub mod stretches;
pub mod subset;
pub mod time;
pub mod timeslice;
pub mod view;
