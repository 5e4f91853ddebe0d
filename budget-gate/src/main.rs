//! Command line of the deploy gate.
fn main() {}
