//! The engine: reads sources, keeps the ledger of good and total events, serves budgets and verdicts.

pub mod source;
