//! The benchmark program: every figure that the engine must reach, measured against real servers.
//! Answers are checked against the truth before anything is timed. Exit 1 when a figure is missed.

use std::process::ExitCode;

mod cli;
mod http;
mod node;
mod output;
mod report;
mod rows;
mod world;

fn main() -> ExitCode {
    // The first line: the HTTP client needs the provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // What the engine warns of while a row drives it.
    let log =
        tracing_subscriber::fmt().with_max_level(tracing_subscriber::filter::LevelFilter::WARN);
    log.with_writer(std::io::stderr).init();
    cli::main()
}
