//! Policies and verdicts.
